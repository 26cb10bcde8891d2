"""Children that are ended, suspended or let go by their parent (semantics 25, 28, 30, 38)."""

from __future__ import annotations

from tests.engine.test_children import CALL, call
from tests.support.driver import Driver

from fairlead.model import reasons
from fairlead.model import state as s

# --- ending, suspending ----------------------------------------------------------------------------------------------


def test_a_cancel_is_carried_down_and_waits_for_the_child():
    """With the reason; the run ends only after the child has."""
    run = call().started("a").wish(cancel=True, cancel_reason="too dear")
    steer = run.steered["a"]

    assert (True, False, False) == (steer.stop, steer.force, steer.held)
    assert "too dear" in steer.reason
    assert ("Running", "Stopping") == (run.state.phase, run.status("a"))

    run.end_child("a", s.CANCELLED)
    assert ("Cancelled", "Cancelled") == (run.state.phase, run.status("a"))
    run.check_ended()


def test_force_is_carried_down_also_when_it_comes_later():
    """A cancel first, its force afterwards: the child hears of both."""
    run = call().started("a").wish(cancel=True)
    heard = [run.steered["a"].force]
    run.wish(cancel=True, force=True)
    heard.append(run.steered["a"].force)

    assert [False, True] == heard
    run.end_child("a", s.CANCELLED).check_ended()


def test_a_child_that_succeeds_while_it_is_being_ended_has_succeeded():
    """As an attempt does: what was done is not denied."""
    run = call().started("a").wish(cancel=True).end("a", {"x": 1})

    assert ("Cancelled", "Succeeded") == (run.state.phase, run.status("a"))


def test_a_child_nobody_has_heard_of_is_never_started():
    """A run that fails in the step that asks for the child takes that back."""
    broken = {"name": "b", "if": "inputs.missing"}
    run = Driver({"nodes": [CALL, broken]}).create({"n": 1})

    assert "Cancelled" == run.status("a")
    assert not run.running
    run.check_ended()


def test_a_child_that_was_not_made_and_is_to_be_ended_is_over_when_that_is_known():
    """The home says that it is not there, and nothing has to be made in order to be cancelled."""
    run = call()
    run.running.clear()
    run.wish(cancel=True)

    assert ("Cancelled", "Cancelled") == (run.state.phase, run.status("a"))


def test_a_timeout_ends_the_child_and_then_the_attempt():
    """The child is ended first; the node fails with Timeout whatever the child says, and may be tried again."""
    run = call(timeout="1m", retry={"maxAttempts": 2}).tick(3600).started("a").tick(59)
    assert "Running" == run.status("a")
    run.tick(1)
    assert run.steered["a"].stop
    assert "Stopping" == run.status("a")
    run.end("a", {"x": 1})
    assert "Retrying" == run.status("a")
    run.wait_for_timer()
    run.end("a", {"x": 1})
    assert "Succeeded" == run.state.phase


def test_the_timeout_stands_still_while_the_run_is_suspended():
    """The child is suspended as well, so its time does not count (semantics 30)."""
    run = call(timeout="1m").started("a").tick(30).wish(suspend=True).tick(3600)
    assert "Running" == run.status("a")
    run.wish(suspend=False).tick(29)
    assert "Running" == run.status("a")
    run.tick(1)
    assert "Stopping" == run.status("a")


def test_suspend_and_resume_are_carried_down():
    """A level, also for a child that is asked for and not there yet."""
    run = call().wish(suspend=True)
    assert run.steered["a"].held
    run.started("a").wish(suspend=False)
    assert not run.steered["a"].held


def test_the_end_of_a_child_is_recorded_while_suspended_and_followed_on_resume():
    """What comes after it starts when the run goes on (semantics 30)."""
    run = call().started("a").wish(suspend=True).end("a", {"x": 1})
    assert ("Succeeded", "Ready") == (run.status("a"), run.status("b"))
    run.wish(suspend=False)
    assert "Succeeded" == run.state.phase


def test_the_losers_of_a_race_are_ended_with_their_children():
    """The parallel ends when the slower child has ended."""
    branch = {"nodes": [{"name": "l", "workflow": {"name": "other"}}]}
    other = {"nodes": [{"name": "r", "workflow": {"name": "other"}}]}
    race = {"strategy": "race", "branches": [{"name": "x", **branch}, {"name": "y", **other}]}
    run = Driver({"nodes": [{"name": "p", "parallel": race}]}).create()
    run.started("p.x/l").started("p.y/r").end("p.x/l")

    assert run.steered["p.y/r"].stop
    assert "Running" == run.state.phase
    run.end_child("p.y/r", s.CANCELLED)
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_failed_item_ends_the_children_of_its_siblings():
    """With onItemError fail the others are ended, then the container fails."""
    loop = {"items": [1, 2, 3], "nodes": [{"name": "c", "workflow": {"name": "other"}}]}
    run = Driver({"nodes": [{"name": "e", "forEach": loop}]}).create().fail("e[1]/c")

    assert run.steered["e[0]/c"].stop and run.steered["e[2]/c"].stop
    run.end_child("e[0]/c", s.CANCELLED).end_child("e[2]/c", s.CANCELLED)
    assert ("Failed", reasons.BODY_FAILED) == (run.state.phase, run.failure.error.reason)
    run.check_ended()


def test_a_finish_ends_children():
    """The first finish wins and cancels all that runs (semantics 25)."""
    nodes = [
        CALL,
        {"name": "r", "run": {"sh": "x"}},
        {"name": "f", "after": ["r"], "finish": {"result": "enough"}},
    ]
    run = Driver({"nodes": nodes}).create({"n": 1}).started("a").end("r")

    assert run.steered["a"].stop
    run.end_child("a", s.CANCELLED)
    assert ("Succeeded", "enough") == (run.state.phase, run.state.result)


# --- wait: false -----------------------------------------------------------------------------------------------------


def test_a_child_that_is_let_go_ends_the_node_when_it_is_there():
    """Its outputs are where to find it."""
    run = Driver({"nodes": [{"name": "a", "workflow": {"name": "other", "wait": False}}]}).create()
    effect = run.child("a")
    assert not effect.parent.wait
    run.started("a")

    assert {"name": effect.child, "uid": f"uid-{effect.child}"} == run.state.node("a").outputs
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_child_that_is_let_go_is_neither_suspended_nor_cancelled_along():
    """It is asked to be there and nothing else; a run that ends meanwhile waits for that (semantics 38)."""
    run = Driver({"nodes": [{"name": "a", "workflow": {"name": "other", "wait": False}}]}).create()
    run.wish(suspend=True)
    run.wish(cancel=True)

    assert not run.steered
    assert "Running" == run.state.phase
    run.started("a")
    assert ("Cancelled", "Succeeded") == (run.state.phase, run.status("a"))


def test_a_let_go_child_in_a_body_that_is_ended_is_let_go_all_the_same():
    """The loser of a race had asked for it."""
    branches = [
        {"name": "x", "nodes": [{"name": "l", "workflow": {"name": "other", "wait": False}}]},
        {"name": "y", "nodes": [{"name": "r", "run": {"sh": "x"}}]},
    ]
    run = Driver({"nodes": [{"name": "p", "parallel": {"strategy": "race", "branches": branches}}]}).create()
    run.end("p.y/r")
    assert not run.steered
    run.started("p.x/l")

    assert "Succeeded" == run.state.phase
    run.check_ended()
