"""What containers gave, as readers of a log see it at their end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.test_random_graphs import Player
from tests.support.driver import Driver
from tests.support.graphs import INPUTS, workflows

from fairlead.engine.collecting import Collecting
from fairlead.engine.derived import event_of, readable
from fairlead.engine.evolve import evolve
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import State

RUN: dict[str, Any] = {"run": {"sh": "true"}}


def check(run: Driver) -> int:
    """Every form has the outputs that the state has, and goes back without loss; returns how many were collected."""
    state, collecting, collected = State(), Collecting(1_000_000), 0
    for event in run.events:
        evolve(state, event)
        form = collecting.take(readable(event))
        if isinstance(event, e.NodeCompleted):
            assert form.get("outputs", {}) == state.node(key_of(event.node)).outputs, event
            collected += event.collected is not None
        assert event_of(json.loads(json.dumps(form))) == event
    return collected


def test_the_end_of_each_container_has_the_outputs_that_its_bodies_gave():
    """Items in order with those that failed as null, branches by name, an inner forEach, after a retry and after a redrive."""
    inner = {
        "name": "deep",
        "forEach": {"items": [1], "nodes": [{"name": "b", "set": {}}], "outputs": {"v": "${item}"}},
    }
    items = {
        "items": ["x", "y"],
        "onItemError": "continue",
        "nodes": [{"name": "a", **RUN}, {**inner, "after": ["a"]}],
        "outputs": {"i": "${item}", "deep": "${nodes.deep.outputs.items}"},
    }
    branch = {"nodes": [{"name": "l", **RUN}], "outputs": {"n": "${nodes.l.outputs.n}"}}
    other = {"nodes": [{"name": "r", **RUN}]}
    run = Driver(
        {
            "nodes": [
                {"name": "each", "forEach": items},
                {
                    "name": "both",
                    "retry": {"maxAttempts": 2, "initialDelay": "1s"},
                    "parallel": {"branches": [{"name": "left", **branch}, {"name": "right", **other}]},
                },
                {"name": "none", "forEach": {"items": [], "nodes": [{"name": "c", "set": {}}]}},
                {
                    "name": "loop",
                    "while": {"condition": "pass.index < 2", "nodes": [{"name": "d", "set": {}}]},
                },
            ]
        }
    ).create()
    run.end("each[0]/a").fail("each[1]/a").end("both.left/l", {"n": 1}).fail("both.right/r").wait_for_timer()
    run.end("both.left/l", {"n": 2}).fail("both.right/r").wish(redrive=1)
    run.end("both.right/r")

    run.check_ended()
    assert s.SUCCEEDED == run.state.phase
    assert 4 == check(run)


@pytest.mark.simulation
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=120))
def test_whatever_happens_readers_see_the_outputs_of_the_state(spec, inputs, draws):
    """With failures, crashes, losses and two redrives."""
    run = Driver(spec, slow=True).create(inputs)
    player = Player(run, draws, wishes=True, crashes=True, losses=True)
    for epoch in (1, 2, 3):
        player.play()
        if run.state.phase not in (s.FAILED, s.CANCELLED) or not run.state.scopes:
            break
        player.wish |= {"redrive": epoch, "cancel": False, "suspend": False}
        run.wish(**player.wish)

    check(run)


def test_outputs_that_are_too_much_for_a_reader_are_left_to_the_bodies():
    """The limit is on the whole, in bytes of JSON."""
    each = {"items": ["x" * 40], "nodes": [{"name": "a", "set": {}}], "outputs": {"i": "${item}"}}
    run = Driver({"nodes": [{"name": "each", "forEach": each}]}).create()
    whole = len(json.dumps(run.state.node("each").outputs, separators=(",", ":")))
    for up_to in (whole, whole - 1):
        collecting = Collecting(up_to)
        forms = [collecting.take(readable(event)) for event in run.events]
        end = next(form for form in forms if form["type"] == "NodeCompleted" and form["node"] == "each")

        assert (up_to == whole) == ("outputs" in end)
