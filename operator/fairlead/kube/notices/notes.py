"""Which events of a log are worth a note to people, and its words, pure.

Rules of this file
- The reason of a note is the type of the event, as `fairlead events` has it; that of a delivery that is held, and of an execution
  that cannot begin, is why.
- What goes its ordinary way is not told: nodes that start, succeed, are skipped or wait.
- A note has at most 1 KiB, which is what Kubernetes takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead.model import events as e
from fairlead.model.state import State
from fairlead.model.times import format_duration, format_time

NORMAL, WARNING = "Normal", "Warning"
LONGEST = 1024
"""Bytes of a note."""
LOG_FROZEN = "LogFrozen"
FROZEN_MEANS = "the log was changed or deleted by somebody else: nothing is done for the execution any more"
NOT_BEGUN_MEANS = "an execution cannot begin: its spec, its inputs or its Workflow are not as they must be"


@dataclass(frozen=True, slots=True)
class Note:
    """A note about an execution: a CamelCase reason, Normal or Warning, one sentence."""

    reason: str
    kind: str
    message: str


class Told(NamedTuple):
    """How events of a type are told: Normal or Warning, what such a note means, and its words."""

    kind: str
    meaning: str
    words: Callable[[Any, State], str]


def notes_of(events: Iterable[e.Event], state: State) -> list[Note]:
    """The notes about events that were just appended, in their order; `state` is what they led to."""
    found = []
    for event in events:
        told = TOLD.get(type(event))
        if told is None or (isinstance(event, e.DeliveryHeld) and not event.reason):
            continue
        reason = event.reason if isinstance(event, e.DeliveryHeld) else type(event).__name__
        found.append(Note(reason, told.kind, cut(told.words(event, state))))
    return found


def log_frozen(why: str) -> Note:
    """The log of an execution is missing or damaged: nothing happens to it any more."""
    return Note(LOG_FROZEN, WARNING, cut(why))


def not_begun(reason: str, why: str) -> Note:
    """An execution cannot begin as things are; the reason is that of its conditions."""
    return Note(reason, WARNING, cut(f"the run has not begun: {why}"))


def cut(text: str, most: int = LONGEST) -> str:
    """A text in at most so many bytes."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= most else data[: most - 3].decode(errors="ignore") + "..."


def _error(error: e.Error) -> str:
    return f"{error.reason}: {error.message}" if error.message else error.reason


def _about(text: str) -> str:
    return f": {text}" if text else ""


def _started(event: e.ExecutionStarted, _: State) -> str:
    return f"the run has started, with {event.nodes:,} {'node' if event.nodes == 1 else 'nodes'}"


def _suspended(event: e.ExecutionSuspended, _: State) -> str:
    until = f" until {format_time(event.until)}" if event.until and not event.held else ""
    return f"the run is suspended{until}: what runs goes on, nothing new starts"


def _cancel(event: e.CancelRequested, _: State) -> str:
    how = ", without compensation and finally" if event.force else ""
    return f"the run is being cancelled{how}{_about(event.reason)}"


def _took(state: State) -> str:
    began = state.epoch_at or state.started_at or state.created_at
    return f"after {format_duration(max(0, state.finished_at - began))}" if state.finished_at else "now"


def _completed(event: e.ExecutionCompleted, state: State) -> str:
    result = f" with result {event.result}" if event.result is not None else ""
    return f"the run has succeeded{result} {_took(state)}{_about(event.reason or '')}"


def _run_failed(event: e.ExecutionFailed, state: State) -> str:
    where = f" at node {event.node}" if event.node else ""
    return f"the run has failed{where} {_took(state)}: {_error(event.error)}"


def _run_cancelled(event: e.ExecutionCancelled, state: State) -> str:
    return f"the run was cancelled {_took(state)}{_about(event.reason)}"


def _retrying(event: e.NodeRetrying, _: State) -> str:
    next_ = f"the next attempt is due in {format_duration(event.delay)}"
    return f"node {event.node}, attempt {event.attempt} failed: {_error(event.error)}; {next_}"


def _failed(event: e.NodeFailed, _: State) -> str:
    attempt = f", attempt {event.attempt}," if event.attempt else ""
    handled = {"port": " (its failed port is taken)", "continue": " (onError: continue)"}.get(
        event.handled, ""
    )
    return f"node {event.node}{attempt} failed: {_error(event.error)}{handled}"


def _node_timed_out(event: e.NodeTimedOut, _: State) -> str:
    return f"node {event.node}, attempt {event.attempt} passed its limit of {format_duration(event.limit)}"


def _lost(event: e.NodeLost, _: State) -> str:
    return (
        f"node {event.node}, attempt {event.attempt}: delivery {event.delivery} was lost, "
        f"{event.reason}{_about(event.message)}; the next is due at {format_time(event.due)}"
    )


def _dead_lettered(event: e.DeadLettered, _: State) -> str:
    return f"node {event.node}, attempt {event.attempt} is given up: {event.deliveries} deliveries were lost"


def _held(event: e.DeliveryHeld, _: State) -> str:
    where = f"node {event.node}, attempt {event.attempt}, delivery {event.delivery}"
    return f"{where} is held{_about(event.message)}"


def _fallback(event: e.NodeFallback, _: State) -> str:
    return f"node {event.fallback} stands in for {event.node}, which failed: {_error(event.error)}"


def _resumed(event: e.ExecutionResumed, _: State) -> str:
    return f"the run goes on ({event.reason})"


def _withdrawn(event: e.WishWithdrawn, _: State) -> str:
    return f"spec.{event.wish} was taken back, which has no effect any more"


def _timed_out(event: e.ExecutionTimedOut, _: State) -> str:
    return f"the run has passed its limit of {format_duration(event.timeout)}"


def _redriven(event: e.Redriven, _: State) -> str:
    many = len(event.reset)
    return f"the run goes on with redrive {event.redrive}: {many:,} {'node' if many == 1 else 'nodes'} again"


def _refused(event: e.RedriveRefused, _: State) -> str:
    return f"redrive {event.redrive} is refused: {event.reason}"


def _body_timed_out(event: e.BodyTimedOut, _: State) -> str:
    return f"finally of node {event.node} has passed its limit of {format_duration(event.timeout)}"


TOLD: dict[type[e.Event], Told] = {
    e.ExecutionStarted: Told(NORMAL, "the run has started", _started),
    e.ExecutionSuspended: Told(NORMAL, "the run is suspended, and until when", _suspended),
    e.ExecutionResumed: Told(
        NORMAL,
        "the run goes on: it was resumed, its suspendTimeout is over, or it is being cancelled",
        _resumed,
    ),
    e.WishWithdrawn: Told(WARNING, "suspend or cancel was taken out of the spec too late", _withdrawn),
    e.CancelRequested: Told(NORMAL, "the run is being cancelled, and why", _cancel),
    e.ExecutionTimedOut: Told(WARNING, "spec.timeout, or finallyTimeout, has passed", _timed_out),
    e.ExecutionCompleted: Told(NORMAL, "the run has succeeded", _completed),
    e.ExecutionFailed: Told(WARNING, "the run has failed, at which node and why", _run_failed),
    e.ExecutionCancelled: Told(NORMAL, "the run was cancelled", _run_cancelled),
    e.Redriven: Told(NORMAL, "a run that had ended goes on", _redriven),
    e.RedriveRefused: Told(WARNING, "spec.redrive was raised on a run that has not failed", _refused),
    e.BodyTimedOut: Told(WARNING, "the finally of an inlined workflow took too long", _body_timed_out),
    e.DeliveryHeld: Told(WARNING, "a pod cannot start, or how it ended is not known", _held),
    e.NodeRetrying: Told(WARNING, "an attempt of a node has failed, and another follows", _retrying),
    e.NodeTimedOut: Told(WARNING, "an attempt of a node took too long and is being ended", _node_timed_out),
    e.NodeLost: Told(WARNING, "a pod vanished without a result, and the work is delivered again", _lost),
    e.DeadLettered: Told(WARNING, "a node is given up: its pods vanished too often", _dead_lettered),
    e.NodeFallback: Told(NORMAL, "another node stands in for one that failed", _fallback),
    e.NodeFailed: Told(WARNING, "a node has failed, and what handles it", _failed),
}
"""The events that are told. The reason of a note is the type of its event; that of DeliveryHeld is why it is held."""
