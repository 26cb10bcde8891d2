"""The workflow node: an execution of its own (semantics 9, 10, 17, 26, 30, 31, 38; api.md)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.driver import START, Driver

from fairlead.engine import children
from fairlead.engine.evolve import fold
from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.children import MAX_DEPTH, Parent, child_name
from fairlead.model.effects import StartChild
from fairlead.model.events import Error
from fairlead.model.times import SECOND, format_time

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
