"""The conditions of an execution, by the rules of kstatus, so that tools which wait for objects need to know nothing of ours.

    phase                     Ready    Reconciling   Stalled   Succeeded     kstatus says
    Pending, Running          False    True          False     Unknown       InProgress
    Suspended, Compensating   False    True          False     Unknown       InProgress
    Succeeded                 True     False         False     True          Current
    Failed, Cancelled         False    False         True      False         Failed

Rules of this file
- All four are always there, in this order; each says which generation of the spec it speaks of.
- `lastTransitionTime` is when the *status* of the condition last changed, which follows from the state's own times: birth, the
  last redrive, the end. Reasons and messages change more often.
"""

from __future__ import annotations

from typing import Any

from fairlead.model import shown
from fairlead.model import state as s
from fairlead.model.state import State
from fairlead.model.times import format_time

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


def conditions(state: State, generation: int) -> list[dict[str, Any]]:
    """Ready, Reconciling, Stalled, Succeeded."""
    succeeded = state.phase == s.SUCCEEDED
    stopped = state.ended and not succeeded
    reason, message = _reason(state), _message(state)
    born = state.created_at
    opened = state.epoch_at if state.epoch else born
    ended = state.finished_at if state.ended else opened
    table = (
        (shown.READY, TRUE if succeeded else FALSE, state.finished_at if succeeded else born),
        (shown.RECONCILING, FALSE if state.ended else TRUE, ended),
        (shown.STALLED, TRUE if stopped else FALSE, ended if stopped else opened),
        (shown.SUCCEEDED, TRUE if succeeded else FALSE if stopped else UNKNOWN, ended),
    )
    return [
        condition(kind, status, reason, message, format_time(at), generation) for kind, status, at in table
    ]


def condition(
    kind: str, status: str, reason: str, message: str, since: str, generation: int
) -> dict[str, Any]:
    """One condition, with the time since when its status is what it is."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


def _reason(state: State) -> str:
    if state.phase == s.FAILED and state.failure is not None:
        return state.failure.error.reason
    if not state.ended and state.stage == s.FINALLY:
        return shown.FINALLY
    if not state.ended and state.cancel:
        return shown.CANCELLING
    return state.phase or s.PENDING


def _message(state: State) -> str:
    if state.phase == s.FAILED and state.failure is not None:
        return failure_sentence(state.failure)
    if state.phase == s.CANCELLED:
        return f"the run was cancelled: {state.reason}" if state.reason else "the run was cancelled"
    if state.phase == s.SUCCEEDED:
        if state.result is None:
            return f"the run succeeded, {_ended(state)}"
        why = f": {state.reason}" if state.reason else ""
        return f"the run succeeded with result {state.result}{why}"
    if not state.started_at:
        return "the run has not started"
    return f"{_ended(state)}, {_doing(state)}"


def _ended(state: State) -> str:
    counters = state.counters
    ended = counters.done + counters.failed + counters.skipped
    return f"{ended} of {counters.total} nodes have ended"


def _doing(state: State) -> str:
    if state.suspended_at:
        how = ", with the execution that started it" if state.held else "; resume it to go on"
        return f"suspended since {format_time(state.suspended_at)}{how}"
    parts = [
        f"{count} {what}"
        for count, what in (
            (len(state.active), "running"),
            (len(state.waiting), "waiting for another attempt"),
            (len(state.ready), "held"),
        )
        if count
    ]
    return ", ".join(parts) or "none is running"


def failure_sentence(failure: s.Failure) -> str:
    """What failed and why, in one line."""
    where = f"node {failure.node} failed" if failure.node else "the run failed"
    what = failure.error.message or failure.error.reason
    return f"{where}: {what}"
