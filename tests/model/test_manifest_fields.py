"""Every field of the API exists, takes what the API says, and has the API's default."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from fairlead.model.manifests import (
    KINDS,
    NODE_KINDS,
    AtLeast,
    Breaker,
    Compensate,
    Node,
    Retry,
    Workflow,
    WorkflowExecution,
    WorkflowSpec,
    field_name,
    parse_manifest,
    parse_spec,
    plain,
    replaced,
)
from fairlead.model.manifests.execution import ExecutionSpec
from fairlead.model.manifests.guard import GuardSpec
from fairlead.model.manifests.messages import ApprovalSpec, EventSpec
from fairlead.model.manifests.outline import fields
from fairlead.model.manifests.status import ExecutionStatus
from fairlead.model.times import HOUR, MINUTE, SECOND

FIELDS = {
    WorkflowSpec: """version description inputs variables computed defaults timeout failFast priority nodes connections finally
        finallyTimeout outputs concurrency compensation checkpoint retention triggers runOnChange notifications""",
    Node: """name description after when join with store timeout startTimeout terminationGrace retry onError fallback guards
        priority cache maxDeliveries onNodeLost checkpoint breaker rateLimit concurrency compensate run http notify resource set
        log if switch while forEach parallel wait approval emit workflow finish""",
    ExecutionSpec: """workflow definition inputs suspend suspendTimeout cancel redrive priority timeout from migrate""",
    EventSpec: """id source type subject time dataContentType dataSchema data extensions""",
    ApprovalSpec: """execution node attempt digest role decision user reason values""",
    GuardSpec: """concurrency rateLimit breaker retryBudget onOpen selector""",
    ExecutionStatus: """phase conditions progress paths waitingFor variables outputs result error compensation observedGeneration
        createdAt startedAt finishedAt log workflow more""",
    Compensate: """run http notify resource set with whenStarted retry timeout""",
    Retry: """maxAttempts backoff initialDelay maxDelay multiplier jitter retryOn noRetryOn budget""",
}

BODY = [{"name": "inner", "set": {}}]
KIND_VALUES: dict[str, list[Any]] = {
    "run": [
        {"python": "outputs['a'] = 1"},
        {
            "sh": "echo ${HOME} $${x} ${x:-1}",
            "env": {"A": "${vars.a}"},
            "envFrom": [{"secret": "s", "keys": {"E": "k"}}],
        },
        {
            "image": "a/b:1",
            "command": ["x"],
            "args": ["${string(1)}"],
            "workingDir": "/w",
            "serviceAccountName": "sa",
        },
        {
            "image": "a",
            "files": [{"secret": "s", "path": "/run/x"}],
            "resources": {"cpu": 1, "memory": "64Mi", "limits": {"cpu": "100m"}},
            "pod": {
                "nodeSelector": {"a": "b"},
                "tolerations": [{"key": "x"}],
                "affinity": {},
                "priorityClassName": "p",
                "imagePullSecrets": [{"name": "n"}],
            },
        },
    ],
    "http": [
        {"url": "${vars.url}"},
        {
            "method": "POST",
            "url": "x",
            "query": {"a": 1},
            "headers": {"h": "v"},
            "body": {"any": [1]},
            "auth": {"secret": "s", "kind": "basic"},
            "expect": "status == 201",
        },
    ],
    "notify": [{"secret": "s", "body": "b"}, {"secret": "s", "title": "t", "body": "b"}],
    "resource": [
        {"manifest": {"kind": "Pod"}},
        {
            "action": "get",
            "manifest": {},
            "serviceAccountName": "a",
            "success": "true",
            "failure": "false",
            "timeout": "5m",
        },
    ],
    "set": [{}, {"a": "${1}", "b": {"c": [1, 2.5, None]}}],
    "log": [{"message": "m"}, {"message": "", "level": "error"}],
    "if": ["inputs.n > 9"],
    "switch": [
        {
            "value": "${inputs.c}",
            "cases": [{"name": "red", "equals": "red"}, {"name": "big", "when": "inputs.n > 9"}],
        },
        {"cases": [{"name": "any", "when": "true"}]},
    ],
    "while": [
        {"condition": "true", "nodes": BODY},
        {"condition": "true", "maxIterations": 3, "nodes": BODY, "connections": [{"from": "a", "to": "b"}]},
    ],
    "forEach": [
        {"items": "${inputs.items}", "nodes": BODY},
        {
            "items": [1, 2],
            "as": "line",
            "maxParallel": 2,
            "onItemError": "continue",
            "nodes": BODY,
            "connections": [],
            "outputs": {"a": "${1}"},
        },
    ],
    "parallel": [
        {"branches": [{"name": "a", "nodes": BODY}]},
        {
            "strategy": "race",
            "branches": [{"name": "a", "nodes": BODY}, {"name": "b", "nodes": BODY, "outputs": {"x": 1}}],
        },
        {"strategy": {"atLeast": 1}, "branches": [{"name": "a", "nodes": BODY}]},
    ],
    "wait": [
        {"for": "10m"},
        {"until": "${vars.t}", "timeout": "1h"},
        {"event": {"type": "order.*", "source": "shop", "match": "event.data.id == 1"}},
    ],
    "approval": [
        {"roles": ["finance"]},
        {
            "roles": ["a", "b"],
            "quorum": 2,
            "message": "m",
            "expires": "24h",
            "onExpire": "rejected",
            "notRequester": True,
            "form": {"type": "object"},
        },
    ],
    "emit": [{"type": "order.shipped"}, {"type": "t", "subject": "s", "data": [1]}],
    "workflow": [
        {"name": "other"},
        {"name": "o", "wait": False},
        {"name": "o", "inline": True, "inputs": {"a": 1}},
    ],
    "finish": [{"result": "allowed"}, {"result": "own word", "reason": "${1}"}],
}

NODE_FIELDS = {
    "description": "d",
    "after": ["a", "b.true"],
    "when": "true",
    "join": {"atLeast": 2},
    "with": {"items": "${inputs.items}"},
    "store": {"r": "${outputs.r}"},
    "timeout": "5m",
    "startTimeout": "1m",
    "terminationGrace": "5s",
    "retry": {"maxAttempts": 5, "backoff": "linear", "retryOn": "true", "noRetryOn": "false", "budget": 0.5},
    "onError": "continue",
    "fallback": "other",
    "guards": ["payments-api"],
    "priority": -1,
    "cache": {"key": "${inputs.k}", "ttl": "1h"},
    "maxDeliveries": 2,
    "onNodeLost": "redeliver",
    "checkpoint": True,
    "breaker": {"failureRate": 0.3},
    "rateLimit": {"tokens": 5, "per": "1m", "burst": 9},
    "concurrency": 1,
    "compensate": {
        "run": {"sh": "x"},
        "with": {"a": 1},
        "whenStarted": True,
        "retry": {"maxAttempts": 2},
        "timeout": "1m",
    },
}

SPEC_FIELDS = {
    "version": "2.1.0",
    "description": "d",
    "inputs": {"type": "object"},
    "variables": {"currency": "EUR"},
    "computed": {"total": "1 + 1"},
    "defaults": {"timeout": "10m", "retry": {"maxAttempts": 3}, "resources": {"cpu": "100m"}},
    "timeout": "48h",
    "failFast": False,
    "priority": 3,
    "connections": [{"from": "a.done", "to": "b", "when": "true", "loopback": {"maxIterations": 5}}],
    "finally": [{"name": "z", "set": {}}],
    "finallyTimeout": "1m",
    "outputs": {"receipt": "${1}"},
    "concurrency": {"maxNodes": 1, "maxExecutions": 2, "key": "${inputs.k}", "whenFull": "replace"},
    "compensation": {"trigger": "manual", "scope": "path", "onError": "stop"},
    "checkpoint": {"every": "10m"},
    "retention": {"succeeded": "1h", "failed": "2h", "cancelled": "3h", "pods": "0"},
    "triggers": [
        {
            "name": "s",
            "schedule": {
                "cron": "* * * * *",
                "timeZone": "Europe/Berlin",
                "overlap": "skip",
                "catchUp": "1h",
            },
        },
        {
            "name": "e",
            "event": {"type": "o.*", "source": "s", "when": "true", "dedupe": "${event.id}"},
            "suspend": True,
        },
        {
            "name": "w",
            "webhook": {"path": "/x", "secretRef": {"name": "s"}, "when": "true"},
            "inputs": {"a": "${event}"},
        },
    ],
    "runOnChange": True,
    "notifications": [{"on": ["failed", "waiting", "finished"], "secret": "s", "title": "t", "body": "b"}],
}

OTHERS: dict[str, list[dict[str, Any]]] = {
    "WorkflowExecution": [
        {"workflow": {"name": "order"}},
        {
            "definition": {"nodes": BODY},
            "inputs": {"a": 1},
            "suspend": True,
            "suspendTimeout": "1h",
            "cancel": {"reason": "r", "force": True},
            "redrive": 2,
            "priority": 1,
            "timeout": "1h",
            "from": {"execution": "e", "seq": 3, "digest": "sha256:0"},
            "migrate": {"to": "current"},
        },
    ],
    "WorkflowEvent": [
        {"id": "1", "source": "shop", "type": "order.new"},
        {
            "id": "1",
            "source": "shop",
            "type": "t",
            "subject": "s",
            "time": "2026-11-21T09:00:00Z",
            "dataContentType": "application/json",
            "dataSchema": "urn:x",
            "data": [1],
            "extensions": {"a": "b"},
        },
    ],
    "WorkflowApproval": [
        {
            "execution": {"name": "e", "uid": "u"},
            "node": "lines[3]/sign-off",
            "attempt": 1,
            "digest": "sha256:0",
            "role": "finance",
            "decision": "approved",
            "user": "ann",
            "reason": "r",
            "values": {"a": 1},
        }
    ],
    "WorkflowGuard": [
        {},
        {
            "concurrency": 1,
            "rateLimit": {"tokens": 10, "per": "1m"},
            "breaker": {
                "window": "2m",
                "openFor": "1s",
                "minimumCalls": 1,
                "halfOpenCalls": 1,
                "halfOpenSuccesses": 1,
            },
            "retryBudget": 0.2,
            "onOpen": "fallback",
            "selector": {"kinds": ["http"], "workflows": ["w"], "matchLabels": {"a": "b"}},
        },
    ],
}


def manifest(kind: str, spec: object) -> dict[str, object]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize("cls", FIELDS, ids=lambda cls: cls.__name__)
def test_fields_are_those_of_the_api(cls: type) -> None:
    """A kind has exactly the fields that the API page lists."""
    assert sorted(fields(cls)) == sorted(FIELDS[cls].split())


@pytest.mark.parametrize(
    "kind, value", [(kind, value) for kind, values in KIND_VALUES.items() for value in values]
)
def test_each_kind_takes_its_shapes(kind: str, value: object) -> None:
    """A node of each kind takes every field of its shape and gives it back unchanged."""
    node = parse_spec(Node, {"name": "n", kind: value})
    assert node.kind == kind
    assert node.body is not None
    assert parse_spec(Node, plain(node)) == node


def test_every_kind_has_cases() -> None:
    """The table above misses no kind."""
    assert tuple(KIND_VALUES) == NODE_KINDS


@pytest.mark.parametrize("field", NODE_FIELDS)
def test_node_fields(field: str) -> None:
    """Every common field of a node is taken and comes back as written."""
    assert (
        plain(parse_spec(Node, {"name": "n", "set": {}, field: NODE_FIELDS[field]}))[field]
        == NODE_FIELDS[field]
    )


def test_node_table_is_whole() -> None:
    """The table of common fields misses none."""
    assert set(NODE_FIELDS) | set(NODE_KINDS) | {"name"} == set(fields(Node))


@pytest.mark.parametrize("field", SPEC_FIELDS)
def test_spec_fields(field: str) -> None:
    """Every field of a workflow is taken, and reading what was written gives the same."""
    spec = parse_spec(WorkflowSpec, {"nodes": BODY, field: SPEC_FIELDS[field]})
    assert field in plain(spec)
    assert parse_spec(WorkflowSpec, plain(spec)) == spec


def test_spec_table_is_whole() -> None:
    """The table of a workflow's fields misses none."""
    assert set(SPEC_FIELDS) | {"nodes"} == set(fields(WorkflowSpec))


@pytest.mark.parametrize("kind, spec", [(kind, spec) for kind, specs in OTHERS.items() for spec in specs])
def test_other_kinds(kind: str, spec: dict[str, object]) -> None:
    """The other four kinds take all their fields."""
    parsed = parse_manifest(manifest(kind, spec))
    assert type(parsed) is KINDS[kind]
    assert parse_manifest(manifest(kind, plain(parsed)["spec"])) == parsed


def test_defaults_of_a_node() -> None:
    """What a node does not say has the API's default."""
    node = Node(name="n", set_={})
    assert (node.join, node.on_error, node.on_node_lost) == ("all", "fail", "wait")
    assert (node.max_deliveries, node.termination_grace, node.retry) == (5, 2 * SECOND, None)


def test_defaults_of_policies() -> None:
    """A written policy has the API's defaults in what it does not say."""
    assert Retry() == Retry(
        max_attempts=1,
        backoff="exponential",
        initial_delay="1s",  # type: ignore[arg-type]
        max_delay="5m",  # type: ignore[arg-type]
        multiplier=2.0,
        jitter=0.1,
    )
    assert (Retry().initial_delay, Retry().max_delay, Retry().budget) == (SECOND, 5 * MINUTE, None)
    breaker = Breaker()
    assert (breaker.failure_rate, breaker.minimum_calls, breaker.window) == (0.5, 10, MINUTE)
    assert (breaker.open_for, breaker.half_open_calls, breaker.half_open_successes) == (30 * SECOND, 3, 2)


def test_defaults_of_a_workflow() -> None:
    """A workflow of nodes alone has the API's defaults."""
    spec = parse_spec(WorkflowSpec, {"nodes": BODY})
    assert (spec.fail_fast, spec.priority, spec.finally_timeout, spec.timeout) == (True, 0, 10 * MINUTE, None)
    assert spec.compensation.trigger == ("onFailure", "onCancel")
    assert (spec.compensation.scope, spec.compensation.on_error) == ("execution", "continue")
    assert (spec.retention.succeeded, spec.retention.pods) == (168 * HOUR, HOUR)


def test_defaults_of_bodies() -> None:
    """Loops and branches have the API's defaults."""
    each = parse_spec(Node, {"name": "n", "forEach": {"items": [], "nodes": BODY}}).for_each
    assert each is not None
    assert (each.as_, each.max_parallel, each.on_item_error) == ("item", 0, "fail")
    loop = parse_spec(Node, {"name": "n", "while": {"condition": "a", "nodes": BODY}}).while_
    assert loop is not None
    assert loop.max_iterations == 100


def test_descriptions_name_every_default() -> None:
    """A field that may be left out says in its description what it is then, as the CRD has no defaults."""
    optional_without = []
    classes: tuple[Any, ...] = (Node, Retry, Breaker, WorkflowSpec, ExecutionSpec, GuardSpec)
    for cls in classes:
        for name, info in cls.__pydantic_fields__.items():
            if not isinstance(info.default, (type(None), dict, tuple)) and not info.is_required():
                is_policy = dataclasses.is_dataclass(info.default)
                if not is_policy and "Default" not in (info.description or ""):
                    optional_without.append(f"{cls.__name__}.{name}")
    assert optional_without == []


def test_every_field_has_a_description() -> None:
    """`kubectl explain` has a sentence for every field of every kind."""
    seen: set[type] = set()
    todo: list[object] = list(KINDS.values())
    while todo:
        hint = todo.pop()
        if dataclasses.is_dataclass(hint) and isinstance(hint, type) and hint not in seen:
            seen.add(hint)
            for name, info in hint.__pydantic_fields__.items():  # type: ignore[attr-defined]
                assert info.description, f"{hint.__name__}.{name}"
            todo.extend(fields(hint).values())
        todo.extend(getattr(hint, "__args__", ()))
    assert len(seen) > 60


def test_join_at_least() -> None:
    """`{atLeast: n}` is read as an object of its own."""
    assert parse_spec(Node, {"name": "n", "set": {}, "join": {"atLeast": 2}}).join == AtLeast(at_least=2)


@pytest.mark.parametrize("every", ["node", "manual", 100, "1h"])
def test_checkpoint_intervals(every: object) -> None:
    """A checkpoint is taken after each node, by hand, every N events or every so often."""
    spec = parse_spec(WorkflowSpec, {"nodes": BODY, "checkpoint": {"every": every}})
    assert spec.checkpoint.every == every


def test_manifests_are_frozen() -> None:
    """Nobody changes a manifest that others hold."""
    node = Node(name="n", set_={})
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.name = "m"  # type: ignore[misc]


def test_replaced_copies_without_parsing() -> None:
    """A copy with one change keeps durations as they are, and knows no other attributes."""
    node = parse_spec(Node, {"name": "n", "set": {}, "timeout": "5m"})
    assert replaced(node, name="m") == parse_spec(Node, {"name": "m", "set": {}, "timeout": "5m"})
    with pytest.raises(TypeError, match="no attribute 'nam'"):
        replaced(node, nam="m")


def test_names_in_python_are_no_fields() -> None:
    """The Python spelling of a field is unknown in a manifest."""
    with pytest.raises(ValidationError) as caught:
        parse_spec(Node, {"name": "n", "set": {}, "max_deliveries": 3})
    assert caught.value.errors()[0]["type"] == "unexpected_keyword_argument"


@pytest.mark.parametrize(
    "attribute, field",
    [("if_", "if"), ("for_each", "forEach"), ("max_attempts", "maxAttempts"), ("name", "name")],
)
def test_field_names(attribute: str, field: str) -> None:
    """An attribute's field is its camelCase without the underscore at the end."""
    assert field_name(attribute) == field


def test_a_status_of_a_newer_release_is_read() -> None:
    """Unknown fields of a status are passed over: the operator wrote it, not a person."""
    data = manifest("WorkflowExecution", {"workflow": {"name": "w"}}) | {
        "status": {"phase": "Running", "newer": 1}
    }
    parsed = parse_manifest(data)
    assert isinstance(parsed, WorkflowExecution)
    assert parsed.status is not None
    assert parsed.status.phase == "Running"


def test_an_object_from_the_api_server_is_read() -> None:
    """Metadata as the API server gives it back is no error."""
    data = manifest("Workflow", {"nodes": BODY})
    data["metadata"] = {
        "name": "a",
        "namespace": "default",
        "uid": "u",
        "resourceVersion": "5",
        "generation": 1,
        "creationTimestamp": "2026-11-21T09:00:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "ownerReferences": [],
        "labels": {"a": "b"},
        "annotations": {},
        "finalizers": ["x"],
    }
    assert isinstance(parse_manifest(data), Workflow)
