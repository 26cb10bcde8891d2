"""`fairlead run`: exit codes, what stands on stdout and stderr, names and what a file refers to."""

from __future__ import annotations

import json
import re

import pytest
from tests.support.cli import manifest, sh

from fairlead.local.store.locations import folder_of
from fairlead.model.manifests import parse_spec
from fairlead.model.manifests.status import ExecutionStatus

A_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]\w+( .*)?$")


def test_a_run_that_succeeds_exits_with_0_and_prints_its_end(cli):
    """Progress is one line an event, then what became of the run and its outputs."""
    file = cli.workflow({"name": "a", "set": {"x": 5}}, outputs={"x": "${vars.x}"})

    done = cli("run", file, "first")

    assert done.returncode == 0, done.stderr
    *progress, headline, heading, value = done.stdout.splitlines()
    assert all(A_LINE.match(line) for line in progress)
    assert [line.split()[1] for line in progress] == [
        "ExecutionCreated",
        "ExecutionStarted",
        "NodeCompleted",
        "ExecutionCompleted",
    ]
    assert headline.startswith("first Succeeded in ")
    assert (heading, value) == ("Outputs:", "  x: 5")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "node, code, phase",
    [
        (sh("a"), 0, "Succeeded"),
        (sh("a", "exit 3"), 1, "Failed"),
        ({"name": "a", "finish": {"result": "blocked"}}, 0, "Succeeded"),
        ({"name": "a", "finish": {"result": "failed", "reason": "no"}}, 1, "Failed"),
    ],
)
def test_exit_codes_follow_the_phase(cli, node, code, phase):
    """With -o json stdout is the status and nothing else; `--resume` of the ended run says and does the same."""
    file = cli.workflow(node)

    done = cli("run", file, "r", "-o", "json")
    again = cli("run", "--resume", "r", "-o", "json")

    status = json.loads(done.stdout)
    assert (done.returncode, status["phase"]) == (code, phase)
    assert parse_spec(ExecutionStatus, status).phase == phase
    assert (again.returncode, json.loads(again.stdout)["finishedAt"]) == (code, status["finishedAt"])
    assert "NodeCompleted" in done.stderr or "NodeFailed" in done.stderr


def test_yaml_is_one_document_too(cli):
    """-o yaml prints the status as YAML."""
    file = cli.workflow({"name": "a", "set": {"x": "yes"}})

    shown = cli("run", file, "r", "-o", "yaml").stdout

    assert shown.startswith("phase: Succeeded\n")
    assert "  x: 'yes'\n" in shown


def test_a_failure_shows_the_last_output_and_what_to_do(cli):
    """In a pipe the last lines that the node printed stand under its failure; the hint is on stderr."""
    file = cli.workflow(sh("a", "for i in $(seq 20); do echo line $i; done; echo no luck >&2; exit 3"))

    done = cli("run", file, "r")

    lines = done.stdout.splitlines()
    failure = next(number for number, line in enumerate(lines) if "NodeFailed a NonZeroExit" in line)
    assert lines[failure + 10] == "    | no luck"
    assert lines[failure + 1] == "    | line 12"
    assert "node a: NonZeroExit: exit code 3" in done.stdout
    again = "`fairlead redrive r && fairlead run --resume r` runs the failed ones again"
    assert done.stderr == f"`fairlead logs r` shows what its nodes printed, {again}\n"


def test_a_generated_name_is_the_workflows_and_five_letters(cli):
    """Two runs of one file have two names."""
    file = cli.workflow({"name": "a", "set": {"x": 1}}, name="order")

    cli.ok("run", file)
    cli.ok("run", file)

    names = [item["metadata"]["name"] for item in cli.json("list")]
    assert all(re.fullmatch(r"order-[a-z]{5}", name) for name in names)
    assert len(set(names)) == 2


def test_a_name_that_is_taken_is_refused(cli):
    """Exit code 2, nothing is started, and both ways on are named."""
    file = cli.workflow({"name": "a", "set": {"x": 1}})
    cli.ok("run", file, "r")

    done = cli("run", file, "r")

    assert (done.returncode, done.stdout) == (2, "")
    assert "an execution named r exists already" in done.stderr
    assert "`fairlead run --resume r`" in done.stderr
    assert len(cli.json("list")) == 1


@pytest.mark.parametrize("name", ["Upper", "with space", "a/b", "é", "a" * 254, ""])
def test_a_name_that_is_none_is_refused(cli, name):
    """Names of executions are names of objects."""
    done = cli("run", cli.workflow({"name": "a", "set": {"x": 1}}), name)

    assert done.returncode == 2
    assert "cannot name an execution" in done.stderr
    assert not cli.store.exists()


def test_the_first_workflow_of_a_file_runs_whatever_stands_beside_it(cli):
    """Objects of others and further workflows are passed over; stdin is a file too."""
    foreign = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    one = manifest("Workflow", "one", {"nodes": [{"name": "a", "set": {"x": 1}}]})
    two = manifest("Workflow", "two", {"nodes": [{"name": "a", "set": {"x": 2}}]})
    file = cli.write("many.yaml", foreign, one, two)

    assert cli.json("run", file)["workflow"]["name"] == "one"
    done = cli("run", "-", "-o", "json", stdin=file.read_text(encoding="utf-8"))
    assert json.loads(done.stdout)["workflow"]["name"] == "one"


def test_an_execution_finds_its_workflow_in_its_file_then_in_its_folder(cli):
    """The file's own comes first; other files of the folder are read only when it has none, broken ones are passed over."""
    own = manifest("Workflow", "flow", {"nodes": [{"name": "a", "set": {"from": "here"}}]})
    beside = manifest("Workflow", "flow", {"nodes": [{"name": "a", "set": {"from": "there"}}]})
    execution = manifest("WorkflowExecution", "e", {"workflow": {"name": "flow"}})
    cli.write("broken.yaml", "a: [fairlead.dev/")
    cli.write("beside.yml", beside)

    both = cli.write("both.yaml", {**execution, "metadata": {"name": "one"}}, own)
    alone = cli.write("alone.yaml", {**execution, "metadata": {"name": "two"}})

    assert cli.json("run", both)["variables"] == {"from": "here"}
    assert cli.json("run", alone)["variables"] == {"from": "there"}
    assert [item["metadata"]["name"] for item in cli.json("list")] == ["one", "two"]


def test_a_workflow_that_is_nowhere_is_refused_with_the_files_passed_over(cli):
    """The name, what there is instead, and the file that could not be read."""
    cli.workflow({"name": "a", "set": {"x": 1}}, file="near.yaml", name="order-flow")
    cli.write("broken.yaml", "apiVersion: fairlead.dev/v1alpha1\na: [")
    file = cli.write("e.yaml", manifest("WorkflowExecution", "e", {"workflow": {"name": "order-flwo"}}))

    done = cli("run", file)

    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert (
        f"{file}:7: error UnknownWorkflow: there is no Workflow 'order-flwo'; did you mean order-flow?"
        in first
    )
    assert "passed over: " in last
    assert "broken.yaml:" in last
    assert not cli.store.exists()


def test_an_execution_brings_inputs_and_wishes(cli):
    """Inputs of the manifest are overlaid by -i; its suspend holds the run from the start."""
    definition = {
        "inputs": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
        "nodes": [{"name": "n", "set": {"sum": "${inputs.a + inputs.b}"}}],
    }
    spec = {"definition": definition, "inputs": {"a": 1, "b": 1}, "suspend": True}
    file = cli.write("e.yaml", manifest("WorkflowExecution", "e", spec))

    done = cli("run", file, "-i", "b=41", "--no-wait", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["phase"]) == (4, "Suspended")
    assert "`fairlead run --resume e` goes on" in done.stderr
    assert cli.json("get", "e")["spec"]["inputs"] == {"a": 1, "b": 41}

    cli.ok("resume", "e")
    assert cli.json("run", "--resume", "e")["variables"] == {"sum": 42}


def test_what_this_release_does_not_run_is_refused_by_field_and_line(cli):
    """Exit code 2, one finding for each field, nothing is started."""
    file = cli.workflow({"name": "a", "approval": {"roles": ["r"]}}, {"name": "b", "emit": {"type": "t"}})

    done = cli("run", file)

    first, second, last = done.stderr.splitlines()
    assert done.returncode == 2
    assert ": error NotSupportedYet: nodes of kind approval are not supported yet" in first
    assert ": error NotSupportedYet: nodes of kind emit are not supported yet" in second
    assert last.endswith("uses what this release does not run; nothing was started")
    assert not cli.store.exists()


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "EmptyFile"),
        ("a: [b", "BadYAML"),
        ("just text", "WrongType"),
        ("a: 1\n---\nb: 2\n", "MissingField"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "UnknownKind"),
        (
            "apiVersion: fairlead.dev/v1alpha1\nkind: Workfow\nmetadata: {name: x}\nspec: {nodes: []}\n",
            "UnknownKind",
        ),
        ("x" * 5_000_000, "FileTooLarge"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_file_that_cannot_run_is_refused(cli, text, reason):
    """Each kind of bad text has its reason, a place and exit code 2; no store is made."""
    file = cli.folder / "bad.yaml"
    file.write_text(text, encoding="utf-8")

    done = cli("run", file)

    assert (done.returncode, done.stdout) == (2, "")
    assert f" error {reason}: " in done.stderr
    assert done.stderr.startswith(f"{file}:")
    assert "nothing was started" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not cli.store.exists()


def test_other_kinds_alone_do_not_run(cli):
    """A file with only a guard says what it has and what was expected."""
    file = cli.write("g.yaml", manifest("WorkflowGuard", "g", {"concurrency": 1}))

    done = cli("run", file)

    assert done.returncode == 2
    assert "has only WorkflowGuard; expected a Workflow or a WorkflowExecution" in done.stderr


def test_files_that_are_none_are_refused(cli):
    """A folder, a missing file with a near name, an unreadable path."""
    cli.workflow({"name": "a", "set": {"x": 1}}, file="order.yaml")

    assert "is a folder; expected a file" in cli("run", cli.folder).stderr
    assert f"perhaps {cli.folder / 'order.yaml'}" in cli("run", cli.folder / "oder.yaml").stderr
    assert "nope does not exist; expected a file" in cli("run", "nope").stderr


def test_warnings_do_not_stop_a_run(cli):
    """They stand on stderr, with file and line."""
    file = cli.workflow({"name": "a", "set": {"x": 1}}, {"name": "b", "set": {"x": 2}})

    done = cli("run", file)

    assert done.returncode == 0
    assert f"{file}:" in done.stderr
    assert " warning UnorderedWriters: " in done.stderr


def test_a_store_can_be_named(cli, tmp_path):
    """--store is used by all commands, and hints repeat it."""
    file = cli.workflow(sh("a", "exit 1"))
    other = tmp_path / "other.db"

    done = cli("run", file, "r", "--store", other)

    assert f"`fairlead logs r --store {other}`" in done.stderr
    assert [item["metadata"]["name"] for item in cli.json("list", "--store", other)] == ["r"]
    assert cli.json("list") == []


def test_a_store_that_cannot_be_reached_is_exit_code_5(cli):
    """A folder in its place, or a path that cannot be made."""
    file = cli.workflow({"name": "a", "set": {"x": 1}})

    for store in (cli.folder, "/proc/nowhere/store.db"):
        done = cli("run", file, "--store", store)
        assert (done.returncode, done.stdout) == (5, "")
        assert len(done.stderr.splitlines()) == 1


def test_output_that_could_not_be_kept_is_named_at_the_end(cli):
    """The run is as it would be else; what `fairlead logs` will not show is said on stderr, of a few nodes one by one."""
    file = cli.workflow(*[sh(name, "echo words") for name in ("a", "b", "c", "d", "e")], sh("quiet"))
    cli("run", cli.workflow({"name": "x", "log": {"message": "x"}}, file="first.yaml"), "first")
    folder_of(cli.store).joinpath("logs").write_text("a file in the way", encoding="utf-8")

    done = cli("run", file, "r", "-o", "json")

    said = [line for line in done.stderr.splitlines() if "printed not all is in its log" in line]
    assert (done.returncode, len(said)) == (0, 3)
    assert all("output could not be kept: " in line and line.startswith("warning: of what ") for line in said)
    assert "  and so of 2 more\n" in done.stderr
