"""Every field of a node and of its kinds takes what the API says, and comes back as written."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.model.manifests import (
    NODE_KINDS,
    AtLeast,
    Node,
    parse_spec,
    plain,
)
from fairlead.model.manifests.outline import fields

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


def test_join_at_least() -> None:
    """`{atLeast: n}` is read as an object of its own."""
    assert parse_spec(Node, {"name": "n", "set": {}, "join": {"atLeast": 2}}).join == AtLeast(at_least=2)
