"""The ports in memory: the reference that every other adapter agrees with, and what simulations and tests run on.

The log keeps stored forms, not objects: what is read back has gone through the codec and shares nothing with what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from fairlead.model.commands import Create, Wish
from fairlead.model.effects import StartChild
from fairlead.model.errors import Bug, Conflict, LogDamaged
from fairlead.model.events import Event, decode, encode
from fairlead.model.manifests import WorkflowSpec, digest
from fairlead.model.state import State
from fairlead.runtime.children import Child, demand_room, workflow_among
from fairlead.runtime.journal import Journal

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


class MemoryCache:
    """A Cache; `entries` are (entry, expires) by key. Its `_now` methods are the same without waiting."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[bytes, int | None]] = {}

    def get_now(self, key: str, now: int) -> bytes | None:
        """See `get`."""
        entry, expires = self.entries.get(key, (None, None))
        return entry if expires is None or now < expires else None

    def put_now(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        """See `put`."""
        if self.get_now(key, now) is not None:
            return False
        self.entries = {k: kept for k, kept in self.entries.items() if kept[1] is None or now < kept[1]}
        if expires is not None and expires <= now:
            return False
        self.entries[key] = (entry, expires)
        return True

    def drop_now(self, key: str, entry: bytes) -> None:
        """See `drop`."""
        if self.entries.get(key, (None, None))[0] == entry:
            del self.entries[key]

    async def get(self, key: str, now: int) -> bytes | None:
        return self.get_now(key, now)

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        return self.put_now(key, entry, expires, now)

    async def drop(self, key: str, entry: bytes) -> None:
        self.drop_now(key, entry)


class MemoryBlobs:
    """Blobs; `stored` are their bytes by uid and digest, for tests to look at and to tamper with."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, bytes]] = {}

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        kept = self.stored.setdefault(uid, {})
        for name, data in blobs.items():
            kept.setdefault(name, data)

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        kept = self.stored.get(uid, {})
        return {digest: kept[digest] for digest in digests if digest in kept}


class MemoryStatus:
    """A StatusSink; `shown` are the last statuses by uid."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        self.shown[uid] = status


class MemoryRegistry:
    """A Registry over a log in memory; `births` are what each child begins with, `wishes` what is wished for, by uid."""

    def __init__(
        self, log: MemoryLog, workflows: Mapping[str, WorkflowSpec | str], blobs: MemoryBlobs | None = None
    ) -> None:
        self.births: dict[str, Create] = {}
        self.wishes: dict[str, Wish] = {}
        self._log, self._blobs = log, blobs or MemoryBlobs()
        self._workflows = workflows
        self._names: dict[str, Child] = {}

    async def find(self, name: str) -> Child | None:
        return self._names.get(name)

    async def workflow(self, uid: str, name: str) -> WorkflowSpec:
        return workflow_among(self._workflows, name)

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: Wish
    ) -> Child:
        found = self._names.get(effect.child)
        if found is not None:
            return found
        root = effect.parent.root
        born = sum(1 for birth in self.births.values() if birth.parent and birth.parent.root == root)
        demand_room(1 + born)
        child = Child(name=effect.child, uid=f"{effect.child}-{len(self.births)}", parent=effect.parent)
        self._names[child.name] = child
        self.wishes[child.uid] = wish
        self.births[child.uid] = Create(
            name=child.name,
            uid=child.uid,
            workflow=effect.workflow,
            digest=digest(spec),
            runtime="memory",
            inputs=inputs,
            priority=effect.priority,
            wish=wish,
            parent=effect.parent,
        )
        return child

    async def change_wish(self, child: Child, change: Callable[[Wish], Wish]) -> None:
        self.wishes[child.uid] = change(self.wishes[child.uid])

    async def state(self, child: Child) -> State:
        return await Journal(child.uid, self._log, MemoryCheckpoints(), self._blobs).load()

    def add(self, child: Child) -> None:
        """An execution that no node has started."""
        self._names[child.name] = child
        self.wishes[child.uid] = Wish()

    def delete(self, name: str) -> None:
        """Forget an execution, as somebody who deletes it does."""
        child = self._names.pop(name)
        self._log.stored.pop(child.uid, None)
