"""Limits of children, what a child makes of its parent's wishes, and what is reported of it."""

from __future__ import annotations

from typing import Any

from tests.engine.test_children import CALL, call
from tests.support.driver import Driver

from fairlead.engine.evolve import fold
from fairlead.engine.waiting import waiting_for
from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.children import MAX_DEPTH, Parent
from fairlead.model.effects import StartChild
from fairlead.model.events import Error
from fairlead.model.times import SECOND

# --- limits ----------------------------------------------------------------------------------------------------------


def test_recursion_ends_at_the_limit_of_depth():
    """A child at the limit may run and may not start another; the message has the value and the limit."""
    parent = Parent(name="p", uid="u", node="a", root="u", depth=MAX_DEPTH - 1)
    run = Driver({"nodes": [CALL]}).create({"n": 1}, parent=parent)
    assert MAX_DEPTH == run.child("a").parent.depth
    assert "u" == run.child("a").parent.root

    parent = Parent(name="p", uid="u", node="a", root="u", depth=MAX_DEPTH)
    run = Driver({"nodes": [CALL]}).create({"n": 1}, parent=parent)
    assert reasons.CHILD_TOO_DEEP == run.failure.error.reason
    assert f"{MAX_DEPTH + 1} executions deep; expected at most {MAX_DEPTH}" in run.failure.error.message
    assert not run.running


# --- the child's own side --------------------------------------------------------------------------------------------


def of_parent(**wish: Any) -> Driver:
    """A run of one node and `finally`, started by another."""
    parent = Parent(name="p", uid="u", node="a", root="u", depth=1)
    spec = {"nodes": [{"name": "a", "run": {"sh": "x"}}], "finally": [{"name": "f", "run": {"sh": "x"}}]}
    return Driver(spec).create(parent=parent, wish=c.Wish(**wish))


def test_a_child_knows_its_parent():
    """In ExecutionCreated and in the state."""
    run = of_parent()

    assert run.state.parent == run.of("ExecutionCreated")[0].parent
    assert 1 == run.state.depth


def test_a_child_is_suspended_while_its_parent_is():
    """Apart from its own wish: neither resume of one undoes the other."""
    run = of_parent(held=True)
    assert "Suspended" == run.state.phase
    run.wish(held=True, suspend=True).wish(held=True)
    assert "Suspended" == run.state.phase
    run.wish(suspend=True)
    assert "Suspended" == run.state.phase
    run.wish()
    assert "Running" == run.state.phase


def twice(run: Driver, **wish: Any) -> Driver:
    """A wish is a level: told again it changes nothing."""
    run.wish(**wish)
    before = len(run.log)
    run.wish(**wish)
    assert before == len(run.log)
    return run


def test_a_suspend_timeout_of_its_own_does_not_let_a_held_child_go_on():
    """It ends what the child's own spec says; the child goes on with its parent, and is not suspended again by its spec."""
    own = {"suspend": True, "suspend_timeout": 60 * SECOND}
    run = twice(of_parent(), **own)
    twice(run, **own, held=True).tick(3600)

    assert ("Suspended", None) == (run.state.phase, run.engine.next_due(run.now))
    assert "when the execution that started it does" in waiting_for(run.graph, run.state)[0]["message"]

    twice(run, **own)

    assert "Running" == run.state.phase
    assert ["SuspendTimeout"] == [event.reason for event in run.of("ExecutionResumed")]

    twice(run, **own, held=True).tick(3600)
    assert "Suspended" == run.state.phase
    twice(run, **own)
    assert "Running" == run.state.phase


def test_a_child_that_its_parent_lets_go_on_stays_suspended_until_its_own_timeout():
    """That counts from when its spec said so, also if it did while the parent held it."""
    own = {"suspend": True, "suspend_timeout": 60 * SECOND}
    for run in (twice(of_parent(**own), **own, held=True), twice(of_parent(held=True), **own, held=True)):
        twice(run.tick(20), **own)
        assert "Suspended" == run.state.phase
        run.tick(39)
        assert "Suspended" == run.state.phase
        run.tick(1)
        assert "Running" == run.state.phase


def test_what_is_taken_back_while_a_child_is_held_is_forgotten():
    """Its own suspension, so that it goes on with its parent; and the parent's after a cancel, so that a later one counts."""
    run = twice(of_parent(suspend=True, held=True), held=True)
    twice(run)
    assert ("Running", ["suspend"]) == (run.state.phase, [event.wish for event in run.of("WishWithdrawn")])

    run = twice(of_parent(held=True), held=True, cancel=True)
    assert ("Running", {("f", 1, 1)}) == (run.state.phase, set(run.running))
    twice(twice(run, cancel=True), cancel=True, held=True)
    assert "Suspended" == run.state.phase
    twice(run, cancel=True).end("f")
    assert "Cancelled" == run.state.phase


def test_a_child_is_ended_by_its_parent_with_finally_unless_forced():
    """`stop` speaks of epochs by number: it ends what was redriven less often."""
    run = of_parent().wish(stop=1, stop_reason="the parent").fail("a")
    assert ["f"] == [key[0] for key in run.running]
    run.end("f")
    assert ("Cancelled", "the parent") == (run.state.phase, run.state.reason)

    run = of_parent().wish(stop=1, stop_force=True).fail("a")
    assert "Cancelled" == run.state.phase


def test_a_redriven_child_is_not_ended_by_the_stop_of_the_epoch_before():
    """The stop of attempt 1 says nothing of attempt 2, that of attempt 2 does, though nothing was taken back between."""
    run = of_parent().wish(stop=1).fail("a").end("f")
    assert "Cancelled" == run.state.phase
    run.wish(stop=1, redrive=1)
    assert "Running" == run.state.phase
    run.wish(stop=2, redrive=1).fail("a").end("f")
    assert "Cancelled" == run.state.phase


def test_a_child_that_is_to_be_redriven_and_ended_at_once_stays_as_it_is():
    """It says that it has seen the redrive, so that the parent can end."""
    run = of_parent().fail("a").end("f").wish(stop=2, stop_reason="over", redrive=1)

    assert ("Failed", 1) == (run.state.phase, run.state.redrive)
    assert "over" == run.of("RedriveRefused")[0].reason


def test_a_child_that_is_made_anew_begins_with_the_redrive_it_stands_for():
    """Then its end counts for the attempt that has asked for it."""
    assert 3 == of_parent(redrive=3).state.redrive


# --- reports ---------------------------------------------------------------------------------------------------------


def test_reports_twice_or_of_others_change_nothing():
    """Of another child, another uid, an attempt that is over, or a node that is no workflow."""
    run = call().started("a")
    name = run.child("a").child
    seq = run.state.seq
    for report in (
        c.ChildStarted(node="a", child=name, uid="other"),
        c.ChildStarted(node="a", child="other", uid="x"),
        c.ChildEnded(node="a", child=name, uid="other", phase=s.FAILED),
        c.ChildEnded(node="b", child=name, uid="x", phase=s.FAILED),
        c.ChildRefused(node="a", child=name, attempt=1, reason="WorkflowNotFound"),
        c.ChildLost(node="a", child=name, uid="other"),
        c.ChildLost(node="zzz", child=name),
    ):
        run.tell(report)
    assert seq == run.state.seq

    run.fail("a")
    seq = run.state.seq
    run.tell(c.ChildEnded(node="a", child=name, uid=f"uid-{name}", phase=s.SUCCEEDED, error=Error("X")))
    assert seq == run.state.seq


def test_a_crash_asks_for_the_child_once_more_by_the_same_name():
    """Whatever the home has made of it, it is the same child."""
    run = call()
    before = run.running.pop(("a", 1, 0))
    run.crash()

    assert before == run.child("a")
    run.started("a")
    known = run.child("a").child
    run.running.clear()
    run.crash()
    assert (known, f"uid-{known}") == (run.child("a").child, run.child("a").uid)


def test_a_thousand_children_of_a_for_each_are_bounded_by_max_parallel():
    """They are asked for as the ones before end, in a state that does not grow with those that have."""
    loop = {
        "items": list(range(1000)),
        "maxParallel": 10,
        "nodes": [{"name": "c", "workflow": {"name": "w"}}],
    }
    run = Driver({"nodes": [{"name": "e", "forEach": loop}]}, check=False).create()
    most = 0
    while run.running:
        most = max(most, len(run.running))
        run.end(min(run.running)[0])

    assert ("Succeeded", 10) == (run.state.phase, most)
    assert 1000 == len({event.child for event in run.of("ChildScheduled")})
    assert len(run.state.nodes) < 10
    assert s.encode(fold(run.events)) == s.encode(run.state)


def test_the_time_until_a_child_is_there_does_not_count_for_the_timeout():
    """`timeout` runs from the start (semantics 32)."""
    run = call(timeout="1s")
    assert isinstance(run.child("a"), StartChild)
    run.tick(3600).started("a")

    assert run.now + SECOND == run.of("ChildStarted")[0].deadline
