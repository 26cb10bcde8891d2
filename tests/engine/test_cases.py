"""Cases of `fairlead test` against the runtime itself: what is expected, and what a case may say."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import spec_of

from fairlead.engine.graph import compile_workflow
from fairlead.model.cases import Case
from fairlead.model.manifests import parse_spec
from fairlead.runtime.cases import run_case

NODES: list[dict[str, Any]] = [
    {"name": "a", "run": {"sh": "x"}, "retry": {"maxAttempts": 3, "initialDelay": "1s"}, "timeout": "5s"},
    {"name": "b", "after": ["a"], "wait": {"for": "48h"}},
    {"name": "c", "after": ["b"], "set": {"x": "${nodes.a.outputs.x}"}},
]


def failures(**case: Any) -> list[str]:
    """What is wrong with a case of the workflow a → b → c with output x."""
    graph = compile_workflow(spec_of(nodes=NODES, outputs={"x": "${vars.x}"}), "flow")
    return run_case(graph, parse_spec(Case, {"name": "case", **case})).failures


def test_a_case_passes_in_virtual_time():
    """Retries and a wait of two days take no time; everything expected is there."""
    expect = {
        "phase": "Succeeded",
        "path": ["a", "b", "c"],
        "outputs": {"x": 7},
        "events": [
            {"type": "NodeTimedOut", "node": "a"},
            {"type": "NodeRetrying"},
            {"type": "VariableChanged", "node": "c"},
        ],
    }
    results = [{"timeout": True}, {"fail": {"exitCode": 2}}, {"outputs": {"x": 7}, "after": "2s"}]

    assert [] == failures(nodes={"a": results}, expect=expect)


def test_a_case_may_give_each_pass_of_a_loop_its_own_result():
    """By instance id; a result by name serves every pass that has none of its own."""
    back = {"from": "a.failed", "to": "a", "loopback": {"maxIterations": 5}}
    graph = compile_workflow(spec_of(nodes=[{"name": "a", "run": {"sh": "x"}}], connections=[back]), "flow")
    case = {
        "name": "case",
        "nodes": {"a": {"fail": {}}, "a#2": {"outputs": {"x": 1}}},
        "expect": {"phase": "Succeeded", "path": ["a", "a#1", "a#2"]},
    }

    assert [] == run_case(graph, parse_spec(Case, case)).failures


@pytest.mark.parametrize(
    "case, said",
    [
        ({"expect": {"phase": "Succeeded"}}, "nodes.a gives no result"),
        ({"nodes": {"a": [{"fail": {}}, {"fail": {}}]}}, "expected one for attempt 3 too"),
        ({"nodes": {"a": {"outputs": {"x": 1}}}, "expect": {"phase": "Failed"}}, "phase is"),
        ({"nodes": {"a": {"outputs": {"x": 1}}}, "expect": {"outputs": {"x": 2}}}, "outputs is"),
        ({"nodes": {"a": {"outputs": {"x": 1}}}, "expect": {"path": ["a", "c"]}}, "path is"),
        (
            {"nodes": {"a": {"outputs": {"x": 1}}}, "expect": {"events": [{"type": "NodeFailed"}]}},
            "no event NodeFailed",
        ),
        ({"nodes": {"a": {"outputs": {"x": 1}}, "z": {"outputs": {}}}}, "nodes.z is no node"),
        (
            {"nodes": {"a": {"outputs": {"x": 1}}}, "approvals": {"a": "approved"}},
            "approvals: not supported yet",
        ),
    ],
)
def test_each_mismatch_is_told(case, said):
    """With what was expected and what came."""
    assert any(said in failure for failure in failures(**case)), failures(**case)
