"""What one attempt prints, on its way from its pipes to the log: masked, stamped with the time, the last of it at hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fairlead.local.subprocesses.output_log import OutputLog
from fairlead.local.subprocesses.output_reading import STDERR, STDOUT, Line, Piece, lines_of
from fairlead.local.subprocesses.secrets import Mask

_AT_HAND = 8192
"""Bytes of the end that a live view can have without reading files."""


class Output:
    """Takes bytes as they arrive."""

    def __init__(self, log: OutputLog, mask: Mask, clock: Callable[[], int]) -> None:
        self.log = log
        self.mask = mask
        self._clock = clock
        self._last: deque[Piece] = deque()
        self._size = 0

    def write(self, stream: int, data: bytes) -> None:
        """Keep what arrived on a stream."""
        data = self.mask.feed(stream, data)
        if data:
            self._keep(stream, data)

    def close(self) -> None:
        """Nothing more comes."""
        for stream in (STDOUT, STDERR):
            rest = self.mask.rest(stream)
            if rest:
                self._keep(stream, rest)
        self.log.close()

    def tail(self, count: int) -> list[Line]:
        """The last lines, from memory."""
        return list(deque(lines_of(self._last), count))

    def _keep(self, stream: int, data: bytes) -> None:
        at = self._clock()
        self.log.write(stream, data, at)
        piece = Piece(stream, at, data[-_AT_HAND:], 0)
        self._last.append(piece)
        self._size += len(piece.data)
        while self._size - len(self._last[0].data) >= _AT_HAND:
            self._size -= len(self._last.popleft().data)
