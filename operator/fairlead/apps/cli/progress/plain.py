"""Progress in a pipe: one line per noteworthy event, in the stable form of `views.events`, failures with their last output."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TextIO

import msgspec

from fairlead.apps.cli.progress import Places, Tail
from fairlead.apps.cli.terminal import BrokenOutput, say, write
from fairlead.apps.views.events import line
from fairlead.engine.derived import readable
from fairlead.engine.graph import Graph
from fairlead.model import events as e
from fairlead.model.errors import Unavailable
from fairlead.model.events import Event
from fairlead.model.ids import key_of
from fairlead.model.state import State

NOTEWORTHY = (
    e.ExecutionCreated, e.ExecutionStarted, e.ExecutionSuspended, e.ExecutionResumed, e.ExecutionTimedOut,
    e.ChildStarted, e.ExecutionCompleted, e.ExecutionFailed, e.ExecutionCancelled, e.CancelRequested, e.OutcomeDecided,
    e.Redriven, e.RedriveRefused,
    e.NodeStarted, e.DeliveryStarted, e.NodeRetrying, e.NodeTimedOut, e.NodeStopping, e.NodeLost, e.DeadLettered,
    e.NodeFallback, e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled,
)  # fmt: skip


class PlainProgress:
    """Writes lines to a stream."""

    def __init__(self, stream: TextIO, tail: Tail) -> None:
        self._stream = stream
        self._tail = tail
        self._closed = False
        self._places = Places()

    def heard(self, name: str, events: list[Event], graph: Graph, state: State) -> None:
        """Write the lines of a batch."""
        if self._closed:
            return
        place = self._places.of(state)
        try:
            for event in events:
                if isinstance(event, NOTEWORTHY):
                    form = readable(_whole(event, state))
                    if place:
                        form["node"] = f"{place}{form.get('node', '')}".rstrip("/")
                    write(self._stream, line(form) + "\n")
                    self._output(event, state)
            self._stream.flush()
        except (
            BrokenOutput,
            Unavailable,
            OSError,
        ):  # nobody reads, or there is no room for it: the run goes on
            self._closed = True

    def tell(self, text: str) -> None:
        """A line on stderr."""
        with suppress(BrokenOutput, Unavailable):
            say(text)

    def refresh(self) -> None:
        """Lines need nothing."""

    async def keep_fresh(self) -> None:
        """Lines need nothing."""
        await asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Flush."""
        with suppress(OSError):
            self._stream.flush()

    def _output(self, event: Event, state: State) -> None:
        for text in failed_output(event, state, self._tail):
            write(self._stream, f"    | {text}\n")


def _whole(event: Event, state: State) -> Event:
    """A container's end with its outputs, which the event itself leaves to those of its bodies."""
    if not isinstance(event, e.NodeCompleted) or event.collected is None:
        return event
    ended = state.nodes.get(key_of(event.node))
    return event if ended is None else msgspec.structs.replace(event, outputs=ended.outputs)


def failed_output(event: Event, state: State, tail: Tail) -> list[str]:
    """The last lines of the attempt that an event says has failed for a reason of its own."""
    if not isinstance(event, (e.NodeRetrying, e.NodeFailed)) or not event.attempt:
        return []
    delivery = state.node(key_of(event.node)).delivery
    return tail(state.uid, event.node, event.attempt, max(1, delivery))
