"""Checkpoints: the two newest states of each execution, each sealed with a hash over itself and the log that it stands for.

A checkpoint that is damaged, or whose event of the log is no longer the one it was, is passed over: losing it costs time only.
"""

from __future__ import annotations

import hashlib
import sqlite3

from fairlead.local.store.database import Database
from fairlead.local.store.logs import chain_at

_KEPT = 2


def save(database: Database, uid: str, seq: int, state: bytes) -> None:
    """Keep a state as it was at `seq`."""
    with database.write() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
            (uid, seq, _seal(connection, uid, seq, state), state),
        )
        connection.execute(
            "DELETE FROM checkpoints WHERE uid = ?1 AND seq NOT IN"
            " (SELECT seq FROM checkpoints WHERE uid = ?1 ORDER BY seq DESC LIMIT ?2)",
            (uid, _KEPT),
        )


def latest(database: Database, uid: str) -> tuple[int, bytes] | None:
    """The newest state that is whole and fits the log."""
    with database.snapshot() as connection:
        kept = connection.execute(
            "SELECT seq, digest, state FROM checkpoints WHERE uid = ? ORDER BY seq DESC", (uid,)
        )
        for seq, digest, state in kept:
            if isinstance(state, bytes) and digest == _seal(connection, uid, seq, state):
                return seq, state
    return None


def _seal(connection: sqlite3.Connection, uid: str, seq: int, state: bytes) -> bytes:
    return hashlib.sha256((chain_at(connection, uid, seq) or b"") + state).digest()
