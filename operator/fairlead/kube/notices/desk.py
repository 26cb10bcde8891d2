"""Which note is written when, pure: series, rates and limits (protocol.md 21). Times are seconds of any clock that only grows.

    add ──► series (one for each execution and reason) ──► next ──► write it, or when to ask again

Rules of this file
- Notes of one execution and reason are one series: the first is created with its words, for the others its count is raised, at
  most every `PACE` seconds. A series that was quiet for `QUIET` seconds is over; the next note begins another.
- An execution writes `BURST` at once and one a second then, the process 20 a second. What may not be written yet waits here, and
  stops nobody else.
- What waits has a limit. A note that finds no room is dropped and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from fairlead.kube.names import Place
from fairlead.kube.notices.notes import Note

BURST, RATE = 25.0, 1.0
"""What an execution may write: at once, and each second."""
PROCESS_RATE = 20.0
"""What all of them may write each second, and at once."""
PACE = 5.0
QUIET = 360.0
LIMIT = 2_000
"""Series that are remembered; they are what waits, too."""

Key = tuple[str, str]


@dataclass(slots=True)
class Bucket:
    """Tokens that come at `rate` a second, `burst` at most."""

    rate: float
    burst: float
    tokens: float
    at: float

    def ready_at(self, now: float) -> float:
        """When there is a token."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return now if self.tokens >= 1.0 else now + (1.0 - self.tokens) / self.rate


@dataclass(slots=True)
class Series:
    """Notes of one execution and reason: the first of them, how many there were, and how many are written.

    `first` and `last` are wall times in microseconds.
    """

    place: Place
    note: Note
    first: int
    last: int
    count: int = 1
    written: int = 0
    seen_at: float = 0.0
    written_at: float = field(default=float("-inf"))

    @property
    def key(self) -> Key:
        """What makes it one."""
        return self.place.uid, self.note.reason


class Desk:
    """Notes that wait to be written."""

    def __init__(self, now: float) -> None:
        self._series: OrderedDict[Key, Series] = OrderedDict()
        self._waiting: OrderedDict[Key, Series] = OrderedDict()
        self._buckets: dict[str, Bucket] = {}
        self._process = Bucket(PROCESS_RATE, PROCESS_RATE, PROCESS_RATE, now)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, now: float, wall: int, place: Place, notes: Iterable[Note]) -> None:
        """Take notes about an execution in."""
        for note in notes:
            key = (place.uid, note.reason)
            series = self._series.pop(key, None)
            if series is not None and key not in self._waiting and now - series.seen_at > QUIET:
                series = None
            if series is None:
                if not self._room(now):
                    self.dropped += 1
                    continue
                series = Series(place, note, wall, wall, seen_at=now)
            else:
                series.count += 1
                series.last, series.seen_at = wall, now
            self._series[key] = series  # the last is who was heard of last
            self._waiting.setdefault(key, series)

    def next(self, now: float) -> Series | float:
        """What is to be written now, or when to ask again. It counts as written."""
        due = self._process.ready_at(now)
        if due > now or not self._waiting:
            return due if self._waiting else float("inf")
        due = float("inf")
        for key, series in self._waiting.items():
            ready = max(self._bucket(key[0], now).ready_at(now), series.written_at + PACE)
            if ready <= now:
                del self._waiting[key]
                self._bucket(key[0], now).tokens -= 1.0
                self._process.tokens -= 1.0
                series.written_at = now
                return series
            due = min(due, ready)
        return due

    def again(self, series: Series) -> None:
        """The object of a series is gone: the next note begins another."""
        if self._series.get(series.key) is series:
            del self._series[series.key]
            self._waiting.pop(series.key, None)

    def forget(self, uid: str) -> None:
        """Nothing more is written about an execution."""
        for key in [key for key in self._series if key[0] == uid]:
            del self._series[key]
            self._waiting.pop(key, None)
        self._buckets.pop(uid, None)

    def _room(self, now: float) -> bool:
        """Whether another series can be remembered; those that wait for nothing are let go of, the oldest first."""
        if len(self._series) < LIMIT:
            return True
        old = next((key for key in self._series if key not in self._waiting), None)
        if old is None:
            return False
        del self._series[old]
        full = [
            uid
            for uid, bucket in self._buckets.items()
            if bucket.ready_at(now) <= now and bucket.tokens >= BURST
        ]
        for uid in full:
            del self._buckets[uid]
        return True

    def _bucket(self, uid: str, now: float) -> Bucket:
        return self._buckets.setdefault(uid, Bucket(RATE, BURST, BURST, now))
