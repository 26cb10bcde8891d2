"""The attempts of an execution, from its log: what ran, and how each ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.apps.views import words
from fairlead.model import events as e
from fairlead.model.ids import key_of


@dataclass(slots=True)
class AttemptRow:
    """One delivery of one attempt; `end` is empty while it goes on."""

    node: str
    attempt: int
    delivery: int
    scheduled_at: int
    end: str = ""
    ended_at: int = 0

    @property
    def title(self) -> str:
        """What it is and how it ended, in one line."""
        parts = [f"{self.node}, attempt {self.attempt}"]
        if self.delivery > 1:
            parts.append(f"delivery {self.delivery}")
        took = f" after {words.duration(self.ended_at - self.scheduled_at)}" if self.ended_at else ""
        return f"{', '.join(parts)}: {self.end or 'running'}{took}"


def attempts(events: Iterable[e.Event]) -> list[AttemptRow]:
    """All deliveries in the order in which they were scheduled."""
    rows: list[AttemptRow] = []
    open_rows: dict[str, AttemptRow] = {}
    for event in events:
        if isinstance(event, e.NodeScheduled):
            row = AttemptRow(event.node, event.attempt, event.delivery, event.at)
            rows.append(row)
            open_rows[event.node] = row
            continue
        end = _end(event)
        node = getattr(event, "node", "")
        if end and node in open_rows:
            row = open_rows.pop(node)
            row.end, row.ended_at = end, event.at
    return rows


def chosen(rows: Iterable[AttemptRow], name: str, *, several: bool = False) -> list[AttemptRow]:
    """The attempts of one node: by instance id, or by name if one instance is meant, or also `several`. Raises ValueError.

    A name without a pass means all passes of a loop that a loopback closes.
    """
    rows = list(rows)
    exact = [row for row in rows if name in (row.node, key_of(row.node))]
    if exact:
        return exact
    found = [row for row in rows if key_of(row.node).rpartition("/")[2] == name]
    instances = list(dict.fromkeys(key_of(row.node) for row in found))
    if len(instances) > 1 and not several:
        shown = ", ".join(instances[:8]) + (", ..." if len(instances) > 8 else "")
        raise ValueError(f"{name} has {len(instances)} instances; expected one of {shown}")
    return found


def _end(event: e.Event) -> str:
    """How an event ends the attempt of its node; empty if it does not."""
    match event:
        case e.NodeCompleted():
            return "done"
        case e.NodeRetrying() | e.NodeFallback() | e.NodeFailed():
            return _failed(event.error)
        case e.NodeCancelled():
            return f"ended, {event.reason}"
        case e.NodeLost():
            return f"lost, {event.reason}"
        case e.DeadLettered():
            return "lost for the last time"
        case _:
            return ""


def _failed(error: e.Error) -> str:
    return f"failed with {error.reason}" + (
        f", exit code {error.exit_code}" if error.exit_code is not None else ""
    )
