"""Paths: the threads of a run."""

from __future__ import annotations

from fairlead.model.events.base import Error, Event


class PathStarted(Event, frozen=True, kw_only=True, gc=False):
    """A thread of the run begins at `node`: an entry point (no `connection`) or one of several taken connections."""

    path: str
    node: str
    parent: str = ""
    connection: str = ""


class PathJoined(Event, frozen=True, kw_only=True, gc=False):
    """The paths `joined` end at `node`; `path` goes on."""

    path: str
    node: str
    joined: list[str]


class PathCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The path ended at `node`: reason GraphEnd, NoConnectionTaken, Forked, Looped or LateArrival."""

    path: str
    node: str
    reason: str = "GraphEnd"


class PathFailed(Event, frozen=True, kw_only=True, gc=False):
    """The path ended with a failure that nothing handled."""

    path: str
    node: str
    error: Error


class PathCancelled(Event, frozen=True, kw_only=True, gc=False):
    """The path ended because the run, or the body it was in, was ended from elsewhere."""

    path: str
    reason: str


class LateArrival(Event, frozen=True, kw_only=True, gc=False):
    """A connection was taken into a node whose join had already been met; nothing starts, the path ends."""

    path: str
    node: str
    connection: str


PathEvent = PathStarted | PathJoined | PathCompleted | PathFailed | PathCancelled | LateArrival
