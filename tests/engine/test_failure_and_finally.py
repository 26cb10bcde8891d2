"""Failure of the run, finish and finally: semantics 25, 26, 29."""

from __future__ import annotations

import pytest
from tests.support.driver import Driver

from fairlead.model.times import SECOND

RUN = {"run": {"sh": "true"}}


def side_by_side(*names: str, **spec: object) -> Driver:
    return Driver({"nodes": [{"name": name, **RUN} for name in names], **spec}).create()


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
    assert "ExecutionFailed" == run.of("NodeSkipped", "c")[0].reason
    assert ("a", "NonZeroExit") == (run.failure.node, run.failure.error.reason)
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
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", **RUN, "store": {"x": 1}},
                {"name": "c", "after": ["b"], **RUN},
            ]
        }
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

    assert "ExecutionTimeout" == run.failure.error.reason
    assert "1m" in run.failure.error.message
    run.check_ended()


def test_the_executions_own_timeout_wins():
    """The timeout of the execution stands in for the workflow's."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "timeout": "1h"}).create(timeout=5 * SECOND).tick(5)

    assert run.stopping


def test_variables_that_fail_fail_the_run_before_it_starts():
    """An initial variable that cannot be evaluated ends the run with ExpressionError; nothing was started."""
    run = Driver({"variables": {"x": "${inputs.missing}"}, "nodes": [{"name": "a", **RUN}]}).create()

    assert ["ExecutionCreated", "ExecutionFailed"] == run.types()
    assert "ExpressionError" == run.failure.error.reason


@pytest.mark.parametrize(
    "result, phase",
    [("blocked", "Succeeded"), ("allowed", "Succeeded"), ("done", "Succeeded"), ("failed", "Failed")],
)
def test_finish_ends_the_run_with_its_result(result, phase):
    """`finish` cancels what runs; `failed` is Failed, everything else Succeeded."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", **RUN},
                {
                    "name": "end",
                    "after": ["b"],
                    "finish": {"result": result, "reason": "as ${inputs.who} said"},
                },
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
    run = Driver(
        {"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}, {"name": "g", **RUN}]}
    ).create()
    run.end("a").fail("f")

    assert [("g", 1, 1)] == list(run.running), "each node of finally is tried"

    run.end("g")

    assert ("Failed", "FinallyFailed") == (run.state.phase, run.failure.error.reason)
    run.check_ended()


def test_a_failure_in_finally_leaves_a_failure_as_it_was():
    """The first failure stays the error of the run."""
    run = Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", **RUN}]}).create()
    run.fail("a").fail("f", "Timeout")

    assert ("a", "NonZeroExit") == (run.failure.node, run.failure.error.reason)


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

    assert ("Failed", "FinallyFailed") == (run.state.phase, run.failure.error.reason)
    assert ["Cancelled", "Skipped"] == [run.status("f"), run.status("g")]
    run.check_ended()
