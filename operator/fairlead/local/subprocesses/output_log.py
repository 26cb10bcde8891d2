"""What a node printed, kept in files: the first and the last MiB of each attempt, readable while it runs.

    PATH          records of the first MiB; nothing printed, no file
    PATH.a, .b    while the attempt runs: records of what came later, one MiB each, the older one replaced when both are full
    at the end    PATH is replaced by one file: first MiB, a gap, last MiB

Records are described in `output_reading`, which reads all of this, also from another process. Memory stays
bounded however much is printed; nothing is synced: output is no state.
"""

from __future__ import annotations

import os
from pathlib import Path

from fairlead.local.subprocesses.output_reading import GAP, HEADER, POSITION, beside, last_bytes, pieces

KEPT = 1024 * 1024
"""Bytes kept at each end."""


class OutputLog:
    """The writer of one attempt's output."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        """Why output was lost, if it was: a full disk must not fail a node that does its work."""
        self._head = -1
        self._tail = -1
        self._in_tail = 0
        self._written = 0
        self._suffix = ".b"

    def write(self, stream: int, data: bytes, at: int) -> None:
        """Keep what arrived."""
        if self.problem:
            return
        try:
            room = KEPT - self._written
            if room > 0:
                self._to_head(stream, data[:room], at)
                data = data[room:]
            while data:
                if self._tail < 0 or self._in_tail >= KEPT:
                    self._next_tail(at)
                part, data = data[: KEPT - self._in_tail], data[KEPT - self._in_tail :]
                _record(self._tail, stream, part, at)
                self._in_tail += len(part)
                self._written += len(part)
        except OSError as error:
            self.problem = f"output could not be kept: {error}"

    def close(self) -> None:
        """The attempt has ended: leave one file."""
        had_tail = self._tail >= 0
        for descriptor in (self._head, self._tail):
            if descriptor >= 0:
                os.close(descriptor)
        self._head = self._tail = -1
        if had_tail:
            try:
                join(self.path)
            except OSError as error:
                self.problem = self.problem or f"output could not be kept: {error}"

    def _to_head(self, stream: int, data: bytes, at: int) -> None:
        if self._head < 0:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._head = _create(self.path)
        _record(self._head, stream, data, at)
        self._written += len(data)

    def _next_tail(self, at: int) -> None:
        """Go on in the other file. A new one takes its name: a reader that has the old one open still reads it whole."""
        if self._tail >= 0:
            os.close(self._tail)
        self._suffix = ".a" if self._suffix == ".b" else ".b"
        path = beside(self.path, self._suffix)
        path.unlink(missing_ok=True)
        self._tail = _create(path)
        self._in_tail = 0
        _record(self._tail, GAP, POSITION.pack(self._written), at)


def join(path: Path) -> None:
    """Make one file of a log's parts. Also for a log whose writer was killed."""
    found = list(pieces(path))
    head = [piece for piece in found if piece.position < KEPT]
    tail = last_bytes(found[len(head) :], KEPT)
    whole = beside(path, ".new")
    descriptor = _create(whole)
    try:
        for piece in [*head, *tail]:
            data = POSITION.pack(piece.position + piece.left_out) if piece.stream == GAP else piece.data
            _record(descriptor, piece.stream, data, piece.at)
    finally:
        os.close(descriptor)
    whole.replace(path)
    for suffix in (".a", ".b"):
        beside(path, suffix).unlink(missing_ok=True)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)


def _record(descriptor: int, stream: int, data: bytes, at: int) -> None:
    """One system call for one record, so that readers see it whole or not at all in all but the rarest cases."""
    header = HEADER.pack(stream, at, len(data))
    written = os.writev(descriptor, (header, data))
    rest = (header + data)[written:] if written < len(header) + len(data) else b""
    while rest:
        rest = rest[os.write(descriptor, rest) :]
