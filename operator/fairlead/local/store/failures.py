"""What SQLite and the file system report, as one sentence that names the store and says what to do.

Not everything is the file's fault: a wrong statement or a connection in the wrong thread is our bug and passes through unchanged.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairlead.model.errors import Unavailable

_TINY = 1 << 16
"""Bytes free below which an I/O error is put down to the disk being full."""


@contextmanager
def explained(path: Path, patience: float) -> Iterator[None]:
    """Turns what SQLite and the system say about the store into Unavailable; `patience` is how long a lock was waited for."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError):
        raise
    except sqlite3.Error as error:
        raise Unavailable(_sentence(error, path, patience)) from error
    except OSError as error:
        raise Unavailable(not_reached(path, error)) from error


def code_of(error: sqlite3.Error) -> int:
    """The primary result code; an error that SQLite did not raise has none and counts as damage (text that is no UTF-8)."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def not_reached(path: Path, error: OSError) -> str:
    """The sentence for what the system said about a file or folder of the store."""
    where = error.filename if isinstance(error.filename, str) else path
    return (
        f"the store {path} cannot be reached ({where}: {error.strerror}); "
        "expected a file in a folder that this user may write, see --store and FAIRLEAD_STORE"
    )


def read_only(path: Path) -> str:
    """The sentence for a write into a store that cannot be written."""
    return (
        f"the store {path} is read-only and nothing was written; "
        "expected a file and a folder that this user may write, see --store and FAIRLEAD_STORE"
    )


def full(path: Path) -> str:
    """The sentence for a disk or quota without room."""
    return f"the disk of the store {path} is full and nothing was written; free some space, then try again"


def _sentence(error: sqlite3.Error, path: Path, patience: float) -> str:
    code = code_of(error)
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return (
                f"the store {path} has been locked by another program for over {patience:g} s; "
                "wait for that program or end it, then try again"
            )
        case sqlite3.SQLITE_READONLY:
            return read_only(path)
        case sqlite3.SQLITE_FULL:
            return full(path)
        case sqlite3.SQLITE_NOTADB:
            return f"{path} is no Fairlead store ({error}); expected a file that `fairlead run` made, see --store"
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return (
                f"the store {path} cannot be opened ({error}); "
                "expected a file and a folder that this user may write, see --store and FAIRLEAD_STORE"
            )
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_NOMEM | sqlite3.SQLITE_TOOBIG:
            if code == sqlite3.SQLITE_IOERR and has_no_room(path):
                return full(path)
            return f"the store {path} could not be read or written ({error}); check its disk, then try again"
        case _:
            return f"the store {path} is damaged ({error}); restore it from a copy, or move it away to begin anew"


def has_no_room(path: Path) -> bool:
    """Some failures of a full disk come as a plain I/O error, such as the one to enlarge the index of the WAL."""
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _TINY
