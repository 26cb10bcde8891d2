"""What runners and timers say of attempts, and what becomes of them (semantics 30, 32; protocol 4).

Rules of this file
- A report counts only for the delivery that the log last scheduled. The same report again changes nothing; the result of a
  delivery that was given up is recorded once (LateResult) and ignored.
- `timeout` runs from the start of the container, `startTimeout` until it. Running attempts keep their clock while suspended.
- An attempt that is being ended has ended only when its runner says so; only then does anything follow from it.
- A lost delivery spends no attempt. After `maxDeliveries` the node is dead-lettered.
"""

from __future__ import annotations

from fairlead.engine import ending
from fairlead.engine.expressions.numbers import normalise
from fairlead.engine.graph import NodeDef
from fairlead.engine.retry import redelivery_delay
from fairlead.engine.turn import Turn
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import NodeState


def _current(
    turn: Turn, command: c.AttemptStarted | c.AttemptHeld | c.AttemptEnded | c.AttemptLost
) -> NodeState | None:
    """The instance, if the report is about the delivery that it waits for."""
    state = turn.state.nodes.get(key_of(command.node))
    if state is None or turn.state.instance(key_of(command.node)) != command.node:
        return None
    same_delivery = state.attempt == command.attempt and state.delivery == command.delivery
    return state if same_delivery and state.status in s.HOLDS_SLOT else None


def started(turn: Turn, command: c.AttemptStarted) -> None:
    """The container of a delivery runs: its timeout begins."""
    state = _current(turn, command)
    if state is None or state.status != s.SCHEDULED:
        return
    node, _ = turn.node(key_of(command.node))
    deadline = None if node.timeout is None else turn.now + node.timeout
    common = {
        "node": command.node,
        "path": state.path,
        "attempt": command.attempt,
        "deadline": deadline,
        "handle": command.handle,
    }
    if state.attempt_started:
        turn.emit(e.DeliveryStarted, delivery=command.delivery, **common)
    else:
        turn.emit(e.NodeStarted, **common)


def held(turn: Turn, command: c.AttemptHeld) -> None:
    """A delivery does not run for a reason that may pass: shown, and nothing else follows from it."""
    state = _current(turn, command)
    if state is None or state.held == command.reason:
        return
    turn.emit(
        e.DeliveryHeld,
        node=command.node,
        path=state.path,
        attempt=command.attempt,
        delivery=command.delivery,
        reason=command.reason,
        message=command.message,
    )


def ended(turn: Turn, command: c.AttemptEnded) -> None:
    """A delivery ended with a result."""
    state = _current(turn, command)
    if state is None:
        _late(turn, command)
        return
    key = key_of(command.node)
    if state.status == s.SCHEDULED:
        started(turn, c.AttemptStarted(node=command.node, attempt=command.attempt, delivery=command.delivery))
    if state.status == s.STOPPING and state.stop in (reasons.TIMEOUT, reasons.START_TIMEOUT):
        ending.attempt_failed(turn, key, state.path, ending.timeout_error(state))
    elif command.outputs is not None:
        try:
            outputs = normalise({"outputs": command.outputs}, None)["outputs"]
        except ValueError as wrong:
            ending.attempt_failed(
                turn, key, state.path, e.Error(reason=reasons.OUTPUT_INVALID, message=str(wrong))
            )
            return
        ending.complete(turn, key, state.path, port="done", outputs=outputs)
    elif state.status == s.STOPPING:
        ending.cancel(turn, key, state.stop)
    else:
        error = command.error or e.Error(reason=reasons.NODE_LOST, message="the runner reported no result")
        ending.attempt_failed(turn, key, state.path, error)


def _late(turn: Turn, command: c.AttemptEnded) -> None:
    state = turn.state.nodes.get(key_of(command.node))
    if state is None or turn.state.instance(key_of(command.node)) != command.node:
        return  # of a pass that is over: nothing is left of it but the log
    if command.attempt != state.attempt or command.delivery <= state.late:
        return
    given_up = command.delivery < state.delivery or state.lost or _dead_lettered(state)
    if given_up:
        turn.emit(
            e.LateResult,
            node=command.node,
            attempt=command.attempt,
            delivery=command.delivery,
            succeeded=command.outputs is not None,
        )


def _dead_lettered(state: NodeState) -> bool:
    return state.status == s.FAILED and state.error is not None and state.error.reason == reasons.NODE_LOST


def lost(turn: Turn, command: c.AttemptLost) -> None:
    """A delivery is gone without a result."""
    state = _current(turn, command)
    if state is None:
        return
    key = key_of(command.node)
    node, _ = turn.node(key)
    if state.status == s.STOPPING:
        if state.stop in (reasons.TIMEOUT, reasons.START_TIMEOUT):
            ending.attempt_failed(turn, key, state.path, ending.timeout_error(state))
        else:
            ending.cancel(turn, key, state.stop)
        return
    common = {"node": command.node, "path": state.path, "attempt": command.attempt}
    losses = state.losses + command.counted
    if command.counted and losses >= node.spec.max_deliveries:
        turn.emit(e.DeadLettered, deliveries=losses, **common)
        message = (
            f"delivery {losses} of {node.spec.max_deliveries} was lost: {command.message or command.reason}"
        )
        ending.stand_in_or_fail(turn, key, state.path, e.Error(reason=reasons.NODE_LOST, message=message))
        return
    turn.emit(
        e.NodeLost,
        delivery=command.delivery,
        reason=command.reason,
        message=command.message,
        due=turn.now + redelivery_delay(losses),
        counted=command.counted,
        **common,
    )


def timed_out(turn: Turn, key: str) -> None:
    """The timer of an attempt fired: it is being ended."""
    node, state = turn.node(key)
    if state.status not in (s.SCHEDULED, s.RUNNING):
        return
    waiting = state.status == s.SCHEDULED
    turn.emit(
        e.NodeTimedOut,
        node=turn.state.instance(key),
        path=state.path,
        attempt=state.attempt,
        reason=reasons.START_TIMEOUT if waiting else reasons.TIMEOUT,
        limit=_limit(node, waiting),
    )


def _limit(node: NodeDef, waiting: bool) -> int:
    return (node.spec.start_timeout if waiting else node.timeout) or 0
