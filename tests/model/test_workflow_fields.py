"""Every field of a workflow, an execution, a message and a guard takes what the API says, and comes back as written."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.model.manifests import (
    KINDS,
    Workflow,
    WorkflowExecution,
    WorkflowSpec,
    parse_manifest,
    parse_spec,
    plain,
)
from fairlead.model.manifests.outline import fields

BODY = [{"name": "inner", "set": {}}]


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


@pytest.mark.parametrize("every", ["node", "manual", 100, "1h"])
def test_checkpoint_intervals(every: object) -> None:
    """A checkpoint is taken after each node, by hand, every N events or every so often."""
    spec = parse_spec(WorkflowSpec, {"nodes": BODY, "checkpoint": {"every": every}})
    assert spec.checkpoint.every == every


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
