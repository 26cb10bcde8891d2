"""Trees of executions through the command line: kill -9, wishes, one process a tree, a damaged child."""

from __future__ import annotations

import os
import signal

import pytest
import yaml
from tests.cli.test_cli_children import call, child_of, note, ran, write
from tests.support.cli import gate, sh
from tests.support.stores import tamper
from tests.support.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]
"""Some of these take a dozen commands, each a process."""


# --- crashes and wishes ----------------------------------------------------------------------------------------------


def test_kill_9_in_the_middle_of_a_child_loses_nothing_and_doubles_nothing(cli, tmp_path):
    """The same child goes on: what had ended in it does not run again."""
    ledger, door = tmp_path / "ledger", tmp_path / "door"
    other = {
        "nodes": [
            sh("a", note(ledger, "a")),
            gate("b", door, after=["a"]),
            sh("c", note(ledger, "c"), after=["b"]),
        ]
    }
    file = write(cli, [call(), sh("d", note(ledger, "d"), after=["go"])], {"other": other})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the middle of the child")
        os.kill(process.pid, signal.SIGKILL)
    child = child_of(cli, "r")
    door.touch()

    assert "Succeeded" == cli.json("run", "--resume", "r")["phase"]
    assert ["a", "c", "d"] == ran(ledger)
    assert child == child_of(cli, "r")
    for name in ("r", child):
        cli.ok("replay", name)


def test_a_child_that_was_let_go_is_taken_up_with_its_parent(cli, tmp_path):
    """The parent has ended, the process was killed: resuming the parent brings the child to its end."""
    door = tmp_path / "door"
    file = write(cli, [call(wait=False)], {"other": {"nodes": [gate("g", door)]}})
    with cli.started("run", file, "r") as process:
        until(lambda: (tmp_path / "door.pid").exists() and cli.phase("r") == "Succeeded", "the child alone")
        os.kill(process.pid, signal.SIGKILL)
    door.touch()
    cli.ok("run", "--resume", "r")

    assert "Succeeded" == cli.phase(cli.json("get", "r")["metrics"]["nodes"][0]["execution"])


def test_a_child_may_be_resumed_alone_and_its_parent_learns_of_it(cli, tmp_path):
    """The log of the child is what counts, whoever ran it."""
    door = tmp_path / "door"
    file = write(cli, [call()], {"other": {"nodes": [gate("g", door)], "outputs": {"x": 1}}})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        os.kill(process.pid, signal.SIGKILL)
    door.touch()
    cli.ok("run", "--resume", child_of(cli, "r"))
    assert "Running" == cli.phase("r")

    assert "Succeeded" == cli.json("run", "--resume", "r")["phase"]


def test_a_child_that_was_deleted_meanwhile_is_lost(cli, tmp_path):
    """Cancelled and deleted behind its parent's back, while no process runs the tree."""
    door = tmp_path / "door"
    file = write(cli, [call()], {"other": {"nodes": [gate("g", door)]}})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        os.kill(process.pid, signal.SIGKILL)
    child = child_of(cli, "r")
    cli.ok("cancel", child)
    assert 3 == cli("run", "--resume", child).returncode
    cli.ok("delete", child)

    done = cli("run", "--resume", "r", "-o", "json")
    assert "ChildLost" == yaml.safe_load(done.stdout)["error"]["reason"]


def test_suspend_resume_and_cancel_are_carried_down(cli, tmp_path):
    """The child does what its parent is told, and the parent ends after it."""
    door = tmp_path / "door"
    other = {"nodes": [gate("g", door), sh("after", after=["g"])], "finally": [sh("last")]}
    file = write(cli, [call()], {"other": other})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        child = child_of(cli, "r")
        cli.ok("suspend", "r")
        until(lambda: cli.phase(child) == "Suspended", "the child suspended")
        assert "goes on when that is resumed" in cli.ok("resume", child)
        cli.ok("resume", "r")
        until(lambda: cli.phase(child) == "Running", "the child resumed")
        cli.ok("cancel", "r", "--reason", "wrong")
        assert 3 == process.wait(30)

    assert ("Cancelled", "Cancelled") == (cli.phase("r"), cli.phase(child))
    (asked,) = [x for x in cli.json("events", child) if x["type"] == "CancelRequested"]
    assert "wrong" in asked["reason"] and "execution r ends its node go" in asked["reason"]
    assert (
        "Succeeded"
        == next(x for x in cli.json("get", child)["metrics"]["nodes"] if x["node"] == "last")["status"]
    )


def test_a_redrive_of_the_parent_redrives_the_child(cli, tmp_path):
    """Nodes that succeeded in it keep their results; there is no second child."""
    ledger, good = tmp_path / "ledger", tmp_path / "good"
    other = {"nodes": [sh("a", note(ledger, "a")), sh("b", f'[ -e "{good}" ]', after=["a"])]}
    file = write(cli, [call()], {"other": other})
    assert 1 == cli("run", file, "r").returncode
    child = child_of(cli, "r")
    good.touch()
    cli.ok("redrive", "r")

    assert "Succeeded" == cli.json("run", "--resume", "r")["phase"]
    assert ["a"] == ran(ledger)
    assert child == child_of(cli, "r")


def test_a_retry_redrives_the_child_as_well(cli, tmp_path):
    """Attempt 2 of the node goes on with the same child."""
    ledger = tmp_path / "ledger"
    second = f'echo b >> "{ledger}"; [ $(grep -c b "{ledger}") = 2 ]'
    other = {"nodes": [sh("a", note(ledger, "a")), sh("b", second, after=["a"])]}
    node = call(retry={"maxAttempts": 2, "initialDelay": "10ms"})
    cli.ok("run", write(cli, [node], {"other": other}), "r")

    assert ["a", "b", "b"] == ran(ledger)
    assert "Redriven" in cli.types(child_of(cli, "r"))


def test_no_wait_leaves_when_parent_and_children_stand_still(cli):
    """A child that waits is no reason to stay; resuming goes on with both."""
    other = {"nodes": [{"name": "w", "wait": {"until": "${inputs.at}"}}]}
    file = write(cli, [call(inputs={"at": "2100-01-01T00:00:00Z"})], {"other": other})
    done = cli("run", file, "r", "--no-wait")

    assert 4 == done.returncode
    assert ("Running", "Running") == (cli.phase("r"), cli.phase(child_of(cli, "r")))
    (entry,) = cli.json("get", "r")["status"]["waitingFor"]
    assert ("child", child_of(cli, "r")) == (entry["kind"], entry["name"])


def test_one_process_runs_a_tree(cli, tmp_path):
    """A child cannot be run beside the process that runs its parent, nor deleted under it."""
    door = tmp_path / "door"
    file = write(cli, [call()], {"other": {"nodes": [gate("g", door)]}})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        done = cli("run", "--resume", child_of(cli, "r"))
        assert 2 == done.returncode
        assert f"process {process.pid}" in done.stderr
        door.touch()
        assert 0 == process.wait(30)


def test_deleting_a_parent_deletes_the_children_that_it_waited_for(cli, tmp_path):
    """And what these waited for, with all that they printed."""
    other = {"nodes": [sh("a", "exit 3")]}
    file = write(
        cli,
        [call(onError="continue"), call("b", "mid", onError="continue")],
        {"other": other, "mid": {"nodes": [call()]}},
    )
    cli.ok("run", file, "r")
    assert 4 == len(cli.json("list"))
    cli.ok("delete", "r")

    assert [] == cli.json("list")
    assert not [path for path in (tmp_path / "store.db.d").rglob("*") if path.is_file()]


def test_a_child_whose_log_is_damaged_fails_its_node_and_stops_nobody_else(cli, tmp_path):
    """Its sibling comes to its end; the error says what is damaged."""
    door = tmp_path / "door"
    others = {
        "other": {"nodes": [gate("g", door)]},
        "good": {"nodes": [sh("x"), gate("y", tmp_path / "yard")]},
    }
    file = write(cli, [call(onError="continue"), call("fine", "good")], others)
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        until((tmp_path / "yard.pid").exists, "its sibling")
        os.kill(process.pid, signal.SIGKILL)
    child = next(x["execution"] for x in cli.json("get", "r")["metrics"]["nodes"] if x["node"] == "go")
    uid = cli.json("get", child)["metadata"]["uid"]
    tamper(cli.store, f"UPDATE events SET data = replace(data, 'at', 'ta') WHERE uid = '{uid}' AND seq = 2")
    (tmp_path / "yard").touch()

    assert "Succeeded" == cli.json("run", "--resume", "r")["phase"]
    (failed,) = [x for x in cli.json("events", "r") if x["type"] == "NodeFailed"]
    assert "ChildLost" == failed["error"]["reason"]
    assert f"execution {child} cannot go on: event 2" in failed["error"]["message"]
