"""Workflow nodes through the real command line: executions that start executions, across processes and kill -9."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cli import Cli, gate, manifest, sh
from tests.support.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]
"""Some of these take a dozen commands, each a process."""


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
    """Its outputs are the node's; list names its parent, get the execution; logs takes its name."""
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

    assert ["r flow Succeeded", f"{child} other Succeeded"] == sorted(
        " ".join(line.split()[:3]) for line in cli.ok("list").splitlines()[1:]
    )
    assert "PARENT" in cli.ok("list").splitlines()[0]
    assert f"execution {child}" in cli.ok("get", "r")
    assert child == cli.json("get", "r")["metrics"]["nodes"][0]["execution"]
    assert "1 Succeeded; `fairlead list` names them" in cli.ok("get", "r")
    assert "go of r" in cli.ok("get", child)
    assert "hello" in cli.ok("logs", child)
    assert f"fairlead logs {child}" in cli("logs", "r", "go").stderr


def test_events_replay_and_graph_know_children(cli):
    """The parent's log says what it asked for; both logs fold; nodes of children are shown under the node."""
    file = write(cli, [call()], {"other": {"nodes": [sh("work")]}})
    assert "go/work" in cli.ok("run", file, "r")
    child = child_of(cli, "r")

    assert ["ChildScheduled", "ChildStarted", "ChildEnded"] == [
        x for x in cli.types("r") if x.startswith("Child")
    ]
    for name in ("r", child):
        assert "the same as before" in cli.ok("replay", name)
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
