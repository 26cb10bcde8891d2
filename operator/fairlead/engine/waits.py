"""The `wait` node: `for` a duration or `until` a time, given up after its `timeout` (semantics 8, 30).

    for      counts on the clock that stands still while the run is suspended
    until    wall time; one that has passed is over at once, and the event says so
    timeout  wall time; port `expired`

Whichever comes first is committed; the wait costs nothing while it lasts, however many days.
"""

from __future__ import annotations

from fairlead.engine import ending
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import NodeDef
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.times import format_time, parse_time


def begin(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """Start to wait. Raises ExpressionError for an `until` that is no time."""
    wait = node.spec.wait
    assert wait is not None
    due = _until(turn, node, key) if wait.until is not None else None
    if wait.for_ is not None:
        due = turn.now + wait.for_
    turn.emit(
        e.WaitStarted,
        node=turn.state.instance(key),
        path=path,
        due=due,
        paused=wait.for_ is not None,
        expires=None if wait.timeout is None else turn.now + wait.timeout,
    )
    if due is not None and due <= turn.now:
        _woken(turn, key, path, message=f"{format_time(due)} had passed when the wait began")


def _until(turn: Turn, node: NodeDef, key: str) -> int:
    wait = node.spec.wait
    assert wait is not None
    text = node.template("until", wait.until).evaluate(turn.scope(node, key), turn.seed(key, "until"))
    try:
        return parse_time(text)
    except (ValueError, TypeError, AttributeError):
        message = f"until is {text!r}; expected a time such as 2026-11-21T09:00:00Z"
        raise ExpressionError(str(wait.until), message, {}) from None


def over(turn: Turn, timer: str) -> None:
    """A timer of a wait fired: `wait/KEY` for what was waited for, `expiry/KEY` for the timeout."""
    which, _, key = timer.partition("/")
    state = turn.state.node(key)
    if state.status != s.WAITING:
        return
    if which == "wait":
        _woken(turn, key, state.path)
        return
    turn.emit(e.WaitExpired, node=turn.state.instance(key), path=state.path)
    ending.complete(turn, key, state.path, port="expired")


def _woken(turn: Turn, key: str, path: str, message: str | None = None) -> None:
    turn.emit(e.WaitWoken, node=turn.state.instance(key), path=path)
    ending.complete(turn, key, path, port="done", message=message)
