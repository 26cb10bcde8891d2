"""The port Cache: results that executions of this store share. They stay when the execution that filled them is deleted.

The first stays: an insert that finds a good entry changes nothing, which SQLite decides under its write lock.
"""

from __future__ import annotations

from fairlead.local.store.database import Database


class ResultCache:
    """The cache of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str, now: int) -> bytes | None:
        """The entry of a key that is good at `now`."""
        row = self._database.row(
            "SELECT CAST(entry AS BLOB) FROM cache WHERE key = ? AND (expires IS NULL OR expires > ?)",
            key,
            now,
        )
        return bytes(row[0]) if row is not None else None

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        """Keep an entry unless a good one is there; whether it is kept. What has expired goes."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM cache WHERE expires <= ?", (now,))
            if expires is not None and expires <= now:
                return False
            done = connection.execute("INSERT OR IGNORE INTO cache VALUES (?, ?, ?)", (key, entry, expires))
            return done.rowcount > 0

    async def drop(self, key: str, entry: bytes) -> None:
        """Remove an entry, if it still is this one."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM cache WHERE key = ? AND CAST(entry AS BLOB) = ?", (key, entry))
