"""What a manifest type refuses, with which reason and where."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from fairlead.model.documents import path_text
from fairlead.model.manifests import parse_manifest, parse_spec
from fairlead.model.manifests.execution import ExecutionSpec
from fairlead.model.manifests.guard import GuardSpec
from fairlead.model.manifests.messages import ApprovalSpec, EventSpec
from fairlead.model.manifests.nodes import Node
from fairlead.model.manifests.parsing import MAX_BODY_DEPTH
from fairlead.model.manifests.workflow import WorkflowSpec
from fairlead.model.wording import problems_of

BODY = [{"name": "inner", "set": {}}]


def refusals(cls: type[Any], data: object) -> list[str]:
    """Reason and place of each refusal."""
    with pytest.raises(ValidationError) as caught:
        parse_spec(cls, data)
    return [
        f"{problem.reason} {path_text(problem.path)}".strip() for problem in problems_of(caught.value, cls)
    ]


def node(**fields: object) -> dict[str, object]:
    return {"name": "n", "set": {}} | fields


def of_kind(kind: str, value: object) -> dict[str, object]:
    return {"name": "n", kind: value}


NODES = [
    ({}, ["MissingField name"]),
    ({"name": "n"}, ["KindWanted"]),
    (node(run={"sh": "x"}), ["KindWanted"]),
    (node(name=1), ["WrongType name"]),
    *(
        (node(name=name), ["BadName name"])
        for name in ["", "A", "a_b", "-a", "a-", "ünï", "a.b", "2fa", "a" * 64, "in", "true", "null"]
    ),
    (node(timout="5m"), ["UnknownField timout"]),
    (node(when=False), ["WrongType when"]),
    (node(when=""), ["EmptyText when"]),
    (node(after="a"), ["WrongType after"]),
    (node(after=[1]), ["WrongType after[0]"]),
    (node(after=[""]), ["EmptyText after[0]"]),
    *(
        (node(join=join), ["WrongType join"])
        for join in ["some", 1, {}, {"atLeast": 0}, {"atLeast": "2"}, {"atLeast": 1, "x": 1}, []]
    ),
    (node(**{"with": []}), ["WrongType with"]),
    (node(**{"with": {"a-b": 1}}), ["BadName with.a-b"]),
    (node(store={"in": 1}), ["BadName store.in"]),
    *(
        (node(timeout=value), ["BadDuration timeout"])
        for value in [30, "30", "", "5 m", "1d", "-5s", 1.5, True, [], "1e3s", "100000000h"]
    ),
    *((node(timeout=value), ["OutOfRange timeout"]) for value in ["0", "0s"]),
    (node(terminationGrace=2), ["BadDuration terminationGrace"]),
    (node(onError="stop"), ["UnknownValue onError"]),
    (node(fallback="A"), ["BadName fallback"]),
    (node(guards=["Payments"]), ["BadName guards[0]"]),
    (node(priority=1.5), ["WrongType priority"]),
    (node(cache={}), ["MissingField cache.key"]),
    (node(maxDeliveries=0), ["OutOfRange maxDeliveries"]),
    (node(onNodeLost="retry"), ["UnknownValue onNodeLost"]),
    (node(checkpoint="yes"), ["WrongType checkpoint"]),
    (node(breaker={"failureRate": 0}), ["OutOfRange breaker.failureRate"]),
    (node(breaker={"halfOpenCalls": 1}), ["OutOfRange breaker"]),
    (node(rateLimit={"per": "1s"}), ["MissingField rateLimit.tokens"]),
    (node(concurrency=0), ["OutOfRange concurrency"]),
    (node(compensate={}), ["KindWanted compensate"]),
    (node(compensate={"log": {"message": "x"}}), ["UnknownField compensate.log"]),
    (node(compensate={"set": {}, "run": {"sh": "x"}}), ["KindWanted compensate"]),
]
RETRIES = [
    ({"maxAttempts": 0}, ["OutOfRange retry.maxAttempts"]),
    ({"maxAttempts": "3"}, ["WrongType retry.maxAttempts"]),
    ({"maxAttempts": 2.5}, ["WrongType retry.maxAttempts"]),
    ({"maxAttempts": True}, ["WrongType retry.maxAttempts"]),
    ({"backoff": "cubic"}, ["UnknownValue retry.backoff"]),
    ({"initialDelay": 5}, ["BadDuration retry.initialDelay"]),
    ({"multiplier": 0.5}, ["OutOfRange retry.multiplier"]),
    ({"multiplier": float("inf")}, ["NotJSON retry.multiplier"]),
    ({"jitter": -0.1}, ["OutOfRange retry.jitter"]),
    ({"jitter": 1.1}, ["OutOfRange retry.jitter"]),
    ({"budget": 2}, ["OutOfRange retry.budget"]),
    ({"retryOn": ["a"]}, ["WrongType retry.retryOn"]),
    ({"maxAttempt": 3}, ["UnknownField retry.maxAttempt"]),
    ([], ["WrongType retry"]),
    ({"jitter": 2, "maxAttempts": 0}, ["OutOfRange retry.maxAttempts", "OutOfRange retry.jitter"]),
]
KINDS = [
    ("run", {}, ["ExactlyOneWanted run"]),
    ("run", {"python": "x", "sh": "y"}, ["ExactlyOneWanted run"]),
    ("run", {"python": ""}, ["EmptyText run.python"]),
    ("run", {"sh": "x", "command": ["y"]}, ["NotAllowedHere run"]),
    ("run", {"python": "x", "args": ["y"]}, ["NotAllowedHere run"]),
    ("run", {"image": "x", "command": "y"}, ["WrongType run.command"]),
    ("run", {"image": "x", "args": [1]}, ["WrongType run.args[0]"]),
    ("run", {"sh": "x", "env": {"A": 1}}, ["WrongType run.env.A"]),
    ("run", {"sh": "x", "env": {"1A": "x"}}, ["BadName run.env.1A"]),
    ("run", {"sh": "x", "env": ["A=1"]}, ["WrongType run.env"]),
    ("run", {"sh": "x", "envFrom": [{}]}, ["MissingField run.envFrom[0].secret"]),
    ("run", {"sh": "x", "resources": {"cpu": 0.5}}, ["BadQuantity run.resources.cpu"]),
    ("run", {"sh": "x", "resources": {"memory": "64MB"}}, ["BadQuantity run.resources.memory"]),
    ("run", {"sh": "x", "pod": {"hostNetwork": True}}, ["UnknownField run.pod.hostNetwork"]),
    ("run", "echo", ["WrongType run"]),
    ("http", {}, ["MissingField http.url"]),
    ("http", {"url": "x", "method": "get"}, ["UnknownValue http.method"]),
    ("http", {"url": "x", "auth": {"secret": "s", "kind": "digest"}}, ["UnknownValue http.auth.kind"]),
    ("notify", {"secret": "s"}, ["MissingField notify.body"]),
    ("resource", {"action": "delete"}, ["MissingField resource.manifest"]),
    ("resource", {"manifest": "x"}, ["WrongType resource.manifest"]),
    ("set", [], ["WrongType set"]),
    ("set", {"a b": 1}, ['BadName set["a b"]']),
    ("set", {"a": float("nan")}, ["NotJSON set"]),
    ("set", {"a": 2**63}, ["NumberTooLarge set"]),
    ("set", {"a": {1: 2}}, ["BadKey set"]),
    ("set", {"a": {1, 2}}, ["NotJSON set"]),
    ("log", {}, ["MissingField log.message"]),
    ("log", {"message": "x", "level": "debug"}, ["UnknownValue log.level"]),
    ("if", True, ["WrongType if"]),
    ("if", "", ["EmptyText if"]),
    ("switch", {}, ["MissingField switch.cases"]),
    ("switch", {"cases": []}, ["TooFew switch.cases"]),
    ("switch", {"cases": [{"name": "a", "equals": 1}]}, ["MissingField switch"]),
    ("switch", {"cases": [{"name": "a"}]}, ["ExactlyOneWanted switch.cases[0]"]),
    ("switch", {"cases": [{"name": "a", "when": "b", "equals": 1}]}, ["ExactlyOneWanted switch.cases[0]"]),
    ("switch", {"cases": [{"name": "a", "when": "b"}] * 2}, ["DuplicateName switch"]),
    *(
        ("switch", {"cases": [{"name": n, "when": "b"}]}, ["ReservedName switch.cases[0]"])
        for n in ["default", "failed", "ended"]
    ),
    ("while", {"nodes": BODY}, ["MissingField while.condition"]),
    ("while", {"condition": "a", "nodes": []}, ["TooFew while.nodes"]),
    ("while", {"condition": "a", "nodes": BODY, "maxIterations": 0}, ["OutOfRange while.maxIterations"]),
    ("while", {"condition": "a", "nodes": [{"name": "x"}]}, ["KindWanted while.nodes[0]"]),
    ("forEach", {"nodes": BODY}, ["MissingField forEach.items"]),
    ("forEach", {"items": 5, "nodes": BODY}, ["WrongType forEach"]),
    ("forEach", {"items": [], "nodes": BODY, "maxParallel": -1}, ["OutOfRange forEach.maxParallel"]),
    *(
        ("forEach", {"items": [], "nodes": BODY, "as": name}, ["BadName forEach.as"])
        for name in ["a-b", "for", "inputs", "null", "index"]
    ),
    ("parallel", {"branches": []}, ["TooFew parallel.branches"]),
    ("parallel", {"branches": [{"name": "a"}]}, ["MissingField parallel.branches[0].nodes"]),
    ("parallel", {"branches": [{"name": "a", "nodes": BODY}] * 2}, ["DuplicateName parallel"]),
    (
        "parallel",
        {"strategy": {"atLeast": 2}, "branches": [{"name": "a", "nodes": BODY}]},
        ["OutOfRange parallel"],
    ),
    (
        "parallel",
        {"strategy": "first", "branches": [{"name": "a", "nodes": BODY}]},
        ["WrongType parallel.strategy"],
    ),
    ("wait", {}, ["ExactlyOneWanted wait"]),
    ("wait", {"for": "1s", "until": "x"}, ["ExactlyOneWanted wait"]),
    ("wait", {"for": 5}, ["BadDuration wait.for"]),
    ("wait", {"event": {}}, ["MissingField wait.event.type"]),
    ("approval", {}, ["MissingField approval.roles"]),
    ("approval", {"roles": []}, ["TooFew approval.roles"]),
    ("approval", {"roles": ["a"], "quorum": 0}, ["OutOfRange approval.quorum"]),
    ("approval", {"roles": ["a"], "onExpire": "fail"}, ["UnknownValue approval.onExpire"]),
    ("emit", {}, ["MissingField emit.type"]),
    ("workflow", {}, ["MissingField workflow.name"]),
    ("workflow", {"name": "x", "inline": True, "wait": False}, ["NotAllowedHere workflow"]),
    ("finish", {}, ["MissingField finish.result"]),
    ("finish", {"result": ""}, ["EmptyText finish.result"]),
]
SPECS = [
    (WorkflowSpec, {}, ["MissingField nodes"]),
    (WorkflowSpec, {"nodes": []}, ["TooFew nodes"]),
    (WorkflowSpec, {"nodes": {}}, ["WrongType nodes"]),
    (WorkflowSpec, {"nodes": ["a"]}, ["WrongType nodes[0]"]),
    (WorkflowSpec, {"nodes": [None]}, ["WrongType nodes[0]"]),
    (WorkflowSpec, {"nodes": BODY, "inputs": True}, ["WrongType inputs"]),
    (WorkflowSpec, {"nodes": BODY, "variables": {"a.b": 1}}, ['BadName variables["a.b"]']),
    (WorkflowSpec, {"nodes": BODY, "computed": {"a": 1}}, ["WrongType computed.a"]),
    (WorkflowSpec, {"nodes": BODY, "connections": [{"from": "a"}]}, ["MissingField connections[0].to"]),
    (WorkflowSpec, {"nodes": BODY, "connections": ["a>b"]}, ["WrongType connections[0]"]),
    (
        WorkflowSpec,
        {"nodes": BODY, "connections": [{"from": "a", "to": "b", "loopback": True}]},
        ["WrongType connections[0].loopback"],
    ),
    (
        WorkflowSpec,
        {"nodes": BODY, "connections": [{"from": "a", "to": "a", "loopback": {"maxIterations": 0}}]},
        ["OutOfRange connections[0].loopback.maxIterations"],
    ),
    (WorkflowSpec, {"nodes": BODY, "checkpoint": {"every": 0}}, ["WrongType checkpoint.every"]),
    (WorkflowSpec, {"nodes": BODY, "checkpoint": {"every": True}}, ["WrongType checkpoint.every"]),
    (
        WorkflowSpec,
        {"nodes": BODY, "compensation": {"trigger": "always"}},
        ["WrongType compensation.trigger"],
    ),
    (WorkflowSpec, {"nodes": BODY, "triggers": [{"name": "t"}]}, ["ExactlyOneWanted triggers[0]"]),
    (
        WorkflowSpec,
        {"nodes": BODY, "notifications": [{"on": [], "secret": "s"}]},
        ["TooFew notifications[0].on"],
    ),
    (
        WorkflowSpec,
        {"nodes": BODY, "notifications": [{"on": ["done"], "secret": "s"}]},
        ["UnknownValue notifications[0].on[0]"],
    ),
    (WorkflowSpec, {"nodes": BODY, "concurrency": {"maxNodes": 0}}, ["OutOfRange concurrency.maxNodes"]),
    (ExecutionSpec, {}, ["ExactlyOneWanted"]),
    (ExecutionSpec, {"workflow": {"name": "a"}, "definition": {"nodes": BODY}}, ["ExactlyOneWanted"]),
    (ExecutionSpec, {"workflow": "a"}, ["WrongType workflow"]),
    (ExecutionSpec, {"workflow": {"name": "a"}, "redrive": -1}, ["OutOfRange redrive"]),
    (ExecutionSpec, {"workflow": {"name": "a"}, "inputs": [1]}, ["WrongType inputs"]),
    (ExecutionSpec, {"definition": {"nodes": [{"name": "x"}]}}, ["KindWanted definition.nodes[0]"]),
    (EventSpec, {"id": "", "source": "s", "type": "t"}, ["EmptyText id"]),
    (EventSpec, {"id": "1", "source": "s", "type": "t", "time": "yesterday"}, ["BadTime time"]),
    (EventSpec, {"id": "1", "source": "s", "type": "t", "time": "2026-11-21T09:00:00"}, ["BadTime time"]),
    (
        ApprovalSpec,
        {},
        [f"MissingField {f}" for f in ["execution", "node", "attempt", "digest", "role", "decision", "user"]],
    ),
    (GuardSpec, {"retryBudget": 5}, ["OutOfRange retryBudget"]),
    (GuardSpec, {"selector": {"kinds": ["set"]}}, ["UnknownValue selector.kinds[0]"]),
]


@pytest.mark.parametrize("data, expected", NODES)
def test_nodes(data: object, expected: list[str]) -> None:
    """A node with a wrong field is refused there, and only there."""
    assert refusals(Node, data) == expected


@pytest.mark.parametrize("data, expected", RETRIES)
def test_retries(data: object, expected: list[str]) -> None:
    """A retry out of bounds is refused at each field."""
    assert refusals(Node, node(retry=data)) == expected


@pytest.mark.parametrize("kind, data, expected", KINDS)
def test_kinds(kind: str, data: object, expected: list[str]) -> None:
    """Each kind refuses what its shape does not say."""
    assert refusals(Node, of_kind(kind, data)) == expected


@pytest.mark.parametrize("cls, data, expected", SPECS)
def test_specs(cls: type[Any], data: object, expected: list[str]) -> None:
    """Each spec refuses what its shape does not say."""
    assert refusals(cls, data) == expected


def nested(depth: int, kind: str) -> list[dict[str, Any]]:
    """Nodes with bodies in bodies."""
    nodes: list[dict[str, Any]] = [{"name": "leaf", "set": {}}]
    for level in range(depth):
        body: dict[str, Any] = {"nodes": nodes}
        value = {
            "while": {"condition": "a", **body},
            "forEach": {"items": [], **body},
            "parallel": {"branches": [{"name": "b", **body}]},
        }[kind]
        nodes = [{"name": f"n{level}", kind: value}]
    return nodes


@pytest.mark.parametrize("kind", ["while", "forEach", "parallel"])
@pytest.mark.parametrize("at", ["nodes", "finally"])
def test_depth_of_bodies(kind: str, at: str) -> None:
    """Eight bodies in each other are allowed, a ninth is refused where it begins, a thousandth crashes nothing."""
    manifest = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "a"}}
    parse_manifest(manifest | {"spec": {"nodes": BODY} | {at: nested(MAX_BODY_DEPTH, kind)}})
    for depth in (MAX_BODY_DEPTH + 1, 1000):
        with pytest.raises(ValidationError) as caught:
            parse_manifest(manifest | {"spec": {"nodes": BODY} | {at: nested(depth, kind)}})
        problem = problems_of(caught.value, None)[0]
        assert problem.reason == "TooDeep"
        assert problem.path.count("nodes") == MAX_BODY_DEPTH + 1 + (at == "nodes")


def test_depth_in_an_execution() -> None:
    """The limit of bodies holds in an inline definition too."""
    spec = {"definition": {"nodes": nested(MAX_BODY_DEPTH + 1, "while")}}
    manifest = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    with pytest.raises(ValidationError, match="more than 8 deep"):
        parse_manifest(manifest)


@pytest.mark.parametrize(
    "data, expected",
    [
        (None, "null is no manifest; expected an object with apiVersion and kind"),
        ([], "a list of 0 is no manifest; expected an object with apiVersion and kind"),
        (
            {},
            "kind is missing; expected one of Workflow, WorkflowExecution, WorkflowEvent, WorkflowApproval, WorkflowGuard",
        ),
        ({"kind": []}, "kind is a list of 0; expected one of Workflow, WorkflowExecution,"),
        ({"kind": "Workflow"}, "apiVersion is missing; expected fairlead.dev/v1alpha1"),
        ({"kind": "Workflow", "apiVersion": "v1"}, "apiVersion is 'v1'; expected fairlead.dev/v1alpha1"),
    ],
)
def test_what_is_no_manifest(data: object, expected: str) -> None:
    """What is none of our kinds is refused in one sentence."""
    with pytest.raises(ValidationError) as caught:
        parse_manifest(data)
    (problem,) = problems_of(caught.value, None)
    assert problem.message.startswith(expected)


def test_json_nested_too_deep() -> None:
    """Free JSON may be nested a hundred deep, no more."""
    value: Any = 1
    for _ in range(150):
        value = [value]
    assert refusals(Node, of_kind("set", {"a": value})) == ["TooDeep set"]


@pytest.mark.parametrize(
    "node",
    [
        {"http": {"url": "https://x", "auth": {"secret": "Bearer canary-1"}}},
        {"http": {"url": "https://x", "auth": {"secret": "x", "token": "canary-1"}}},
        {"http": {"url": "https://x", "auth": {"secret": "x", "kind": "canary-1"}}},
        {"http": {"url": "https://x", "auth": "canary-1"}},
        {"notify": {"secret": "slack://canary-1/x", "body": "x"}},
        {"notify": {"secret": ["canary-1"], "body": "x"}},
        {"run": {"sh": "true", "envFrom": ["canary-1"]}},
        {"run": {"sh": "true", "envFrom": [{"secret": "x", "keys": "canary-1"}]}},
        {"run": {"sh": "true", "files": [{"secret": {"data": "canary-1"}, "path": "/x"}]}},
        {"run": {"sh": "true", "pod": {"imagePullSecrets": ["canary-1"]}}},
    ],
)
def test_a_secret_in_place_of_its_name_is_not_shown(node: dict[str, Any]):
    """It is refused by its place and its length: what is said goes to statuses, Events and logs."""
    with pytest.raises(ValidationError) as caught:
        parse_spec(WorkflowSpec, {"nodes": [{"name": "a", **node}]})
    found = problems_of(caught.value, WorkflowSpec)
    assert found
    assert "canary" not in str(found)
