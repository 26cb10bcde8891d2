"""Suspend, cancel and maxNodes: semantics 24, 28, 30."""

from __future__ import annotations

from tests.support.driver import Driver

from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model.times import SECOND

RUN = {"run": {"sh": "true"}}


def side_by_side(*names: str, **spec: object) -> Driver:
    return Driver({"nodes": [{"name": name, **RUN} for name in names], **spec}).create()


def test_suspend_lets_running_nodes_finish_and_starts_nothing():
    """Pausing is graceful; results are kept, successors start on resume."""
    run = Driver({"nodes": [{"name": "a", **RUN}, {"name": "b", "after": ["a"], "set": {"x": 1}}]}).create()
    run.wish(suspend=True)

    assert "Suspended" == run.state.phase

    run.end("a", {"n": 1})

    assert "Ready" == run.status("b")
    assert reasons.SUSPENDED == run.of("NodeReady", "b")[0].reason

    run.wish(suspend=False)

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_run_created_suspended_starts_nothing():
    """`suspend: true` from the start holds the entry points."""
    run = Driver({"nodes": [{"name": "a", **RUN}]}).create(wish=c.Wish(suspend=True))

    assert not run.running

    run.wish(suspend=False).end("a")

    assert "Succeeded" == run.state.phase


def test_suspend_timeout_resumes_by_itself_and_the_wish_does_not_suspend_again():
    """`suspendTimeout` is wall time; afterwards a spec that still says suspend changes nothing until it was taken back."""
    wish = {"suspend": True, "suspend_timeout": 60 * SECOND}
    run = side_by_side("a").wish(**wish).tick(60)

    assert "SuspendTimeout" == run.of("ExecutionResumed")[0].reason

    run.wish(**wish)

    assert "Running" == run.state.phase

    run.wish(suspend=False).wish(suspend=True)

    assert "Suspended" == run.state.phase


def test_spec_timeout_stands_still_while_suspended():
    """Suspended time does not count for `spec.timeout`."""
    run = side_by_side("a", timeout="1m").tick(30).wish(suspend=True).tick(3600)

    assert not run.of("ExecutionTimedOut")

    run.wish(suspend=False).tick(29)

    assert not run.of("ExecutionTimedOut")

    run.tick(1)

    assert run.of("ExecutionTimedOut")


def test_suspend_holds_finally():
    """A run that is suspended when its forward work ends begins finally on resume."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.wish(suspend=True).end("a")

    assert not run.running

    run.wish(suspend=False)

    assert [("f", 1, 1)] == list(run.running)


def test_cancel_beats_suspend():
    """A suspended run that is cancelled ends, with its reason."""
    run = side_by_side("a").wish(suspend=True).wish(suspend=True, cancel=True, cancel_reason="enough")
    run.fail("a", "Signalled")

    assert "Cancelled" == run.state.phase
    assert "enough" == run.of("ExecutionCancelled")[0].reason
    run.check_ended()


def test_cancel_is_latched():
    """Taking it back does nothing."""
    run = (
        side_by_side("a", "b")
        .wish(cancel=True)
        .wish(cancel=False)
        .fail("a", "Signalled")
        .fail("b", "Signalled")
    )

    assert "Cancelled" == run.state.phase


def test_cancel_in_finally_is_only_recorded_unless_forced():
    """Finally goes on; `force` ends it."""
    spec = {"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}
    polite = Driver(spec).create().end("a").wish(cancel=True)

    assert not polite.stopping

    polite.end("f")

    assert "Succeeded" == polite.state.phase

    forced = (
        Driver(spec).create().end("a").wish(cancel=True).wish(cancel=True, force=True).fail("f", "Signalled")
    )

    assert ["Cancelled"] == [forced.status("f")]
    forced.check_ended()


def test_a_forced_cancel_skips_finally():
    """`cancel: {force: true}` skips finally."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.wish(cancel=True, force=True).fail("a", "Signalled")

    assert "Cancelled" == run.state.phase
    assert not run.of("OutcomeDecided")


def test_cancel_after_an_unhandled_failure_leaves_failed():
    """The failure came first."""
    run = side_by_side("a", "b").fail("a").wish(cancel=True).fail("b", "Signalled")

    assert "Failed" == run.state.phase


def test_cancel_ends_what_waits():
    """A node between two attempts, and one that is held, are Cancelled."""
    run = side_by_side("a", "b", concurrency={"maxNodes": 1}, defaults={"retry": {"maxAttempts": 2}}).fail(
        "a"
    )

    assert ["Retrying", "Scheduled"] == [run.status("a"), run.status("b")]

    run.wish(cancel=True).fail("b", "Signalled")

    assert ["Cancelled", "Cancelled"] == [run.status("a"), run.status("b")]
    run.check_ended()


def test_max_nodes_counts_running_attempts_and_starts_by_priority():
    """As many at once as maxNodes; the highest priority first, then declaration order."""
    run = Driver(
        {
            "nodes": [
                {"name": "low", "priority": -1, **RUN},
                {"name": "a", **RUN},
                {"name": "high", "priority": 5, **RUN},
                {"name": "b", **RUN},
            ],
            "concurrency": {"maxNodes": 1},
        }
    ).create()
    order = []
    while run.running:
        (node, _, _) = next(iter(run.running))
        order.append(node)
        run.end(node)

    assert ["high", "a", "b", "low"] == order
    assert {reasons.MAX_NODES} == {event.reason for event in run.of("NodeReady")}
    run.check_ended()
