"""Finds and ends processes by the marks that Fairlead put on them, without ever hitting a stranger.

A node's processes carry FAIRLEAD_EXECUTION_UID and more in their environment, which `/proc/PID/environ` shows
to their owner; a pid alone proves nothing, it may have been given to somebody else. A process is held by a
pidfd before its marks are read, and signalled through it, so that between reading and signalling nobody can
take its place. Where there is no /proc (not Linux) nothing is found.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

HAS_TABLE = sys.platform == "linux"


class Found(NamedTuple):
    """A process, held by its pidfd."""

    pid: int
    handle: int
    session: int
    marks: dict[bytes, bytes]
    """Its FAIRLEAD_* environment."""

    @property
    def is_runner(self) -> bool:
        """Is it the `fairlead_runner` itself: it leads the session of its attempt and knows where to report."""
        return self.session == self.pid and b"FAIRLEAD_RESULT_FD" in self.marks

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if the process has ended."""
        with suppress(ProcessLookupError):
            if self.handle >= 0:
                signal.pidfd_send_signal(self.handle, number)
            else:
                os.kill(self.pid, number)

    def close(self) -> None:
        """Let go of it."""
        if self.handle >= 0:
            os.close(self.handle)


@contextmanager
def marked(marks: Mapping[str, str], session: int = 0) -> Iterator[list[Found]]:
    """The living processes that carry all these marks, and those of a session; never our own or an ancestor."""
    wanted = {name.encode(): value.encode() for name, value in marks.items()}
    found: list[Found] = []
    try:
        if HAS_TABLE:
            family = _ancestors()
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and int(entry.name) not in family:
                    with suppress(OSError):  # it ended while we looked
                        found += _look(int(entry.name), wanted, session)
        yield found
    finally:
        for process in found:
            process.close()


def _look(pid: int, wanted: dict[bytes, bytes], session: int) -> list[Found]:
    """The process if it is one of those wanted; raises OSError if it ends meanwhile."""

    def is_wanted() -> bool:
        return (session != 0 and _stat(pid)[2] == session) or wanted.items() <= _marks(pid).items()

    if not is_wanted():  # nearly all processes are strangers
        return []
    handle = _hold(pid)
    try:
        state, _, its_session = _stat(pid)
        if is_wanted() and state not in b"ZX":
            found = [Found(pid, handle, its_session, _marks(pid))]
            handle = -1
            return found
    finally:
        if handle >= 0:
            os.close(handle)
    return []


def _hold(pid: int) -> int:
    """A pidfd; -1 where the kernel has none (before 5.3, some sandboxes): the pid has to do there."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return -1
        raise


def _marks(pid: int) -> dict[bytes, bytes]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except PermissionError:
        return {}  # another user's
    split = (entry.partition(b"=") for entry in entries if entry.startswith(b"FAIRLEAD_"))
    return {name: value for name, _, value in split}


def _stat(pid: int) -> tuple[bytes, int, int]:
    """State, parent and session of a process."""
    # The name in brackets may hold anything, brackets too: the fields begin behind the last one.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return fields[0], int(fields[1]), int(fields[3])


def _ancestors() -> set[int]:
    """This process, its parent and so on: a `fairlead` that was started by a node never ends itself."""
    family = {0}
    pid = os.getpid()
    while pid not in family:
        family.add(pid)
        try:
            pid = _stat(pid)[1]
        except OSError:
            break
    return family
