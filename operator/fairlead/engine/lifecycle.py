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

from fairlead.engine import children, ending, joins, redriving
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import Body
from fairlead.engine.outputs import workflow_outputs
from fairlead.engine.turn import Turn
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import key_of


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
        parent=command.parent,
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
    """Its own cancel, and its parent's: that speaks of epochs by number, so that no redrive voids it by accident."""
    state = turn.state
    if wanted.cancel and not state.cancel_void:
        _cancel(turn, wanted.cancel_reason, force=wanted.force)
    if wanted.stop > state.redrive:
        _cancel(turn, wanted.stop_reason, force=wanted.stop_force)


def _cancel(turn: Turn, reason: str, *, force: bool) -> None:
    state = turn.state
    if state.ended or (state.cancel and (state.cancel_force or not force)):
        return
    turn.emit(e.CancelRequested, reason=reason, force=force)
    if state.suspended_at:
        resume(turn, "Cancelled")


def _wish_suspend(turn: Turn, wanted: c.Wish) -> None:
    state = turn.state
    if wanted.suspend or wanted.held:
        forward_cancel = state.cancel and state.stage == s.FORWARD
        if not state.suspend_seen and state.phase == s.RUNNING and not forward_cancel:
            timeout = None if wanted.held else wanted.suspend_timeout
            until = None if timeout is None else turn.now + timeout
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
    if wanted.stop > wanted.redrive:
        turn.emit(e.RedriveRefused, redrive=wanted.redrive, reason=wanted.stop_reason)
        return
    timeout = _timeout(turn)
    deadline = None if timeout is None else turn.now + timeout
    redriving.redrive(turn, wanted.redrive, deadline=deadline, cancel=wanted.cancel)


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
        if state.active or state.loops or state.children:
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
    return scope.ended >= scope.total and (not scope.looping or bool(turn.draining()))


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
            ending.tell_to_stop(turn, key, node, reason)
    children.drain(turn, reason)
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
