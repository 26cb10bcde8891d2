"""The node's stderr on its way out: handed on unchanged, its end remembered for the message of a failure.

The node writes into a pipe of ours. While whoever reads our own stderr is slow nothing is taken from that
pipe, so the node waits as it would without us, and this process stays free to act: it writes only what a
writable pipe takes at once.
"""

import posix

from fairlead_runner.hiding import Hidden

_CHUNK = 65536
_AT_ONCE = 4096
"""PIPE_BUF of Linux: a pipe that is writable takes this much without blocking."""
_REMEMBERED = 4096
_SHOWN = 300


class LastWords:
    """The relay between the node's stderr and ours; `source` -1 is a node that says nothing."""

    __slots__ = ("_backlog", "_cut", "_frozen", "_hidden", "_source", "_tail", "_target")

    def __init__(self, source: int, hidden: Hidden | None = None, target: int = 2) -> None:
        if source >= 0:
            posix.set_blocking(source, False)
        self._source = source
        self._target = target
        self._backlog = memoryview(b"")
        self._hidden = hidden
        self._tail = b""
        self._cut = False
        self._frozen = False

    def readable(self) -> list[int]:
        """What to wait for: more from the node, unless there is something to hand on first."""
        return [self._source] if self._source >= 0 and not self._backlog else []

    def writable(self) -> list[int]:
        """What to wait for: room to hand on what was taken."""
        return [self._target] if self._backlog else []

    def take(self) -> bool:
        """Take what the node wrote; False if there is nothing now."""
        try:
            chunk = posix.read(self._source, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._close()
            return False
        if not self._frozen:
            whole = self._tail + chunk
            self._tail = whole[-(_REMEMBERED + self._longest) :]
            self._cut = self._cut or len(self._tail) < len(whole)
        self._backlog = memoryview(chunk)
        return True

    def hand_on(self) -> None:
        """Write as much as our stderr takes without waiting."""
        try:
            self._backlog = self._backlog[posix.write(self._target, self._backlog[:_AT_ONCE]) :]
        except BlockingIOError:
            return
        except OSError:
            self._backlog = memoryview(b"")  # nobody reads it any more; the node need not notice

    def freeze(self) -> None:
        """What comes now is how leftovers answer to their end; it is no message of the node."""
        self._frozen = True

    def finish(self) -> None:
        """All who wrote have ended: hand on what is left in the pipe."""
        while self._backlog or (self._source >= 0 and self.take()):
            self.hand_on()
        self._close()

    def last_line(self) -> str:
        """The last line that says something, fit for a message; empty if there is none."""
        for line in reversed(self._known().splitlines()):
            text = _plain(line).strip(" |")  # traceback draws groups of exceptions with bars
            if any(letter.isalnum() for letter in text):
                return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
        return ""

    @property
    def _longest(self) -> int:
        return self._hidden.longest if self._hidden is not None else 0

    def _known(self) -> str:
        """The end of what was said. What is hidden is so before anything is cut: half a secret could not be told any more."""
        text = self._tail.decode("utf-8", "replace")
        if self._hidden is None:
            return text
        text = self._hidden.text(text)
        return text[self._longest :] if self._cut else text

    def _close(self) -> None:
        if self._source >= 0:
            posix.close(self._source)
            self._source = -1


def _plain(line: str) -> str:
    """Without colours and control characters."""
    if "\x1b" in line:
        import re

        line = re.sub(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?", "", line)
    return "".join(letter if letter.isprintable() else " " for letter in line)
