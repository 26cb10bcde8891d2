"""A log as it grows: batches of events until the run has ended, for commands that stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fairlead.apps.cli.terminal import say

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Home, Known
    from fairlead.model.events import Event

_NEVER = object()


def batches(
    home: Home,
    known: Known,
    *,
    up_to: int | None = None,
    most: float | None = None,
    idle: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = say,
) -> Iterator[list[Event]]:
    """The events as they come; one batch, empty where nothing has come, for each look, `idle` between them.

    Why nothing comes is told, where that is known. It ends with the run (one that was redriven has not ended), or `most` seconds
    after it began.
    """
    from fairlead.apps.cli.executions import Attention

    seen: object = _NEVER
    attention = Attention(home, known, tell)
    phase, after, end = "", 0, None if most is None else time.monotonic() + most
    while True:
        version = home.version(known)
        batch: list[Event] = []
        if version != seen:
            seen = version
            batch = home.events(known, after, up_to=up_to)
            phase = phase_after(phase, batch)
            after = batch[-1].seq if batch else after
        if not batch:
            attention.look(phase)
        yield batch
        if has_ended(phase) or (end is not None and time.monotonic() >= end):
            return
        idle(home.pause)


def phase_after(phase: str, events: list[Event]) -> str:
    """The phase that events lead to, by the table of legal moves."""
    from fairlead.engine.transitions import EXECUTION

    for event in events:
        phase = EXECUTION.get(phase, {}).get(type(event).__name__, phase)
    return phase


def has_ended(phase: str) -> bool:
    """Whether a phase is a final one."""
    from fairlead.model.state import ENDED_RUN

    return phase in ENDED_RUN
