"""What the engine wants done in the world after its events are committed.

Every effect has an `id` derived from (execution uid, node instance, attempt, delivery), so that doing it twice is harmless.
"""

from __future__ import annotations

from typing import Any

import msgspec


class StartAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Run one delivery of one attempt; `document` is the node document that the runner reads.

    `secrets` are references, `placement` is what a cluster is asked for (`placement_of`); a laptop is one place.
    `handle` is given where it is known to run already: then it is looked for and never created.
    """

    id: str
    node: str
    attempt: int
    delivery: int
    priority: int
    document: dict[str, Any]
    grace: int
    secrets: dict[str, Any] = {}
    placement: dict[str, Any] = {}
    handle: str = ""


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


AnyEffect = StartAttempt | StopAttempt | SaveCheckpoint
