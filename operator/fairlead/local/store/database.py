"""One connection to the store: how it is opened, and the two kinds of transaction.

Nothing else here may open the database file: closing a second descriptor of it would drop the locks that SQLite holds for this
process, and another process could then throw away a WAL that is in use.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fairlead.local.store import schema
from fairlead.local.store.failures import code_of, explained, has_no_room
from fairlead.model.errors import Unavailable

PATIENCE = 5.0
"""Seconds that a lock of another program is waited for."""

_WAL_KEPT = 64 << 20
"""Bytes of WAL file that stay on the disk after a slow reader has made it grow."""

Row = tuple[Any, ...]


class Database:
    """A connection with a current schema; `write` and `snapshot` are its transactions."""

    def __init__(self, path: Path, *, create: bool = True, patience: float = PATIENCE) -> None:
        self.path = path
        self.patience = patience
        with explained(path, patience):
            _make_file(path, create=create)
            self.connection = _connect(path, patience)
            self._inode = _inode(path)
        self._flushing = False

    def close(self) -> None:
        """Close the connection; the last one to close folds the WAL into the file."""
        with explained(self.path, self.patience):
            self.connection.close()

    def row(self, statement: str, *values: Any) -> Row | None:
        """The first row of a query."""
        with explained(self.path, self.patience):
            row: Row | None = self.connection.execute(statement, values).fetchone()
            return row

    def rows(self, statement: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        with explained(self.path, self.patience):
            return self.connection.execute(statement, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads that see the same moment; writers go on meanwhile."""
        with explained(self.path, self.patience):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self._roll_back()

    @contextmanager
    def write(self, *, flush: bool = False) -> Iterator[sqlite3.Connection]:
        """One change, whole or not at all; with `flush` it is on the disk before this returns."""
        with explained(self.path, self.patience):
            if flush != self._flushing:
                self.connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
                self._flushing = flush
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._look_for_file()
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # the error that brought us here says more
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _look_for_file(self) -> None:
        """A file that was removed goes on to take writes, which are lost when it is closed: say so while nothing is."""
        if _inode(self.path) != self._inode:
            raise Unavailable(
                f"the store {self.path} was removed or replaced while in use and nothing was written; "
                "expected the file to stay until the last run has ended"
            )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make_file(path: Path, *, create: bool) -> None:
    """See to it that there is a file, for this user's eyes alone: logs hold what nodes were given and gave."""
    if path.is_dir():
        raise Unavailable(f"the store {path} is a folder; expected the path of a file, see --store")
    if path.exists():
        return
    if not create:
        raise Unavailable(f"there is no store {path}; expected a file that `fairlead run` made, see --store")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    try:
        return _prepared(path, "mode=rw", patience)
    except sqlite3.OperationalError as error:
        if code_of(error) in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL) and has_no_room(path):
            return _prepared(path, "mode=rw", patience, alone=True)
        # Without the right to make the WAL's two files not even reading works, unless the file is known not to change.
        denied = code_of(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not denied or _has_wal(path) or not os.access(path, os.R_OK) or os.access(path.parent, os.W_OK):
            raise
        return _prepared(path, "mode=ro&immutable=1", patience)


def _has_wal(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _prepared(path: Path, mode: str, patience: float, *, alone: bool = False) -> sqlite3.Connection:
    """An open connection. `alone`, it locks others out and needs no index of the WAL on the disk, for which there is no room."""
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None)
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        # The marks of the file as of one moment: another process may be making it just now.
        connection.execute("BEGIN")
        current = schema.is_current(connection, path)
        connection.execute("ROLLBACK")
        if not current:
            connection.execute("BEGIN IMMEDIATE")
            schema.bring_forward(connection, path)
            connection.execute("COMMIT")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal" and "immutable" not in mode:
            _switch_to_wal(connection, patience)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT}")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Needs the file for itself for a moment, and SQLite does not wait for that: two first runs may start at once."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if (
                code_of(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
                or time.monotonic() > deadline
            ):
                raise
            time.sleep(0.01)
        else:
            return
