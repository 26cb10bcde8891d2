"""What stays on a terminal of a run's events: a line each, with a sign and a colour. Most events leave nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.text import Text

from fairlead.apps.views import words
from fairlead.apps.views.graphs.texts import clean
from fairlead.model import events as e
from fairlead.model.ids import key_of
from fairlead.model.state import State


def line_of(event: e.Event, state: State) -> Text | None:
    """The line of an event, if it leaves one."""
    make = _LINES.get(type(event))
    return make(event, state) if make is not None else None


def _completed(event: e.NodeCompleted, state: State) -> Text | None:
    if event.message is not None:
        style = {"warning": "yellow", "error": "red"}.get(event.level or "", "")
        return Text(f"  {clean(event.message)}", style=style)
    if event.result is not None:
        reason = f": {clean(event.reason)}" if event.reason else ""
        return Text(f"■ {clean(event.node)} {clean(event.result)}{reason}", style="bold")
    if event.cached_from:
        whose = f"  from the cache, filled by {clean(event.cached_from)}"
        return Text.assemble(("✓ ", "green"), clean(event.node), (whose, "dim"))
    if not event.attempt:
        return None  # the engine's own nodes end in no time, and there may be thousands
    node = state.node(key_of(event.node))
    took = words.duration(max(0, event.at - node.started_at)) if node.started_at else ""
    attempts = f" after {event.attempt} attempts" if event.attempt > 1 else ""
    return Text.assemble(("✓ ", "green"), clean(event.node), (f"  {took}{attempts}", "dim"))


def _failed(event: e.NodeFailed, _: State) -> Text:
    said = f"✗ {clean(event.node)} {_error(event.error)}"
    if not event.handled:
        return Text(said, style="bold red")
    return Text(f"{said} (handled)", style="red")


def _retrying(event: e.NodeRetrying, _: State) -> Text:
    delay = words.duration(event.delay)
    return _yellow(
        f"↻ {clean(event.node)} attempt {event.attempt} {_error(event.error)}; the next in {delay}"
    )


def _started(event: e.ExecutionStarted, state: State) -> Text:
    return Text(f"{clean(state.name)}: {words.count(event.nodes, 'node')}", style="bold")


def _redriven(event: e.Redriven, state: State) -> Text:
    return Text(f"{clean(state.name)}: {words.count(len(event.reset), 'node')} again", style="bold")


def _cancel(event: e.CancelRequested, _: State) -> Text:
    return _yellow(f"■ cancel: {clean(event.reason)}" if event.reason else "■ cancel")


def _fallback(event: e.NodeFallback, _: State) -> Text:
    return _yellow(f"↻ {clean(event.node)} {_error(event.error)}; {clean(event.fallback)} stands in")


def _yellow(text: str) -> Text:
    return Text(text, style="yellow")


def _error(error: e.Error) -> str:
    return clean(f"{error.reason}: {error.message}" if error.message else error.reason)


_LINES: dict[type[e.Event], Callable[[Any, State], Text | None]] = {
    e.ExecutionStarted: _started,
    e.ExecutionSuspended: lambda _, __: _yellow("‖ suspended"),
    e.ExecutionResumed: lambda _, __: Text("▶ resumed", style="green"),
    e.ExecutionTimedOut: lambda event, _: Text(
        f"✗ the run took longer than {words.duration(event.timeout)}", style="red"
    ),
    e.CancelRequested: _cancel,
    e.Redriven: _redriven,
    e.NodeCompleted: _completed,
    e.NodeFailed: _failed,
    e.NodeRetrying: _retrying,
    e.NodeFallback: _fallback,
    e.NodeLost: lambda event, _: _yellow(f"↻ {clean(event.node)} was lost and is delivered again"),
    e.NodeCancelled: lambda event, _: _yellow(f"■ {clean(event.node)} {event.reason}"),
}
