"""Workflows inlined on the real command line: from the same file or from beside it, pinned when the run starts."""

from __future__ import annotations

import json

import pytest
from tests.support.cli import gate, manifest, sh
from tests.support.waiting import until

SCHEMA = {"type": "object", "required": ["who"], "properties": {"who": {"type": "string"}}}


def greet(*nodes, **spec):
    """A shared action."""
    text = {"name": "text", "set": {"text": "${'hello ' + inputs.who}"}}
    fields = {"inputs": SCHEMA, "nodes": [text, *nodes], "outputs": {"text": "${vars.text}"}, **spec}
    return manifest("Workflow", "greet", fields)


def caller(who="ada", **fields):
    node = {"name": "a", "workflow": {"name": "greet", "inline": True, "inputs": {"who": who}}, **fields}
    return manifest("Workflow", "caller", {"nodes": [node], "outputs": {"text": "${nodes.a.outputs.text}"}})


def test_an_action_of_the_same_file_and_of_one_beside(cli):
    """Both run, validate and are drawn; the one beside is named as it stands in its file."""
    cli.write("one.yaml", caller(), greet())
    cli.write("folder/caller.yaml", caller("bob"))
    cli.write("folder/actions.yaml", manifest("Workflow", "unused", {"nodes": [sh("n")]}), greet())

    assert {"text": "hello ada"} == cli.json("run", "one.yaml", "r1")["outputs"]
    assert {"text": "hello bob"} == cli.json("run", "folder/caller.yaml", "r2")["outputs"]
    assert [] == json.loads(cli.ok("validate", "one.yaml", "folder/caller.yaml", "-o", "json"))
    drawn = cli.ok("graph", "folder/caller.yaml")
    assert drawn.index("a (workflow, runs greet)") < drawn.index("text (set)")


def test_a_run_needs_no_file_once_it_has_started(cli, tmp_path):
    """Killed, its file deleted and the action changed: another process resumes what was pinned, and shows it."""
    door = tmp_path / "door"
    cli.write("caller.yaml", caller())
    action = cli.write("greet.yaml", greet(gate("wait", door, after=["text"]), **{"finally": [sh("last")]}))
    with cli.started("run", "caller.yaml", "r") as process:
        until((tmp_path / "door.pid").exists, "the node waits at its door")
        process.kill()
    door.touch()
    (cli.folder / "caller.yaml").unlink()
    action.write_text("broken", encoding="utf-8")

    status = cli.json("run", "--resume", "r")

    assert ("Succeeded", {"text": "hello ada"}) == (status["phase"], status["outputs"])
    assert "the same as before" in cli.ok("replay", "r")
    drawn = cli.ok("graph", "r", "--local")
    assert [True] * 3 == [line in drawn for line in ("✓ a (workflow", "✓ text (set)", "✓ last (run)")]
    ran = [event["node"] for event in cli.json("events", "r") if event["type"] == "NodeCompleted"]
    assert ["a/text", "a/wait", "a.finally/last", "a"] == ran


def test_inputs_that_do_not_fit_are_told_where_they_can_be(cli):
    """Literal ones before anything starts; evaluated ones fail the node, and the run says which field."""
    cli.write("literal.yaml", caller(5), greet())
    done = cli("run", "literal.yaml")
    assert 2 == done.returncode
    assert "InputsInvalid: 5 stands here; expected text (by the schema of workflow greet)" in done.stderr
    assert not cli.store.exists()

    cli.write("evaluated.yaml", caller("${inputs.who}"), greet())
    done = cli("run", "evaluated.yaml", "r", "-i", "who=[1]")
    assert 1 == done.returncode
    assert "node a: InputsInvalid: inputs.who: a list stands here; expected text" in done.stdout


@pytest.mark.parametrize(
    "beside, told",
    [
        ({"greed.yaml": manifest("Workflow", "greed", {"nodes": [sh("n")]})}, "did you mean greed"),
        (
            {"greet.yaml": greet({"name": "b", "log": {"message": "${vars.no}"}})},
            "spec.nodes[1].log.message: UnknownVariable",
        ),
        ({"greet.yaml": greet({"name": "b", "lag": {}})}, "greet.yaml: spec.nodes[1]"),
        (
            {"greet.yaml": greet({"name": "b", "workflow": {"name": "caller", "inline": True}})},
            "caller -> greet -> caller",
        ),
    ],
    ids=["missing", "with an error", "with a wrong field", "in a circle"],
)
def test_an_action_that_cannot_run_is_told_at_the_node_that_names_it(cli, beside, told):
    """With what is wrong with it, before anything starts; validate says the same."""
    cli.write("caller.yaml", caller())
    for file, document in beside.items():
        cli.write(file, document)

    for command in ("run", "validate"):
        done = cli(command, "caller.yaml")
        said = (done.stdout + done.stderr).splitlines()

        assert 2 == done.returncode
        assert any(
            "caller.yaml:" in line and "spec.nodes[0].workflow.name" in line and told in line for line in said
        ), said
    assert not cli.store.exists()


def test_an_execution_of_a_workflow_beside_pins_what_that_one_inlines(cli):
    """Three files: the execution, the workflow, the action."""
    cli.write("run.yaml", manifest("WorkflowExecution", "r", {"workflow": {"name": "caller"}}))
    cli.write("caller.yaml", caller())
    cli.write("greet.yaml", greet())

    assert {"text": "hello ada"} == cli.json("run", "run.yaml")["outputs"]


def test_what_an_action_cannot_do_yet_is_refused(cli):
    """Nothing of an action is passed over because it runs inline."""
    cli.write("caller.yaml", caller(), greet({"name": "b", **sh("b"), "compensate": {"set": {"x": 1}}}))
    done = cli("run", "caller.yaml")

    assert 2 == done.returncode
    assert (
        "NotSupportedYet: compensate in workflow greet, which runs inline, is not supported yet"
        in done.stderr
    )


def test_a_child_inlines_and_an_inlined_workflow_starts_a_child(cli):
    """What is inlined in a child is pinned with it, and so is what an action may start."""
    child = {"name": "k", "workflow": {"name": "caller"}}
    action = {"nodes": [{"name": "c", "workflow": {"name": "greet", "inputs": {"who": "bob"}}}]}
    starts = manifest("Workflow", "starts", {**action, "outputs": {"text": "${nodes.c.outputs.text}"}})
    nodes = [child, {"name": "i", "after": ["k"], "workflow": {"name": "starts", "inline": True}}]
    outputs = {"a": "${nodes.k.outputs.text}", "b": "${nodes.i.outputs.text}"}
    cli.write("top.yaml", manifest("Workflow", "top", {"nodes": nodes, "outputs": outputs}), starts)
    cli.write("others.yaml", caller(), greet())

    assert {"a": "hello ada", "b": "hello bob"} == cli.json("run", "top.yaml", "r")["outputs"]
    assert ["top", "caller", "greet"] == [row["spec"]["workflow"]["name"] for row in cli.json("list")]


def test_a_redrive_goes_on_inside_of_an_action(cli):
    """What had succeeded in it does not run again."""
    door = cli.folder / "door"
    shaky = [sh("once", f'echo x >> "{cli.folder}/ran"'), sh("try", f'test -e "{door}"', after=["once"])]
    cli.write("caller.yaml", caller(), greet(*shaky))
    assert 1 == cli("run", "caller.yaml", "r").returncode

    door.touch()
    cli.ok("redrive", "r")

    assert {"text": "hello ada"} == cli.json("run", "--resume", "r")["outputs"]
    assert "x\n" == (cli.folder / "ran").read_text(encoding="utf-8")


def test_cases_name_nodes_of_an_action(cli):
    """By their name or by their instance; a name that is none is told with the nearest."""
    cli.write("caller.yaml", caller(), greet(sh("send", after=["text"])))
    expect = {"phase": "Succeeded", "path": ["a/text", "a/send", "a"], "outputs": {"text": "hello ada"}}
    cases = [
        {"name": "by name", "nodes": {"send": {"outputs": {}}}, "expect": expect},
        {"name": "by instance", "nodes": {"a/send": {"outputs": {}}}, "expect": expect},
    ]
    cli.write("good.yaml", {"cases": cases})
    cli.write(
        "bad.yaml",
        {"cases": [{"name": "bad", "nodes": {"a/send": {"outputs": {}}, "sent": {"outputs": {}}}}]},
    )

    assert "2 passed, 0 failed" in cli.ok("test", "caller.yaml", "good.yaml")
    assert (
        "nodes.sent is no node of the workflow; did you mean send?"
        in cli("test", "caller.yaml", "bad.yaml").stdout
    )
