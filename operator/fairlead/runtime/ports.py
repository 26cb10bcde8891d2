"""The ports: what the runtime needs of a home, as Protocols of one to five methods.

Each port has one contract suite in `tests/contracts/` that every adapter passes; the memory adapters (`runtime.memory`) are the
reference. Errors are those of `model.errors`: `Conflict` to load again, `Unavailable` when the home cannot be reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from fairlead.model.effects import StartAttempt, StartChild, SteerChild, StopAttempt
from fairlead.model.events import Event


class EventLog(Protocol):
    """The log of every execution: append-only, gapless, one writer at a time by compare-and-set.

    It keeps events as they come: large values have been taken out of them (`runtime.journal`), and are put back by who reads.
    """

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        """Commit events `after + 1 …` all together, or none.

        Raises Conflict if the log does not end at `after`, Unavailable if the home refuses to write (locked, full, read-only).
        """

    async def read(self, uid: str, after: int = 0) -> list[Event]:
        """The events after a sequence number, in order; empty for an unknown uid. Raises LogDamaged naming the first bad one."""


class Checkpoints(Protocol):
    """A cache of states; losing it costs time and nothing else."""

    async def save(self, uid: str, seq: int, state: bytes) -> None:
        """Keep a state as it was at `seq`; older ones may be dropped."""

    async def latest(self, uid: str) -> tuple[int, bytes] | None:
        """The newest state kept and its sequence number."""


class Blobs(Protocol):
    """Large values of an execution, by the digest of their bytes; they live as long as its log.

    A home may cut and compress what it keeps as it likes. It need not check what it gives back: the reader does.
    """

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        """Keep blobs of at most some MiB each, on the disk when this returns; one that is kept already is fine.

        Raises Unavailable if the home refuses to write.
        """

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        """Those of the blobs that there are. Raises Unavailable."""


class Runner(Protocol):
    """Where attempts run. Starts and ends are reported to whoever owns the execution, each exactly once."""

    def start(self, uid: str, effect: StartAttempt) -> None:
        """Run one delivery; the same id twice is one run."""

    def stop(self, uid: str, effect: StopAttempt) -> None:
        """End a delivery; one that is not running is fine."""


class Children(Protocol):
    """The executions that nodes start. What becomes of them is reported to whoever owns the parent, at least once."""

    async def start(self, effect: StartChild) -> None:
        """Have a child at work; the same name and instance twice is one child. Raises Unavailable."""

    async def steer(self, effect: SteerChild) -> None:
        """Let a child hold still, go on, or end; one that is not there is reported lost. Raises Unavailable."""


class Cache(Protocol):
    """Results that executions of one namespace share, by key; losing one costs time and nothing else.

    `now` and `expires` are times of events, microseconds; an entry is good while `now` < `expires`. All raise Unavailable.
    """

    async def get(self, key: str, now: int) -> bytes | None:
        """The entry of a key, if there is one that is good."""

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        """Keep an entry, by compare-and-set: one that is there and good stays. Gives whether this one is kept.

        Entries of whatever key that are no longer good may be dropped.
        """

    async def drop(self, key: str, entry: bytes) -> None:
        """Remove an entry that turned out to be of no use, unless another stands there by now."""


class StatusSink(Protocol):
    """Where the projection of an execution's state is shown; never read to decide."""

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        """Show a status."""


class Clock(Protocol):
    """The time."""

    def now(self) -> int:
        """Microseconds since the epoch."""
