"""Every kind has the fields of the API, its defaults and a description, and manifests are values: frozen, copied, named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from fairlead.model.manifests import (
    KINDS,
    Breaker,
    Compensate,
    Node,
    Retry,
    WorkflowSpec,
    field_name,
    parse_spec,
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


@pytest.mark.parametrize("cls", FIELDS, ids=lambda cls: cls.__name__)
def test_fields_are_those_of_the_api(cls: type) -> None:
    """A kind has exactly the fields that the API page lists."""
    assert sorted(fields(cls)) == sorted(FIELDS[cls].split())


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
