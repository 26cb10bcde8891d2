"""What the events of paths do to the state."""

from __future__ import annotations

from fairlead.engine.folding.moves import move_path, node_at, open_path
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import State


def path_started(state: State, event: e.PathStarted) -> None:
    open_path(state, event.path, event.node, event)
    target = node_at(state, key_of(event.node))
    if target.status == s.PENDING:
        target.arrive(event.path)


def path_joined(state: State, event: e.PathJoined) -> None:
    for path in event.joined:
        move_path(state, path, event)
    open_path(state, event.path, event.node, event)
    node_at(state, key_of(event.node)).arrivals = [event.path]


def path_ended(state: State, event: e.PathCompleted | e.PathCancelled) -> None:
    move_path(state, event.path, event)


def late_arrival(state: State, event: e.LateArrival) -> None:
    move_path(state, event.path, event)
    target = node_at(state, key_of(event.node))
    if target.arrivals and event.path in target.arrivals:
        target.arrivals.remove(event.path)  # it was decided to start, and has not yet


def path_failed(state: State, event: e.PathFailed) -> None:
    move_path(state, event.path, event).error = event.error
