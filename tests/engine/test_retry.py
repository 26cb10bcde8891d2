"""Retry, fallback, timeouts and lost deliveries: api.md Policies, semantics 2, 10, 26, 30, 32, 33."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.driver import Driver

from fairlead.engine.retry import backoff, delay_after
from fairlead.model import commands as c
from fairlead.model.manifests import Retry, parse_spec
from fairlead.model.times import HOUR, SECOND


def retry(**fields: object) -> Retry:
    return parse_spec(Retry, fields)


def one(**node: object) -> Driver:
    """A run of the one node `a`."""
    return Driver({"nodes": [{"name": "a", "run": {"sh": "true"}, **node}]}).create()


@pytest.mark.parametrize(
    "policy, seconds",
    [
        ({"backoff": "none", "initialDelay": "5s"}, [0, 0, 0, 0]),
        ({"backoff": "fixed", "initialDelay": "5s"}, [5, 5, 5, 5]),
        ({"backoff": "linear", "initialDelay": "5s"}, [5, 10, 15, 20]),
        ({"backoff": "exponential", "initialDelay": "1s", "multiplier": 3}, [1, 3, 9, 27]),
        ({"initialDelay": "1s", "maxDelay": "3s"}, [1, 2, 3, 3]),
    ],
)
def test_backoffs(policy, seconds):
    """The four backoffs and the longest delay."""
    assert [n * SECOND for n in seconds] == [backoff(retry(**policy), failed) for failed in (1, 2, 3, 4)]


@given(
    kind=st.sampled_from(["none", "fixed", "linear", "exponential"]),
    failed=st.integers(1, 100_000),
    initial=st.integers(0, 10**6),
    longest=st.integers(0, 10**6),
    multiplier=st.floats(1, 1000),
    jitter=st.floats(0, 1),
)
def test_no_policy_overflows_or_passes_its_longest_delay(kind, failed, initial, longest, multiplier, jitter):
    """Over the whole space of policies a delay lies between 0 and maxDelay, and is the same every time."""
    policy = retry(
        backoff=kind,
        initialDelay=f"{initial}ms",
        maxDelay=f"{longest}ms",
        multiplier=multiplier,
        jitter=jitter,
    )

    delay = delay_after(policy, failed, "uid/a/1/0")

    assert 0 <= delay <= policy.max_delay
    assert delay == delay_after(policy, failed, "uid/a/1/0")


def test_attempts_go_on_until_max_attempts():
    """A failed attempt is followed by NodeRetrying and another attempt; the last failure fails the node."""
    run = one(retry={"maxAttempts": 3, "jitter": 0, "initialDelay": "10s"})
    run.fail("a")

    assert "Retrying" == run.status("a")
    assert 10 * SECOND == run.of("NodeRetrying")[0].delay

    run.tick(9.9)

    assert not run.running

    run.tick(0.1)
    run.fail("a").wait_for_timer()
    run.fail("a", message="third")

    assert [1, 2] == [event.attempt for event in run.of("NodeRetrying")]
    assert [1, 2, 3] == [event.attempt for event in run.of("NodeStarted")]
    assert "third" == run.failure.error.message
    run.check_ended()


@pytest.mark.parametrize(
    "policy, error, tried_again",
    [
        ({}, {"reason": "NonZeroExit", "exit_code": 3}, True),
        ({"retryOn": "error.exitCode == 3"}, {"reason": "NonZeroExit", "exit_code": 3}, True),
        ({"retryOn": "error.exitCode == 4"}, {"reason": "NonZeroExit", "exit_code": 3}, False),
        ({"noRetryOn": "error.reason == 'NonZeroExit'"}, {"reason": "NonZeroExit", "exit_code": 3}, False),
        (
            {"noRetryOn": "error.message.contains('quota')"},
            {"reason": "NonZeroExit", "message": "boom"},
            True,
        ),
        ({}, {"reason": "OutputInvalid", "message": "no object"}, False),
        ({"retryOn": "error.reason == 'OutputInvalid'"}, {"reason": "OutputInvalid", "message": "x"}, True),
        ({}, {"reason": "Timeout", "message": "x"}, True),
    ],
)
def test_what_is_retried(policy, error, tried_again):
    """retryOn, noRetryOn, and the reasons that are not retried unless retryOn names them."""
    run = one(retry={"maxAttempts": 2, **policy}).end("a", **error)

    assert tried_again == bool(run.of("NodeRetrying"))


def test_a_retry_condition_that_fails_keeps_the_cause():
    """An error in retryOn fails the node with ExpressionError and the failure it was asked about."""
    run = one(retry={"maxAttempts": 2, "retryOn": "error.nothing > 1"}).fail("a")

    error = run.of("NodeFailed")[0].error
    assert ("ExpressionError", "NonZeroExit") == (error.reason, error.causes[0].reason)


def test_the_budget_allows_ten_retries_and_then_its_share():
    """Retries so far must stay below max(10, budget times first attempts) (semantics 33)."""
    run = one(retry={"maxAttempts": 50, "budget": 0.1, "backoff": "none"})
    for _ in range(10):
        run.fail("a").wait_for_timer()
    run.fail("a")

    assert 10 == len(run.of("NodeRetrying"))
    assert "Failed" == run.state.phase


def test_defaults_apply_to_pod_nodes_alone():
    """`defaults.retry` and `defaults.timeout` are those of nodes that run in a pod."""
    run = Driver(
        {
            "defaults": {"retry": {"maxAttempts": 2}, "timeout": "5s"},
            "nodes": [
                {"name": "a", "run": {"sh": "true"}},
                {"name": "b", "set": {"x": "${1 / inputs.zero}"}},
            ],
            "failFast": False,
        }
    ).create({"zero": 0})
    run.started("a")

    assert run.now + 5 * SECOND == run.of("NodeStarted")[0].deadline
    assert "Failed" == run.status("b")

    run.fail("a")

    assert "Retrying" == run.status("a")


def test_templates_are_evaluated_once_and_serve_all_attempts():
    """`with` keeps its value over retries, although the variable it read has changed (semantics 10)."""
    run = Driver(
        {
            "variables": {"n": 1},
            "nodes": [
                {
                    "name": "a",
                    "run": {"sh": "true", "env": {"ID": "${uuid()}"}},
                    "with": {"n": "${vars.n}"},
                    "retry": {"maxAttempts": 2},
                },
                {"name": "b", "run": {"sh": "true"}, "store": {"n": "${2}"}},
            ],
        }
    ).create()
    first = next(start.document for key, start in run.running.items() if key[0] == "a")
    run.end("b").fail("a").wait_for_timer()
    second = next(start.document for key, start in run.running.items() if key[0] == "a")

    assert {"n": 1} == first["inputs"] == second["inputs"]
    assert first["env"] == second["env"]
    assert first["idempotencyKey"] == second["idempotencyKey"]
    assert 2 == second["attempt"]


def test_a_timeout_runs_from_the_start_of_the_container():
    """Waiting for the start does not count; the attempt is stopped, and ended when its runner says so (semantics 32)."""
    run = one(timeout="10s").tick(60)

    assert "Scheduled" == run.status("a")

    run.started("a").tick(10)

    assert "Stopping" == run.status("a")
    assert [("a", 1, 1)] == list(run.stopping)
    assert not run.of("NodeFailed")

    run.fail("a", "Signalled")

    assert "Timeout" == run.failure.error.reason
    assert "10s" in run.failure.error.message
    run.check_ended()


def test_a_start_timeout_limits_the_wait():
    """`startTimeout` runs from the schedule to the start."""
    run = one(startTimeout="30s").tick(30).fail("a", "Cancelled")

    assert "StartTimeout" == run.failure.error.reason


def test_a_timed_out_attempt_that_reports_success_has_timed_out():
    """The verdict was committed first; a success that crosses it does not count."""
    run = one(timeout="10s").started("a").tick(10).end("a", {"x": 1})

    assert "Timeout" == run.failure.error.reason


def test_a_fallback_stands_in_with_the_error_and_gives_its_outputs():
    """Its outputs become the node's, status Succeeded, via fallback; it is no entry point (semantics 2)."""
    run = Driver(
        {
            "nodes": [
                {
                    "name": "a",
                    "run": {"sh": "true"},
                    "fallback": "b",
                    "retry": {"maxAttempts": 2, "backoff": "none"},
                },
                {"name": "b", "run": {"sh": "true"}, "with": {"why": "${error.message}"}},
                {"name": "c", "after": ["a"], "set": {"x": "${nodes.a.outputs.x}"}},
            ]
        }
    ).create()

    assert [("a", 1, 1)] == list(run.running)

    run.fail("a").wait_for_timer()
    run.fail("a", message="no luck")

    assert [("a/b", 1, 1)] == list(run.running)
    assert {"why": "no luck"} == run.running["a/b", 1, 1].document["inputs"]

    run.end("a/b", {"x": 7})

    assert {"x": 7} == run.state.variables
    done = run.of("NodeCompleted", "a")[0]
    assert ("fallback", {"x": 7}, ["a.done>c"]) == (done.via, done.outputs, done.taken)
    run.check_ended()


def test_a_fallback_that_fails_fails_the_node_with_both_causes():
    """The failure is the node's, and both are among its causes."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "run": {"sh": "true"}, "fallback": "b"},
                {"name": "b", "run": {"sh": "true"}},
                {"name": "c", "after": ["a.failed"], "set": {"handled": True}},
            ]
        }
    ).create()
    run.fail("a", message="first").fail("a/b", message="second")

    error = run.of("NodeFailed", "a")[0].error
    assert ["first", "second"] == [cause.message for cause in error.causes]
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_lost_delivery_spends_no_attempt():
    """A vanished delivery is delivered again as the same attempt; NodeStarted comes once per attempt."""
    run = one(retry={"maxAttempts": 1}).started("a").lose("a").tick()

    assert [("a", 1, 2)] == list(run.running)

    run.started("a").end("a", {"x": 1})

    assert 1 == len(run.of("NodeStarted"))
    assert 1 == len(run.of("DeliveryStarted"))
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_late_result_of_a_lost_delivery_is_recorded_once_and_ignored():
    """Delivery 1 was given up; its result changes nothing."""
    run = one().lose("a").tick()
    late = c.AttemptEnded(node="a", attempt=1, delivery=1, outputs={"x": "late"})
    run.tell(late, late)

    assert 1 == len(run.of("LateResult"))

    run.end("a", {"x": "good"})

    assert {"x": "good"} == run.state.node("a").outputs


def test_after_max_deliveries_the_node_is_dead_lettered():
    """The node fails with NodeLost once its deliveries are spent."""
    run = one(maxDeliveries=2)
    run.lose("a")
    run.wait_for_timer()
    run.lose("a")

    assert 2 == run.of("DeadLettered")[0].deliveries
    assert "NodeLost" == run.failure.error.reason
    run.check_ended()


def test_the_same_report_twice_changes_nothing():
    """Commands are idempotent by what they are about."""
    run = one(retry={"maxAttempts": 2})
    report = c.AttemptEnded(node="a", attempt=1, delivery=1, error=None, outputs={"x": 1})
    run.running.clear()
    run.tell(c.AttemptStarted(node="a", attempt=1), c.AttemptStarted(node="a", attempt=1), report)
    length = len(run.log)
    run.tell(report, c.AttemptStarted(node="a", attempt=1), c.AttemptLost(node="a", attempt=1))

    assert length == len(run.log)


def test_retry_delays_stand_still_while_suspended():
    """Suspended time does not count for retry delays (semantics 30)."""
    run = one(retry={"maxAttempts": 2, "initialDelay": "10s", "jitter": 0}).fail("a").tick(4)
    run.wish(suspend=True).tick(3600)

    assert "Retrying" == run.status("a")

    run.wish(suspend=False).tick(5.9)

    assert "Retrying" == run.status("a")

    run.tick(0.1)

    assert "Scheduled" == run.status("a")


def test_a_running_attempt_keeps_its_clock_while_suspended():
    """A timeout goes on while the run is suspended."""
    run = one(timeout="10s").started("a").wish(suspend=True).tick(10)

    assert "Stopping" == run.status("a")


def test_the_run_may_take_long():
    """A clock that goes back is held at the last event."""
    run = one()
    run.now -= HOUR
    run.end("a")

    times = [event.at for event in run.events]
    assert sorted(times) == times


def test_what_ended_with_the_process_that_ran_it_is_no_counted_delivery():
    """A run may be stopped and resumed as often as anyone likes; only counted losses are dead-lettered."""
    run = one(maxDeliveries=2)
    for delivery in range(1, 8):
        run.running.clear()
        run.tell(c.AttemptLost(node="a", attempt=1, delivery=delivery, counted=False)).tick()
    run.lose("a").tick(60)

    assert "Scheduled" == run.status("a")

    run.lose("a")

    assert 2 == run.of("DeadLettered")[0].deliveries
