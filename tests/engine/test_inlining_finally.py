"""The `finally` of an inlined workflow: semantics 28, 29, 30."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver
from tests.support.inlined import NODE, RUN, call, one

from fairlead.model import state as s

LAST: list[dict[str, Any]] = [
    {"name": "f", "log": {"message": "${execution.phase + ' ' + nodes.n.status + ' ' + string(vars.v)}"}},
    {"name": "g", **RUN},
]


def with_finally(**more: Any) -> dict[str, Any]:
    return {"variables": {"v": 1}, "nodes": [NODE], "finally": LAST, "outputs": {"v": "${vars.v}"}, **more}


def told(run: Driver) -> list[str]:
    return [event.message for event in run.of("NodeCompleted", "a.finally/f")]


def test_finally_runs_after_the_rest_and_sees_it():
    """After success, failure and timeout; its phase is what the rest came to, and the run's other phase is elsewhere."""
    run = one(with_finally()).create().end("a/n").end("a.finally/g")
    run.check_ended()
    assert (["Succeeded Succeeded 1"], s.SUCCEEDED, {"v": 1}) == (
        told(run),
        run.state.phase,
        run.state.node("a").outputs,
    )

    run = one(with_finally()).create().fail("a/n").end("a.finally/g")
    run.check_ended()
    assert (["Failed Failed 1"], "BodyFailed") == (told(run), run.failure.error.reason)

    run = (
        one(with_finally(timeout="5s")).create().tick(5).fail("a/n", "Signalled").tick(60).end("a.finally/g")
    )
    run.check_ended()
    assert (["Failed Cancelled 1"], "Timeout") == (told(run), run.failure.error.reason)


def test_finally_runs_when_the_run_is_cancelled_or_fails():
    """A shared action that locks something can rely on its finally; the run ends only after it."""
    run = one(with_finally()).create().wish(cancel=True).fail("a/n", "Signalled")
    assert ({("a.finally/g", 1, 1)}, set()) == (set(run.running), run.stopping)
    run.crash().end("a.finally/g").check_ended()
    assert (["Cancelled Cancelled 1"], s.CANCELLED) == (told(run), run.state.phase)

    run = (
        one(with_finally(), spec={"nodes": [{"name": "z", **RUN}]})
        .create()
        .fail("z")
        .fail("a/n", "Signalled")
    )
    run.end("a.finally/g").check_ended()
    assert (["Cancelled Cancelled 1"], "NonZeroExit") == (told(run), run.failure.error.reason)


def test_a_forced_cancel_skips_finally_and_ends_one_that_runs():
    """`force` is for those who cannot wait."""
    run = one(with_finally()).create().wish(cancel=True, force=True).fail("a/n", "Signalled")
    run.check_ended()
    assert [] == told(run)

    run = (
        one(with_finally()).create().wish(cancel=True).fail("a/n", "Signalled").wish(cancel=True, force=True)
    )
    assert {("a.finally/g", 1, 1)} == run.stopping
    run.fail("a.finally/g", "Signalled").check_ended()
    assert s.CANCELLED == run.state.phase


def test_a_failure_in_finally_turns_success_into_failure():
    """FinallyFailed; it changes no other outcome, and each of its nodes is tried."""
    run = one(with_finally(**{"finally": [{"name": "f", **RUN}, {"name": "g", **RUN}]}))
    run.create().end("a/n").fail("a.finally/f", message="stuck").end("a.finally/g")
    run.check_ended()
    assert "FinallyFailed" == run.failure.error.reason
    assert "finally of workflow act failed after the rest had succeeded: stuck" == run.failure.error.message

    run = one(with_finally()).create().fail("a/n").fail("a.finally/g")
    run.check_ended()
    assert "BodyFailed" == run.failure.error.reason


def test_finally_has_a_timeout_of_its_own():
    """Outside of the node's timeout; what of it has not ended then is ended."""
    run = one(with_finally(timeout="5s", finallyTimeout="30s")).create().end("a/n").tick(29)
    assert [] == run.of("BodyTimedOut")

    run.tick(1)
    assert {("a.finally/g", 1, 1)} == run.stopping
    run.fail("a.finally/g", "Signalled").check_ended()
    assert "FinallyFailed" == run.failure.error.reason
    assert ["FinallyTimeout"] == [cause.reason for cause in run.failure.error.causes]


def test_finally_waits_while_the_run_is_suspended():
    """It does not begin, and it is not forgotten."""
    run = one(with_finally()).create().wish(suspend=True).end("a/n").tick(60)
    assert {} == run.running

    run.crash().wish(suspend=False).end("a.finally/g").check_ended()
    assert s.SUCCEEDED == run.state.phase


def test_finally_runs_inside_the_finally_of_the_run():
    """A shared action is used in finally like anywhere, and its finish ends it alone."""
    act = with_finally(nodes=[NODE, {"name": "stop", "after": ["n"], "finish": {"result": "enough"}}])
    spec = {"nodes": [{"name": "z", **RUN}], "finally": [{"name": "a", **call()}], "workflows": {"act": act}}
    run = Driver(spec).create().end("z").end("a/n").end("a.finally/g")

    run.check_ended()
    assert (["Succeeded Succeeded 1"], s.SUCCEEDED, None) == (told(run), run.state.phase, run.state.result)
