"""Objects as an API server gives them are found out as much as files are, and whatever they have become, nothing raises."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.validation import (
    Callee,
    Known,
    References,
    examine_inlines,
    examine_object,
    read_object,
    references_in,
    references_of,
    spec_of,
    validate_documents,
)
from fairlead.model.manifests import WorkflowSpec, parse_spec

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "nodes", "run", "while", "workflow", "inline", "from", "x"]), inner
        )
    ),
    max_leaves=30,
)
WRONG: dict[str, Any] = {
    "nodes": [
        {"name": "a", "run": {"sh": "true"}, "retri": {"maxAttempts": 2}, "store": {"x": "${outputs.x +}"}},
        {"name": "b", "if": "nodes.c.outputs.x > 1", "after": ["a"], "guards": ["database"]},
        {
            "name": "c",
            "while": {"condition": "true", "nodes": [{"name": "d", "set": 3}]},
            "after": ["b.true"],
        },
        {"name": "a", "log": {"message": "twice"}},
    ],
    "connections": [{"from": "c", "to": "a"}, {"from": "a", "to": "nowhere"}],
    "timeout": "soon",
}


def manifest(spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "flow"},
        "spec": spec,
    }


def known(**words: Any) -> Known:
    return Known(namespace="shop", guards=None, **words)


def test_an_object_is_found_out_as_much_as_a_file():
    """Every finding about the text of a manifest is one about its object; guards alone are not looked up."""
    data = manifest(WRONG)
    text = {
        (finding.severity, finding.reason, finding.path)
        for finding in validate_documents(json.dumps(data)).findings
        if finding.reason != "UnknownGuard"
    }
    found = examine_object(read_object(data), known(), {})

    assert len(text) >= 6
    assert text == {(finding.severity, finding.reason, finding.path) for finding in found}


def test_findings_come_in_the_order_of_the_fields():
    """Errors before warnings, the tenth node after the second."""
    spec = {"nodes": [{"name": f"n{number}", "if": "1 +"} for number in range(12)]}
    paths = [finding.path for finding in examine_object(read_object(manifest(spec)), known(), {})]

    assert [f"spec.nodes[{number}].if" for number in range(12)] == paths


def test_what_this_release_does_not_run_is_an_error():
    """Also in a workflow that runs inline, which is named."""
    spec = {"nodes": [{"name": "ask", "approval": {"roles": ["finance"]}}]}
    [own] = examine_object(read_object(manifest(spec)), known(), {})
    caller = {"nodes": [{"name": "a", "workflow": {"name": "asking", "inline": True}}]}
    inlined = {"asking": parse_spec(WorkflowSpec, spec)}
    around = known(workflows={"asking": Callee("asking", spec)})
    [other] = examine_object(read_object(manifest(caller)), around, inlined)

    assert ("error", "NotSupportedYet", "spec.nodes[0].approval") == (own.severity, own.reason, own.path)
    assert "in workflow asking, which runs inline" in other.message
    assert other == examine_inlines(parse_spec(WorkflowSpec, caller), around, inlined)[0]


def test_a_name_that_a_namespace_does_not_have_is_a_warning():
    """It may come before it is needed; the namespace is named."""
    spec = {"nodes": [{"name": "a", "workflow": {"name": "other"}}]}
    [finding] = examine_object(read_object(manifest(spec)), known(), {})

    assert ("warning", "UnknownWorkflow") == (finding.severity, finding.reason)
    assert "there is no Workflow 'other' in namespace shop" in finding.message


def test_what_a_workflow_names():
    """At any depth, templates left out, what runs inline apart from what is started; from data and from a spec alike."""
    body = [{"name": "each", "workflow": {"name": "shared", "inline": True}}]
    spec = {
        "nodes": [
            {"name": "a", "workflow": {"name": "child"}},
            {"name": "b", "workflow": {"name": "shared"}},
            {"name": "c", "workflow": {"name": "${inputs.which}"}},
            {"name": "d", "forEach": {"items": [1], "nodes": body}},
        ],
        "finally": [{"name": "e", "workflow": {"name": "last"}}],
    }

    assert References(("shared",), ("child", "last")) == references_of(spec)
    assert references_of(spec) == references_in(parse_spec(WorkflowSpec, spec))


@pytest.mark.parametrize("wrong", [{"nodes": [{"name": "a", "set": {}}], "variables": {"deep": None}}])
def test_what_no_text_may_be_no_object_may_be(wrong):
    """Nested 5,000 deep is one finding, and no recursion."""
    deep: Any = 1
    for _ in range(5000):
        deep = {"x": deep}
    wrong["variables"]["deep"] = deep
    shaped = read_object(manifest(wrong))
    [finding] = examine_object(shaped, known(), {})

    assert "TooDeep" == finding.reason
    assert spec_of(shaped) is None


@given(ANYTHING)
def test_whatever_a_spec_has_become_is_told(spec):
    """Any JSON in its place gives findings or a spec, never neither, and nothing raises."""
    data = manifest(copy.deepcopy(spec))
    shaped = read_object(data)
    references_of(spec)
    errors = [each for each in examine_object(shaped, known(), {}) if each.severity == "error"]

    assert errors or spec_of(shaped) is not None
    assert manifest(spec) == data or spec != spec  # noqa: PLR0124 - nan
