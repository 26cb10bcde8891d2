"""What the engine wants done in the world after its events are committed.

Every effect has an `id` derived from (execution uid, node instance, attempt, delivery), so that doing it twice is harmless.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.model.children import Parent


class StartAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Run one delivery of one attempt; `document` is the node document that the runner reads."""

    id: str
    node: str
    attempt: int
    delivery: int
    priority: int
    document: dict[str, Any]
    grace: int
    secrets: dict[str, Any] = {}


class StopAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """End a delivery: TERM to its whole group, KILL after `grace` microseconds. Its end is reported as usual."""

    id: str
    node: str
    attempt: int
    delivery: int
    grace: int


class SaveCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a snapshot of the state as it was at `seq`, or any later one."""

    seq: int


class StartChild(msgspec.Struct, frozen=True, kw_only=True):
    """Have the execution `child` of `workflow`, redriven to `redrive` if it has ended below that; take it up if it is there.

    With a `uid` it was there before: it is taken up or lost, never made again. `held` is whether its parent is suspended.
    """

    node: str
    attempt: int
    child: str
    workflow: str
    inputs: dict[str, Any]
    parent: Parent
    priority: int = 0
    uid: str = ""
    redrive: int = 0
    held: bool = False


class SteerChild(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent wants of a child: `held` while suspended, `stop` to end it. A level, so twice is once."""

    node: str
    child: str
    parent: Parent
    uid: str = ""
    redrive: int = 0
    held: bool = False
    stop: bool = False
    reason: str = ""
    force: bool = False


class LookUp(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the cache for the result that is kept for `identity` and is good at the time `at`; CacheAnswered is its answer."""

    id: str
    node: str
    asked: int
    identity: dict[str, str]
    at: int


class FillCache(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a result for `identity` until `expires`, unless there is one: the first stays."""

    id: str
    identity: dict[str, str]
    outputs: dict[str, Any]
    execution: str
    at: int
    expires: int | None


AnyEffect = StartAttempt | StopAttempt | SaveCheckpoint | StartChild | SteerChild | LookUp | FillCache
