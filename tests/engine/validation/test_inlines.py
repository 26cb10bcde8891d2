"""What can be known of inlined workflows before anything starts: semantics 18, 37, 38."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.engine.validation.validation_support import compare, expected

from fairlead.engine.validation import unsupported, unsupported_inline, validate_documents
from fairlead.model.manifests import WorkflowSpec, parse_spec

HEAD = "apiVersion: fairlead.dev/v1alpha1\nkind: Workflow\nmetadata: {name: caller}\nspec:\n"
NODE: dict[str, Any] = {"name": "n", "log": {"message": "x"}}


def other(name: str, *nodes: dict[str, Any], **spec: Any) -> str:
    """Another workflow of the same file, on one line."""
    spec["nodes"] = list(nodes) or [NODE]
    return "---\n" + json.dumps(
        {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}, "spec": spec}
    )


def inlining(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": f"to-{name}", "workflow": {"name": name, "inline": True}, **fields}


def found(text: str) -> list[tuple[str, str]]:
    return [(each.reason, each.message) for each in validate_documents(text, siblings=[]).findings]


LINES = {
    "inputs that fit": "  - {name: a, workflow: {name: act, inline: true, inputs: {x: 1}}}\n",
    "inputs that the schema has defaults for": "  - {name: a, workflow: {name: act, inline: true, inputs: {x: 1, 'y': 2}}}\n",
    "inputs that do not fit": "  - {name: a, workflow: {name: act, inline: true, inputs: {x: one}}}  # InputsInvalid: 'one' stands here; expected a whole number (by the schema of workflow act)\n",
    "inputs that are missing": "  - {name: a, workflow: {name: act, inline: true}}  # InputsInvalid: x is missing\n",
    "a name with a letter wrong": "  - {name: a, workflow: {name: akt, inline: true}}  # UnknownWorkflow: there is no Workflow 'akt'; did you mean act\n",
    "a fallback of the name of a node in it": "  - {name: a, workflow: {name: act, inline: true, inputs: {x: 1}}, fallback: 'n'}  # DuplicateName: would both be a/n; expected another name\n"
    "  - {name: 'n', log: {message: x}}\n",
    "wait false": "  - {name: a, workflow: {name: act, inline: true, wait: false, inputs: {x: 1}}}  # NotAllowedHere: an inline workflow cannot have wait: false\n",
    "with": "  - {name: a, with: {x: 1}, workflow: {name: act, inline: true, inputs: {x: 1}}}  # NotAllowedHere: expected workflow.inputs\n",
}


@pytest.mark.parametrize("node", LINES.values(), ids=LINES.keys())
def test_a_node_that_inlines(node: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    schema = {
        "type": "object",
        "required": ["x", "y"],
        "properties": {"x": {"type": "integer"}, "y": {"default": 1}},
        "additionalProperties": False,
    }
    text = HEAD + "  nodes:\n" + node + other("act", inputs=schema)
    compare(validate_documents(text, siblings=[]).findings, expected(text))


def test_an_inlined_workflow_with_an_error_is_told_at_the_node():
    """Its own findings stand where it does; whoever names it hears of the first, also of an error of its shape."""
    wrong = {"name": "n", "log": {"message": "${vars.no}"}}
    for act, reason in (
        (other("act", wrong), "UnknownVariable"),
        (other("act", {**NODE, "timout": "5s"}), "UnknownField"),
    ):
        text = HEAD + "  nodes:\n  - {name: a, workflow: {name: act, inline: true}}\n" + act

        (_, at_node), (own, _) = found(text)[:2]

        assert own == reason
        assert "workflow act has an error: spec.nodes[0]" in at_node
        assert f": {reason}: " in at_node


def test_a_workflow_below_with_an_error_stops_all_above():
    """Each that names the next one says so, up to the one that was asked about."""
    broken = {"name": "n", "if": "inputs."}
    text = HEAD + "  nodes:\n  - {name: a, workflow: {name: b, inline: true}}\n"
    text += other("b", inlining("c")) + "\n" + other("c", broken)

    assert ["InvalidWorkflow", "InvalidWorkflow", "ExpressionInvalid"] == [
        reason for reason, _ in found(text)
    ]


def test_outputs_of_an_inlined_workflow_are_known():
    """One that it does not have is a warning, as of every kind whose outputs are known."""
    text = HEAD + "  nodes:\n  - {name: a, workflow: {name: act, inline: true}}\n"
    text += '  - {name: b, after: [a], log: {message: "${nodes.a.outputs.txt + nodes.a.outputs.text}"}}\n'
    text += other("act", outputs={"text": "x"})

    (finding,) = found(text)
    assert ("UnknownOutput", "workflow a has no output 'txt'; did you mean text?") == finding


def test_a_cycle_below_is_told_with_its_chain():
    """The caller is no part of it, and cannot run for it."""
    text = HEAD + "  nodes:\n  - {name: a, workflow: {name: b, inline: true}}\n"
    text += other("b", inlining("c")) + "\n" + other("c", inlining("b"))

    messages = dict(found(text))
    assert "it runs b -> c -> b inline, without end" in messages["InvalidWorkflow"]
    assert {"InvalidWorkflow", "InlineCycle"} == set(messages)


def test_bodies_of_inlined_workflows_count_for_the_depth():
    """Eight deep is fine, nine is not, however they are made up."""
    chain = "\n".join(other(f"w{i}", inlining(f"w{i + 1}") if i < 8 else NODE) for i in range(1, 9))
    text = HEAD + "  nodes:\n  - {name: a, workflow: {name: w1, inline: true}}\n" + chain
    assert [] == found(text)

    each = {"items": [1], "nodes": [inlining("w1")]}
    text = HEAD + f"  nodes:\n  - {json.dumps({'name': 'a', 'forEach': each})}\n" + chain
    assert [("TooDeep", "bodies are nested 9 deep with those of workflow w1; expected at most 8")] == found(
        text
    )


def test_nodes_are_counted_as_often_as_they_are_inlined():
    """Ten times ten times ten times ten nodes are too many, though no workflow has more than ten."""
    levels = "\n".join(
        other(f"w{i}", *({**inlining(f"w{i + 1}"), "name": f"n{j}"} for j in range(10))) for i in (1, 2, 3)
    )
    text = HEAD + "  nodes:\n  - {name: a, workflow: {name: w1, inline: true}}\n"
    text += levels + "\n" + other("w4", *({**NODE, "name": f"n{j}"} for j in range(10)))

    (finding,) = [each for each in found(text) if each[0] == "TooManyNodes"]
    assert finding[1].startswith("the workflow has more than 10,000 nodes with those that it runs inline")


def test_what_is_pinned_together_has_a_limit():
    """Each of the two has 0.6 MiB, which is fine; together they are more than 1 MiB."""
    text = "x" * 600_000
    nodes = [
        {"name": "a", "workflow": {"name": "act", "inline": True}},
        {"name": "b", "log": {"message": text}},
    ]
    first = other("caller", *nodes)
    second = other("act", {"name": "n", "log": {"message": text}})

    (finding,) = found(first.removeprefix("---\n") + "\n" + second)
    assert finding[0] == "DefinitionTooLarge"
    assert "expected at most 1,048,576" in finding[1]


def test_what_is_not_run_yet_is_looked_for_inside():
    """Nodes of an inlined workflow count, its triggers do not; to inline one, and to retry it, is fine."""
    spec = {"nodes": [{**NODE, "compensate": {"set": {"x": 1}}}], "runOnChange": True}
    (finding,) = unsupported_inline("act", parse_spec(WorkflowSpec, spec))
    assert "compensate in workflow act, which runs inline, is not supported yet" in finding.message

    assert [] == unsupported(parse_spec(WorkflowSpec, {"nodes": [inlining("act", retry={"maxAttempts": 2})]}))
