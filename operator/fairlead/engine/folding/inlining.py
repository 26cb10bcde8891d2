"""What the events of inlined workflows do to the state.

Inputs and variables of an inlined workflow are with its container. Its graph stays until the container ends: its `finally` may
read all of it, and a redrive goes on with it.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine.folding.moves import node_at, open_path, pausable
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of, prefix_of
from fairlead.model.reasons import FINISHED_FAILED
from fairlead.model.state import ScopeState, State


def inline_started(state: State, event: e.InlineStarted) -> None:
    key = key_of(event.node)
    loop = state.loops[key]
    loop.inputs, loop.initial = event.inputs, event.variables
    loop.variables = dict(event.variables)
    state.counters.stored += event.stored


def body_started(state: State, event: e.BodyStarted) -> None:
    key = key_of(event.node)
    loop = state.loops[key]
    index = loop.opened
    loop.opened += 1
    loop.open[event.scope] = index
    state.scopes[event.scope] = ScopeState(
        total=event.nodes,
        container=key,
        index=index,
        path=event.path,
        attempts=loop.attempts,
        inlined=True,
        patient=event.patient,
        phase=event.phase,
    )
    state.counters.total += event.nodes
    open_path(state, event.path, event.entry or event.node, event)
    if event.entry:
        node_at(state, event.entry).arrive(event.path)
    if event.phase:
        state.paused_timers.clear(f"body/{key}")  # `finally` is outside the node's timeout
    if event.deadline is not None:
        pausable(state, f"finally/{key}", event, event.deadline)


def body_timed_out(state: State, event: e.BodyTimedOut) -> None:
    state.scopes[event.scope].overdue = True
    state.paused_timers.clear(f"finally/{key_of(event.node)}")


def variables_at(state: State, prefix: str) -> dict[str, Any]:
    """The variables that the instances of a body write: those of the workflow that it belongs to."""
    home = state.home_of(prefix) if prefix else ""
    own = state.loops[home].variables if home else state.variables
    assert own is not None, f"{home} has begun"
    return own


def finished(state: State, event: e.NodeCompleted, result: str) -> None:
    """The first finish ends the workflow that it belongs to: an inlined one with its node, else the run."""
    key = key_of(event.node)
    finish = s.Finish(node=event.node, result=result, reason=event.reason or "")
    home = state.home_of(prefix_of(key))
    what = "workflow" if home else "run"
    message = event.reason or f"node {event.node!r} finished the {what} with result failed"
    failure = s.Failure(
        error=e.Error(reason=FINISHED_FAILED, message=message), node=event.node, path=event.path
    )
    if home:
        _ended_here(state, home, finish, failure)
    elif state.finish is None and state.stage == s.FORWARD:
        state.finish = finish
        if result == "failed" and state.failure is None:
            state.failure = failure


def _ended_here(state: State, home: str, finish: s.Finish, failure: s.Failure) -> None:
    loop = state.loops[home]
    if loop.finish is not None:
        return
    loop.finish = finish
    for prefix in loop.open if finish.result == "failed" else ():
        scope = state.scopes[prefix]
        scope.failure = scope.failure or failure
