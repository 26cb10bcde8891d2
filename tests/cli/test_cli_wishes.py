"""suspend, resume, cancel and redrive: wishes that another process takes up, and signals to the one that runs."""

from __future__ import annotations

import json
import re
import signal

import pytest
from tests.support.cli import gate, sh
from tests.support.waiting import lives, pid_in, until


def test_a_run_is_suspended_and_resumed_from_another_terminal(cli):
    """The running node ends and is kept, nothing new starts, and resume lets the rest run."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door), sh("b", after=["a"]))
    with cli.started("run", file, "r", "-o", "json") as process:
        pid_in(door.with_name("door.pid"))
        assert f"r: suspend asked for; process {process.pid} takes it up" in cli.ok("suspend", "r")
        until(lambda: cli.phase("r") == "Suspended", "a suspended run")
        door.touch()
        until(lambda: "NodeCompleted" in cli.types("r", "--node", "a"), "the end of a")
        until(lambda: "NodeReady" in cli.types("r", "--node", "b"), "b held")
        waiting = cli.json("get", "r")["status"]["waitingFor"]
        assert [(entry["kind"], entry.get("node")) for entry in waiting] == [
            ("suspend", None),
            ("suspend", "b"),
        ]

        cli.ok("resume", "r")

        status = json.loads(process.communicate()[0])
        assert (process.returncode, status["phase"]) == (0, "Succeeded")


def test_suspend_can_end_by_itself(cli):
    """--timeout resumes after a time; until then the spec and what it waits for say so."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door))
    with cli.started("run", file, "r") as process:
        pid_in(door.with_name("door.pid"))
        cli.ok("suspend", "r", "--timeout", "1s")
        assert cli.json("get", "r")["spec"]["suspendTimeout"] == "1s"
        until(lambda: "ExecutionResumed" in cli.types("r"), "the end of the timeout")
        door.touch()
        assert process.wait() == 0

    [resumed] = cli.json("events", "r", "--type", "ExecutionResumed")
    assert resumed["reason"] == "SuspendTimeout"


def test_a_cancelled_run_stops_what_runs_and_exits_with_3(cli):
    """The node's process is gone, `finally` has run, and the reason is in the status."""
    file = cli.workflow(gate("a", cli.folder / "door"), **{"finally": [sh("z", "echo bye")]})
    with cli.started("run", file, "r", "-o", "json") as process:
        pid = pid_in(cli.folder / "door.pid")
        cli.ok("cancel", "r", "--reason", "wrong order")

        out, _ = process.communicate()

    status = json.loads(out)
    assert (process.returncode, status["phase"]) == (3, "Cancelled")
    assert "wrong order" in status["conditions"][0]["message"]
    assert re.search(r"^Cancel reason: +wrong order$", cli.ok("get", "r"), re.MULTILINE)
    assert not lives(pid)
    assert cli.ok("logs", "r", "z").splitlines()[1:] == ["bye"]
    assert cli("run", "--resume", "r").returncode == 3


def test_a_forced_cancel_skips_finally(cli):
    """`cancel --force` ends without it."""
    file = cli.workflow(gate("a", cli.folder / "door"), **{"finally": [sh("z")]})
    with cli.started("run", file, "r") as process:
        pid_in(cli.folder / "door.pid")
        cli.ok("cancel", "r", "--force")
        assert process.wait() == 3

    assert "OutcomeDecided" not in cli.types("r")
    assert cli.json("get", "r")["spec"]["cancel"] == {"force": True}


def test_a_failed_run_is_redriven(cli):
    """Only the failed node runs again, its first attempt stays in the log, and `--resume` does it."""
    door = cli.folder / "door"
    file = cli.workflow(sh("a", f"echo a >> {cli.folder / 'ran'}"), sh("b", f"test -e {door}", after=["a"]))
    assert cli("run", file, "r").returncode == 1
    door.touch()

    said = cli.ok("redrive", "r")
    assert "no process runs it now, `fairlead run --resume r` takes it up" in said
    status = cli.json("run", "--resume", "r")

    assert status["phase"] == "Succeeded"
    assert (cli.folder / "ran").read_text(encoding="utf-8").split() == ["a"]
    attempts = [event["attempt"] for event in cli.json("events", "r", "--type", "NodeStarted", "--node", "b")]
    assert attempts == [1, 2]


def test_of_a_failed_loop_only_the_item_that_failed_is_redriven(cli):
    """Items that succeeded stay and those that had not begun follow; the outputs are in order, and the log is replayed."""
    door, ran = cli.folder / "door", cli.folder / "ran"
    check = f"grep -qv 1 $FAIRLEAD_INPUTS || test -e {door}"
    script = f"cat $FAIRLEAD_INPUTS >> {ran}; {check}; cp $FAIRLEAD_INPUTS $FAIRLEAD_OUTPUTS"
    node = {**sh("n", f"set -e; {script}"), "with": {"i": "${item}"}}
    each = {"items": [0, 1, 2], "maxParallel": 1, "nodes": [node], "outputs": {"i": "${nodes.n.outputs.i}"}}
    file = cli.workflow({"name": "c", "forEach": each}, outputs={"items": "${nodes.c.outputs.items}"})
    assert cli("run", file, "r").returncode == 1
    door.touch()

    cli.ok("redrive", "r")
    status = cli.json("run", "--resume", "r")

    assert status["outputs"] == {"items": [{"i": 0}, {"i": 1}, {"i": 2}]}
    assert (
        ran.read_text(encoding="utf-8").replace(" ", "").replace("\n", "") == '{"i":0}{"i":1}{"i":1}{"i":2}'
    )
    assert "c[1] again, 1 node of it" in cli.ok("events", "r", "--type", "BodyReopened")
    cli.ok("replay", "r")


def test_a_loop_is_tried_again_and_then_a_loop_stands_in_for_it(cli):
    """With the instances of each in `get` and `logs`."""
    each = {"items": [1], "nodes": [sh("n", "exit 4")]}
    spare = {"condition": "error.reason == 'BodyFailed' && pass.index < 2", "nodes": [sh("m", "echo saved")]}
    retry = {"maxAttempts": 2, "backoff": "none"}
    file = cli.workflow(
        {"name": "c", "forEach": each, "retry": retry, "fallback": "spare"}, {"name": "spare", "while": spare}
    )
    status = cli.json("run", file, "r")

    attempts = cli.json("events", "r", "--type", "NodeStarted", "--node", "c[0]/n")
    assert [event["attempt"] for event in attempts] == [1, 2]
    assert status["progress"]["total"] == 5
    assert "c/spare" in cli.ok("get", "r")
    assert cli.ok("logs", "r", "c/spare[1]/m").splitlines()[1:] == ["saved"]


def test_a_status_speaks_of_the_generation_that_was_taken_up(cli):
    """A wish raises the generation at once; observedGeneration follows when a process has acted on it, as kstatus needs."""
    cli("run", cli.workflow(sh("a", "exit 1")), "r")

    def generations():
        found = cli.json("get", "r")
        return found["metadata"]["generation"], found["status"]["observedGeneration"]

    assert generations() == (1, 1)
    cli.ok("redrive", "r")
    assert generations() == (2, 1)
    cli("run", "--resume", "r")
    assert generations() == (2, 2)


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["suspend"], "suspend means nothing to r, which is Succeeded; expected one that has not ended"),
        (["resume"], "resume means nothing to r, which is Succeeded; expected one that has not ended"),
        (["cancel"], "cancel means nothing to r, which is Succeeded; expected one that has not ended"),
        (["redrive"], "redrive means nothing to r, which is Succeeded; expected Failed or Cancelled"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(cli, words, sentence):
    """An ended run takes none, a run that did not fail no redrive; exit code 2."""
    cli.ok("run", cli.workflow({"name": "a", "set": {"x": 1}}), "r")

    done = cli(*words, "r")

    assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")


def test_unknown_names_and_durations_are_refused(cli):
    """The nearest name is told; a duration says what was expected."""
    cli.ok("run", cli.workflow({"name": "a", "set": {"x": 1}}), "order-1")

    assert "did you mean order-1?" in cli("suspend", "ordr-1").stderr
    assert "'soon' is no duration" in cli("suspend", "order-1", "--timeout", "soon").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_process_and_loses_nothing(cli, number):
    """Exit code 4, the node's process is gone, the hint says how to go on, and going on delivers the node again."""
    door = cli.folder / "door"
    file = cli.workflow(sh("a"), gate("b", door, after=["a"]))
    with cli.started("run", file, "r", "-o", "json") as process:
        pid = pid_in(cli.folder / "door.pid")
        process.send_signal(number)
        out, err = process.communicate()

    assert process.returncode == 4
    assert json.loads(out)["phase"] == "Running"
    assert err.splitlines()[-1] == "stopped; nothing is lost, `fairlead run --resume r` goes on"
    until(lambda: not lives(pid), "the end of the node's process")

    door.touch()
    assert cli.json("run", "--resume", "r")["phase"] == "Succeeded"
    started = [event["node"] for event in cli.json("events", "r", "--type", "NodeStarted")]
    assert started == ["a", "b"]


def test_no_wait_leaves_a_suspended_run(cli):
    """With --no-wait the process leaves with 4 as soon as nothing moves any more."""
    door = cli.folder / "door"
    file = cli.workflow(gate("a", door), sh("b", after=["a"]))
    with cli.started("run", file, "r", "--no-wait") as process:
        pid_in(door.with_name("door.pid"))
        cli.ok("suspend", "r")
        until(lambda: cli.phase("r") == "Suspended", "a suspended run")
        door.touch()
        assert process.wait() == 4

    cli.ok("resume", "r")
    assert cli("run", "--resume", "r", "--no-wait").returncode == 0
