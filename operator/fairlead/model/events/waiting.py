"""What a node waits for that is no attempt of its own: a time, a child execution, the answer of the cache."""

from __future__ import annotations

from typing import Any

from fairlead.model.events.base import Event


class WaitStarted(Event, frozen=True, kw_only=True, gc=False):
    """A wait begins: it is over at `due` (`paused`: on the clock that stands still while suspended), given up at `expires`."""

    node: str
    path: str
    due: int | None = None
    paused: bool = False
    expires: int | None = None


class WaitWoken(Event, frozen=True, kw_only=True, gc=False):
    """What was waited for has come: the time."""

    node: str
    path: str


class WaitExpired(Event, frozen=True, kw_only=True, gc=False):
    """The wait's own timeout came first."""

    node: str
    path: str


class ChildScheduled(Event, frozen=True, kw_only=True, gc=False):
    """The intent to run execution `child` of `workflow`; one that is there and has ended below `redrive` is redriven.

    `values` are the evaluated name and inputs, as in NodeScheduled. `wait`: the node ends with the child.
    """

    node: str
    path: str
    attempt: int
    child: str
    workflow: str
    depth: int
    wait: bool = True
    redrive: int = 0
    values: dict[str, Any] | None = None


class ChildStarted(Event, frozen=True, kw_only=True, gc=False):
    """The child is there, with this uid; `deadline` is when the node's `timeout` ends, which stands still while suspended."""

    node: str
    path: str
    attempt: int
    child: str
    uid: str
    deadline: int | None = None


class ChildEnded(Event, frozen=True, kw_only=True, gc=False):
    """The child has ended, and says that it had seen `redrive`; the end of the node follows."""

    node: str
    path: str
    attempt: int
    child: str
    phase: str
    redrive: int = 0


class CacheLookup(Event, frozen=True, kw_only=True, gc=False):
    """The cache is asked for an earlier result of the node under `key`; without an answer by `due` it counts as a miss."""

    node: str
    path: str
    key: str
    due: int


class CacheMissed(Event, frozen=True, kw_only=True, gc=False):
    """The cache has nothing that can be used, `note` says why if it is more than that; the node waits for a runner."""

    node: str
    path: str
    note: str = ""


WaitingEvent = (
    WaitStarted
    | WaitWoken
    | WaitExpired
    | ChildScheduled
    | ChildStarted
    | ChildEnded
    | CacheLookup
    | CacheMissed
)
