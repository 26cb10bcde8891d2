"""Workflow nodes through the real command line: executions that start executions, across processes and kill -9."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cli import Cli, gate, manifest, sh
from tests.support.stores import tamper
from tests.support.waiting import until


def call(name: str = "go", workflow: str = "other", **fields: Any) -> dict[str, Any]:
    """A node that starts an execution; `wait` and `inputs` are of the call."""
    of_call = {field: fields.pop(field) for field in ("wait", "inputs") if field in fields}
    return {"name": name, "workflow": {"name": workflow, **of_call}, **fields}


def write(
    cli: Cli, nodes: list[Any], others: dict[str, dict[str, Any]], file: str = "flow.yaml", **spec: Any
) -> Path:
    """A file with a workflow `flow`, and others by name."""
    documents = [manifest("Workflow", "flow", {"nodes": nodes, **spec})]
    documents += [manifest("Workflow", name, found) for name, found in others.items()]
    return cli.write(file, *documents)


def child_of(cli: Cli, name: str) -> str:
    """The only child of an execution."""
    (found,) = [x["metadata"]["name"] for x in cli.json("list") if parent_of(x) == name]
    return str(found)


def parent_of(item: dict[str, Any]) -> str:
    owners = item["metadata"].get("ownerReferences", [{}])
    return str(owners[0].get("name", ""))


def ran(file: Path) -> list[str]:
    """What nodes have written into a file."""
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def note(file: Path, word: str, then: str = "true") -> str:
    """A script that writes a word into a file."""
    return f'echo {word} >> "{file}"; {then}'


# --- the good way ----------------------------------------------------------------------------------------------------


def test_a_child_is_an_execution_of_its_own_in_every_view(cli):
    """Its outputs are the node's; list names its parent, get the execution; events, logs and replay take its name."""
    other = {
        "inputs": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "nodes": [
            {
                "name": "work",
                "with": {"n": "${inputs.n}"},
                "run": {"python": "print('hello'); outputs['n'] = inputs['n']"},
            }
        ],
        "outputs": {"n": "${nodes.work.outputs.n + 1}"},
    }
    file = write(cli, [call(inputs={"n": 1})], {"other": other}, outputs={"n": "${nodes.go.outputs.n}"})

    assert {"n": 2} == cli.json("run", file, "r")["outputs"]
    child = child_of(cli, "r")

    assert [f"{child} other Succeeded", "r flow Succeeded"] == sorted(
        " ".join(line.split()[:3]) for line in cli.ok("list").splitlines()[1:]
    )
    assert "PARENT" in cli.ok("list").splitlines()[0]
    assert f"execution {child}" in cli.ok("get", "r")
    assert child == cli.json("get", "r")["metrics"]["nodes"][0]["execution"]
    assert "go of r" in cli.ok("get", child)
    assert "hello" in cli.ok("logs", child)
    assert f"fairlead logs {child}" in cli("logs", "r", "go").stderr
    assert ["ChildScheduled", "ChildStarted", "ChildEnded"] == [
        x for x in cli.types("r") if x.startswith("Child")
    ]
    for name in ("r", child):
        assert "the same as before" in cli.ok("replay", name)
    assert "go/work" in cli.ok("run", file, "again")
    assert "runs other" in cli.ok("graph", file)


def test_the_childs_workflow_may_stand_beside_the_file_and_is_pinned_with_the_run(cli, tmp_path):
    """What the run may start is known when it starts: files that change or go later do not matter, also not to --resume."""
    door = tmp_path / "door"
    file = write(cli, [gate("first", door), call(after=["first"])], {})
    beside = cli.workflow(call("deeper", "leaf"), file="b/other.yaml", name="other")
    beside.rename(tmp_path / "other.yaml")
    leaf = cli.workflow(sh("x"), file="leaf.yaml", name="leaf")
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the gate")
        for gone in (file, leaf, tmp_path / "other.yaml"):
            gone.unlink()
        os.kill(process.pid, signal.SIGKILL)
    door.touch()

    assert "Succeeded" == cli.json("run", "--resume", "r")["phase"]
    assert ["flow", "leaf", "other"] == sorted(
        x["spec"].get("workflow", {}).get("name", "flow") for x in cli.json("list")
    )


def test_run_stays_until_a_child_that_was_let_go_has_ended(cli, tmp_path):
    """The parent has ended long before; cancelling or deleting it leaves the child alone."""
    door = tmp_path / "door"
    file = write(cli, [call(wait=False)], {"other": {"nodes": [gate("g", door)]}})
    with cli.started("run", file, "r") as process:
        until((tmp_path / "door.pid").exists, "the child")
        until(lambda: cli.phase("r") == "Succeeded", "the end of the parent")
        assert process.poll() is None
        door.touch()
        assert 0 == process.wait(30)
    child = cli.json("get", "r")["metrics"]["nodes"][0]["execution"]
    assert "Succeeded" == cli.phase(child)
    cli.ok("delete", "r")
    assert [child] == [x["metadata"]["name"] for x in cli.json("list")]


# --- bad input -------------------------------------------------------------------------------------------------------


def test_a_workflow_that_is_missing_is_found_before_anything_starts(cli):
    """By validate and by run, with the nearest name; nothing is in the store."""
    file = write(cli, [call(workflow="othr")], {"other": {"nodes": [sh("x")]}})
    for command in ("validate", "run"):
        done = cli(command, file)
        assert 2 == done.returncode
        assert "UnknownWorkflow" in done.stdout + done.stderr
        assert "did you mean other" in done.stdout + done.stderr
    assert not cli.store.exists()


def test_a_workflow_that_is_missing_further_down_is_found_too(cli):
    """A file beside is looked at as closely as the file itself."""
    file = write(cli, [call()], {})
    cli.workflow(call(workflow="nowhere"), file="other.yaml", name="other")
    done = cli("run", file)

    assert 2 == done.returncode
    assert "nowhere" in done.stderr
    assert not cli.store.exists()


@pytest.mark.parametrize(
    "node, said",
    [
        ({"name": "x", "run": {"sh": "true"}, "timout": "5s"}, "UnknownField"),
        ({"name": "x", "run": {"sh": "true"}, "guards": ["g"]}, "guards"),
    ],
)
def test_a_workflow_beside_that_cannot_run_stops_the_run(cli, node, said):
    """With errors, or using what this release does not run."""
    file = write(cli, [call()], {})
    cli.workflow(node, file="other.yaml", name="other")
    done = cli("run", file)

    assert 2 == done.returncode
    assert said in done.stderr
    assert not cli.store.exists()


def test_inputs_that_do_not_fit_are_found_before_or_fail_the_node(cli):
    """Constant ones are found by validate; what an expression gives fails the node with InputsInvalid, naming the field."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    others = {"other": {"inputs": schema, "nodes": [sh("x")]}}
    done = cli("validate", write(cli, [call(inputs={"n": "many"})], others))
    assert 2 == done.returncode
    assert "InputsInvalid" in done.stdout

    file = write(
        cli, [call(inputs={"n": "${inputs.n}"})], others, inputs={"type": "object", "properties": {"n": {}}}
    )
    done = cli("run", file, "r", "-i", 'n="many"', "-o", "json")
    error = yaml.safe_load(done.stdout)["error"]
    assert (1, "InputsInvalid") == (done.returncode, error["reason"])
    assert "inputs.n" in error["message"]
    assert ["r"] == [x["metadata"]["name"] for x in cli.json("list")]


def test_a_name_that_is_only_known_at_run_time_may_mean_any_workflow_at_hand(cli):
    """A good one runs; a missing one and one that cannot run fail the node, with what there is."""
    inputs = {"type": "object", "properties": {"w": {"type": "string"}}}
    file = write(cli, [call(workflow="${inputs.w}")], {"other": {"nodes": [sh("x")]}}, inputs=inputs)
    cli.workflow(sh("x", after=["nowhere"]), file="bad.yaml", name="bad")

    assert 0 == cli("run", file, "-i", "w=other").returncode
    for name, reason, said in (
        ("bad", "WorkflowInvalid", "nowhere"),
        ("othe", "WorkflowNotFound", "did you mean other?"),
    ):
        done = cli("run", file, "-i", f"w={name}", "-o", "json")
        error = yaml.safe_load(done.stdout)["error"]
        assert (1, reason) == (done.returncode, error["reason"])
        assert said in error["message"]


def test_a_workflow_that_starts_itself_without_end_is_stopped_at_the_limit(cli):
    """It is warned of, runs 16 deep, and the error says what would have come."""
    file = cli.workflow(call("me", "flow"))
    assert "warning RecursiveCall" in cli.ok("validate", file)
    done = cli("run", file, "r", "-o", "json")

    assert 1 == done.returncode
    assert "17 executions deep; expected at most 16" in yaml.safe_load(done.stdout)["error"]["message"]
    assert 17 == len(cli.json("list"))


def test_a_workflow_that_starts_itself_while_a_condition_holds_ends(cli):
    """Recursion is no mistake."""
    node = call("me", "flow", when="inputs.n > 0", inputs={"n": "${inputs.n - 1}"})
    file = cli.workflow(node, inputs={"type": "object", "properties": {"n": {"type": "integer"}}})

    assert "Succeeded" == cli.json("run", file, "r", "-i", "n=3")["phase"]
    assert 4 == len(cli.json("list"))


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


# --- many, and in virtual time ---------------------------------------------------------------------------------------


def test_two_hundred_children_of_a_for_each_in_one_process(cli):
    """In item order, some at a time; each has a log of its own."""
    body = [call(inputs={"n": "${item}"})]
    loop = {
        "items": "${range(200)}",
        "maxParallel": 20,
        "nodes": body,
        "outputs": {"n": "${nodes.go.outputs.n}"},
    }
    other = {"nodes": [{"name": "s", "set": {"n": "${inputs.n}"}}], "outputs": {"n": "${vars.n}"}}
    file = write(
        cli,
        [{"name": "e", "forEach": loop}],
        {"other": other},
        outputs={"all": "${nodes.e.outputs.items.pluck('n')}"},
    )

    assert list(range(200)) == cli.json("run", file, "r")["outputs"]["all"]
    assert 201 == len(cli.json("list"))


CASES = """
cases:
- name: the node is given as a whole
  nodes: {go: {outputs: {x: 7}, after: 2h}}
  expect: {phase: Succeeded, outputs: {x: 7}}
- name: its child runs, with its nodes given by place or name
  nodes: {go/work: {outputs: {x: 8}}}
  expect: {phase: Succeeded, outputs: {x: 8}, events: [{type: ChildStarted, node: go}]}
- name: a child that fails
  nodes: {work: {fail: {exitCode: 3}}}
  expect: {phase: Failed, error: {reason: ChildFailed}}
- name: a node that is given to fail
  nodes: {go: {fail: {reason: NonZeroExit}}}
  expect: {phase: Failed, error: {reason: ChildFailed}}
- name: a child that takes too long
  nodes: {go: {timeout: true}}
  expect: {phase: Failed, error: {reason: Timeout}}
- name: and one that runs
  nodes: {work: {timeout: true}}
  expect: {phase: Failed, error: {reason: Timeout}}
"""


def test_cases_run_children_in_virtual_time_or_take_their_results(cli):
    """What a case says of a workflow node stands for its child; else the child runs, and wants results for its nodes."""
    other = {"nodes": [sh("work")], "outputs": {"x": "${nodes.work.outputs.x}"}}
    file = write(cli, [call(timeout="3h")], {"other": other}, outputs={"x": "${nodes.go.outputs.x}"})
    assert "6 passed, 0 failed" in cli.ok("test", file, cli.write("cases.yaml", CASES))

    done = cli(
        "test", file, cli.write("cases.yaml", "cases: [{name: c}, {name: d, nodes: {wrk: {outputs: {}}}}]")
    )
    assert 1 == done.returncode
    assert "node go/work runs and nodes.work gives no result" in done.stdout
    assert "nodes.wrk is no node of the workflow; did you mean work?" in done.stdout


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
