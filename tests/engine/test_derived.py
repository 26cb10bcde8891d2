"""Events as readers see them, their way back, and the events derived from others."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.support.driver import Driver

from fairlead.engine.derived import DERIVED, DURATIONS, TIMES, derived_of, event_of, readable
from fairlead.model import events as e

NUMBERS = {
    "attempt", "attemptsBefore", "delivery", "depth", "part", "deliveries", "done", "epoch", "failed", "index",
    "iterations", "exitCode", "generation", "nodes",
    "percent", "priority", "redrive", "schema", "seq", "total", "stored",
}  # fmt: skip


def test_every_number_of_an_event_is_a_time_a_duration_or_a_count():
    """A new event field that holds a number must be put into one of the three tables."""
    unknown = {
        (name, field.encode_name)
        for name, cls in e.TYPES.items()
        for field in msgspec.structs.fields(cls)
        if field.type in (int, int | None) and field.encode_name not in NUMBERS | TIMES | DURATIONS
    }

    assert unknown == set()


def test_the_readers_form_has_rfc_3339_times_and_go_durations():
    """Times and durations are text, the common fields come first."""
    event = e.NodeRetrying(
        seq=7,
        at=1_700_000_000_250_000,
        node="a",
        path="0",
        attempt=1,
        error=e.Error(reason="NonZeroExit", exit_code=3),
        delay=1_500_000,
        due=1_700_000_001_750_000,
    )

    form = readable(event)

    assert list(form.items()) == [
        ("seq", 7),
        ("at", "2023-11-14T22:13:20.25Z"),
        ("type", "NodeRetrying"),
        ("path", "0"),
        ("node", "a"),
        ("attempt", 1),
        ("error", {"reason": "NonZeroExit", "exitCode": 3}),
        ("delay", "1s500ms"),
        ("due", "2023-11-14T22:13:21.75Z"),
    ]


def test_the_readers_form_goes_back_without_loss():
    """Every event of a run with retries, timeouts and a suspension is the same after a way through JSON text."""
    retry = {"maxAttempts": 2, "initialDelay": "1s"}
    nodes = [
        {"name": "a", "run": {"sh": "x"}, "timeout": "5s", "startTimeout": "3s", "retry": retry},
        {"name": "b", "if": "true", "after": ["a"]},
        {"name": "c", "set": {"x": "${inputs.n}"}, "after": ["b.true"]},
    ]
    driver = Driver({"nodes": nodes, "timeout": "1h", "finally": [{"name": "z", "log": {"message": "bye"}}]})
    driver.create({"n": 3}, timeout=90_000_000).started("a").tick(6).fail("a").wish(
        suspend=True, suspend_timeout=5_000_000
    )
    driver.tick(6).tick(10).end("a")
    assert driver.state.ended

    again = [event_of(json.loads(json.dumps(readable(event)))) for event in driver.events]

    assert again == driver.events


@pytest.mark.parametrize(
    "form",
    [
        {"seq": 1, "at": "yesterday", "type": "CheckpointTaken"},
        {"seq": 1, "at": 5, "type": "CheckpointTaken"},
        {"seq": "1", "at": "2023-11-14T22:13:20Z", "type": "CheckpointTaken"},
        {"seq": 1, "type": "NoSuchEvent"},
        {"seq": 1, "at": "2023-11-14T22:13:20Z"},
        {"seq": 1, "type": "NodeRetrying", "delay": "soon"},
    ],
)
def test_what_is_no_event_is_refused(form):
    """A form that is no event's raises ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError):
        event_of(form)


def test_derived_events_carry_the_seq_of_their_source_and_are_not_in_the_log():
    """An `if` gives ConditionEvaluated, `set` and `store` a VariableChanged for each variable, in order."""
    nodes = [
        {"name": "a", "if": "inputs.n > 2"},
        {"name": "b", "set": {"x": 1, "y": "${inputs.n}"}, "after": ["a.true"]},
        {"name": "c", "run": {"sh": "x"}, "store": {"z": "${outputs.z}"}, "after": ["b"]},
    ]
    driver = Driver({"nodes": nodes}).create({"n": 3}).end("c", {"z": [1]})

    derived = [item for event in driver.events for item in derived_of(event)]

    assert [(item["type"], item["node"]) for item in derived] == [
        ("ConditionEvaluated", "a"),
        ("VariableChanged", "b"),
        ("VariableChanged", "b"),
        ("VariableChanged", "c"),
    ]
    assert derived[0]["condition"] is True
    assert derived[0]["port"] == "true"
    assert [(item["name"], item["value"]) for item in derived[1:]] == [("x", 1), ("y", 3), ("z", [1])]
    sources = {event.seq: event for event in driver.events}
    assert all(getattr(sources[item["seq"]], "node", None) == item["node"] for item in derived)
    assert {item["type"] for item in derived} == DERIVED
    assert DERIVED.isdisjoint(e.TYPES)
