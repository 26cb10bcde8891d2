"""The run as a whole: failFast, finish, finally, suspend, cancel, redrive, timeouts: semantics 25-31."""

from __future__ import annotations

import pytest

from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model.times import SECOND
from tests.support.driver import Driver

RUN = {"run": {"sh": "true"}}


def side_by_side(*names: str, **spec: object) -> Driver:
    return Driver({"nodes": [{"name": name, **RUN} for name in names], **spec}).create()


# --- failure ---


def test_fail_fast_stops_what_runs_and_skips_the_rest():
    """An unhandled failure stops running attempts; the run ends when they have ended; the rest is Skipped."""
    run = Driver(
        {"nodes": [{"name": "a", **RUN}, {"name": "b", **RUN}, {"name": "c", "after": ["b"], **RUN}]}
    ).create()
    run.started("b").fail("a")

    assert {("b", 1, 1)} == run.stopping
    assert "Running" == run.state.phase

    run.fail("b", "Signalled")

    assert ["Failed", "Cancelled", "Skipped"] == [run.status(name) for name in "abc"]
    assert "DeadPath" == run.of("NodeSkipped", "c")[0].reason or "ExecutionFailed" == run.of("NodeSkipped", "c")[0].reason
    assert ("a", "NonZeroExit") == (run.state.failure.node, run.state.failure.error.reason)
    run.check_ended()


def test_without_fail_fast_other_paths_end_first():
    """`failFast: false` lets other paths end; the run is Failed all the same."""
    run = side_by_side("a", "b", failFast=False).fail("a")

    assert not run.stopping

    run.end("b")

    assert ("Failed", "Succeeded") == (run.state.phase, run.status("b"))
    run.check_ended()


def test_a_success_that_crosses_the_stop_is_kept():
    """What had done its work when it was told to stop has Succeeded; nothing follows from it."""
    run = Driver(
        {"nodes": [{"name": "a", **RUN}, {"name": "b", **RUN, "store": {"x": 1}}, {"name": "c", "after": ["b"], **RUN}]}
    ).create()
    run.fail("a").end("b")

    assert ["Failed", "Succeeded", "Skipped"] == [run.status(name) for name in "abc"]
    assert {"x": 1} == run.state.variables
    run.check_ended()


def test_no_retry_once_the_run_is_ending():
    """A failing attempt of a run that is ending is not tried again."""
    run = side_by_side("a", "b", defaults={"retry": {"maxAttempts": 3}}, failFast=True)
    run.wish(cancel=True).fail("a").fail("b")

    assert "Cancelled" == run.state.phase
    assert not run.of("NodeRetrying")


def test_spec_timeout_fails_the_run_also_without_fail_fast():
    """`spec.timeout` ends the run as Failed with ExecutionTimeout."""
    run = side_by_side("a", timeout="1m", failFast=False).tick(60)

    assert run.stopping

    run.fail("a", "Signalled")

    assert "ExecutionTimeout" == run.state.failure.error.reason
    assert "1m" in run.state.failure.error.message
    run.check_ended()


def test_the_executions_own_timeout_wins():
    """The timeout of the execution stands in for the workflow's."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "timeout": "1h"}).create(timeout=5 * SECOND).tick(5)

    assert run.stopping


def test_variables_that_fail_fail_the_run_before_it_starts():
    """An initial variable that cannot be evaluated ends the run with ExpressionError; nothing was started."""
    run = Driver({"variables": {"x": "${inputs.missing}"}, "nodes": [{"name": "a", **RUN}]}).create()

    assert ["ExecutionCreated", "ExecutionFailed"] == run.types()
    assert "ExpressionError" == run.state.failure.error.reason


# --- finish ---


@pytest.mark.parametrize(
    "result, phase", [("blocked", "Succeeded"), ("allowed", "Succeeded"), ("done", "Succeeded"), ("failed", "Failed")]
)
def test_finish_ends_the_run_with_its_result(result, phase):
    """`finish` cancels what runs; `failed` is Failed, everything else Succeeded."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", **RUN},
                {"name": "end", "after": ["b"], "finish": {"result": result, "reason": "as ${inputs.who} said"}},
                {"name": "c", "after": ["a"], **RUN},
            ]
        }
    ).create({"who": "ada"})
    run.end("b").fail("a", "Signalled")

    assert (phase, result) == (run.state.phase, run.state.result)
    assert ["Cancelled", "Skipped"] == [run.status("a"), run.status("c")]
    assert "as ada said" == run.of("NodeCompleted", "end")[0].reason
    run.check_ended()


def test_the_first_finish_in_log_order_wins():
    """Two finish nodes: the first decides."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "one", "after": ["a"], "finish": {"result": "one"}},
                {"name": "two", "after": ["a"], "finish": {"result": "two"}},
            ]
        }
    ).create()
    run.end("a")

    assert "one" == run.state.result
    assert "Skipped" == run.status("two")
    run.check_ended()


# --- finally ---


@pytest.mark.parametrize(
    "end, phase", [(lambda run: run.end("a"), "Succeeded"), (lambda run: run.fail("a"), "Failed")]
)
def test_finally_runs_once_whatever_happened(end, phase):
    """`execution.phase` in finally is the phase that the rest ended with."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "finally": [
                {"name": "f", "set": {"phase": "${execution.phase}", "a": "${nodes.a.status}"}},
                {"name": "g", "after": ["f"], **RUN},
            ],
        }
    ).create()
    end(run)

    assert "Running" == run.state.phase
    assert {"phase": phase, "a": phase} == run.state.variables

    run.end("g")

    assert phase == run.state.phase
    run.check_ended()


def test_a_failure_in_finally_turns_success_into_failure():
    """FinallyFailed; it changes no other outcome and triggers nothing."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}, {"name": "g", **RUN}]}).create()
    run.end("a").fail("f")

    assert [("g", 1, 1)] == list(run.running), "each node of finally is tried"

    run.end("g")

    assert ("Failed", "FinallyFailed") == (run.state.phase, run.state.failure.error.reason)
    run.check_ended()


def test_a_failure_in_finally_leaves_a_failure_as_it_was():
    """The first failure stays the error of the run."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.fail("a").fail("f", "Timeout")

    assert ("a", "NonZeroExit") == (run.state.failure.node, run.state.failure.error.reason)


def test_finally_has_its_own_clock():
    """`finallyTimeout` ends it; `spec.timeout` does not count there."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "timeout": "10s",
            "finallyTimeout": "1m",
            "finally": [{"name": "f", **RUN}, {"name": "g", "after": ["f"], **RUN}],
        }
    ).create()
    run.end("a").tick(59)

    assert not run.stopping

    run.tick(1).fail("f", "Signalled")

    assert ("Failed", "FinallyFailed") == (run.state.phase, run.state.failure.error.reason)
    assert ["Cancelled", "Skipped"] == [run.status("f"), run.status("g")]
    run.check_ended()


# --- suspend ---


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


# --- cancel ---


def test_cancel_beats_suspend():
    """A suspended run that is cancelled ends, with its reason."""
    run = side_by_side("a").wish(suspend=True).wish(suspend=True, cancel=True, cancel_reason="enough")
    run.fail("a", "Signalled")

    assert "Cancelled" == run.state.phase
    assert "enough" == run.of("ExecutionCancelled")[0].reason
    run.check_ended()


def test_cancel_is_latched():
    """Taking it back does nothing."""
    run = side_by_side("a", "b").wish(cancel=True).wish(cancel=False).fail("a", "Signalled").fail("b", "Signalled")

    assert "Cancelled" == run.state.phase


def test_cancel_in_finally_is_only_recorded_unless_forced():
    """finally goes on; `force` ends it."""
    spec = {"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}
    polite = Driver(spec).create().end("a").wish(cancel=True)

    assert not polite.stopping

    polite.end("f")

    assert "Succeeded" == polite.state.phase

    forced = Driver(spec).create().end("a").wish(cancel=True).wish(cancel=True, force=True).fail("f", "Signalled")

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
    run = side_by_side("a", "b", concurrency={"maxNodes": 1}, defaults={"retry": {"maxAttempts": 2}}).fail("a")

    assert ["Retrying", "Scheduled"] == [run.status("a"), run.status("b")]

    run.wish(cancel=True).fail("b", "Signalled")

    assert ["Cancelled", "Cancelled"] == [run.status("a"), run.status("b")]
    run.check_ended()


# --- maxNodes and priority ---


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


# --- redrive ---


def test_redrive_runs_again_what_failed_and_what_follows():
    """Succeeded nodes stay; attempts go on counting; earlier ones stay in the log."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", "after": ["a"], **RUN},
                {"name": "c", "after": ["b"], "set": {"done": True}},
            ],
            "finally": [{"name": "f", "set": {"ended": "${execution.phase}"}}],
        }
    ).create()
    run.end("a").fail("b")

    assert "Failed" == run.state.phase

    run.wish(redrive=1)

    assert [("b", 2, 1)] == list(run.running)
    assert "Running" == run.state.phase

    run.end("b")

    assert "Succeeded" == run.state.phase
    assert {"done": True, "ended": "Succeeded"} == run.state.variables
    assert [1, 2] == [event.attempt for event in run.of("NodeStarted", "b")]
    assert 1 == len(run.of("NodeStarted", "a"))
    run.check_ended()


def test_redrive_after_cancel_voids_the_cancel():
    """spec.cancel is still there and does not cancel the new epoch (semantics 31)."""
    run = side_by_side("a", "b").wish(cancel=True).end("a").fail("b", "Signalled")

    run.wish(cancel=True, redrive=1)

    assert [("b", 2, 1)] == list(run.running)

    run.wish(cancel=True, redrive=1).end("b")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_cancel_taken_back_and_given_anew_cancels_the_new_epoch():
    """Once the void cancel has left the spec, another one counts."""
    run = side_by_side("a").wish(cancel=True).fail("a", "Signalled").wish(cancel=True, redrive=1)
    run.wish(redrive=1).wish(cancel=True, redrive=1).fail("a", "Signalled")

    assert "Cancelled" == run.state.phase


def test_redrive_gives_retries_and_timeout_anew():
    """maxAttempts and spec.timeout count anew in the new epoch."""
    run = Driver(
        {"nodes": [{"name": "a", **RUN, "retry": {"maxAttempts": 2, "backoff": "none"}}], "timeout": "1m"}
    ).create()
    run.fail("a").wait_for_timer()
    run.fail("a").tick(3600).wish(redrive=1).tick(59)

    assert not run.stopping

    run.fail("a").wait_for_timer()
    run.end("a")

    assert [1, 2, 3, 4] == [event.attempt for event in run.of("NodeStarted")]
    run.check_ended()


def test_joins_fired_by_other_connections_do_not_fire_again():
    """An `any` that had its token stays Succeeded; the redriven branch arrives late."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}, {"name": "b", **RUN}, {"name": "j", "join": "any", "after": ["a", "b"], **RUN}],
            "failFast": False,
        }
    ).create()
    run.end("a").end("j").fail("b").wish(redrive=1).end("b")

    assert 1 == len(run.of("NodeCompleted", "j"))
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_handled_failures_stay():
    """A failure that a port handled is not run again."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "saved", "after": ["a.failed"], "set": {"x": 1}},
                {"name": "b", "after": ["saved"], **RUN},
            ]
        }
    ).create()
    run.fail("a").fail("b").wish(redrive=1)

    assert [("b", 2, 1)] == list(run.running)

    run.end("b")
    run.check_ended()


@pytest.mark.parametrize("end", [True, False])
def test_redrive_of_a_run_that_has_not_failed_is_refused(end):
    """Refused in the log with the phase, and not taken up later."""
    run = side_by_side("a")
    if end:
        run.end("a")
    phase = run.state.phase
    run.wish(redrive=1)

    assert phase in run.of("RedriveRefused")[0].reason
    assert phase == run.state.phase
    if not end:
        run.fail("a").wish(redrive=1)

        assert "Failed" == run.state.phase


def test_the_redrive_at_creation_is_the_baseline():
    """A manifest applied with redrive: 3 redrives nothing."""
    run = Driver({"nodes": [{"name": "a", **RUN}]}).create(wish=c.Wish(redrive=3)).fail("a").wish(redrive=3)

    assert "Failed" == run.state.phase

    run.wish(redrive=4)

    assert "Running" == run.state.phase


# --- checkpoints ---


@pytest.mark.parametrize(
    "policy, taken", [({"every": "node"}, 4), ({"every": 2}, 2), ({"every": "manual"}, 0), ({"every": "1h"}, 0)]
)
def test_checkpoints_follow_their_policy(policy, taken):
    """every: node, N nodes, a duration, or manual."""
    nodes = [{"name": "n0", **RUN}, *({"name": f"n{i}", "after": [f"n{i - 1}"], **RUN} for i in range(1, 5))]
    run = Driver({"nodes": nodes, "checkpoint": policy}).create()
    for i in range(5):
        run.tick(1).end(f"n{i}")

    assert taken == len(run.of("CheckpointTaken"))


def test_a_node_can_ask_for_a_checkpoint():
    """`checkpoint: true` on a node, whatever the policy."""
    run = Driver(
        {
            "nodes": [{"name": "a", "checkpoint": True, **RUN}, {"name": "b", "after": ["a"], **RUN}],
            "checkpoint": {"every": "manual"},
        }
    ).create()
    run.end("a")

    assert 1 == len(run.of("CheckpointTaken"))
