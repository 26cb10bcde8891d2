"""What holds of the log of every run, whatever happened: each instance ends once, and what succeeded is not run again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fairlead.engine.evolve import evolve
from fairlead.model import events as e
from fairlead.model.ids import key_of
from fairlead.model.state import State

ENDS = (e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled)
OPENS = (e.LoopIteration, e.BranchStarted, e.BodyReopened)


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
        self.started: set[tuple[str, int, int]] = set()
        self.state = State()

    def take(self, event: e.Event) -> None:
        """One event after those before it."""
        evolve(self.state, event)
        if isinstance(event, ENDS):
            self._end(event)
        elif isinstance(event, OPENS):
            assert event.scope not in self.succeeded, f"{event.scope} has succeeded and begins again"
            assert isinstance(event, e.BodyReopened) == (event.scope in self.lost), (
                f"{event} has begun before or not"
            )
            self.lost.discard(event.scope)
        elif isinstance(event, e.BodyEnded) and event.error is None:
            self.succeeded[event.scope] = event.outputs
        elif isinstance(event, e.BodyEnded) and not event.handled:
            self.lost.add(event.scope)
        elif isinstance(event, e.LoopStarted) and event.items is not None:
            self.items[key_of(event.node)] = len(event.items)
        elif isinstance(event, e.NodeScheduled):
            delivery = (event.node, event.attempt, event.delivery)
            assert delivery not in self.started, f"{delivery} is scheduled twice"
            self.started.add(delivery)
        self._begin_again(event)

    def _end(self, event: Any) -> None:
        key = key_of(event.node)
        assert key not in self.ended, f"{event.node} ended twice"
        self.ended.add(key)
        if isinstance(event, e.NodeCompleted) and not event.via and key in self.items:
            found = [self.succeeded.get(f"{key}[{index}]/") for index in range(self.items[key])]
            outputs = self.state.node(key).outputs
            assert ({}, found) == (event.outputs, outputs["items"]), (
                f"{key}: outputs are not those of its items, in order"
            )

    def _begin_again(self, event: e.Event) -> None:
        if isinstance(event, (e.Redriven, e.BodyReopened)):
            self.ended -= {key_of(item.node) for item in event.reset}
        if isinstance(event, e.Redriven):
            self.ended.difference_update(event.finally_nodes)
        elif isinstance(event, e.NodeFallback):
            self.ended.discard(key_of(event.fallback))
        elif isinstance(event, e.NodeRetrying) or (
            isinstance(event, e.NodeStarted) and event.body and not event.goes_on
        ):
            inside = list(self._inside(key_of(event.node)))
            self.ended.difference_update(inside)
            self.lost.difference_update(inside)
            for scope in inside:
                self.succeeded.pop(scope, None)

    def _inside(self, key: str) -> Iterator[str]:
        for known in (*self.ended, *self.succeeded, *self.lost):
            if known.startswith((f"{key}[", f"{key}.")):
                yield known
