"""Old events of a log, packed: a thousand rows become one compressed segment, within the append that makes them old.

    segments  [1 … 1000] [1001 … 2000]      events  2001, 2002, …

Rules of this file
- Packing is part of an append's transaction: a reader sees the rows or the segment, never both and never neither, and a crash
  leaves one or the other.
- A segment holds the stored forms, one a line (compact JSON has no line ends), and the hash of the chain at its end; those in
  between follow from the forms. So the chain of the log runs through it unchanged.
- The newest KEPT events stay rows: they are what followers ask for.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator

EVENTS = 1_000
"""Events of a segment."""
KEPT = 1_000
"""Events that stay rows at least."""
_LEVEL = 3


class Unpackable(ValueError):
    """A segment cannot be read; `first` is its first event."""

    def __init__(self, first: int, what: str) -> None:
        super().__init__(what)
        self.first = first


def pack(connection: sqlite3.Connection, uid: str, before: int, last: int) -> None:
    """Pack what an append has made old: the log ended at `before`, and ends at `last` now."""
    if before // EVENTS == last // EVENTS or last < EVENTS + KEPT:
        return
    row = connection.execute("SELECT max(last) FROM segments WHERE uid = ?", (uid,)).fetchone()
    packed: int = row[0] or 0
    while packed + EVENTS + KEPT <= last:
        rows = connection.execute(
            "SELECT seq, CAST(data AS BLOB), CAST(chain AS BLOB) FROM events WHERE uid = ? AND seq > ? AND seq <= ? ORDER BY seq",
            (uid, packed, packed + EVENTS),
        ).fetchall()
        if [seq for seq, _, _ in rows] != list(range(packed + 1, packed + EVENTS + 1)):
            return  # the log is damaged: packing would hide where
        data = zlib.compress(b"\n".join(form for _, form, _ in rows), _LEVEL)
        connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
            (uid, packed + 1, packed + EVENTS, data, rows[-1][2]),
        )
        connection.execute(
            "DELETE FROM events WHERE uid = ? AND seq > ? AND seq <= ?", (uid, packed, packed + EVENTS)
        )
        packed += EVENTS


Segment = tuple[int, int, list[bytes], bytes]
"""First and last event, the stored forms, the hash of the chain at the end."""


def read(connection: sqlite3.Connection, uid: str, after: int) -> Iterator[Segment]:
    """The segments that hold events after a number, unpacked one by one. Raises Unpackable."""
    rows = connection.execute(
        "SELECT first, last, CAST(data AS BLOB), CAST(chain AS BLOB) FROM segments WHERE uid = ? AND last > ? ORDER BY first",
        (uid, after),
    )
    for first, last, data, chain in rows:
        yield first, last, _forms(first, last, data), chain


def holding(connection: sqlite3.Connection, uid: str, seq: int) -> Segment | None:
    """The segment that an event is in. Raises Unpackable."""
    row = connection.execute(
        "SELECT first, last, CAST(data AS BLOB), CAST(chain AS BLOB) FROM segments WHERE uid = ? AND first <= ? AND last >= ?",
        (uid, seq, seq),
    ).fetchone()
    return None if row is None else (row[0], row[1], _forms(*row[:3]), row[3])


def chain_before(connection: sqlite3.Connection, uid: str, first: int) -> bytes | None:
    """The hash of the chain at the end of the segment before; None for the first one."""
    row = connection.execute(
        "SELECT CAST(chain AS BLOB) FROM segments WHERE uid = ? AND last = ?", (uid, first - 1)
    ).fetchone()
    return None if row is None else bytes(row[0])


def _forms(first: int, last: int, data: bytes) -> list[bytes]:
    try:
        forms = zlib.decompress(data).split(b"\n")
    except zlib.error as error:
        raise Unpackable(first, f"cannot be unpacked, with those up to {last}: {error}") from error
    if len(forms) != last - first + 1:
        raise Unpackable(
            first, f"was changed: with those up to {last} there are {len(forms)}, expected {last - first + 1}"
        )
    return forms
