"""`fairlead list`, `get`, `graph` and `replay`: readers of what a run left."""

from __future__ import annotations

import asyncio
import json
import re
import xml.etree.ElementTree as ET

import pytest
from tests.support.cli import Cli, gate, manifest, sh
from tests.support.stores import tamper
from tests.support.waiting import pid_in

from fairlead.local.store import Store
from fairlead.model import state as states
from fairlead.model.manifests import parse_spec
from fairlead.model.manifests.status import ExecutionStatus


@pytest.fixture
def ended(cli: Cli) -> Cli:
    """A command line with two ended runs: `good` and `bad`."""
    good = cli.workflow(
        sh("a", "exit 0", checkpoint=True),
        {"name": "b", "if": "true", "after": ["a"]},
        {"name": "c", "set": {"x": 1}, "after": ["b.true"]},
        sh("d", after=["b.false"]),
        sh("e", after=["c"]),
        file="good.yaml",
        outputs={"x": "${vars.x}"},
    )
    cli.ok("run", good, "good")
    cli("run", cli.workflow(sh("a", "exit 3"), sh("b", after=["a"]), file="bad.yaml", name="worse"), "bad")
    return cli


def test_a_list_has_a_line_an_execution_the_newest_last(ended):
    """Name, workflow, phase, progress; -o wide has more; -o json has whole objects."""
    header, good, bad = ended.ok("list").splitlines()
    assert header.split() == ["NAME", "WORKFLOW", "PHASE", "PROGRESS", "DURATION", "AGE"]
    assert good.split()[:4] == ["good", "flow", "Succeeded", "5/5"]
    assert bad.split()[:4] == ["bad", "worse", "Failed", "2/2"]

    objects = ended.json("list")
    assert [(item["metadata"]["name"], item["status"]["phase"]) for item in objects] == [
        ("good", "Succeeded"),
        ("bad", "Failed"),
    ]
    assert objects[0]["metadata"]["uid"] in ended.ok("list", "-o", "wide")


def test_a_list_where_nothing_was_run_is_empty(cli):
    """No error, no store made."""
    assert cli.ok("list") == ""
    assert cli.json("list") == []
    assert not cli.store.exists()


def test_get_shows_figures_states_and_results(ended):
    """Total time, mean node time, queue depth, the states of the graph's nodes, outputs."""
    shown = ended.ok("get", "good")

    for fact in (
        "Phase:",
        "Total time:",
        "Mean node time:",
        "Queue depth:     0",
        "Progress:        100%, 5 of 5: 4 done, 1 skipped",
    ):
        assert fact in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if re.match(r"[abcd] ", line)}
    assert rows["a"][:3] == ["run", "Succeeded", "1"]
    assert rows["d"][:2] == ["run", "Skipped"]
    assert rows["d"][-1] == "DeadPath"
    assert shown.rstrip().endswith("Outputs:\n  x: 1")


def test_get_shows_what_failed(ended):
    """The error of a failed run, and the reason beside the node."""
    shown = ended.ok("get", "bad")

    assert "Error:\n  node a: NonZeroExit: exit code 3" in shown
    assert "NonZeroExit: exit code 3" in next(line for line in shown.splitlines() if line.startswith("a "))


def test_get_as_json_is_the_whole_object(ended):
    """apiVersion, kind, metadata, spec and a status that the model takes; the figures stand beside it."""
    found = ended.json("get", "good")

    assert (found["apiVersion"], found["kind"]) == ("fairlead.dev/v1alpha1", "WorkflowExecution")
    assert found["metadata"]["name"] == "good"
    assert found["spec"] == {"workflow": {"name": "flow"}, "inputs": {}}
    assert parse_spec(ExecutionStatus, found["status"]).outputs == {"x": 1}
    assert found["metrics"].keys() == {"totalTime", "meanNodeTime", "queueDepth", "nodes"}
    assert [(node["node"], node["status"]) for node in found["metrics"]["nodes"]] == [
        ("a", "Succeeded"),
        ("b", "Succeeded"),
        ("c", "Succeeded"),
        ("d", "Skipped"),
        ("e", "Succeeded"),
    ]


def test_get_of_a_running_execution_names_its_process(cli):
    """Who runs it, what runs, and how long it has taken."""
    door = cli.folder / "door"
    with cli.started("run", cli.workflow(gate("a", door)), "r") as process:
        pid_in(door.with_name("door.pid"))
        shown = cli.ok("get", "r")
        door.touch()
        assert process.wait() == 0

    assert f"process {process.pid}" in shown
    assert re.search(r"^a +run +Running +1 ", shown, re.MULTILINE)


def test_an_unknown_execution_is_refused_with_the_nearest_name(ended):
    """Exit code 2 in every command that takes an ID."""
    for command in ("get", "events", "logs", "graph", "replay", "suspend", "redrive"):
        done = ended(command, "goood")
        assert done.returncode == 2, command
        assert "no execution is named goood" in done.stderr
        assert "did you mean good?" in done.stderr


def test_a_graph_is_drawn_of_a_file_and_of_an_execution(ended):
    """Of an execution with the states of nodes; all four formats."""
    assert ended.ok("graph", "good.yaml").splitlines()[:2] == ["flow", "a (run)"]
    of_run = ended.ok("graph", "good")
    assert of_run.startswith("good (Succeeded)\n✓ a (run")
    assert "- d (run, DeadPath)" in of_run
    assert ET.fromstring(ended.ok("graph", "good", "--format", "svg")).tag.endswith("svg")
    assert "flowchart TD" in ended.ok("graph", "good.yaml", "--format", "mermaid")
    assert ended.ok("graph", "bad", "--format", "dot").startswith("digraph")


def test_a_graph_is_drawn_of_what_this_release_does_not_run(cli):
    """Bodies, branches and loopbacks are drawn; a broken file is refused with its findings."""
    loop = {"name": "each", "forEach": {"items": [1], "nodes": [sh("pack"), sh("label", after=["pack"])]}}
    file = cli.workflow(loop, {"name": "w", "wait": {"for": "1s"}, "after": ["each"]})

    assert [line.strip() for line in cli.ok("graph", file).splitlines()] == [
        "flow",
        "each (forEach)",
        "┊  pack (run)",
        "┊  label (run)",
        "w (wait)",
    ]
    done = cli("graph", cli.workflow(sh("a", after=["b"]), file="broken.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert " error UnknownNode: " in done.stderr


def test_a_replay_finds_everything_as_it_was(ended):
    """Hashes, checkpoint, recorded phase and times; of a file the log in the store."""
    found = ended.json("replay", "good")
    assert found["same"] is True
    assert found["phase"] == "Succeeded"
    assert [what.split(" at ")[0] for what in found["compared"]] == [
        "the hashes of the log",
        "the checkpoint",
        "the recorded phase and times",
    ]

    exported = ended.write("good.json", ended.ok("events", "good", "-o", "json"))
    lines = ended.write("lines.json", ended.ok("events", "good", "--follow", "-o", "json"))
    for file in (exported, lines):
        assert "the log of good in the store" in ended.ok("replay", file)


@pytest.mark.parametrize(
    "statement, words, seq",
    [
        ("DELETE FROM events WHERE seq = 4", "event 4", 4),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "is missing", None),
        ('UPDATE events SET data = replace(data, \'"port":"done"\', \'"port":"gone"\')', "was changed", None),
        ("UPDATE events SET data = 'x' WHERE seq = 3", "event 3", 3),
    ],
)
def test_a_replay_names_the_first_event_that_is_wrong(cli, statement, words, seq):
    """A missing, changed or unreadable event: exit code 1 and its number; everything else says that the log is damaged."""
    cli.ok("run", cli.workflow(sh("a"), sh("b", after=["a"])), "r")
    tamper(cli.store, statement)

    done = cli("replay", "r")
    as_json = json.loads(cli("replay", "r", "-o", "json").stdout)

    assert done.returncode == 1
    assert words in done.stdout
    assert as_json["same"] is False
    assert seq is None or as_json["seq"] == seq
    reader = cli("get", "r")
    assert (reader.returncode, len(reader.stderr.splitlines())) == (5, 1)
    assert "`fairlead replay` shows more" in reader.stderr


def test_a_replay_names_what_differs_from_the_checkpoint(ended):
    """A checkpoint that fits the log and holds another state is a difference, with the place and both values."""
    with Store(ended.store) as store:
        uid = store.get("good").uid
        kept = asyncio.run(store.latest(uid))
        assert kept is not None
        state = states.decode(kept[1])
        state.inputs = {"n": 7}
        asyncio.run(store.save(uid, kept[0], states.encode(state)))

    done = ended("replay", "good")

    assert done.returncode == 1
    assert "the fold differs from the checkpoint: inputs.n is null; recorded 7" in done.stdout


def test_a_replay_names_what_is_wrong_with_a_file(ended):
    """A gap, an illegal move, an event that is none, one that differs from the store, a file that is none."""
    events = ended.json("events", "good")

    def verdict(changed, file="x.json"):
        return ended("replay", ended.write(file, json.dumps(changed)))

    gap = verdict(events[:3] + events[4:])
    assert (gap.returncode, "event 4 is missing" in gap.stdout) == (1, True)
    doubled = [*events, {**events[-1], "seq": len(events) + 1}]
    move = verdict(doubled)
    assert move.returncode == 1
    assert f"event {len(events) + 1} does not fit what came before it" in move.stdout
    nonsense = verdict([events[0], {"seq": 2, "type": "NoSuch"}])
    assert (nonsense.returncode, "event 2 is unreadable" in nonsense.stdout) == (1, True)
    other = [{**event, "at": "2020-01-01T00:00:00Z"} if event["seq"] == 5 else event for event in events]
    differs = verdict(other)
    assert differs.returncode == 1
    assert "event 5 differs from the log in the store: at is " in differs.stdout
    assert verdict([]).returncode == 2
    assert ended("replay", ended.write("y.json", "nonsense")).returncode == 2


def test_validate_prints_a_line_a_finding(cli):
    """FILE:LINE: severity Reason: message (path); several files and folders; exit code 2 only with errors."""
    good = cli.workflow({"name": "a", "set": {"x": 1}}, file="flows/good.yaml")
    cli.write("flows/values.yaml", "replicas: 3\n")
    warn = cli.workflow({"name": "a", "set": {"x": 1}}, {"name": "b", "set": {"x": 2}}, file="flows/warn.yml")
    bad = cli.write(
        "bad.yaml", manifest("Workflow", "bad", {"nodes": [{"name": "a", "timout": "5s", "set": {"x": 1}}]})
    )

    clean = cli("validate", good)
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "1 file: 0 errors, 0 warnings\n")

    warned = cli("validate", cli.folder / "flows")
    assert warned.returncode == 0
    assert re.fullmatch(
        rf"{re.escape(str(warn))}:\d+: warning UnorderedWriters: .+ \(spec\.nodes\[1\]\S*\)\n", warned.stdout
    )
    assert warned.stderr == "2 files: 0 errors, 1 warning\n"

    done = cli("validate", good, bad, "-o", "json")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    [unknown] = [item for item in found if item["reason"] == "UnknownField"]
    assert unknown["severity"] == "error"
    assert unknown["file"] == str(bad)
    assert unknown["line"] > 1
    assert unknown["path"] == "spec.nodes[0].timout"
    assert "did you mean timeout?" in unknown["message"]


def test_validate_says_when_there_is_nothing_to_look_at(cli):
    """A folder without manifests of ours is a mistake, as is a file that is not there."""
    cli.write("values.yaml", "replicas: 3\n")

    empty = cli("validate", cli.folder)
    missing = cli("validate", cli.folder / "no.yaml")

    assert (empty.returncode, empty.stderr) == (2, "no manifest of Fairlead was found\n")
    assert (missing.returncode, "does not exist" in missing.stderr) == (2, True)


def test_validate_warns_of_what_does_not_run_yet(cli):
    """It is right, so exit code 0; who puts the file into a repository learns at once that this release will refuse it."""
    sign_off = {"name": "sign-off", "approval": {"roles": ["sre"]}, "after": ["pay"]}
    file = cli.workflow(sh("pay", compensate={"set": {}}), sign_off)

    done = cli("validate", file)

    assert (done.returncode, done.stderr) == (0, "1 file: 0 errors, 2 warnings\n")
    assert [line.partition(": ")[2].split(":")[0] for line in done.stdout.splitlines()] == [
        "warning NotSupportedYet"
    ] * 2
    assert [item["path"] for item in cli.json("validate", file)] == [
        "spec.nodes[0].compensate",
        "spec.nodes[1].approval",
    ]
