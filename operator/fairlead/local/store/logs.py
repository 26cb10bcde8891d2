"""The log of an execution: events chained by hash, and a record of where the chain ends.

`chain` of event n is a hash over `chain` of n-1 and the stored form of n; before event 1 stands a hash of the uid. So a change
shows at the event that was changed, and an event of another log does not fit. Length and last hash are kept in `logs`, written in
the same transaction, so that a lost tail shows too. The phase is kept there as the log tells it, for lists and deletion.
Old events are packed, see `segments`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fairlead.engine.transitions import EXECUTION
from fairlead.local.store import segments
from fairlead.local.store.database import Database
from fairlead.model.errors import Bug, Conflict, LogDamaged
from fairlead.model.events import AnyEvent, Event, decode, encode
from fairlead.model.state import CANCELLED, FAILED, SUCCEEDED

ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})
_MOVES = frozenset(name for row in EXECUTION.values() for name in row)
_SEEN_OUTSIDE = frozenset({"NodeScheduled", "ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled"})
"""Events after which something leaves the process (an attempt starts, the command exits): flushed first."""

_HASH_BYTES = 16
_Entry = tuple[int, bytes, bytes]


def append(database: Database, uid: str, after: int, events: Sequence[Event]) -> None:
    """Commit events `after + 1 …` all together, or none. Raises Conflict, Unavailable."""
    forms = _forms(after, events)
    names = {type(event).__name__ for event in events}
    with database.write(flush=not names.isdisjoint(_SEEN_OUTSIDE)) as connection:
        _append(connection, uid, after, events, forms)


def put(connection: sqlite3.Connection, uid: str, events: Sequence[Event]) -> None:
    """The whole log of an execution that has none, within a transaction."""
    _append(connection, uid, 0, events, _forms(0, events))


def _append(
    connection: sqlite3.Connection, uid: str, after: int, events: Sequence[Event], forms: Sequence[bytes]
) -> None:
    last, chain, phase, started, finished = _end_of(connection, uid)
    if last != after:
        raise Conflict(f"the log of {uid} ends at event {last}; expected {after}: somebody else wrote first")
    if not forms:
        return
    entries: list[tuple[str, int, bytes, bytes]] = []
    for seq, form in enumerate(forms, after + 1):
        chain = _link(chain, form)
        entries.append((uid, seq, form, chain))
    if not _MOVES.isdisjoint(type(event).__name__ for event in events):
        phase, started, finished = _moved(events, phase, started, finished)
    try:
        connection.executemany("INSERT INTO events VALUES (?, ?, CAST(? AS TEXT), ?)", entries)
    except sqlite3.IntegrityError as error:
        raise _damaged(
            uid, after + 1, f"is there already, but the log was recorded as ending at {after}"
        ) from error
    connection.execute(
        "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET last_seq = excluded.last_seq,"
        " chain = excluded.chain, phase = excluded.phase, started_at = excluded.started_at,"
        " finished_at = excluded.finished_at",
        (uid, entries[-1][1], chain, phase, started, finished),
    )
    segments.pack(connection, uid, after, entries[-1][1])


def read(database: Database, uid: str, after: int = 0) -> list[Event]:
    """The events after a sequence number. Raises LogDamaged naming the first bad one."""
    with database.snapshot() as connection:
        last, end, *_ = _end_of(connection, uid)
        events = list(_packed(connection, uid, after))
        start = max(after, events[-1].seq) if events else after
        entries = connection.execute(_ENTRIES, (uid, start)).fetchall()
        begin = _root(uid)
        if 0 < start <= last:
            begin = _chain_of(connection, uid, start)
    if after > last and not entries:
        return []
    return [*events, *_checked(uid, start, begin, entries, last, end)]


def first_bad(database: Database, uid: str) -> LogDamaged | None:
    """What is wrong with the first event that is missing, changed or unreadable."""
    with database.snapshot() as connection:
        last, end, *_ = _end_of(connection, uid)
        start = 0
        try:
            for event in _packed(connection, uid, 0):
                start = event.seq
            begin = _chain_of(connection, uid, start) if start else _root(uid)
            for _ in _checked(uid, start, begin, connection.execute(_ENTRIES, (uid, start)), last, end):
                pass
        except LogDamaged as damage:
            return damage
    return None


def last_seq(database: Database, uid: str) -> int:
    """The number of the last event, 0 for an unknown uid."""
    row = database.row("SELECT CAST(last_seq AS INTEGER) FROM logs WHERE uid = ?", uid)
    return int(row[0]) if row else 0


_ENTRIES = (
    "SELECT seq, CAST(data AS BLOB), CAST(chain AS BLOB) FROM events WHERE uid = ? AND seq > ? ORDER BY seq"
)


def _forms(after: int, events: Sequence[Event]) -> list[bytes]:
    """The stored forms, made before the store is locked."""
    for expected, event in enumerate(events, after + 1):
        if event.seq != expected:
            raise Bug(f"{type(event).__name__} has seq {event.seq}; expected {expected}")
    return [encode(event) for event in events]


def _end_of(connection: sqlite3.Connection, uid: str) -> tuple[int, bytes, str, int | None, int | None]:
    found: tuple[int, bytes, str, int | None, int | None] | None = connection.execute(
        "SELECT CAST(last_seq AS INTEGER), CAST(chain AS BLOB), phase, started_at, finished_at FROM logs WHERE uid = ?",
        (uid,),
    ).fetchone()
    return found or (0, _root(uid), "", None, None)


def chain_at(connection: sqlite3.Connection, uid: str, seq: int) -> bytes | None:
    """The hash of the chain at an event; None where there is no such event that can be read."""
    found = connection.execute(
        "SELECT CAST(chain AS BLOB) FROM events WHERE uid = ? AND seq = ?", (uid, seq)
    ).fetchone()
    if found is not None:
        return bytes(found[0])
    try:
        segment = segments.holding(connection, uid, seq)
    except segments.Unpackable:
        return None
    if segment is None:
        return None
    first, last, forms, end = segment
    if seq == last:
        return end
    chain = segments.chain_before(connection, uid, first) or _root(uid)
    for form in forms[: seq - first + 1]:
        chain = _link(chain, form)
    return chain


def _chain_of(connection: sqlite3.Connection, uid: str, seq: int) -> bytes:
    chain = chain_at(connection, uid, seq)
    if chain is None:
        raise _damaged(uid, seq, "is missing")
    return chain


def _packed(connection: sqlite3.Connection, uid: str, after: int) -> Iterator[AnyEvent]:
    """The events after a number that are packed, each segment checked as a whole."""
    chain: bytes | None = None
    expected = 0
    try:
        for first, last, forms, end in segments.read(connection, uid, after):
            if first != (expected or first):
                raise _damaged(uid, expected, f"is missing; expected it before {first}")
            if chain is None:
                chain = _root(uid) if first == 1 else segments.chain_before(connection, uid, first)
                if chain is None:
                    raise _damaged(uid, first - 1, "is missing")
            found = [_event(uid, seq, form) for seq, form in enumerate(forms, first)]
            for form in forms:
                chain = _link(chain, form)
            if chain != end:
                raise _damaged(
                    uid, first, f"or one of those up to {last} was changed: they do not fit their hash"
                )
            expected = last + 1
            yield from found[max(0, after - first + 1) :]
    except segments.Unpackable as wrong:
        raise _damaged(uid, wrong.first, str(wrong)) from wrong


def _moved(
    events: Sequence[Event], phase: str, started: int | None, finished: int | None
) -> tuple[str, int | None, int | None]:
    """Phase and times after the events, by the table of legal moves."""
    for event in events:
        phase = EXECUTION.get(phase, {}).get(name := type(event).__name__, phase)
        if name == "ExecutionStarted":
            started = event.at
        if name in _MOVES:
            finished = event.at if phase in ENDED else None
    return phase, started, finished


def _root(uid: str) -> bytes:
    return hashlib.sha256(uid.encode()).digest()[:_HASH_BYTES]


def _link(previous: bytes, form: bytes) -> bytes:
    return hashlib.sha256(previous + form).digest()[:_HASH_BYTES]


def _checked(
    uid: str, after: int, chain: bytes, entries: Iterable[_Entry], last: int, end: bytes
) -> Iterator[Event]:
    """The events of a log's entries; `last` and `end` are where the log was recorded as ending."""
    seq = after
    for number, form, link in entries:
        seq += 1
        if number != seq:
            raise _damaged(uid, seq, f"is missing; expected all of 1 to {last}")
        if seq > last:
            raise _damaged(uid, seq, f"was added from elsewhere; expected the log to end at {last}")
        event = _event(uid, seq, form)
        if link != _link(chain, form):
            raise _damaged(
                uid, seq, f"was changed: its hash is {_link(chain, form).hex()}, expected {link.hex()}"
            )
        chain = link
        yield event
    if seq < last:
        raise _damaged(uid, seq + 1, f"is missing; expected all of 1 to {last}")
    if chain != end:
        raise _damaged(uid, seq, f"was changed: the log ends with hash {chain.hex()}, expected {end.hex()}")


def _event(uid: str, seq: int, form: bytes) -> AnyEvent:
    try:
        return decode(form)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise _damaged(uid, seq, f"is unreadable: {error}") from error


def _damaged(uid: str, seq: int, what: str) -> LogDamaged:
    return LogDamaged(f"event {seq} of the log of {uid} {what}", seq)
