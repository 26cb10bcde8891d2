"""An instance of a node: held, handed to its fallback, ended. An engine node has one event of these alone, its end."""

from __future__ import annotations

from typing import Any

from fairlead.model.events.base import Error, Event


class NodeReady(Event, frozen=True, kw_only=True, gc=False):
    """The join is met, but the node is held: reason Suspended or MaxNodes."""

    node: str
    path: str
    reason: str


class NodeFallback(Event, frozen=True, kw_only=True, gc=False):
    """Attempts are spent; the instance `fallback` stands in for `node` and sees `error`."""

    node: str
    path: str
    fallback: str
    error: Error


class NodeCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The instance Succeeded on `port`; `variables` are what `store` or `set` wrote.

    `via` is fallback or cache: then the result is that of `cached_from`, an execution, of the time `cached_at`. `cache` is the
    key under which a result of its own is kept.
    `collected`: its outputs are collected from what its bodies gave, which stands in their BodyEnded: of these branches, or, if
    none is named, of all the items. `stored` is what its large values add to those that the run stores, in bytes.
    In this event and the next two: `loopback` is the one that was taken; `exits` are those of `taken` that lead out of a loop,
    each of which counts at its target the first time only; `dead` has also those of other nodes out of a loop that is over now.
    """

    node: str
    path: str
    attempt: int = 0
    port: str
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""
    outputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    condition: bool | None = None
    message: str | None = None
    level: str | None = None
    result: str | None = None
    reason: str | None = None
    via: str | None = None
    cache: str = ""
    cached_from: str = ""
    cached_at: int = 0
    collected: list[str] | None = None
    stored: int = 0


class NodeFailed(Event, frozen=True, kw_only=True, gc=False):
    """The instance Failed. `handled` is port, continue, or empty when nothing handles it."""

    node: str
    path: str
    attempt: int = 0
    error: Error
    handled: str = ""
    port: str = ""
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""


class NodeSkipped(Event, frozen=True, kw_only=True, gc=False):
    """The instance did not run: reason WhenFalse (passed through), DeadPath, or what ended the run first."""

    node: str
    reason: str
    path: str = ""
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""


class NodeCancelled(Event, frozen=True, kw_only=True, gc=False):
    """An instance that had started or was held was ended from elsewhere."""

    node: str
    path: str
    reason: str
    attempt: int = 0
    dead: list[str] = []


NodeEvent = NodeReady | NodeFallback | NodeCompleted | NodeFailed | NodeSkipped | NodeCancelled
