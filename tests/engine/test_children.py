"""The workflow node: an execution of its own (semantics 9, 10, 17, 26, 30, 31, 38; api.md)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.driver import START, Driver

from fairlead.engine import children
from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.children import Parent, child_name
from fairlead.model.times import format_time

CALL: dict[str, Any] = {
    "name": "a",
    "workflow": {"name": "other", "inputs": {"n": "${inputs.n}", "at": "${now}"}},
}
AFTER: dict[str, Any] = {"name": "b", "after": ["a"], "set": {"x": "${nodes.a.outputs.x}"}}


def call(**fields: Any) -> Driver:
    """A run whose node `a` starts an execution, with a node `b` behind it, begun with n = 1."""
    return Driver({"nodes": [{**CALL, **fields}, AFTER]}).create({"n": 1})


# --- what is asked for -----------------------------------------------------------------------------------------------


def test_a_workflow_node_asks_for_an_execution_and_ends_with_it():
    """The log says name, workflow, inputs and depth before anything is done; outputs of the child are those of the node."""
    run = call()
    (asked,) = run.of("ChildScheduled")
    effect = run.child("a")

    assert ("other", 1, True) == (asked.workflow, asked.depth, asked.wait)
    assert {"inputs": {"n": 1, "at": format_time(START)}} == asked.values
    assert {"n": 1, "at": format_time(START)} == effect.inputs
    assert Parent(name="run", uid="uid-1", node="a", root="uid-1", depth=1) == effect.parent

    run.started("a")
    assert "Running" == run.status("a")
    run.end("a", {"x": 7})

    assert {"x": 7} == run.state.variables
    assert ["ChildScheduled", "ChildStarted", "ChildEnded", "NodeCompleted"] == [
        x for x in run.types("a") if "Path" not in x
    ]
    run.check_ended()


def test_the_childs_name_follows_from_parent_and_instance_alone():
    """A DNS label with 80 bits of hash; another parent, instance or epoch of finally gives another."""
    names = [
        child_name("run", "u", "a"),
        child_name("run", "v", "a"),
        child_name("run", "u", "a#1"),
        child_name("run", "u", "a", epoch=1),
        child_name("a.b-" * 60, "u", "lines[3]/a"),
    ]

    assert names[0] == child_name("run", "u", "a")
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])", name) for name in names), names
    assert all(len(name.rpartition("-")[2]) * 5 >= 80 for name in names)


def test_the_workflows_name_may_be_a_template():
    """It is evaluated with the inputs; what is no name fails the node."""
    run = call(workflow={"name": "other-${inputs.n}"})
    assert "other-1" == run.child("a").workflow

    run = call(workflow={"name": "${inputs.n}"})
    assert "name is 1; expected the name of a workflow" in run.failure.error.message
    assert reasons.EXPRESSION_ERROR == run.failure.error.reason


def test_inputs_are_evaluated_once_and_serve_all_attempts():
    """Another attempt is asked for with the same values (semantics 10)."""
    run = call(retry={"maxAttempts": 2})
    first = run.child("a").inputs
    run.fail("a").wait_for_timer()

    assert first == run.child("a").inputs
    assert START < run.now


def test_inputs_and_outputs_of_more_than_a_mebibyte_are_refused(monkeypatch):
    """The reason says the size and the limit; nothing is asked for."""
    monkeypatch.setattr(children, "MAX_VALUE", 100)
    run = Driver({"nodes": [{"name": "a", "workflow": {"name": "w", "inputs": {"n": "${inputs.n}"}}}]})
    run.create({"n": "x" * 100})
    assert reasons.INPUT_TOO_LARGE == run.failure.error.reason
    assert "expected at most 100" in run.failure.error.message
    assert not run.of("ChildScheduled")

    run = call().end("a", {"x": "x" * 100})
    assert reasons.OUTPUT_TOO_LARGE == run.failure.error.reason


def test_a_child_takes_no_slot_of_max_nodes():
    """Pod attempts alone count for maxNodes (semantics 24): a recursion under maxNodes 1 cannot lock itself."""
    spec = {"nodes": [CALL, {"name": "b", "run": {"sh": "x"}}], "concurrency": {"maxNodes": 1}}
    run = Driver(spec).create({"n": 1})

    assert {"a", "b"} == {key[0] for key in run.running}


def test_defaults_do_not_apply_to_a_workflow_node():
    """Neither the timeout nor the retry of `defaults` (semantics 8)."""
    defaults = {"timeout": "1s", "retry": {"maxAttempts": 3}}
    run = Driver({"nodes": [CALL], "defaults": defaults}).create({"n": 1}).started("a").tick(60)

    assert "Running" == run.status("a")
    run.fail("a")
    assert "Failed" == run.state.phase


def test_what_waits_for_a_child_names_it():
    """status.waitingFor, from the asking on."""
    from fairlead.engine.summary import status

    run = call(timeout="1h")
    child = run.child("a").child
    shown = [status(run.graph, run.state, run.now)["waitingFor"][0]]
    run.started("a")
    shown.append(status(run.graph, run.state, run.now)["waitingFor"][0])
    run.tick(3600)
    shown.append(status(run.graph, run.state, run.now)["waitingFor"][0])

    assert [("child", "a", child)] * 3 == [(x["kind"], x["node"], x["name"]) for x in shown]
    assert ["is being started", "waits for the end", "is being ended (Timeout)"] == [
        next(
            word
            for word in ("is being started", "waits for the end", "is being ended (Timeout)")
            if word in x["message"]
        )
        for x in shown
    ]
    assert "until" in shown[1]


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_a_failed_child_fails_the_node_with_its_error_as_cause():
    """Then the ladder of any node: here the failed port."""
    nodes = [CALL, {"name": "b", "after": ["a.failed"], "set": {"why": "${nodes.a.error.reason}"}}]
    run = Driver({"nodes": nodes}).create({"n": 1}).fail("a", message="no money")
    error = run.state.node("a").error

    assert error is not None
    assert (reasons.CHILD_FAILED, "no money") == (error.reason, error.causes[0].message)
    assert run.of("ChildScheduled")[0].child in error.message
    assert {"why": "ChildFailed"} == run.state.variables
    assert "Succeeded" == run.state.phase


def test_a_cancelled_child_is_a_failure_that_says_so():
    """Whoever cancelled it, it was not this run."""
    run = call().end_child("a", s.CANCELLED)

    assert ("Failed", reasons.CHILD_CANCELLED) == (run.state.phase, run.failure.error.reason)


def test_a_deleted_child_is_lost_and_not_retried_unless_retry_on_names_it():
    """ChildLost; another attempt makes it anew (semantics 38)."""
    run = call(retry={"maxAttempts": 3}).lose("a")
    assert ("Failed", reasons.CHILD_LOST) == (run.state.phase, run.failure.error.reason)

    run = call(retry={"maxAttempts": 3, "retryOn": "error.reason == 'ChildLost'"}).lose("a")
    run.wait_for_timer()
    assert "" == run.child("a").uid
    run.end("a", {"x": 1})
    assert "Succeeded" == run.state.phase


@pytest.mark.parametrize(
    "reason",
    [reasons.WORKFLOW_NOT_FOUND, reasons.WORKFLOW_INVALID, reasons.INPUTS_INVALID, reasons.CHILD_NAME_TAKEN,
     reasons.TOO_MANY_CHILDREN],
)  # fmt: skip
def test_a_refused_child_fails_the_node_with_the_reason(reason):
    """Asking once more would change nothing: not retried, but handled like any failure."""
    run = call(retry={"maxAttempts": 3}, onError="continue").refuse("a", reason)

    assert reason == run.of("NodeFailed")[0].error.reason
    assert 1 == run.state.node("a").attempt


def test_a_fallback_stands_in_for_a_child_and_a_child_for_a_node():
    """It is a node like any other, with `error` in scope of its inputs."""
    spare = {"name": "s", "run": {"sh": "x"}}
    run = Driver({"nodes": [{**CALL, "fallback": "s"}, AFTER, spare]}).create({"n": 1}).fail("a")
    run.end("a/s", {"x": 1})
    assert "Succeeded" == run.state.phase

    call_spare = {"name": "s", "workflow": {"name": "other", "inputs": {"why": "${error.reason}"}}}
    run = Driver({"nodes": [{"name": "a", "run": {"sh": "x"}, "fallback": "s"}, AFTER, call_spare]}).create()
    run.fail("a")
    assert {"why": "NonZeroExit"} == run.child("a/s").inputs
    run.end("a/s", {"x": 1})
    assert {"x": 1} == run.state.variables
    run.check_ended()


# --- attempts and redrives: one child for ever -----------------------------------------------------------------------


def test_another_attempt_redrives_the_same_child():
    """No second execution, so no doubled step; the end of the epoch before does not count."""
    run = call(retry={"maxAttempts": 2})
    first = run.child("a")
    run.fail("a").wait_for_timer()
    second = run.child("a")

    assert (first.child, 0, 1) == (second.child, first.redrive, second.redrive)
    stale = c.ChildEnded(node="a", child=first.child, uid=f"uid-{first.child}", phase=s.FAILED, redrive=0)
    assert run.state.seq == run.tell(stale).state.seq

    run.end("a", {"x": 1})
    assert "Succeeded" == run.state.phase


def test_the_redrive_asked_for_is_above_what_the_child_has_seen():
    """A child that somebody redrove by hand to 4 is asked for 5."""
    run = call(retry={"maxAttempts": 2})
    run.end_child("a", s.FAILED, redrive=4)
    run.wait_for_timer()

    assert 5 == run.child("a").redrive


def test_a_redrive_of_the_parent_redrives_the_child():
    """A waited-for child is redriven, not replaced (semantics 31)."""
    run = call().fail("a")
    before = run.of("ChildScheduled")[0].child
    run.wish(redrive=1)
    again = run.child("a")

    assert (before, 1, 2) == (again.child, again.redrive, again.attempt)
    run.end("a", {"x": 1}).check_ended()


def test_a_redrive_after_a_cancel_redrives_the_child():
    """The cancelled child goes on where it was."""
    run = call().started("a").wish(cancel=True).end_child("a", s.CANCELLED)
    assert "Cancelled" == run.state.phase

    run.wish(cancel=True, redrive=1)
    assert 1 == run.child("a").redrive
    run.end("a", {"x": 1})
    assert "Succeeded" == run.state.phase


def test_finally_has_children_of_its_own_in_each_epoch():
    """It runs anew after a redrive, and so does what it starts."""
    spec = {
        "nodes": [{"name": "a", "run": {"sh": "x"}}],
        "finally": [{"name": "f", "workflow": {"name": "other"}}],
    }
    run = Driver(spec).create().fail("a")
    first = run.child("f").child
    run.end("f").wish(redrive=1).end("a")

    assert first != run.child("f").child
    run.end("f").check_ended()
