"""Which events of a log are worth a note to people, and its words, pure.

Rules of this file
- The reason of a note is the type of the event, as `fairlead events` has it; that of a delivery that is held is why it is held.
- What goes its ordinary way is not told: nodes that start, succeed, are skipped or wait.
- A note has at most 1 KiB, which is what Kubernetes takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fairlead.model import events as e
from fairlead.model.state import State
from fairlead.model.times import format_duration, format_time

NORMAL, WARNING = "Normal", "Warning"
LONGEST = 1024
"""Bytes of a note."""
LOG_FROZEN = "LogFrozen"


@dataclass(frozen=True, slots=True)
class Note:
    """A note about an execution: a CamelCase reason, Normal or Warning, one sentence."""

    reason: str
    kind: str
    message: str


def notes_of(events: Iterable[e.Event], state: State) -> list[Note]:
    """The notes about events that were just appended, in their order; `state` is what they led to."""
    found = []
    for event in events:
        said = _SAID.get(type(event))
        note = said(event, state) if said is not None else None
        if note is not None:
            found.append(note)
    return found


def log_frozen(why: str) -> Note:
    """The log of an execution is missing or damaged: nothing happens to it any more."""
    return Note(LOG_FROZEN, WARNING, cut(why))


def cut(text: str, most: int = LONGEST) -> str:
    """A text in at most so many bytes."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= most else data[: most - 3].decode(errors="ignore") + "..."


def _normal(event: e.Event, message: str) -> Note:
    return Note(type(event).__name__, NORMAL, cut(message))


def _warning(event: e.Event, message: str, reason: str = "") -> Note:
    return Note(reason or type(event).__name__, WARNING, cut(message))


def _error(error: e.Error) -> str:
    return f"{error.reason}: {error.message}" if error.message else error.reason


def _about(text: str) -> str:
    return f": {text}" if text else ""


def _started(event: e.ExecutionStarted, _: State) -> Note:
    return _normal(
        event, f"the run has started, with {event.nodes:,} {'node' if event.nodes == 1 else 'nodes'}"
    )


def _suspended(event: e.ExecutionSuspended, _: State) -> Note:
    until = f" until {format_time(event.until)}" if event.until and not event.held else ""
    return _normal(event, f"the run is suspended{until}: what runs goes on, nothing new starts")


def _cancel(event: e.CancelRequested, _: State) -> Note:
    how = ", without compensation and finally" if event.force else ""
    return _normal(event, f"the run is being cancelled{how}{_about(event.reason)}")


def _took(state: State) -> str:
    began = state.epoch_at or state.started_at or state.created_at
    return f"after {format_duration(max(0, state.finished_at - began))}" if state.finished_at else "now"


def _completed(event: e.ExecutionCompleted, state: State) -> Note:
    result = f" with result {event.result}" if event.result is not None else ""
    return _normal(event, f"the run has succeeded{result} {_took(state)}{_about(event.reason or '')}")


def _run_failed(event: e.ExecutionFailed, state: State) -> Note:
    where = f" at node {event.node}" if event.node else ""
    return _warning(event, f"the run has failed{where} {_took(state)}: {_error(event.error)}")


def _run_cancelled(event: e.ExecutionCancelled, state: State) -> Note:
    return _normal(event, f"the run was cancelled {_took(state)}{_about(event.reason)}")


def _retrying(event: e.NodeRetrying, _: State) -> Note:
    next_ = f"the next attempt is due in {format_duration(event.delay)}"
    return _warning(
        event, f"node {event.node}, attempt {event.attempt} failed: {_error(event.error)}; {next_}"
    )


def _failed(event: e.NodeFailed, _: State) -> Note:
    attempt = f", attempt {event.attempt}," if event.attempt else ""
    handled = {"port": " (its failed port is taken)", "continue": " (onError: continue)"}.get(
        event.handled, ""
    )
    return _warning(event, f"node {event.node}{attempt} failed: {_error(event.error)}{handled}")


def _node_timed_out(event: e.NodeTimedOut, _: State) -> Note:
    return _warning(
        event,
        f"node {event.node}, attempt {event.attempt} passed its limit of {format_duration(event.limit)}",
    )


def _lost(event: e.NodeLost, _: State) -> Note:
    return _warning(
        event,
        f"node {event.node}, attempt {event.attempt}: delivery {event.delivery} was lost, "
        f"{event.reason}{_about(event.message)}; the next is due at {format_time(event.due)}",
    )


def _dead_lettered(event: e.DeadLettered, _: State) -> Note:
    return _warning(
        event,
        f"node {event.node}, attempt {event.attempt} is given up: {event.deliveries} deliveries were lost",
    )


def _held(event: e.DeliveryHeld, _: State) -> Note | None:
    if not event.reason:
        return None
    where = f"node {event.node}, attempt {event.attempt}, delivery {event.delivery}"
    return _warning(event, f"{where} is held{_about(event.message)}", event.reason)


def _fallback(event: e.NodeFallback, _: State) -> Note:
    return _normal(
        event, f"node {event.fallback} stands in for {event.node}, which failed: {_error(event.error)}"
    )


def _resumed(event: e.ExecutionResumed, _: State) -> Note:
    return _normal(event, f"the run goes on ({event.reason})")


def _withdrawn(event: e.WishWithdrawn, _: State) -> Note:
    return _warning(event, f"spec.{event.wish} was taken back, which has no effect any more")


def _timed_out(event: e.ExecutionTimedOut, _: State) -> Note:
    return _warning(event, f"the run has passed its limit of {format_duration(event.timeout)}")


def _redriven(event: e.Redriven, _: State) -> Note:
    many = len(event.reset)
    return _normal(
        event,
        f"the run goes on with redrive {event.redrive}: {many:,} {'node' if many == 1 else 'nodes'} again",
    )


def _refused(event: e.RedriveRefused, _: State) -> Note:
    return _warning(event, f"redrive {event.redrive} is refused: {event.reason}")


def _body_timed_out(event: e.BodyTimedOut, _: State) -> Note:
    return _warning(
        event, f"finally of node {event.node} has passed its limit of {format_duration(event.timeout)}"
    )


_SAID: dict[type[e.Event], Callable[[Any, State], Note | None]] = {
    e.ExecutionStarted: _started,
    e.ExecutionSuspended: _suspended,
    e.ExecutionResumed: _resumed,
    e.WishWithdrawn: _withdrawn,
    e.CancelRequested: _cancel,
    e.ExecutionTimedOut: _timed_out,
    e.ExecutionCompleted: _completed,
    e.ExecutionFailed: _run_failed,
    e.ExecutionCancelled: _run_cancelled,
    e.Redriven: _redriven,
    e.RedriveRefused: _refused,
    e.BodyTimedOut: _body_timed_out,
    e.DeliveryHeld: _held,
    e.NodeRetrying: _retrying,
    e.NodeTimedOut: _node_timed_out,
    e.NodeLost: _lost,
    e.DeadLettered: _dead_lettered,
    e.NodeFallback: _fallback,
    e.NodeFailed: _failed,
}
