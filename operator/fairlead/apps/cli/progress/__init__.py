"""What is shown while a run goes on: a live picture on a terminal (`live`), lines in a pipe (`plain`).

Both hear of each batch after it was committed, and never stop a run: if nobody reads any more, it goes on in silence.
The nodes of executions that nodes have started are shown under these: `each[0]/ship/label`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

from fairlead.engine.graph import Graph
from fairlead.model.events import Event
from fairlead.model.state import State

PAUSE = 0.1
"""Seconds between two pictures."""

Tail = Callable[[str, str, int, int], list[str]]
"""The last lines that an attempt printed: uid, instance, attempt, delivery."""


class Progress(Protocol):
    """Somebody who shows how a run goes."""

    def heard(self, name: str, events: list[Event], graph: Graph, state: State) -> None:
        """A batch was committed."""

    def tell(self, text: str) -> None:
        """Something that is no event, on stderr or above the picture."""

    def refresh(self) -> None:
        """The same once, for whoever has no event loop."""

    async def keep_fresh(self) -> None:
        """What moves without events (clocks, bars); runs until it is cancelled."""

    def close(self) -> None:
        """Nothing more comes."""


class Places:
    """Where executions are below the one that is shown: the instance that started each with a slash, and so on up."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, state: State) -> str:
        """The place of an execution, empty for the one that is shown."""
        if state.name not in self._known:
            parent = state.parent
            above = self._known.get(parent.name) if parent is not None else None
            self._known[state.name] = "" if parent is None or above is None else f"{above}{parent.node}/"
        return self._known[state.name]


def progress_on(stream: TextIO, tail: Tail) -> Progress:
    """The way of showing progress that fits a stream; `tail` knows what attempts printed last."""
    from fairlead.apps.cli.terminal import is_terminal

    if is_terminal(stream):
        from fairlead.apps.cli.progress.live import LiveProgress

        return LiveProgress(stream, tail)
    from fairlead.apps.cli.progress.plain import PlainProgress

    return PlainProgress(stream, tail)


def tail_in(workspace: Path, count: int = 10) -> Tail:
    """The last `count` lines of attempts whose output lies in a workspace."""
    from fairlead.apps.views.graphs.texts import clean
    from fairlead.local.subprocesses import output_path, tail
    from fairlead.model.ids import delivery_id

    def last_lines(uid: str, node: str, attempt: int, delivery: int) -> list[str]:
        path = output_path(workspace, uid, delivery_id(uid, node, attempt, delivery))
        return [clean(line.text) for line in tail(path, count)]

    return last_lines
