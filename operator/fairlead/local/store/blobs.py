"""Large values of executions, compressed, by the digest of their bytes. Who reads them checks the digest."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Collection, Mapping

from fairlead.local.store.database import Database

_LEVEL = 1


def keep(database: Database, uid: str, blobs: Mapping[str, bytes]) -> None:
    """Keep blobs; one that is kept already stays as it is. The events that refer to them are flushed with or after them."""
    rows = _rows(uid, blobs)
    with database.write() as connection:
        connection.executemany(_INSERT, rows)


def put(connection: sqlite3.Connection, uid: str, blobs: Mapping[str, bytes]) -> None:
    """The same within a transaction."""
    connection.executemany(_INSERT, _rows(uid, blobs))


_INSERT = "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)"


def _rows(uid: str, blobs: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    return [(uid, digest, zlib.compress(data, _LEVEL)) for digest, data in blobs.items()]


def fetch(database: Database, uid: str, digests: Collection[str]) -> dict[str, bytes]:
    """Those of the blobs that there are; one that cannot be unpacked is given as it is, and its digest will tell."""
    found: dict[str, bytes] = {}
    for digest in digests:
        row = database.row("SELECT CAST(data AS BLOB) FROM blobs WHERE uid = ? AND digest = ?", uid, digest)
        if row is not None:
            found[digest] = _unpacked(row[0])
    return found


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data
