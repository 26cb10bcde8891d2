"""The run as a whole: its start, its wishes (suspend, resume, cancel, redrive), its clocks and its end (semantics 25-31).

    forward work ── all ended, or drained after a failure, a cancel or a finish ──► outcome ──► finally ──► phase

Rules of this file
- A wish is the spec as it stands. It acts when it changes; what was acted on is latched in the log.
- Draining: running attempts are stopped, held and waiting ones are Cancelled, what never started is Skipped; only when nothing
  runs any more is the outcome decided.
- Cancel beats suspend. A failure that came first stays the outcome.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine import ending, joins
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import Body, NodeDef
from fairlead.engine.outputs import workflow_outputs
from fairlead.engine.turn import Turn
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import State

SWEPT = (reasons.EXECUTION_FAILED, reasons.CANCELLED, reasons.FINISHED, reasons.FINALLY_TIMEOUT)
"""Reasons of instances that were skipped because the run ended, not because no path led there."""


def create(turn: Turn, command: c.Create) -> None:
    """The run is born and starts."""
    state = turn.state
    if state.phase:
        return
    turn.emit(
        e.ExecutionCreated,
        name=command.name,
        uid=command.uid,
        workflow=command.workflow,
        generation=command.generation,
        digest=command.digest,
        runtime=command.runtime,
        inputs=command.inputs,
        priority=command.priority or turn.graph.spec.priority,
        redrive=command.wish.redrive,
        timeout=command.timeout,
    )
    try:
        variables = ending.evaluate_entries(turn.graph.variables, turn.scope(), f"{state.uid}/variables")
    except ExpressionError as error:
        turn.emit(e.ExecutionFailed, error=ending.expression_failure(error))
        return
    root = turn.graph.root
    turn.emit(e.ExecutionStarted, nodes=len(root.nodes), variables=variables, deadline=_deadline(turn))
    wish(turn, command.wish)
    _enter(turn, root)


def _deadline(turn: Turn) -> int | None:
    timeout = _timeout(turn)
    return None if timeout is None else turn.now + timeout


def _timeout(turn: Turn) -> int | None:
    """The run's own timeout, else the workflow's."""
    return turn.state.timeout if turn.state.timeout is not None else turn.graph.spec.timeout


def _enter(turn: Turn, body: Body) -> None:
    """Open a path at every entry point."""
    for node in body.entries:
        path = joins.next_child(turn.state, "")
        turn.emit(e.PathStarted, path=path, node=turn.state.instance(node.name))
        turn.work.append(node.name)


# --- wishes ----------------------------------------------------------------------------------------------------------


def wish(turn: Turn, wanted: c.Wish) -> None:
    """Take up what changed in the spec."""
    _wish_cancel(turn, wanted)
    _wish_redrive(turn, wanted)
    if turn.state.cancel_void and not wanted.cancel:
        turn.emit(e.WishWithdrawn, wish="cancel")
    _wish_suspend(turn, wanted)


def _wish_cancel(turn: Turn, wanted: c.Wish) -> None:
    state = turn.state
    if not wanted.cancel:
        return
    if state.ended or state.cancel_void or (state.cancel and (state.cancel_force or not wanted.force)):
        return
    turn.emit(e.CancelRequested, reason=wanted.cancel_reason, force=wanted.force)
    if state.suspended_at:
        resume(turn, "Cancelled")


def _wish_suspend(turn: Turn, wanted: c.Wish) -> None:
    state = turn.state
    if wanted.suspend:
        forward_cancel = state.cancel and state.stage == s.FORWARD
        if not state.suspend_seen and state.phase == s.RUNNING and not forward_cancel:
            until = None if wanted.suspend_timeout is None else turn.now + wanted.suspend_timeout
            turn.emit(e.ExecutionSuspended, until=until)
    elif state.suspended_at:
        resume(turn, "Requested")
    elif state.suspend_seen:
        turn.emit(e.WishWithdrawn, wish="suspend")


def resume(turn: Turn, reason: str) -> None:
    """Go on: what was held by the suspension is looked at again, in the order in which it became ready."""
    turn.emit(e.ExecutionResumed, reason=reason)
    turn.work.extend(key for key, held in turn.state.ready.items() if held == reasons.SUSPENDED)
    turn.work.extend(turn.state.loops)


def _wish_redrive(turn: Turn, wanted: c.Wish) -> None:
    state = turn.state
    if wanted.redrive <= state.redrive:
        return
    if state.phase not in (s.FAILED, s.CANCELLED) or not state.scopes:
        reason = f"the run is {state.phase}; expected Failed or Cancelled after it had started"
        turn.emit(e.RedriveRefused, redrive=wanted.redrive, reason=reason)
        return
    loop = next((name for name in _to_run_again(turn) if _began_as_body(turn, name)), None)
    if loop is not None:
        reason = f"node {loop!r} is a {turn.graph.root.nodes[loop].kind} that had begun, and redriving one is not supported yet"
        turn.emit(e.RedriveRefused, redrive=wanted.redrive, reason=reason)
        return
    redrive(turn, wanted.redrive, cancel=wanted.cancel)


def _began_as_body(turn: Turn, name: str) -> bool:
    return turn.graph.root.nodes[name].in_body and turn.state.node(name).attempt > 0


# --- redrive ---------------------------------------------------------------------------------------------------------


def redrive(turn: Turn, number: int, *, cancel: bool) -> None:
    """Run again what failed unhandled or was cancelled, and what the end of the run kept from starting (semantics 31).

    A finish with result failed is an unhandled failure (semantics 25). What only those would have led to (DeadPath) is open again
    as well. A join that other connections had met stays as it is.
    """
    state, root = turn.state, turn.graph.root
    again = _to_run_again(turn)
    reset = [_reset_node(turn, root.nodes[name], again) for name in again]
    finally_nodes = [name for name in turn.graph.finally_.nodes if state.node(name).status in s.ENDED_NODE]
    timeout = _timeout(turn)
    turn.emit(
        e.Redriven,
        redrive=number,
        epoch=state.epoch + 1,
        reset=reset,
        finally_nodes=finally_nodes,
        deadline=None if timeout is None else turn.now + timeout,
        cancel=cancel and not (state.cancel or state.cancel_void),
    )
    turn.queue.clear()
    turn.drained = ""
    turn.work.extend(again)


def _to_run_again(turn: Turn) -> dict[str, None]:
    state, root = turn.state, turn.graph.root
    again: dict[str, None] = {}
    work = [name for name in root.nodes if _ends_open(state, name)]
    while work:
        name = work.pop()
        if name in again:
            continue
        again[name] = None
        for edge in root.nodes[name].outgoing:
            target = state.node(edge.target)
            if target.status == s.SKIPPED and target.handled == reasons.DEAD_PATH:
                work.append(edge.target)
    return {name: None for name in root.nodes if name in again}


def _ends_open(state: State, name: str) -> bool:
    node, finish = state.node(name), state.finish
    if node.status == s.FAILED:
        return not node.handled
    if node.status == s.SUCCEEDED:
        return finish is not None and finish.result == "failed" and _place(state, finish.node) == name
    return node.status == s.CANCELLED or (node.status == s.SKIPPED and node.handled in SWEPT)


def _place(state: State, instance: str) -> str:
    """The node of the graph that an instance is, or stands in for."""
    return state.node(key_of(instance)).stands_for or key_of(instance)


def _reset_node(turn: Turn, node: NodeDef, again: dict[str, None]) -> e.ResetNode:
    state = turn.state.node(node.name)
    undone = sum(1 for edge in node.incoming if edge.source in again)
    arrivals = list(state.arrivals or ()) if state.status == s.SKIPPED else [state.path]
    return e.ResetNode(
        node=turn.state.instance(node.name), taken=state.taken, dead=state.dead - undone, arrivals=arrivals
    )


# --- time ------------------------------------------------------------------------------------------------------------


def run_timed_out(turn: Turn) -> None:
    """`spec.timeout`, or `finallyTimeout` once `finally` runs, has passed."""
    in_finally = turn.state.stage == s.FINALLY
    limit = turn.graph.spec.finally_timeout if in_finally else _timeout(turn)
    turn.emit(e.ExecutionTimedOut, timeout=limit or 0)


# --- the end ---------------------------------------------------------------------------------------------------------


def conclude(turn: Turn) -> bool:
    """Drain, decide the outcome, begin `finally`, or end. Returns whether anything happened."""
    state = turn.state
    if not state.phase or state.ended or not state.scopes:
        return False
    before = len(turn.events)
    reason = turn.draining()
    urgent = f"{reason}, forced" if reason and turn.forced_at("") else reason
    if urgent != turn.drained:
        turn.drained = urgent
        if reason:
            _drain(turn, reason)
    if reason:
        if state.active or state.loops:
            return len(turn.events) > before
        _sweep(turn, reason)
    if state.suspended_at or turn.work or not _all_ended(turn):
        return len(turn.events) > before
    if state.stage == s.FORWARD:
        _decide_outcome(turn)
    else:
        _end(turn, state.outcome, state.outputs)
    return True


def _all_ended(turn: Turn) -> bool:
    scope = turn.state.scope_of("")
    return scope.ended >= scope.total


def _drain(turn: Turn, reason: str) -> None:
    """End what runs, once; what the `finally` of an inlined workflow has started goes on, unless the end is forced."""
    state = turn.state
    unsaid = {key_of(event.node) for event in turn.events if isinstance(event, e.NodeScheduled)}
    for key in list(state.active):
        node = state.node(key)
        if not turn.draining_at(key):
            continue
        if node.status == s.SCHEDULED and key in unsaid:
            ending.cancel(turn, key, reason)  # no runner has been told of it yet
        elif node.stop != reason:
            turn.emit(
                e.NodeStopping, node=state.instance(key), path=node.path, attempt=node.attempt, reason=reason
            )
    for key in [*state.ready, *state.waiting]:
        if turn.draining_at(key):
            ending.cancel(turn, key, reason)
    forced = bool(turn.forced_at(""))
    turn.work.extend(key for key in state.loops if forced or state.node(key).status == s.RUNNING)


def _sweep(turn: Turn, reason: str) -> None:
    """Nothing runs any more: what never started is Skipped, open paths are Cancelled."""
    state = turn.state
    body = turn.graph.finally_ if state.stage == s.FINALLY else turn.graph.root
    if not _all_ended(turn):
        for key, node in list(state.nodes.items()):
            if node.stands_for and node.status == s.PENDING:
                ending.skip(turn, key, reason)
                ending.cancel(turn, node.stands_for, reason)
        for name in body.nodes:
            if state.node(name).status not in s.ENDED_NODE:
                ending.skip(turn, name, reason)
    for path, held in list(state.paths.items()):
        if held.status == s.ACTIVE:
            turn.emit(e.PathCancelled, path=path, reason=reason)
    turn.work.clear()


def _decide_outcome(turn: Turn) -> None:
    state = turn.state
    outputs: dict[str, Any] = {}
    error = None
    if state.failure is not None:
        phase = s.FAILED
    elif state.cancel and state.finish is None:
        phase = s.CANCELLED
    else:
        phase = s.SUCCEEDED
        try:
            outputs = _outputs(turn)
        except ExpressionError as wrong:
            phase, error = s.FAILED, ending.expression_failure(wrong)
    body = turn.graph.finally_
    if not body.nodes or state.cancel_force:
        _end(turn, phase, outputs, error)
        return
    turn.emit(
        e.OutcomeDecided,
        phase=phase,
        nodes=len(body.nodes),
        outputs=outputs,
        error=error,
        deadline=turn.now + turn.graph.spec.finally_timeout,
    )
    _enter(turn, body)


def _outputs(turn: Turn) -> dict[str, Any]:
    state = turn.state
    scope, seed = turn.scope(phase=s.SUCCEEDED), f"{state.uid}/{state.epoch}/outputs."
    return workflow_outputs(state, turn.graph.root, "", scope, state.variables, seed)


def _end(turn: Turn, phase: str, outputs: dict[str, Any], error: e.Error | None = None) -> None:
    state = turn.state
    failure = state.failure
    if phase == s.SUCCEEDED and state.finally_failure is not None:
        inner = state.finally_failure
        wrapped = e.Error(
            reason=reasons.FINALLY_FAILED,
            message=f"finally failed after the rest had succeeded: {inner.error.message}",
            causes=[inner.error],
        )
        failure = s.Failure(error=wrapped, node=inner.node, path=inner.path, attempt=inner.attempt)
        phase = s.FAILED
    result = state.finish.result if state.finish is not None else None
    reason = (state.finish.reason or None) if state.finish is not None else None
    if phase == s.SUCCEEDED:
        turn.emit(e.ExecutionCompleted, outputs=outputs, result=result, reason=reason)
    elif phase == s.CANCELLED:
        turn.emit(e.ExecutionCancelled, reason=state.cancel_reason)
    else:
        failure = failure or s.Failure(error=error or e.Error(reason=reasons.EXECUTION_FAILED))
        turn.emit(
            e.ExecutionFailed,
            error=failure.error,
            node=failure.node,
            path=failure.path,
            attempt=failure.attempt,
            result=result,
        )
