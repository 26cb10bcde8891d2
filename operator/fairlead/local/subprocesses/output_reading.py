"""Reads what `output_log` wrote, from any process, whether the attempt still runs or not.

A record is one byte for the stream (1 stdout, 2 stderr), 8 for the time (microseconds), 4 for the length,
then the bytes, in the order in which they arrived. A record of stream 0 holds 8 bytes: how many bytes had
been printed before what follows it, so that a reader knows what was left out. A reader takes a snapshot: it
opens the later parts before the first one, so that a log which is being joined meanwhile is read either in
its parts or as one, and never loses its end.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

HEADER = struct.Struct(">BQI")
POSITION = struct.Struct(">Q")
GAP, STDOUT, STDERR = 0, 1, 2
StreamName = Literal["stdout", "stderr", "gap"]
_NAMES: tuple[StreamName, ...] = ("gap", "stdout", "stderr")


class Piece(NamedTuple):
    """Bytes that arrived together, or a gap (`stream` 0) where `left_out` bytes were not kept."""

    stream: int
    at: int
    data: bytes
    position: int
    """How many bytes were printed before it."""
    left_out: int = 0


class Line(NamedTuple):
    """One line without its end. A gap is a line too: it says how much was left out."""

    stream: StreamName
    at: int
    text: str


def pieces(path: Path) -> Iterator[Piece]:
    """What was kept, in order; nothing if the node printed nothing (or never ran)."""
    with ExitStack() as files:
        later = [_open(files, beside(path, suffix)) for suffix in (".a", ".b")]
        first = _open(files, path)
        if first is None:
            return
        position = 0
        for piece in _records(first, 0):
            position = piece.position + piece.left_out + len(piece.data)
            yield piece
        parts = [list(_records(part, position)) for part in later if part is not None]
        for part in sorted(
            (part for part in parts if part), key=lambda part: part[0].position + part[0].left_out
        ):
            start = part[0].position + part[0].left_out
            if start < position:
                continue  # joined already: the first file has it
            if start > position:
                yield Piece(GAP, part[0].at, b"", position, start - position)
            for piece in part[1:]:
                position = piece.position + len(piece.data)
                yield piece


def last_bytes(found: Iterable[Piece], count: int) -> list[Piece]:
    """The last `count` bytes of some pieces, behind one gap for all that was left out before them, if anything was."""
    kept: deque[Piece] = deque()
    size = 0
    begin: int | None = None
    for piece in found:
        if begin is None:
            begin = piece.position
        if piece.stream == GAP:
            continue
        kept.append(piece)
        size += len(piece.data)
        while size - len(kept[0].data) >= count:
            size -= len(kept.popleft().data)
    if kept and size > count:
        cut = size - count
        kept[0] = kept[0]._replace(data=kept[0].data[cut:], position=kept[0].position + cut)
    if kept and begin is not None and kept[0].position > begin:
        kept.appendleft(Piece(GAP, kept[0].at, b"", begin, kept[0].position - begin))
    return list(kept)


def lines(path: Path) -> Iterator[Line]:
    """What was kept, line by line, each with its stream and the time at which its end arrived."""
    return lines_of(pieces(path))


def tail(path: Path, count: int) -> list[Line]:
    """The last lines."""
    return list(deque(lines(path), count))


def lines_of(found: Iterable[Piece]) -> Iterator[Line]:
    """The lines of some pieces."""
    open_lines: dict[int, bytes] = {}
    at = 0
    for piece in found:
        at = piece.at
        if piece.stream == GAP:
            yield from _unfinished(open_lines, at)
            yield Line("gap", at, _gap(piece.left_out).decode().strip())
            continue
        *whole, rest = (open_lines.pop(piece.stream, b"") + piece.data).split(b"\n")
        for line in whole:
            yield Line(_NAMES[piece.stream], at, line.decode("utf-8", "replace").removesuffix("\r"))
        if rest:
            open_lines[piece.stream] = rest
    yield from _unfinished(open_lines, at)


def _unfinished(open_lines: dict[int, bytes], at: int) -> Iterator[Line]:
    for stream in sorted(open_lines):
        yield Line(_NAMES[stream], at, open_lines.pop(stream).decode("utf-8", "replace"))


def _gap(left_out: int) -> bytes:
    return f"\n… {left_out} bytes left out …\n".encode()


def _records(file: BinaryIO, position: int) -> Iterator[Piece]:
    """The whole records of a file; one that is still being written is not there yet."""
    while len(header := file.read(HEADER.size)) == HEADER.size:
        stream, at, length = HEADER.unpack(header)
        data = file.read(length)
        if len(data) < length:
            return
        if stream == GAP:
            (begin,) = POSITION.unpack(data)
            yield Piece(GAP, at, b"", position, begin - position)
            position = begin
        else:
            yield Piece(stream, at, data, position)
            position += length


def beside(path: Path, suffix: str) -> Path:
    """A file of the same log."""
    return path.with_name(path.name + suffix)


def _open(files: ExitStack, path: Path) -> BinaryIO | None:
    try:
        return files.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None
