"""`fairlead events` and `fairlead logs`: what happened, and what was printed."""

from __future__ import annotations

import json

import pytest
from tests.support.cli import Cli, gate, sh
from tests.support.waiting import pid_in, until


@pytest.fixture
def ended(cli: Cli) -> Cli:
    """A command line with an ended run `r`: a retry, a condition, variables, a skipped node."""
    once = f'if [ -e "{cli.folder}/once" ]; then echo "second"; else touch "{cli.folder}/once"; echo "first" >&2; exit 3; fi'
    retry = {"maxAttempts": 2, "backoff": "none"}
    file = cli.workflow(
        sh("a", once, retry=retry),
        {"name": "b", "if": "nodes.a.attempts > 1", "after": ["a"]},
        {"name": "c", "set": {"x": 1, "y": [2]}, "after": ["b.true"]},
        sh("d", after=["b.false"]),
    )
    cli.ok("run", file, "r")
    return cli


def test_events_are_one_list_with_seq_at_and_type(ended):
    """-o json prints the log, gapless, with RFC 3339 times; lines print the same in the same order."""
    found = ended.json("events", "r")
    lines = ended.ok("events", "r").splitlines()

    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert all(event["at"].endswith("Z") for event in found)
    assert [line.split()[1] for line in lines] == [event["type"] for event in found]
    assert {"VariableChanged", "ConditionEvaluated"}.isdisjoint(event["type"] for event in found)
    retrying = next(event for event in found if event["type"] == "NodeRetrying")
    assert (retrying["node"], retrying["attempt"], retrying["error"]["exitCode"]) == ("a", 1, 3)


def test_events_are_filtered_by_type_and_node(ended):
    """Several types and nodes add up; derived events come when asked for."""
    by_type = ended.json(
        "events", "r", "--type", "NodeFailed", "--type", "NodeRetrying", "--type", "NodeSkipped"
    )
    by_node = ended.json(
        "events", "r", "--node", "c", "--node", "d", "--type", "NodeCompleted", "--type", "NodeSkipped"
    )
    derived = ended.json("events", "r", "--type", "VariableChanged", "--type", "ConditionEvaluated")

    assert [(event["type"], event["node"]) for event in by_type] == [
        ("NodeRetrying", "a"),
        ("NodeSkipped", "d"),
    ]
    assert {(event["type"], event["node"]) for event in by_node} == {
        ("NodeSkipped", "d"),
        ("NodeCompleted", "c"),
    }
    assert [(event["type"], event.get("name"), event.get("value")) for event in derived] == [
        ("ConditionEvaluated", None, None),
        ("VariableChanged", "x", 1),
        ("VariableChanged", "y", [2]),
    ]


def test_the_end_of_a_container_shows_its_outputs(cli):
    """As the progress of `run` does, also when only that event is asked for; the exported log replays all the same."""
    each = {"items": [1, 2], "nodes": [{"name": "n", "set": {}}], "outputs": {"i": "${item}"}}
    printed = cli.ok("run", cli.workflow({"name": "each", "forEach": each}), "r")
    outputs = {"items": [{"i": 1}, {"i": 2}], "failed": 0}
    [shown] = cli.json("events", "r", "--type", "NodeCompleted", "--node", "each")
    [line] = cli.ok("events", "r", "--type", "NodeCompleted", "--node", "each").splitlines()

    assert outputs == shown["outputs"]
    assert json.dumps(outputs) in line
    assert line in printed.splitlines()

    exported = cli.folder / "r.json"
    exported.write_text(cli.ok("events", "r", "-o", "json"))
    assert cli("replay", str(exported)).returncode == 0


def test_a_type_that_does_not_exist_is_refused_with_the_nearest(ended):
    """Exit code 2."""
    done = ended("events", "r", "--type", "nodefaild")

    assert done.returncode == 2
    assert done.stderr == "error: --type nodefaild: there is no such event; did you mean NodeFailed?\n"


@pytest.mark.parametrize("words", [["events"], ["events", "--follow"], ["logs", "--follow"]], ids=" ".join)
def test_a_node_that_does_not_exist_is_refused_with_the_nearest(ended, words):
    """Silence would say that nothing happened to it; exit code 2."""
    command, *options = words
    node = ["--node", "aa"] if command == "events" else ["aa"]

    done = ended(command, "r", *node, *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: r has no node aa; did you mean a?\n"


def test_a_node_in_a_body_is_found_by_its_name(cli):
    """`events --node`, and whoever follows, get all its instances; `logs` wants one of them. One that is nowhere is refused.

    The refusal names the nearest of all bodies.
    """
    pack = sh("pack", 'echo "packed"')
    cli.workflow({"name": "each", "forEach": {"items": [1, 2], "nodes": [pack]}})
    cli.ok("run", "flow.yaml", "r")

    for follow in ([], ["--follow"]):
        lines = cli.ok("events", "r", "--node", "pack", "--type", "NodeCompleted", *follow).splitlines()
        assert sorted(line.split()[2] for line in lines) == ["each[0]/pack", "each[1]/pack"]
    several = cli("logs", "r", "pack")
    assert several.stderr == "error: pack has 2 instances; expected one of each[0]/pack, each[1]/pack\n"
    assert cli.ok("logs", "r", "each[1]/pack").count("packed") == 1
    followed = cli.ok("logs", "r", "pack", "--follow").splitlines()
    assert sorted(followed) == ["each[0]/pack | packed", "each[1]/pack | packed"]
    assert cli("logs", "r", "pakc").stderr == "error: r has no node pakc; did you mean pack?\n"


def test_following_an_ended_run_prints_all_and_ends(ended):
    """--follow -o json is one object a line."""
    lines = ended.ok("events", "r", "--follow", "-o", "json").splitlines()

    assert [json.loads(line) for line in lines] == ended.json("events", "r")


def test_events_are_followed_from_another_terminal(cli):
    """A follower sees what happens while it happens, and ends with the run."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door), sh("b", after=["a"]))
    with cli.started("run", file, "r") as process:
        pid_in(door.with_name("door.pid"))
        with cli.started(
            "events", "r", "--follow", "--type", "NodeStarted", "--type", "NodeCompleted"
        ) as follower:
            assert follower.stdout is not None
            assert follower.stdout.readline().split()[1:3] == ["NodeStarted", "a"]
            door.touch()
            assert follower.stdout.readline().split()[1:3] == ["NodeCompleted", "a"]
            rest = follower.stdout.read().splitlines()
            assert follower.wait() == 0
        assert process.wait() == 0

    assert [line.split()[1:3] for line in rest] == [["NodeStarted", "b"], ["NodeCompleted", "b"]]


@pytest.mark.parametrize("words", [["watch"], ["events", "-f"], ["logs", "-f"]], ids=" ".join)
def test_whoever_follows_is_told_that_no_process_runs_it(cli, words):
    """A run whose process is gone looks as one that takes long; what goes on with it is said on stderr, once."""
    command, *options = words
    cli.workflow({"name": "rest", "wait": {"for": "1h"}})
    assert cli("run", "flow.yaml", "r", "--no-wait").returncode == 4

    with cli.started(command, "r", *options) as follower:
        assert follower.stderr is not None
        said = follower.stderr.readline()

    assert said == "r is run by no process now: `fairlead run --resume r` goes on\n"


def test_logs_show_each_attempt_under_a_line_of_its_own(ended):
    """Attempts in order, with how they ended; stderr is kept too."""
    lines = ended.ok("logs", "r").splitlines()

    first, second = (number for number, line in enumerate(lines) if line.startswith("==> "))
    assert lines[first].startswith("==> a, attempt 1: failed with NonZeroExit, exit code 3 after ")
    assert lines[second].startswith("==> a, attempt 2: done after ")
    assert lines[first + 1] == "first"
    assert lines[second + 1 :] == ["second"]


def test_logs_of_a_node_and_of_an_attempt(ended):
    """NODE and --attempt narrow; -o json has streams and times."""
    [attempt] = ended.json("logs", "r", "a", "--attempt", "1")

    assert (attempt["node"], attempt["attempt"], attempt["end"]) == (
        "a",
        1,
        "failed with NonZeroExit, exit code 3",
    )
    assert [(line["stream"], line["text"]) for line in attempt["lines"]] == [("stderr", "first")]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["aa"], "r has no node aa; did you mean a?"),
        (["xyzzy"], "r has no node xyzzy; expected one of a, b, c, d"),
        (["b"], "b is of kind if, which prints nothing; see `fairlead events`"),
        (["d"], "d has not run in r; see `fairlead get r`"),
        (["a", "--attempt", "3"], "attempt 3 of a has not run in r; see `fairlead get r`"),
    ],
)
def test_logs_say_why_there_is_nothing(ended, words, sentence):
    """An unknown node, a node of the engine, one that was skipped, an attempt that never was: exit code 2."""
    done = ended("logs", "r", *words)

    assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")


def test_logs_are_followed(cli):
    """Lines come while the node runs, each with its node before it; it ends with the run."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door), sh("b", "echo from b", after=["a"]))
    script = file.read_text(encoding="utf-8").replace("echo $$ >", "echo one; echo two; echo $$ >")
    file.write_text(script, encoding="utf-8")
    with cli.started("run", file, "r") as process:
        pid_in(door.with_name("door.pid"))
        with cli.started("logs", "r", "--follow") as follower:
            assert follower.stdout is not None
            assert follower.stdout.readline() == "a | one\n"
            door.touch()
            assert follower.stdout.read().splitlines() == ["a | two", "b | from b"]
            assert follower.wait() == 0
        assert process.wait() == 0


def test_logs_of_a_running_node_are_there(cli):
    """What a node has printed so far is shown while it runs."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door))
    file.write_text(
        file.read_text(encoding="utf-8").replace("echo $$ >", "echo so far; echo $$ >"), encoding="utf-8"
    )
    with cli.started("run", file, "r") as process:
        pid_in(door.with_name("door.pid"))
        until(lambda: "\nso far\n" in cli.ok("logs", "r"), "the output")
        assert "==> a, attempt 1: running" in cli.ok("logs", "r")
        door.touch()
        assert process.wait() == 0
