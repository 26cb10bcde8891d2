"""Waiting in tests: for a condition, with a deadline that says what was waited for.

Between two looks there is twice the time that a look takes: one that starts a process, such as kubectl, would else keep a
processor busy for nothing, which the other tests want.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 60.0
LOOK_AGAIN, SELDOM = 0.01, 0.5
"""Seconds between two looks, at least and at most."""


def until(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """The condition's value once it is true; fails with `what` when the deadline has passed."""
    begun = time.monotonic()
    end = begun + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline} s still not: {what}")
        time.sleep(_pause(begun))
        begun = time.monotonic()
    return value


def _pause(begun: float) -> float:
    return min(SELDOM, max(LOOK_AGAIN, 2 * (time.monotonic() - begun)))


async def until_async(
    condition: Callable[[], Awaitable[T | None]], what: str, deadline: float = DEADLINE
) -> T:
    """As `until`, for a condition that asks a server; what is not there yet is None."""
    begun = time.monotonic()
    end = begun + deadline
    while (value := await condition()) is None:
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline} s still not: {what}")
        await asyncio.sleep(_pause(begun))
        begun = time.monotonic()
    return value


def lives(pid: int) -> bool:
    """Does a process run: is it there and no zombie?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in b"ZX"


def pid_in(file: Path) -> int:
    """The pid that a script writes into a file, once it is there."""
    return int(until(lambda: file.exists() and file.read_text().strip(), f"a pid in {file.name}"))
