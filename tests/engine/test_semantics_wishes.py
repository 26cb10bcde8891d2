"""Suspend, cancel and redrive in combination, written from semantics.md 24, 28, 30, 31 and 33."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

from fairlead.model import commands as c
from fairlead.model.times import SECOND

RUN: dict[str, Any] = {"run": {"sh": "true"}}
RETRY: dict[str, Any] = {"retry": {"maxAttempts": 2, "initialDelay": "10s", "jitter": 0}}


def flow(*nodes: dict[str, Any], **spec: Any) -> Driver:
    return Driver({"nodes": list(nodes), **spec}).create()


def twice(run: Driver, **wish: Any) -> Driver:
    """Tell a wish, and tell it again: the second time nothing happens, for a wish is a level and no edge."""
    run.wish(**wish)
    before = len(run.log)
    run.wish(**wish)

    assert before == len(run.log)
    return run


# --- suspend and cancel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RUN, {"set": {"x": 1}}, {"finish": {"result": "ok"}}, {"if": "true"}])
def test_a_cancel_starts_nothing_that_a_suspension_had_held(kind):
    """Cancel beats suspend: what was held, an engine node too, is Cancelled and does nothing."""
    first = Driver({"nodes": [{"name": "a", **kind}]}).create(wish=c.Wish(suspend=True))
    later = flow({"name": "s", **RUN}, {"name": "a", "after": ["s"], **kind}).wish(suspend=True).end("s")

    for run in (first, later):
        twice(run, suspend=True, cancel=True)

        assert ["Cancelled", "Cancelled"] == [run.state.phase, run.status("a")]
        assert ({}, None) == (run.state.variables, run.state.result)
        run.check_ended()


def test_created_with_a_cancel_nothing_runs_and_finally_does():
    """A cancel that is there from the start skips all forward work, then `finally` runs."""
    run = Driver({"nodes": [{"name": "a", "set": {"a": 1}}], "finally": [{"name": "f", "set": {"f": 1}}]})
    run.create(wish=c.Wish(cancel=True))

    assert ("Cancelled", {"f": 1}, "Skipped") == (run.state.phase, run.state.variables, run.status("a"))
    run.check_ended()


def test_a_suspend_timeout_means_nothing_once_the_run_was_cancelled():
    """Cancel resumes; the timer of the suspension is gone."""
    run = flow({"name": "a", **RUN}).wish(suspend=True, suspend_timeout=60 * SECOND)
    run.wish(suspend=True, suspend_timeout=60 * SECOND, cancel=True).tick(61)

    assert ["Cancelled"] == [event.reason for event in run.of("ExecutionResumed")]

    run.fail("a")
    run.check_ended()


def test_cancel_ends_a_retry_delay_that_stood_still():
    """A node between two attempts of a suspended run is Cancelled at once."""
    run = flow({"name": "a", **RUN, **RETRY}).wish(suspend=True).fail("a")

    assert ("Retrying", None) == (run.status("a"), run.engine.next_due(run.now))

    run.wish(suspend=True, cancel=True)

    assert ["Cancelled", "Cancelled"] == [run.status("a"), run.state.phase]
    run.check_ended()


def test_a_failure_while_suspended_is_recorded_at_once_and_its_successor_on_resume():
    """Decisions are recorded at once, their successors start on resume; dead paths are settled meanwhile."""
    run = flow(
        {"name": "a", **RUN},
        {"name": "b", "after": ["a"], **RUN},
        {"name": "c", "after": ["a.failed"], "set": {"c": 1}},
    )
    run.wish(suspend=True).fail("a")

    assert ["Failed", "Skipped", "Ready"] == [run.status(name) for name in "abc"]

    run.wish(suspend=False)

    assert ("Succeeded", {"c": 1}) == (run.state.phase, run.state.variables)
    run.check_ended()


def test_when_is_asked_on_resume_of_what_was_held():
    """A node that was ready while suspended sees the variables of the moment in which it starts."""
    run = flow(
        {"name": "a", **RUN, "store": {"x": "${outputs.x}"}},
        {"name": "b", **RUN},
        {"name": "c", "after": ["b"], "when": "vars.x > 1", "set": {"c": 1}},
    )
    run.wish(suspend=True).end("b").end("a", {"x": 2}).wish(suspend=False)

    assert 1 == run.state.variables["c"]


def test_retry_and_priority_share_the_slots_of_max_nodes():
    """A delay holds no slot; what is due again queues by its priority like all others."""
    run = flow(
        {"name": "a", "priority": 9, **RUN, **RETRY},
        *({"name": name, **RUN} for name in "bcd"),
        concurrency={"maxNodes": 1},
    )
    run.fail("a")

    assert [("b", 1, 1)] == list(run.running)

    run.tick(10)

    assert [("b", 1, 1)] == list(run.running)
    assert "MaxNodes" == run.of("NodeReady", "a")[-1].reason

    run.end("b")

    assert [("a", 2, 1)] == list(run.running)

    run.end("a").end("c").end("d")
    run.check_ended()


def test_an_attempt_that_is_being_ended_holds_its_slot():
    """What `maxNodes` counts are running pod attempts: a timed-out one runs until its runner says that it has ended."""
    run = flow(
        {"name": "a", "timeout": "5s", **RUN},
        {"name": "b", **RUN},
        concurrency={"maxNodes": 1},
        failFast=False,
    )
    run.started("a").tick(5)

    assert [("a", 1, 1)] == list(run.running)

    run.fail("a")

    assert [("b", 1, 1)] == list(run.running)


# --- redrive ---------------------------------------------------------------------------------------------------------


def test_a_redrive_voids_a_cancel_as_often_as_it_comes():
    """The cancel that stays in the spec cancels neither the first redriven epoch nor the next."""
    run = flow({"name": "a", **RUN}).wish(cancel=True).fail("a")
    for epoch in (1, 2, 3):
        twice(run, cancel=True, redrive=epoch)

        assert ({("a", epoch + 1, 1)}, set()) == (set(run.running), run.stopping)

        run.fail("a")

    assert "Failed" == run.state.phase


def test_a_cancel_given_after_the_end_does_not_cancel_the_redriven_run():
    """It was there when the redrive came, so it is void like one that was latched."""
    run = twice(flow({"name": "a", **RUN}).fail("a"), cancel=True)
    twice(run, cancel=True, redrive=1)

    assert not run.stopping

    twice(run, redrive=1)
    twice(run, cancel=True, redrive=1)

    assert {("a", 2, 1)} == run.stopping


def test_a_redrive_that_takes_the_cancel_back_is_one_wish():
    """Raised together with the removal of `cancel`; a later cancel counts."""
    run = flow({"name": "a", **RUN}).wish(cancel=True).fail("a")
    twice(run, redrive=1)

    assert ["cancel"] == [event.wish for event in run.of("WishWithdrawn")]

    run.wish(redrive=1, cancel=True)

    assert run.stopping


def test_a_redrive_of_a_spec_that_says_suspend_starts_nothing():
    """As a run that is created suspended."""
    run = twice(flow({"name": "a", **RUN}).fail("a"), suspend=True, redrive=1)

    assert ("Suspended", {}) == (run.state.phase, run.running)

    run.wish(redrive=1)

    assert [("a", 2, 1)] == list(run.running)


def test_a_failed_fallback_is_redriven_through_the_node_it_stands_for():
    """The node's own attempts come first again, then the fallback's; both go on counting."""
    run = flow({"name": "a", "fallback": "s", **RUN}, {"name": "s", **RUN}).fail("a").fail("a/s")
    run.wish(redrive=1)

    assert [("a", 2, 1)] == list(run.running)

    run.fail("a")

    assert [("a/s", 2, 1)] == list(run.running)

    run.end("a/s")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_finally_runs_again_in_every_epoch():
    """Once per epoch, with attempts counted on, whatever ended the epoch before."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.fail("a").end("f").wish(redrive=1).fail("a")

    assert [("f", 2, 1)] == list(run.running)

    run.fail("f").wish(redrive=2).end("a").end("f")

    assert ("Succeeded", [1, 2, 3]) == (
        run.state.phase,
        [event.attempt for event in run.of("NodeStarted", "f")],
    )
    run.check_ended()


def test_a_failed_finally_alone_is_redriven():
    """A run that only `finally` failed does nothing again but that."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.end("a", {"n": 1}).fail("f").wish(redrive=1)

    assert [("f", 2, 1)] == list(run.running)

    run.end("f")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_redrive_after_an_epoch_without_finally_finds_it_as_it_was():
    """A forced cancel skips `finally`; the next redrive resets only what had ended."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.fail("a").end("f").wish(redrive=1).wish(redrive=1, cancel=True, force=True).fail("a")

    assert "Pending" == run.status("f")

    run.wish(redrive=2, cancel=True, force=True).end("a").end("f")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_redrive_after_a_timeout_runs_what_it_stopped_and_what_it_kept_from_starting():
    """`spec.timeout` starts anew; what had succeeded stays."""
    run = flow(
        {"name": "a", **RUN},
        {"name": "b", "after": ["a"], **RUN},
        {"name": "c", "after": ["b"], **RUN},
        timeout="1m",
    )
    run.end("a").tick(60).fail("b").tick(3600).wish(redrive=1)

    assert [("b", 2, 1)] == list(run.running)

    run.tick(59).end("b")

    assert [("c", 1, 1)] == list(run.running)

    run.tick(1).fail("c")

    assert "ExecutionTimeout" == run.failure.error.reason
    run.check_ended()


def test_a_finish_with_result_failed_is_run_again_by_a_redrive():
    """`failed` is an unhandled failure: a redrive asks the finish again, and never makes a success of it by doing nothing."""
    run = flow({"name": "a", **RUN}, {"name": "end", "after": ["a"], "finish": {"result": "failed"}}).end("a")
    run.wish(redrive=1)

    assert ("Failed", 2) == (run.state.phase, len(run.of("NodeCompleted", "end")))
    run.check_ended()


def test_a_finish_as_fallback_takes_no_port_of_the_node_it_stands_for():
    """A finish has no port; what would follow the node does not run, and a redrive begins with the node."""
    run = flow(
        {"name": "a", "fallback": "give-up", **RUN},
        {"name": "give-up", "finish": {"result": "failed", "reason": "${error.reason}"}},
        {"name": "b", "after": ["a", "a.ended"], "set": {"b": 1}},
    ).fail("a")

    assert ("Failed", "NonZeroExit") == (run.state.phase, run.failure.error.message)
    run.check_ended()

    run.wish(redrive=1).end("a")

    assert ("Succeeded", {"b": 1}) == (run.state.phase, run.state.variables)
    run.check_ended()


def test_dead_ends_behind_a_failure_are_open_again_and_met_joins_are_not():
    """What only the failed node led to runs after the redrive; an `all` that had run with one taken stays as it was."""
    run = flow(
        {"name": "a", **RUN},
        {"name": "b", **RUN},
        {"name": "all", "after": ["a", "b"], "set": {"all": 1}},
        {"name": "x", "after": ["b"], "set": {"x": 1}},
        {"name": "y", "after": ["x"], "set": {"y": 1}},
        failFast=False,
    )
    run.end("a").fail("b")

    assert ["Succeeded", "Skipped", "Skipped"] == [run.status(name) for name in ("all", "x", "y")]

    run.wish(redrive=1).end("b")

    assert {"all": 1, "x": 1, "y": 1} == run.state.variables
    assert (1, ["b.done>all"]) == (
        len(run.of("NodeCompleted", "all")),
        [e.connection for e in run.of("LateArrival")],
    )
    run.check_ended()


def test_an_unreachable_join_is_met_by_a_redrive():
    """What was taken stays taken; the branch that failed brings the missing one."""
    run = flow(
        {"name": "a", **RUN},
        {"name": "b", **RUN},
        {"name": "j", "join": {"atLeast": 2}, "after": ["a", "b"], "set": {"j": 1}},
        failFast=False,
    )
    run.end("a").fail("b")

    assert "Failed" == run.status("j")

    run.wish(redrive=1)

    assert "Pending" == run.status("j")

    run.end("b")

    assert ("Succeeded", {"j": 1}) == (run.state.phase, run.state.variables)
    run.check_ended()


def test_a_failure_of_the_redriven_step_stops_what_that_step_started():
    """Also where the epoch before had ended for the same reason, and at whatever length the step is committed."""
    for limit in (1, 1_000):
        nodes = [{"name": "a", **RUN}, {"name": "b", "if": "vars.go"}, {"name": "c", "if": "vars.go"}]
        run = Driver({"nodes": nodes}, limit=limit).create()
        for node in list(run.running):
            run.fail(node[0])
        run.wish(redrive=1)
        for node in list(run.running):
            assert node in run.stopping
            run.fail(node[0])

        assert "Failed" == run.state.phase
        run.check_ended()


def test_a_redrive_keeps_variables_and_draws_values_anew():
    """Variables keep their values; templates are evaluated again, with another `uuid()`."""
    run = flow(
        {"name": "v", "set": {"v": 1}},
        {"name": "a", "after": ["v"], **RUN, "with": {"v": "${vars.v}", "id": "${uuid()}"}},
        variables={"v": 0},
    )
    first = run.running["a", 1, 1].document
    run.fail("a").wish(redrive=1)
    second = run.running["a", 2, 1].document

    assert [1, 1] == [first["inputs"]["v"], second["inputs"]["v"]]
    assert first["inputs"]["id"] != second["inputs"]["id"]
    assert first["idempotencyKey"] == second["idempotencyKey"]


def test_the_retry_budget_starts_anew_with_a_redrive():
    """Ten retries are free in each epoch."""
    policy = {"maxAttempts": 99, "backoff": "none", "budget": 0.1}
    run = flow({"name": "a", **RUN, "retry": policy})
    for epoch in (1, 2):
        for _ in range(10):
            run.fail("a")
            run.wait_for_timer()
        run.fail("a")

        assert ("Failed", 11 * epoch) == (run.state.phase, run.state.nodes["a"].attempt)

        run.wish(redrive=epoch)
