"""What holds of the log of every run, whatever happened: each instance ends once, and what succeeded is not run again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairlead.engine.evolve import evolve
from fairlead.model import events as e
from fairlead.model.ids import FINALLY_SUFFIX, key_of
from fairlead.model.state import State

ENDS = (e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled)
OPENS = (e.LoopIteration, e.BranchStarted, e.BodyStarted, e.BodyReopened)


def check_history(events: Iterable[e.Event]) -> int:
    """Raise AssertionError for an instance that ended twice, an item that ran again, or outputs that are not in order.

    Returns how many instances have ended; those that an attempt of a container left behind do not count.
    """
    history = _History()
    for event in events:
        history.take(event)
    return len(history.ended)


class _History:
    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.succeeded: dict[str, dict[str, Any]] = {}
        self.lost: set[str] = set()
        self.items: dict[str, int] = {}
        self.inlined: set[str] = set()
        self.stand_ins: dict[str, str] = {}  # by key, what they stood in for
        self.started: set[tuple[str, int, int]] = set()
        self.state = State()

    def take(self, event: e.Event) -> None:
        """One event after those before it."""
        evolve(self.state, event)
        if isinstance(event, ENDS):
            self._end(event)
        elif isinstance(event, OPENS) and not (isinstance(event, e.LoopIteration) and event.loopback):
            assert event.scope not in self.succeeded, f"{event.scope} has succeeded and begins again"
            assert isinstance(event, e.BodyReopened) == (event.scope in self.lost), (
                f"{event} has begun before or not"
            )
            self.lost.discard(event.scope)
        elif isinstance(event, e.BodyEnded) and event.error is None:
            self.succeeded[event.scope] = event.outputs
        elif isinstance(event, e.BodyEnded) and not event.handled:
            self.lost.add(event.scope)
        elif isinstance(event, e.InlineStarted):
            self.inlined.add(event.node)
        elif isinstance(event, e.LoopStarted) and event.items is not None:
            self.items[event.node] = len(event.items)
        elif isinstance(event, e.NodeScheduled):
            delivery = (event.node, event.attempt, event.delivery)
            assert delivery not in self.started, f"{delivery} is scheduled twice"
            self.started.add(delivery)
        self._begin_again(event)

    def _end(self, event: Any) -> None:
        key = event.node
        assert key not in self.ended, f"{key} ended twice"
        self.ended.add(key)
        if isinstance(event, e.NodeCompleted) and not event.via and key in self.items:
            found = [self.succeeded.get(f"{key}[{index}]/") for index in range(self.items[key])]
            outputs = self.state.node(key_of(key)).outputs
            assert ({}, found) == (event.outputs, outputs["items"]), (
                f"{key}: outputs are not those of its items, in order"
            )

    def _begin_again(self, event: e.Event) -> None:
        if isinstance(event, (e.Redriven, e.BodyReopened)):
            self.ended -= {item.node for item in event.reset}
        if isinstance(event, e.Redriven):
            self.ended.difference_update(self.state.instance(name) for name in event.finally_nodes)
        elif isinstance(event, e.NodeFallback):
            self.stand_ins[event.fallback] = event.node
            self.ended.discard(event.fallback)
        elif isinstance(event, e.NodeRetrying) or (isinstance(event, e.NodeStarted) and event.body):
            key = event.node
            if isinstance(event, e.NodeRetrying) or not event.goes_on:
                self._forget(key, f"{key}[", f"{key}.", f"{key}/")
            elif key in self.inlined:
                self._forget(key, f"{key}{FINALLY_SUFFIX}")

    def _forget(self, key: str, *prefixes: str) -> None:
        """What is inside of a container, but for what stood in for it, comes once more."""
        own = [stand_in for stand_in, stood_for in self.stand_ins.items() if stood_for == key]
        every = (*self.ended, *self.succeeded, *self.lost)
        inside = [
            known
            for known in every
            if known.startswith(prefixes) and not any(_within(known, other) for other in own)
        ]
        self.ended.difference_update(inside)
        self.lost.difference_update(inside)
        for scope in inside:
            self.succeeded.pop(scope, None)


def _within(known: str, stand_in: str) -> bool:
    return known == stand_in or known.startswith((f"{stand_in}[", f"{stand_in}.", f"{stand_in}/"))
