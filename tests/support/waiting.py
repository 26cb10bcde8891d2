"""Waiting in tests: for a condition, with a deadline that says what was waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 60.0
LOOK_AGAIN = 0.01


def until(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """The condition's value once it is true; fails with `what` when the deadline has passed."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline} s still not: {what}")
        time.sleep(LOOK_AGAIN)
    return value


async def until_async(
    condition: Callable[[], Awaitable[T | None]], what: str, deadline: float = DEADLINE
) -> T:
    """As `until`, for a condition that asks a server; what is not there yet is None."""
    end = time.monotonic() + deadline
    while (value := await condition()) is None:
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline} s still not: {what}")
        await asyncio.sleep(LOOK_AGAIN)
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
