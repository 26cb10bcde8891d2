"""Who runs an execution: a lock of the operating system on a file, which goes with the process however that ends.

The file holds the owner's pid, for the messages of others and so that the next owner knows what a killed one may have left
behind. The lock belongs to an open file that no started program inherits (close-on-exec), so children never keep it alive. The
file is removed on release, by the holder; whoever finds that the file it locked is no longer the one at the path begins again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE = 0.25
"""Seconds for a killed owner to be gone, and for somebody who only looks to let go."""
_PAUSE = 0.01


class Ownership:
    """The right to run one execution, until `release` or the end of the process.

    `previous` is the pid of an owner that did not release (it was killed), if there was one.
    """

    def __init__(self, uid: str, path: Path, descriptor: int, previous: int | None) -> None:
        self.uid = uid
        self.previous = previous
        self._path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others own it; twice is fine."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(uid: str, path: Path) -> Ownership | int | None:
    """Own what the file stands for; else the pid of the process that does, None if that cannot be told. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _locked(descriptor, fcntl.LOCK_EX):
                if _is_at(descriptor, path):
                    previous = _pid(descriptor)
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                    mine, descriptor = descriptor, -1
                    return Ownership(uid, path, mine, previous)
            elif time.monotonic() > deadline:
                return _pid(descriptor)
            else:
                time.sleep(_PAUSE)
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def owner(path: Path) -> int | None:
    """The pid of the live process that owns what the file stands for. Raises OSError."""
    deadline = time.monotonic() + _PATIENCE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        while not _locked(descriptor, fcntl.LOCK_SH):
            pid = _pid(descriptor)
            if (pid is not None and _lives(pid)) or time.monotonic() > deadline:
                return pid
            time.sleep(_PAUSE)  # between its lock and the writing of its pid
        return None
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
