"""Whatever a manifest has become, validation reports and never fails."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairlead.engine.validation import Report, check_inputs, unsupported, validate_documents
from fairlead.model.findings import Finding

GOOD: dict[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "order"},
    "spec": {
        "inputs": {
            "type": "object",
            "properties": {"order": {"type": "object"}, "n": {"$ref": "#/$defs/n"}},
            "$defs": {"n": {"type": "integer"}},
        },
        "variables": {"currency": "EUR"},
        "computed": {"total": "inputs.order.total", "more": "computed.total + 1"},
        "defaults": {"timeout": "10m", "retry": {"maxAttempts": 3, "retryOn": "error.exitCode == 1"}},
        "timeout": "48h",
        "concurrency": {"maxNodes": 3},
        "nodes": [
            {
                "name": "reserve",
                "run": {"python": "pass"},
                "with": {"x": "${inputs.order}"},
                "store": {"r": "${outputs.r}"},
            },
            {"name": "big", "if": "computed.total > 1000.0", "after": ["reserve"]},
            {
                "name": "kind",
                "switch": {
                    "value": "${vars.r}",
                    "cases": [{"name": "red", "equals": 1}, {"name": "blue", "when": "true"}],
                },
            },
            {"name": "ask", "approval": {"roles": ["finance"], "expires": "24h", "form": {"type": "object"}}},
            {
                "name": "charge",
                "join": {"atLeast": 2},
                "run": {"image": "i", "args": ["${vars.r}"]},
                "fallback": "other",
                "guards": ["g"],
            },
            {"name": "other", "run": {"sh": "true"}, "with": {"e": "${error.reason}"}},
            {
                "name": "loop",
                "while": {
                    "condition": "pass.index < 2",
                    "nodes": [{"name": "inner", "set": {"w": "${pass.index}"}}],
                },
            },
            {
                "name": "each",
                "forEach": {
                    "items": "${inputs.order.items}",
                    "as": "line",
                    "nodes": [{"name": "p", "log": {"message": "${line}"}}],
                },
            },
            {
                "name": "both",
                "parallel": {
                    "branches": [
                        {"name": "l", "nodes": [{"name": "x", "wait": {"for": "1s"}}], "outputs": {"o": 1}}
                    ]
                },
            },
            {"name": "call", "workflow": {"name": "order", "inline": True, "inputs": {"n": 1}}},
            {"name": "end", "finish": {"result": "blocked"}},
        ],
        "connections": [
            {"from": "big.true", "to": "ask"},
            {"from": "big.false", "to": "charge"},
            {"from": "ask.approved", "to": "charge", "when": "outputs.x"},
            {"from": "charge.failed", "to": "charge", "loopback": {"maxIterations": 3}},
            {"from": "kind.red", "to": "loop"},
            {"from": "loop", "to": "end"},
        ],
        "finally": [{"name": "clean", "run": {"sh": "true"}, "when": "execution.phase == 'Failed'"}],
        "outputs": {"receipt": "${nodes.charge.outputs.receipt}"},
        "triggers": [{"name": "t", "schedule": {"cron": "0 4 * * *"}, "inputs": {"n": 1}}],
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


PLACES = places(GOOD)
NAMES = ["reserve", "big", "big.true", "charge", "inner", "clean", "nowhere", "", ".", "a b", "x.y.z"]
TEXTS = [
    "${",
    "${}",
    "${nodes.inner.outputs}",
    "${vars[inputs.x]}",
    "true",
    "1 +",
    "pass.index",
    "x" * 300,
    "\u00e4\U0001f600",
    "$${",
    "10m",
    "all",
]
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            0,
            -1,
            2**62,
            1.5,
            [],
            {},
            [[]],
            [None],
            {"": 1},
            {"name": {}},
            {"atLeast": "x"},
            {"$ref": "#/a/b"},
        ]
    ),
    st.sampled_from(NAMES),
    st.sampled_from(TEXTS),
    st.sampled_from(
        [GOOD["spec"], GOOD["spec"]["nodes"], GOOD["spec"]["nodes"][6], GOOD["spec"]["connections"][0]]
    ),
)
KEYS = [
    "nodes",
    "name",
    "run",
    "if",
    "after",
    "fallback",
    "join",
    "with",
    "whn",
    "conections",
    "outputs",
    "type",
    "properties",
    "$ref",
    "",
]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(["replace", "remove", "rename", "repeat"]),
        JUNK,
        st.sampled_from(KEYS),
    ),
    max_size=4,
)


def changed(changes: list[tuple[tuple[Any, ...], str, Any, str]]) -> Any:
    """The good manifest with some changes, where the places are still there."""
    data = copy.deepcopy(GOOD)
    for path, how, junk, key in changes:
        owner: Any = data
        for step in path[:-1]:
            owner = (
                owner[step]
                if (isinstance(owner, dict) and step in owner)
                or (isinstance(owner, list) and isinstance(step, int) and step < len(owner))
                else None
            )
            if not isinstance(owner, (dict, list)):
                break
        else:
            _change(owner, path[-1], how, copy.deepcopy(junk), key)
    return data


def _change(owner: Any, step: Any, how: str, junk: Any, key: str) -> None:
    if isinstance(owner, list):
        if how == "repeat":
            owner.append(copy.deepcopy(owner[0]) if owner else junk)
        elif isinstance(step, int) and step < len(owner):
            if how == "remove":
                del owner[step]
            else:
                owner[step] = junk
    elif step in owner:
        value = owner.pop(step) if how in ("remove", "rename") else owner[step]
        if how == "rename":
            owner[key] = value
        elif how != "remove":
            owner[step] = junk


def is_whole(finding: Finding) -> bool:
    """Whether a finding has its parts: a reason, a sentence that fits on a few lines, a place."""
    return (
        finding.reason.isidentifier()
        and 5 < len(finding.message) < 1500
        and finding.line > 0
        and "\n" not in finding.message
    )


@given(CHANGES)
def test_a_manifest_changed_anywhere_gives_a_report(changes: list[tuple[tuple[Any, ...], str, Any, str]]):
    """Every finding has a reason, a sentence and a place; a manifest without errors can be looked at for what is not run yet."""
    report = validate_documents(json.dumps(changed(changes), indent=1))
    assert isinstance(report, Report)
    assert all(map(is_whole, report.findings)), [str(each) for each in report.findings if not is_whole(each)]
    assert report.errors or None not in report.documents
    if report.runnable is not None:
        assert all(finding.reason == "NotSupportedYet" for finding in unsupported(*report.runnable))


def test_the_manifest_that_is_changed_is_good():
    """Without changes there is one error, that the workflow runs itself inline, and no other."""
    report = validate_documents(json.dumps(GOOD))
    assert [finding.reason for finding in report.findings if finding.severity == "error"] == ["InlineCycle"]


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_gives_a_report(text: str | bytes):
    """Text or bytes of any kind."""
    assert validate_documents(text).errors


@given(st.dictionaries(st.sampled_from(KEYS), JUNK), st.dictionaries(st.text(max_size=3), JUNK))
def test_any_schema_and_any_inputs_give_an_answer(schema: dict[str, Any], inputs: dict[str, Any]):
    """Schemas of junk are findings, never failures."""
    _, findings = check_inputs(schema, inputs)
    assert len(findings) <= 20
