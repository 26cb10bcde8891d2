"""State diagrams: the tables of `engine.transitions`, as much of them as one family of node kinds can walk through.

Rules of this file
- Every line and every remark is a row of a table. A family only names the events that begin its work and those it never sees;
  the statuses that are left are those that can be reached. A test compares that with the moves which runs really make.
- Moves that stay in a status are remarks in its box, and those that lead from every end to one place (a redrive) come out of a
  box of their own: drawn as lines they would hide the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.apps.views.graphs import GraphEdge, GraphNode, GraphView
from fairlead.apps.views.graphs.views import STATUSES, EdgeState, Status
from fairlead.apps.views.workflow_graph import STATUS
from fairlead.engine.transitions import EXECUTION, NODE, PATH, Table
from fairlead.engine.validation.unsupported import KINDS
from fairlead.model import state as s

BEGINNINGS = frozenset(
    {"NodeScheduled", "ChildScheduled", "NodeStarted", "WaitStarted", "CacheLookup", "NodeCompleted"}
)
"""Events that end the waiting for connections, for a delay or for a runner, and begin the work, or are all of it."""
BEFORE = (s.PENDING, s.READY, s.RETRYING, s.LOST)


@dataclass(frozen=True, slots=True)
class Family:
    """Node kinds with the same moves: the events that begin their work, and `EVENT` or `STATUS EVENT` that they never see."""

    kinds: tuple[str, ...]
    begins: frozenset[str]
    never: frozenset[str] = frozenset()


_OF_CHILDREN = frozenset({"ChildScheduled", "ChildStarted", "ChildEnded"})
_OF_RUNNERS = frozenset({"NodeStarted", "DeliveryStarted", "DeliveryHeld", "NodeLost", "DeadLettered"})

FAMILIES: dict[str, Family] = {
    "pod-nodes": Family(
        ("run", "http", "notify", "resource"),
        frozenset({"NodeScheduled", "CacheLookup"}),
        _OF_CHILDREN | {"Scheduled NodeRetrying"},
    ),
    "engine-nodes": Family(("set", "log", "if", "switch", "finish"), frozenset({"NodeCompleted"})),
    "containers": Family(
        ("while", "forEach", "parallel"),
        frozenset({"NodeStarted"}),
        _OF_CHILDREN | {"NodeLost", "DeadLettered", "DeliveryHeld", "Scheduled NodeRetrying"},
    ),
    "waits": Family(("wait",), frozenset({"WaitStarted"})),
    "children": Family(("workflow",), frozenset({"ChildScheduled"}), _OF_RUNNERS),
}


def moves_of(family: Family) -> Table:
    """The part of the table of nodes that a family can walk through."""
    allowed = {
        status: {event: after for event, after in row.items() if _sees(family, status, event)}
        for status, row in NODE.items()
    }
    found: dict[str, None] = {}
    ahead = [s.PENDING]
    while ahead:
        status = ahead.pop()
        if status not in found:
            found[status] = None
            ahead += allowed[status].values()
    return {status: row for status, row in allowed.items() if status in found}


def _sees(family: Family, status: str, event: str) -> bool:
    if event in family.never or f"{status} {event}" in family.never:
        return False
    return status not in BEFORE or event not in BEGINNINGS or event in family.begins


def pictures() -> dict[str, GraphView]:
    """Every state diagram by the name of its file."""
    views = {
        name: view_of(f"States of a node: {', '.join(family.kinds)}", moves_of(family))
        for name, family in FAMILIES.items()
        if not set(family.kinds) <= set(KINDS)
    }
    views["execution"] = view_of("Phases of a run", EXECUTION)
    views["path"] = view_of("States of a path", PATH)
    return views


def view_of(title: str, table: Table) -> GraphView:
    """A table as a graph: a box for each status and each event that makes a new thing, a line for each move that is no remark."""
    back = _back(table)
    nodes = [GraphNode(event, event, "", None, "of what has ended") for event in back]
    nodes += [GraphNode(event, event, "") for event in table.get("", ())]
    nodes += [_box(status, row, back) for status, row in table.items() if status]
    edges = [GraphEdge(event, None, after) for event, after in back.items()]
    edges += [
        GraphEdge(status or event, event if status else None, after, state=_line(after))
        for status, row in table.items()
        for event, after in row.items()
        if after != status and event not in back
    ]
    return GraphView(title, nodes, edges, legend=False)


def _back(table: Table) -> dict[str, str]:
    """The events that several ends know and nothing else, and where they lead: they let what has ended begin again."""
    ends = [row for row in table.values() if "Redriven" in row]
    known = {event for row in table.values() if "Redriven" not in row for event in row}
    return {event: row[event] for row in ends for event in row if len(ends) > 1 and event not in known}


def _box(status: str, row: dict[str, str], back: dict[str, str]) -> GraphNode:
    stays = [event for event, after in row.items() if after == status]
    remarks = [f"{' or '.join(stays)}: stays"] if stays else []
    if any(event in back for event in row):
        remarks.append("may begin again")
    return GraphNode(status, status, "", _look(status), "; ".join(remarks) or None)


def _line(after: str) -> EdgeState | None:
    """The way to success stands out, the ways out of the run step back."""
    return "taken" if after == s.SUCCEEDED else "dead" if after in (s.SKIPPED, s.CANCELLED) else None


_LOOKS: dict[str, Status] = {
    s.SUSPENDED: "Waiting",
    s.ACTIVE: "Running",
    s.JOINED: "Succeeded",
    s.COMPLETED: "Succeeded",
}


def _look(status: str) -> Status | None:
    """The colours of a status."""
    if status in STATUSES:
        return next(known for known in STATUSES if known == status)
    return STATUS.get(status) or _LOOKS.get(status)
