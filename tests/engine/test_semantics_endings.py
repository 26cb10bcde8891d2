"""Failure order, fallbacks, finish, timeouts and finally in combination, written from semantics.md 2, 10, 25, 26, 29, 32."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

from fairlead.engine.effects import effects_of
from fairlead.engine.engine import Engine
from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.events import Error

RUN: dict[str, Any] = {"run": {"sh": "true"}}
BROKEN: dict[str, Any] = {**RUN, "with": {"x": "${inputs.missing}"}}
TWICE: dict[str, Any] = {"retry": {"maxAttempts": 2, "initialDelay": "1s", "jitter": 0}}


def flow(*nodes: dict[str, Any], **spec: Any) -> Driver:
    return Driver({"nodes": list(nodes), **spec}).create()


# --- fallbacks -------------------------------------------------------------------------------------------------------


def with_spare(spare: dict[str, Any], **node: Any) -> Driver:
    return flow({"name": "a", "fallback": "s", **RUN, **node}, {"name": "s", **spare})


def test_all_attempts_are_spent_before_the_fallback_which_has_its_own():
    """Retry comes before fallback; the fallback's attempts, delays and timeout are its own."""
    run = with_spare({**RUN, **TWICE, "timeout": "5s"}, **TWICE).fail("a")
    run.wait_for_timer()
    run.fail("a")

    assert [("a/s", 1, 1)] == list(run.running)

    run.started("a/s").tick(5).fail("a/s")

    assert "Timeout" == run.of("NodeRetrying", "a/s")[0].error.reason

    run.wait_for_timer()
    run.end("a/s", {"n": 1})

    assert {"n": 1} == run.state.nodes["a"].outputs
    assert ["Succeeded", "Succeeded"] == [run.state.phase, run.status("a")]
    run.check_ended()


def test_cancel_while_a_fallback_runs_waits_or_is_held_takes_both_with_it():
    """Whatever the fallback does when the cancel comes, it and the node it stands for are Cancelled."""
    runs = with_spare(RUN).fail("a").wish(cancel=True).fail("a/s")
    waits = with_spare({**RUN, **TWICE}).fail("a").fail("a/s").wish(cancel=True)
    held = with_spare(RUN).wish(suspend=True).fail("a")

    assert "Ready" == held.status("a/s")

    held.wish(suspend=True, cancel=True)

    for run in (runs, waits, held):
        assert ["Cancelled"] * 3 == [run.status("a"), run.status("a/s"), run.state.phase]
        run.check_ended()


def test_a_success_of_a_fallback_that_crosses_the_cancel_is_kept():
    """What had done its work when it was told to stop has Succeeded, and so has what it stands for."""
    run = with_spare(RUN).fail("a").wish(cancel=True).end("a/s", {"n": 2})

    assert {"n": 2} == run.state.nodes["a"].outputs
    assert ["Succeeded", "Cancelled"] == [run.status("a"), run.state.phase]
    run.check_ended()


def test_a_fallback_sees_the_error_in_all_its_fields():
    """`error` is in the scope of `when`, `with` and `store` of a fallback."""
    run = with_spare(
        {
            **RUN,
            "when": "error.exitCode == 3",
            "with": {"why": "${error.reason}"},
            "store": {"why": "${error.message}"},
        }
    ).fail("a", exit_code=3)

    assert {"why": "NonZeroExit"} == next(iter(run.running.values())).document["inputs"]

    run.end("a/s")

    assert {"why": "boom"} == run.state.variables
    assert "Succeeded" == run.state.phase


def test_a_fallback_with_a_false_when_leaves_the_failure_as_it_was():
    """A fallback that does not run helps nobody: the node fails with its own error, and its ports apply."""
    run = flow(
        {"name": "a", "fallback": "s", **RUN},
        {"name": "s", "when": "false", **RUN},
        {"name": "saved", "after": ["a.failed"], "set": {"why": "${nodes.a.error.reason}"}},
    ).fail("a")

    assert {"why": "NonZeroExit"} == run.state.variables
    run.check_ended()


def test_the_nodes_own_store_is_applied_to_what_its_fallback_gave():
    """The fallback's outputs become the node's: its `store` and its connections see them."""
    run = with_spare({**RUN, "store": {"s": "${outputs.n}"}}, store={"a": "${outputs.n + 1}"}).fail("a")
    run.end("a/s", {"n": 1})

    assert {"a": 2, "s": 1} == run.state.variables


def test_a_store_that_fails_after_a_fallback_fails_the_node_and_does_not_fall_back_again():
    """A fallback stands in once."""
    run = with_spare(RUN, store={"x": "${outputs.missing}"}).fail("a").end("a/s", {})

    assert ["Succeeded", "Failed"] == [run.status("a/s"), run.status("a")]
    assert "ExpressionError" == run.failure.error.reason
    assert 1 == len(run.of("NodeFallback"))
    run.check_ended()


@pytest.mark.parametrize("node", [BROKEN, {"set": {"x": "${inputs.missing}"}}, {**RUN, "maxDeliveries": 1}])
def test_every_kind_of_failure_falls_back(node):
    """An ExpressionError before the start and a dead letter go down the same ladder."""
    run = flow({"name": "a", "fallback": "s", **node}, {"name": "s", **RUN})
    if run.running and next(iter(run.running))[0] == "a":
        run.lose("a")
    run.end("a/s")

    assert ("Succeeded", "fallback") == (run.status("a"), run.state.nodes["a"].via)
    run.check_ended()


def test_one_fallback_may_stand_in_for_several_nodes_at_once():
    """Each stand-in is an instance of its own, under the node it stands for."""
    run = flow(
        {"name": "a", "fallback": "s", **RUN}, {"name": "b", "fallback": "s", **RUN}, {"name": "s", **RUN}
    )
    run.fail("a").fail("b")

    assert {("a/s", 1, 1), ("b/s", 1, 1)} == set(run.running)

    run.end("b/s", {"n": 2}).end("a/s", {"n": 1})

    assert [{"n": 1}, {"n": 2}] == [run.state.nodes[name].outputs for name in "ab"]
    run.check_ended()


# --- what is retried -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [{"store": {"x": "${outputs.missing}"}}, {}])
def test_expression_error_and_invalid_output_are_retried_only_by_name(field):
    """ExpressionError (of `store`) and OutputInvalid end a node with retries left, unless `retryOn` names them."""
    given = {} if field else {"x": float("inf")}
    reason = "ExpressionError" if field else "OutputInvalid"
    plain = flow({"name": "a", **RUN, **TWICE, **field}).end("a", given)
    named = {"retry": {**TWICE["retry"], "retryOn": f"error.reason == '{reason}'"}}
    asked = flow({"name": "a", **RUN, **named, **field}).end("a", given)

    assert ("Failed", reason) == (plain.state.phase, plain.failure.error.reason)
    assert "Retrying" == asked.status("a")


# --- several failures, and what was about to start --------------------------------------------------------------------


def test_without_fail_fast_the_first_failure_in_the_log_is_the_runs():
    """Later failures change nothing, whatever the order of declaration."""
    run = flow(*({"name": name, **RUN} for name in "abc"), failFast=False)
    run.fail("c", message="first").fail("a", message="second").end("b")

    assert ("c", "first") == (run.failure.node, run.failure.error.message)
    run.check_ended()


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_nothing_starts_in_the_step_in_which_the_run_fails(names):
    """Templates that fail beside a node about to start: nothing is handed to a runner, and the run ends."""
    nodes = {"a": {"name": "a", **BROKEN}, "b": {"name": "b", **RUN}}
    run = flow(*(nodes[name] for name in names))

    assert not run.running
    assert ("Failed", "a") == (run.state.phase, run.failure.node)
    run.check_ended()


def test_an_attempt_that_is_stopped_in_the_commit_that_schedules_it_is_started_first():
    """Reports decided together go into one commit: an attempt scheduled by one and stopped by the other still has an end."""
    nodes = [{"name": "a", **RUN}, {"name": "b", **RUN}, {"name": "c", "after": ["a"], **RUN}]
    run = Driver({"nodes": nodes}).create()
    graph = compile_workflow(run.spec, "flow")
    engine = Engine(graph, run.state)
    events = engine.decide(c.AttemptEnded(node="a", attempt=1, outputs={}), run.now)
    events += engine.decide(c.AttemptEnded(node="b", attempt=1, error=Error(reason="NonZeroExit")), run.now)

    effects = effects_of(graph, engine.state, events)

    assert [(StartAttempt, "c"), (StopAttempt, "c")] == [(type(effect), effect.node) for effect in effects]  # type: ignore[union-attr]


# --- finish ----------------------------------------------------------------------------------------------------------


def test_finish_in_the_middle_of_a_fan_out_starts_none_of_the_rest():
    """The first `finish` in log order cancels all that runs; what its siblings would have written is not written."""
    run = flow(
        {"name": "r", **RUN},
        {"name": "t", **RUN},
        {"name": "s", "after": ["t"], "set": {"s": 1}},
        *({"name": f"n{i}", "after": ["s"], **RUN} for i in range(3)),
        {"name": "end", "after": ["s"], "finish": {"result": "${vars.s == 1 ? 'blocked' : 'no'}"}},
        *({"name": f"m{i}", "after": ["s"], "set": {f"m{i}": 1}} for i in range(3)),
    ).end("t")

    assert {("r", 1, 1)} == set(run.running) == run.stopping
    assert {"s": 1} == run.state.variables

    run.fail("r", "Signalled")

    assert ("Succeeded", "blocked") == (run.state.phase, run.state.result)
    assert {"Finished"} == {event.reason for event in run.of("NodeSkipped")}
    run.check_ended()


def test_what_comes_after_a_finish_does_not_change_its_result():
    """While a finished run waits for what it stopped, neither `spec.timeout` nor a cancel nor a failure decides it again."""
    spec = {
        "nodes": [
            {"name": "a", **RUN},
            {"name": "b", **RUN},
            {"name": "end", "after": ["a"], "finish": {"result": "ok"}},
        ],
        "timeout": "10s",
    }
    late = Driver(spec).create().end("a").tick(10).fail("b")
    cancelled = Driver(spec).create().end("a").wish(cancel=True).fail("b")

    for run in (late, cancelled):
        assert ("Succeeded", "ok") == (run.state.phase, run.state.result)
        run.check_ended()


def test_a_timeout_that_passes_while_a_cancelled_run_ends_leaves_it_cancelled():
    """What came first decides."""
    run = flow({"name": "a", **RUN}, timeout="10s").wish(cancel=True).tick(10).fail("a")

    assert "Cancelled" == run.state.phase
    run.check_ended()


def test_a_timeout_after_a_failure_ends_a_run_that_does_not_fail_fast():
    """The failure stays the run's error; the timeout ends what it had let go on."""
    run = flow({"name": "a", **RUN}, {"name": "b", **RUN}, failFast=False, timeout="10s").fail("a").tick(10)

    assert {("b", 1, 1)} == run.stopping

    run.fail("b", "Signalled")

    assert "a" == run.failure.node
    run.check_ended()


def test_a_finish_that_is_reached_twice_at_once_is_decided_by_the_log():
    """Two finishes whose joins are met in one step: the first completes, the other is Skipped by it."""
    run = flow(
        {"name": "one", "finish": {"result": "one"}},
        {"name": "two", "finish": {"result": "failed"}},
    )

    assert ("Succeeded", "one", "Finished") == (
        run.state.phase,
        run.state.result,
        run.state.nodes["two"].handled,
    )


# --- finally ---------------------------------------------------------------------------------------------------------


def test_finally_knows_fallbacks_retries_and_ports():
    """A body like any other: `after`, ports, retry and fallback work in it."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "finally": [
                {"name": "f", "fallback": "g", **RUN, **TWICE},
                {"name": "g", **RUN},
                {"name": "h", "after": ["f"], "set": {"h": "${nodes.a.status}"}},
            ],
        }
    ).create()
    run.fail("a").fail("f")
    run.wait_for_timer()
    run.fail("f").end("f/g")

    assert ({"h": "Failed"}, "Failed", "a") == (run.state.variables, run.state.phase, run.failure.node)
    run.check_ended()


def test_the_first_failure_in_finally_is_the_cause_and_the_phase_was_decided_before():
    """Each node is tried; the outputs that were evaluated before are not the run's any more."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "outputs": {"n": "${nodes.a.outputs.n}"},
            "finally": [{"name": "f", **RUN}, {"name": "g", **RUN}, {"name": "h", "after": ["f"], **RUN}],
        }
    ).create()
    run.end("a", {"n": 1}).fail("g", message="g broke").fail("f")

    assert ("FinallyFailed", "g") == (run.failure.error.reason, run.failure.node)
    assert ["g broke"] == [cause.message for cause in run.failure.error.causes]
    assert ("Skipped", {}) == (run.status("h"), run.state.outputs)
    run.check_ended()


def test_a_handled_failure_in_finally_changes_nothing():
    """Ports and onError count in finally as elsewhere."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "finally": [
                {"name": "f", "onError": "continue", **RUN},
                {"name": "g", **RUN},
                {"name": "h", "after": ["g.failed"], "set": {"h": 1}},
            ],
        }
    ).create()
    run.end("a").fail("f").fail("g")

    assert "Succeeded" == run.state.phase


def test_suspend_holds_finally_and_cancel_resumes_it():
    """Suspend holds `finally` between nodes; there a cancel only resumes, and is recorded."""
    run = Driver(
        {
            "nodes": [{"name": "a", **RUN}],
            "finally": [{"name": "f", **RUN}, {"name": "g", "after": ["f"], **RUN}],
        }
    ).create()
    run.end("a").wish(suspend=True).end("f")

    assert ["Ready", "Suspended"] == [run.status("g"), run.state.phase]

    run.wish(suspend=True, cancel=True)

    assert [("g", 1, 1)] == list(run.running)

    run.end("g")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_the_timeout_of_finally_fails_what_had_succeeded_and_nothing_else():
    """`finallyTimeout` after a failure leaves that failure the run's error."""
    spec = {"nodes": [{"name": "a", **RUN}], "finallyTimeout": "1m", "finally": [{"name": "f", **RUN}]}
    good = Driver(spec).create().end("a").tick(60).fail("f")
    bad = Driver(spec).create().fail("a").tick(60).fail("f")

    assert ["FinallyFailed", "NonZeroExit"] == [run.failure.error.reason for run in (good, bad)]
