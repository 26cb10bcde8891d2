"""Which home a command looks in, and what is said of a cluster that cannot be reached."""

from __future__ import annotations

import json

import pytest

from fairlead.apps.cli.contexts import context_is_set

CONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: far, context: {cluster: c, user: u}}]
"""


@pytest.mark.parametrize(
    "text, expected",
    [
        ("current-context: far\n", True),
        ('apiVersion: v1\ncurrent-context: "far"\r\n', True),
        ("current-context:\n", False),
        ('current-context: ""\n', False),
        ("current-context: null\n", False),
        ("contexts:\n- name: x\n  current-context: far\n", False),
        ('{"current-context": "far"}', True),
        ('{"current-context": ""}', False),
        ("{current-context: [", False),
        ("", False),
        ("\0\xff", False),
    ],
)
def test_a_context_is_seen_as_kubectl_sees_it(tmp_path, text, expected):
    """In block style and as JSON; what is empty or cannot be read is none."""
    file = tmp_path / "config"
    file.write_text(text, encoding="utf-8")

    assert context_is_set({"KUBECONFIG": str(file)}) is expected
    assert context_is_set({"KUBECONFIG": f"{tmp_path / 'missing'}:{file}"}) is expected
    assert context_is_set({"HOME": str(tmp_path)}) is False
    usual = tmp_path / ".kube" / "config"
    usual.parent.mkdir()
    usual.write_text(text, encoding="utf-8")
    assert context_is_set({"HOME": str(tmp_path)}) is expected


def test_a_cluster_that_is_not_there_is_told(cli):
    """Exit code 5, the server, and the way to the local store, which --local takes; nothing is looked for elsewhere."""
    cli.ok("run", cli.workflow({"name": "a", "set": {"x": 1}}), "r")
    cli.env["KUBECONFIG"] = str(cli.write("far.yaml", f"{CONFIG}current-context: far\n"))

    done = cli("get", "r")

    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (5, 1, "")
    assert "the cluster at http://127.0.0.1:1 cannot be reached" in done.stderr
    assert "--local" in done.stderr
    assert cli.ok("get", "r", "--local").startswith("Name:")
    assert cli.ok("get", "r", "--store", cli.store).startswith("Name:")


def test_hints_of_a_local_run_lead_to_the_store(cli):
    """Where a kube context is set, the commands that a run names say --local; those that only run here need not."""
    cli.env["KUBECONFIG"] = str(cli.write("far.yaml", f"{CONFIG}current-context: far\n"))

    failed = cli("run", cli.workflow({"name": "a", "run": {"sh": "exit 1"}}), "r")

    assert failed.returncode == 1
    assert (
        "`fairlead logs r --local` shows what its nodes printed, `fairlead redrive r --local &&"
        in failed.stderr
    )
    assert "`fairlead run --resume r` takes it up" in cli.ok("redrive", "r", "--local")


@pytest.mark.parametrize(
    "words, code, expected",
    [
        (["--context", "fra"], 2, "has no context fra; did you mean far?"),
        (["--kubeconfig", "missing.yaml"], 5, "the kubeconfig missing.yaml cannot be used"),
        (["--kubeconfig", "list.yaml"], 5, "the kubeconfig list.yaml cannot be used"),
        (["--kubeconfig", "torn.yaml"], 5, "the kubeconfig torn.yaml cannot be used"),
        (["--kubeconfig", "binary.yaml"], 5, "the kubeconfig binary.yaml cannot be used"),
        (["--kubeconfig", "badcert.yaml"], 5, "the kubeconfig badcert.yaml cannot be used"),
        (["--kubeconfig", "far.yaml", "--local"], 2, "--local looks in the local store"),
        (["-A", "--local"], 2, "-A asks for all namespaces of a cluster"),
    ],
)
def test_words_and_files_that_lead_nowhere_are_refused(cli, words, code, expected):
    """One sentence, no traceback."""
    cli.env["KUBECONFIG"] = str(cli.write("far.yaml", f"{CONFIG}current-context: far\n"))
    cli.write("list.yaml", "- current-context: far\n")
    cli.write("torn.yaml", "current-context: far\ncontexts: [\n")
    (cli.folder / "binary.yaml").write_bytes(b"current-context: far\n\xff\xfe\0")
    bad = {"server": "https://127.0.0.1:1", "certificate-authority-data": "bm8gY2VydGlmaWNhdGU="}
    cli.write(
        "badcert.yaml",
        {
            "clusters": [{"name": "c", "cluster": bad}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "far", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "far",
        },
    )

    done = cli("list", *words)

    assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (code, 1, ""), done.stderr
    assert expected in done.stderr


def test_an_export_is_replayed_without_its_cluster(cli):
    """A file needs no home: what it cannot be compared with is said."""
    cli.ok("run", cli.workflow({"name": "a", "set": {"x": 1}}), "r")
    file = cli.write("r.json", json.dumps(cli.json("events", "r")))
    cli.env["KUBECONFIG"] = str(cli.write("far.yaml", f"{CONFIG}current-context: far\n"))

    done = cli("replay", file)

    assert (done.returncode, "the legal moves" in done.stdout) == (0, True)
    assert done.stderr.startswith("not compared with the log that it came from: the cluster at")


@pytest.mark.cluster
def test_credentials_that_are_not_known_any_more_are_told(cli, runs):
    """A token that has expired or was never given: exit code 5, and what was expected."""
    runs.identify(cli, "expired")

    done = cli("list")

    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)
    assert "401 Unauthorized" in done.stderr
    assert "expected credentials that are known and have not expired" in done.stderr
