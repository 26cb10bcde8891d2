"""Events as lines: every type has one, values are harmless and short."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from tests.support.driver import Driver

from fairlead.apps.views.events import line
from fairlead.engine.derived import derived_of, readable
from fairlead.model import events as e

SAMPLES: dict[Any, Any] = {
    str: "x",
    int: 60_000_000,
    bool: True,
    e.Error: e.Error(reason="NonZeroExit", message="exit code 3", exit_code=3),
    list[str]: ["0", "1"],
    list[e.ResetNode]: [e.ResetNode(node="a")],
}


def sample(cls: type[e.Event]) -> e.Event:
    """An event with something in every field that has no default."""
    required = [field for field in msgspec.structs.fields(cls) if field.required]
    return cls(seq=1, at=1_700_000_000_250_000, **{field.name: SAMPLES[field.type] for field in required})


@pytest.mark.parametrize("name", e.TYPES)
def test_every_event_has_a_line(name):
    """Time in milliseconds, type, and the node or path that it is about."""
    event = sample(e.TYPES[name])

    shown = line(readable(event))

    assert re.match(rf"2023-11-14T22:13:20\.250Z {name}( |$)", shown)
    assert "\n" not in shown
    if getattr(event, "node", ""):
        assert shown.split()[2] == event.node  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "event, said",
    [
        (e.NodeCompleted(node="a", path="0", port="done", outputs={"n": 1}), 'a {"n": 1}'),
        (e.NodeCompleted(node="a", path="0", port="true", condition=True), "a -> true"),
        (e.NodeCompleted(node="a", path="0", port="done", message="hi", level="warning"), "a warning: hi"),
        (e.NodeCompleted(node="a", path="0", port="", result="blocked", reason="no"), "a result blocked: no"),
        (e.NodeCompleted(node="a", path="0", port="done", via="fallback"), "a by its fallback"),
        (
            e.NodeFailed(node="a", path="0", error=e.Error(reason="Timeout"), handled="port"),
            "a Timeout (handled)",
        ),
        (e.NodeSkipped(node="a", reason="DeadPath"), "a DeadPath"),
        (
            e.LoopStarted(node="a", path="0", loopback="b.done>a", region=["a", "b"]),
            "a b.done>a repeats a, b",
        ),
        (e.LoopStarted(node="c", path="0", items=[1, 2]), "c 2 items"),
        (
            e.LoopIteration(node="a#2", path="0.1", scope="", index=2, nodes=2, loopback="b.done>a"),
            "a#2 2 by b.done>a, path 0.1",
        ),
        (e.LoopIteration(node="c", path="0.1", scope="c[1]/", index=1, nodes=2), "c 1, path 0.1"),
        (e.LoopCompleted(node="c", path="0", iterations=3, failed=1), "c after 3, 1 failed"),
        (
            e.NodeRetrying(
                node="a", path="0", attempt=1, error=e.Error(reason="Timeout"), delay=90_000_000, due=1
            ),
            "a attempt 1 failed: Timeout; the next in 1m30s",
        ),
    ],
)
def test_lines_say_what_matters(event, said):
    """What a reader looks for stands in the line."""
    assert line(readable(event)).split(" ", 2)[2] == said


def test_derived_events_have_lines():
    """A variable with its value, cut where it is long; a condition with its answer."""
    nodes = [{"name": "a", "if": "true"}, {"name": "b", "set": {"x": "y" * 500}, "after": ["a.true"]}]
    driver = Driver({"nodes": nodes}).create()

    shown = [line(form) for event in driver.events for form in derived_of(event)]

    assert shown[0].endswith("ConditionEvaluated a true")
    assert shown[1].endswith("y…")
    assert len(shown[1]) < 200


def test_a_line_cannot_steer_a_terminal():
    """Control characters of a message become harmless signs."""
    event = e.NodeCompleted(node="a", path="0", port="done", message="one\ntwo\x1b[2J", level="info")

    shown = line(readable(event))

    assert "\x1b" not in shown
    assert "\n" not in shown
