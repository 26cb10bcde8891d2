"""`fairlead export` and `fairlead import` between stores, and what they refuse."""

from __future__ import annotations

import stat

import pytest
from tests.support.cli import Cli, gate, manifest, sh
from tests.support.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]
"""Some of these take a dozen commands, each a process."""

TO = ("--store", "other.db")


@pytest.fixture
def cli(tmp_path):
    """The command line in the test's folder, with no cluster to speak of."""
    found = Cli(tmp_path)
    found.env |= {"KUBECONFIG": str(tmp_path / "none")}
    return found


def test_a_run_goes_on_in_another_store(cli):
    """Suspended in one, resumed in the other; what was done is not done again, children start from its own workflows."""
    done = cli.folder / "done"
    flow = manifest(
        "Workflow",
        "flow",
        {
            "nodes": [
                sh("first", f'echo first >> "{done}"'),
                gate("held", cli.folder / "go", after=["first"]),
                {"name": "call", "after": ["held"], "workflow": {"name": "other"}},
            ]
        },
    )
    other = manifest("Workflow", "other", {"nodes": [sh("x", f'echo other >> "{done}"')]})
    with cli.started("run", cli.write("flow.yaml", flow, other), "mine", "--no-wait") as run:
        until((cli.folder / "go.pid").exists, "it runs")
        cli.ok("suspend", "mine")
        until(lambda: cli.phase("mine") == "Suspended", "it is suspended")
        busy = cli("export", "mine")
        (cli.folder / "go").touch()
        assert 4 == run.wait(60)
    assert (2, True) == (busy.returncode, "is suspended, and held still at work" in busy.stderr)

    cli.ok("export", "mine")
    (cli.folder / "flow.yaml").unlink()
    assert "mine is imported: Suspended" in cli.ok("import", "mine.fairlead.gz", *TO)
    assert 4 == cli("run", "--resume", "mine", "--no-wait", *TO).returncode
    cli.ok("resume", "mine", *TO)

    assert "mine Succeeded" in cli.ok("run", "--resume", "mine", *TO)
    assert ["first", "other"] == done.read_text().split()
    assert 0 == cli("replay", "mine", *TO).returncode
    assert "Suspended" == cli.phase("mine")


def test_what_is_at_work_is_exported_by_force_and_delivered_again(cli):
    """The copy says that it was lost, and does it anew."""
    with cli.started("run", cli.workflow(gate("a", cli.folder / "go")), "mine"):
        until((cli.folder / "go.pid").exists, "it runs")
        assert 2 == cli("export", "mine").returncode
        cli.ok("export", "mine", "--force", "-o", "forced.gz")
    (cli.folder / "go").touch()

    cli.ok("import", "forced.gz", "copy", *TO)

    assert "copy Succeeded" in cli.ok("run", "--resume", "copy", *TO)
    assert "NodeLost" in cli.ok("events", "copy", *TO)


def test_the_file_is_new_whole_and_for_its_owner_alone(cli):
    """Nothing is overwritten, stdout and stdin serve as well."""
    cli.ok("run", cli.workflow(sh("a")), "mine")
    assert "mine is exported to mine.fairlead.gz: " in cli.ok("export", "mine")
    file = cli.folder / "mine.fairlead.gz"
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    again = cli("export", "mine")
    nowhere = cli("export", "mine", "-o", "no/such/folder/x.gz")

    assert (2, True) == (again.returncode, "exists already; expected the name of a new file" in again.stderr)
    assert (5, True) == (nowhere.returncode, "could not be written" in nowhere.stderr)
    assert ["mine.fairlead.gz"] == [path.name for path in cli.folder.glob("*fairlead.gz*")]


def test_bad_files_and_names_are_refused(cli):
    """With a sentence, and nothing is taken in."""
    cli.ok("run", cli.workflow(sh("a")), "mine")
    cli.ok("export", "mine", "-o", "good.gz")
    (cli.folder / "cut.gz").write_bytes((cli.folder / "good.gz").read_bytes()[:-40])
    for words, said in (
        (("import", "cut.gz"), "cut.gz was cut or altered"),
        (
            ("import", "flow.yaml"),
            "flow.yaml is no bundle; expected a file that `fairlead export` has written",
        ),
        (("import", "missing.gz"), "missing.gz cannot be read"),
        (("import", "good.gz", "Not_A_Name"), "cannot name an execution"),
        (("import", "good.gz"), "an execution named mine exists already"),
        (
            ("import", "good.gz", "x", "--local", "-n", "y"),
            "--local looks in the local store, and --namespace",
        ),
        (("export", "nobody"), "no execution is named nobody"),
    ):
        done = cli(*words)
        assert (2, True) == (done.returncode, said in done.stderr), done.stderr

    assert ["mine"] == [one["metadata"]["name"] for one in cli.json("list")]


def test_an_old_run_is_kept_for_its_time_from_the_import_on(cli):
    """Retention would have removed it where it was."""
    cli.ok("run", cli.workflow(sh("a"), retention={"succeeded": "1h"}), "old")
    cli.ok("export", "old", "-o", "old.gz")
    cli.ok("import", "old.gz", *TO)

    cli.ok("run", cli.workflow(sh("a")), "new", *TO)

    assert "Succeeded" in cli.ok("get", "old", *TO)
