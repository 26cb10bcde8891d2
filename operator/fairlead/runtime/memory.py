"""The ports in memory: the reference that every other adapter agrees with, and what simulations and tests run on.

The log keeps stored forms, not objects: what is read back has gone through the codec and shares nothing with what was written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from fairlead.model.errors import Bug, Conflict, LogDamaged
from fairlead.model.events import Event, decode, encode

_CHECKPOINTS_KEPT = 2


class MemoryLog:
    """An EventLog; `stored` are the forms by uid, for tests to look at and to tamper with."""

    def __init__(self) -> None:
        self.stored: dict[str, list[bytes]] = {}

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        for expected, event in enumerate(events, after + 1):
            if event.seq != expected:
                raise Bug(f"{type(event).__name__} has seq {event.seq}; expected {expected}")
        forms = [encode(event) for event in events]
        last = len(self.stored.get(uid, ()))
        if last != after:
            raise Conflict(
                f"the log of {uid} ends at event {last}; expected {after}: somebody else wrote first"
            )
        if forms:
            self.stored.setdefault(uid, []).extend(forms)

    async def read(self, uid: str, after: int = 0) -> list[Event]:
        events: list[Event] = []
        for seq, form in enumerate(self.stored.get(uid, [])[after:], after + 1):
            try:
                event = decode(form)
            except msgspec.DecodeError as error:
                raise LogDamaged(f"event {seq} of the log of {uid} is unreadable: {error}", seq) from error
            if event.seq != seq:
                raise LogDamaged(
                    f"event {seq} of the log of {uid} is missing; found {event.seq} in its place", seq
                )
            events.append(event)
        return events


class MemoryCheckpoints:
    """Checkpoints; the two newest of each uid are kept."""

    def __init__(self) -> None:
        self._states: dict[str, dict[int, bytes]] = {}

    async def save(self, uid: str, seq: int, state: bytes) -> None:
        states = self._states.setdefault(uid, {})
        states[seq] = state
        for old in sorted(states)[:-_CHECKPOINTS_KEPT]:
            del states[old]

    async def latest(self, uid: str) -> tuple[int, bytes] | None:
        states = self._states.get(uid)
        return max(states.items()) if states else None


class MemoryBlobs:
    """Blobs; `stored` are their bytes by uid and digest, for tests to look at and to tamper with."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, bytes]] = {}

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        kept = self.stored.setdefault(uid, {})
        for digest, data in blobs.items():
            kept.setdefault(digest, data)

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        kept = self.stored.get(uid, {})
        return {digest: kept[digest] for digest in digests if digest in kept}


class MemoryStatus:
    """A StatusSink; `shown` are the last statuses by uid."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        self.shown[uid] = status
