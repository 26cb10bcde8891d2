"""Runs that move to another home: which may, and what is another there."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.test_random_graphs import Player
from tests.support.driver import Driver
from tests.support.graphs import INPUTS, workflows

from fairlead.engine.moving import demand_movable, spec_for
from fairlead.model.children import Parent
from fairlead.model.effects import StartAttempt, StartChild
from fairlead.model.errors import InvalidInput

RUN = {"run": {"sh": "true"}}
TWO = {"nodes": [{"name": "a", **RUN}, {"name": "b", "after": ["a"], **RUN}]}
CALL = {"nodes": [{"name": "call", "workflow": {"name": "other"}}]}


def document(run: Driver, node: str) -> dict[str, object]:
    (start,) = [effect for key, effect in run.running.items() if key[0] == node]
    assert isinstance(start, StartAttempt)
    return start.document


def test_only_what_is_not_at_work_moves():
    """Suspended is not enough while an attempt goes on, nor is a child; ended is."""
    run = Driver(TWO).create()
    with pytest.raises(InvalidInput, match="is Running; expected one that has ended or is suspended"):
        demand_movable(run.state)
    run.wish(suspend=True)
    with pytest.raises(InvalidInput, match="is suspended, and a still at work"):
        demand_movable(run.state)
    run.end("a")
    demand_movable(run.state)
    run.wish(cancel=True)
    demand_movable(run.state)

    parent = Driver(CALL).create().started("call").wish(suspend=True)
    with pytest.raises(InvalidInput, match="and call still at work"):
        demand_movable(parent.state)


def test_a_moved_run_goes_on_under_its_new_uid():
    """Deliveries are named anew; the idempotency key of an attempt is that of the attempts before, also after two moves."""
    retried = {**TWO, "nodes": [{"name": "a", **RUN, "retry": {"maxAttempts": 3}}, *TWO["nodes"][1:]]}
    run = Driver(retried).create()
    first = document(run, "a")
    run.fail("a").wish(suspend=True)
    demand_movable(run.state)

    run.move("uid-2", "again").move("uid-3").wish(suspend=False)
    run.wait_for_timer()

    second = document(run, "a")
    assert ("uid-3", "again") == (run.state.uid, run.state.name)
    assert "uid-1" == run.state.origin
    assert {"name": "again", "uid": "uid-3"} == second["execution"]
    assert (first["idempotencyKey"], 2) == (second["idempotencyKey"], second["attempt"])
    assert [("a", 2, 1)] == list(run.running)
    run.end("a").end("b")
    assert "Succeeded" == run.state.phase


def test_a_failed_run_is_redriven_where_it_moved():
    """What succeeded stays."""
    run = Driver(TWO).create().end("a").fail("b")
    demand_movable(run.state)

    run.move("uid-2").wish(redrive=1).end("b")

    assert "Succeeded" == run.state.phase
    assert 1 == len(run.of("NodeCompleted", "a"))


def test_a_node_whose_child_stayed_behind_starts_a_new_one():
    """By a name that follows from the new uid; the child that failed is not asked for."""
    run = Driver(CALL).create().started("call")
    before = run.child("call").child
    run.end_child("call", "Failed")
    assert "Failed" == run.state.phase

    run.move("uid-2").wish(redrive=1)

    start = run.child("call")
    assert isinstance(start, StartChild)
    assert (True, "") == (start.child != before, start.uid)
    run.started("call").end_child("call", "Succeeded", redrive=start.redrive)
    assert "Succeeded" == run.state.phase


def test_a_child_that_moves_is_a_run_of_its_own():
    """Nobody waits for it in its new home."""
    parent = Parent(name="p", uid="uid-p", node="call", root="uid-p", depth=1)
    run = Driver(TWO).create(parent=parent).end("a").end("b")

    run.move("uid-2")

    assert (None, 0) == (run.state.parent, run.state.depth)


def test_the_spec_says_where_it_came_from():
    """And holds a run that was suspended, whatever the spec said by then."""
    ended = Driver(TWO).create().end("a").end("b")
    held = Driver(TWO).create().wish(suspend=True)
    spec = {"workflow": {"name": "flow"}, "redrive": 1}

    source = {"execution": "run", "seq": ended.state.seq, "digest": "sha256:1"}
    assert {**spec, "from": source} == spec_for(spec, ended.state, "sha256:1")
    assert spec_for(spec, held.state, "sha256:1")["suspend"] is True
    assert {"workflow": {"name": "flow"}, "redrive": 1} == spec


class Mover(Player):
    """Moves the run whenever it may move and the draws say so."""

    moves = 0

    def _step(self) -> None:
        if self.draw(2):
            with contextlib.suppress(InvalidInput):
                demand_movable(self.run.state)
                self.moves += 1
                self.run.move(f"uid-moved-{self.moves}").tick()
        if not self.run.state.ended:
            super()._step()


@pytest.mark.simulation
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=120))
def test_a_run_that_moves_about_ends_as_any_other(spec, inputs, draws):
    """Every instance ends once, the fold is the state, wherever it was suspended and moved."""
    run = Driver(spec, slow=True).create(inputs)
    mover = Mover(run, draws, wishes=True, crashes=True, losses=True)
    mover.play()

    run.check_ended()
    assert run.state.uid == (f"uid-moved-{mover.moves}" if mover.moves else "uid-1")
