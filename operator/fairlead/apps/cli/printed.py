"""A line that an attempt printed, as both homes give it."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One line without its end. `stream` is `stdout` or `stderr`, `output` where both come as one, or `gap`: a line of ours
    that says what is not there. `at` is microseconds, 0 if it is not known.
    """

    stream: str
    at: int
    text: str
