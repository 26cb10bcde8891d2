"""Progress on a terminal: what ended scrolls by, what is at work stands below with its clock, a bar closes the picture.

Rules of this file
- Everything is drawn in the event loop's own thread: the state that is drawn is never changed meanwhile.
- Lines wait for the next picture: drawing costs the same however many nodes end between two of them.
- Names and messages are made harmless and are never read as markup.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fairlead.apps.cli.progress import PAUSE, Places, Tail
from fairlead.apps.cli.progress.lines import line_of
from fairlead.apps.cli.progress.plain import failed_output
from fairlead.apps.cli.terminal import say
from fairlead.apps.views import words
from fairlead.apps.views.graphs.texts import clean
from fairlead.engine import summary
from fairlead.engine.graph import Graph
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.events import Event
from fairlead.model.state import State

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 30
_SIGN = 2
"""Characters of the sign that a line begins with."""


class LiveProgress:
    """Draws on a terminal."""

    def __init__(self, stream: TextIO, tail: Tail) -> None:
        self._tail = tail
        self._shown: State | None = None
        self._below: dict[str, State] = {}  # executions at work that nodes have started, by their place
        self._places = Places()
        self._ended: list[Text] = []
        self._frame = 0
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            get_renderable=self._picture,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def heard(self, name: str, events: list[Event], graph: Graph, state: State) -> None:
        """Keep what ended for the next picture, which is drawn from the state as it is then."""
        place = self._places.of(state)
        if not place:
            self._shown = state
        elif state.ended:
            self._below.pop(place, None)
        else:
            self._below[place] = state
        for event in events:
            self._ended += self._lines(event, state, place)

    def tell(self, text: str) -> None:
        """A line above the picture; on stderr while there is none."""
        if self._shown is None:
            say(text)
            return
        self._ended.append(Text(text, style="bold"))
        self._draw()

    def refresh(self) -> None:
        """Draw anew."""
        self._frame += 1
        self._draw()

    async def keep_fresh(self) -> None:
        """Draw anew, ten times a second."""
        while True:
            await asyncio.sleep(PAUSE)
            self.refresh()

    def close(self) -> None:
        """Take the picture away; the lines stay."""
        self._draw()
        with suppress(OSError):
            self._live.stop()

    def _draw(self) -> None:
        if self._shown is None:
            return
        ended, self._ended = self._ended, []
        with suppress(OSError):  # a terminal that has gone away stops no run
            if not self._live.is_started:
                self._live.start()
            if ended:
                self._console.print(*ended, sep="\n", soft_wrap=True)
            self._live.refresh()

    # --- lines that stay ---

    def _lines(self, event: Event, state: State, place: str) -> Iterator[Text]:
        line = line_of(event, state)
        if line is None or (place and not hasattr(event, "node")):
            return
        if place and getattr(event, "message", None) is None:  # what a log node says has no name before it
            sign, said = line.divide([_SIGN])
            line = Text.assemble(sign, clean(place), said)
        yield line
        for text in failed_output(event, state, self._tail):
            yield Text(f"    {text}", style="red" if isinstance(event, e.NodeFailed) else "yellow")

    # --- the picture ---

    def _picture(self) -> RenderableType:
        if self._shown is None:
            return Text("")
        state, now = self._shown, time.time_ns() // 1_000
        room = max(3, self._console.height - 4)
        lines = list(self._at_work(state, now))
        for place, child in self._below.items():
            lines += self._at_work(child, now, place)
        if len(lines) > room:
            lines = [*lines[: room - 1], Text(f"  and {len(lines) - room + 1} more", style="dim")]
        return Group(*_cut(lines), self._bar(state, now))

    def _at_work(self, state: State, now: int, place: str = "") -> Iterator[Text]:
        spinner = _SPINNER[self._frame % len(_SPINNER)]
        for key in state.active:
            node, name = state.node(key), clean(place + key)
            elapsed = words.duration(max(0, now - node.scheduled_at))
            attempt = f", attempt {node.attempt}" if node.attempt > 1 else ""
            if node.status == s.STOPPING:
                yield Text(
                    f"{spinner} {name} is being ended ({node.stop}{attempt}) {elapsed}", style="yellow"
                )
            elif node.status == s.SCHEDULED:
                yield Text(f"○ {name} waits for its start{attempt} {elapsed}", style="dim")
            else:
                yield Text.assemble((f"{spinner} ", "blue"), name, (f"{attempt}  {elapsed}", "dim"))
        for key in state.children:
            node = state.node(key)
            if node.status == s.STOPPING:
                yield Text(f"{spinner} {clean(place + key)} is being ended ({node.stop})", style="yellow")
        for key, due in state.waiting.items():
            node = state.node(key)
            if node.status == s.LOOKING_UP:
                yield Text(f"○ {clean(place + key)} asks the cache", style="dim")
                continue
            if node.status == s.WAITING:
                yield Text(f"○ {clean(place + key)} waits{_pause(state, key, now)}", style="dim")
                continue
            lost = node.status == s.LOST
            what = "lost, delivered again" if lost else f"attempt {node.attempt} failed, the next"
            yield Text(f"↻ {clean(place + key)} {what} {_left(state, key, due, now)}", style="yellow")
        if state.suspended_at:
            yield Text(
                f"‖ {place and clean(place[:-1]) + ' '}suspended; `fairlead resume {state.name}` goes on",
                style="yellow",
            )
        elif state.ready:
            yield Text(
                f"○ {words.count(len(state.ready), 'node')} held: {next(iter(state.ready.values()))}",
                style="dim",
            )

    def _bar(self, state: State, now: int) -> RenderableType:
        progress = summary.progress(state, now)
        ended = progress["done"] + progress["failed"] + progress["skipped"]
        said = Text(f"{progress['percent']:3}%  {ended}/{progress['total']}")
        if progress["failed"]:
            said.append(f"  {progress['failed']} failed", style="red")
        if state.started_at:
            said.append(f"  {words.duration(max(0, now - state.started_at))}", style="dim")
        if progress.get("secondsLeft"):  # an estimate of nothing says nothing
            said.append(f"  {words.left(progress['secondsLeft'])}", style="dim")
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(max(1, progress["total"]), ended, width=_BAR), said)
        return grid


def _cut(lines: Iterable[Text]) -> list[Text]:
    for line in (found := list(lines)):
        line.no_wrap, line.overflow = True, "ellipsis"
    return found


def _pause(state: State, key: str, now: int) -> str:
    """How long a wait lasts yet; one `for` a time stands still while the run is suspended."""
    name = f"wait/{key}"
    paused = state.paused_timers.due.get(name)
    if paused is not None and state.suspended_at:
        return ", and its time stands still until the run is resumed"
    ends = [state.timers.due.get(name), state.timers.due.get(f"expiry/{key}")]
    ends.append(None if paused is None else paused + state.suspended_total)
    end = min((time for time in ends if time is not None), default=None)
    return f" {words.duration(max(0, end - now))} more" if end is not None else ""


def _left(state: State, key: str, due: int, now: int) -> str:
    """How long until the next attempt; a suspended run's delays stand still."""
    if state.suspended_at:
        return "when the run is resumed"
    wall = state.paused_timers.due.get(f"retry/{key}", due - state.suspended_total) + state.suspended_total
    return f"in {words.duration(max(0, wall - now))}"
