"""Nodes that no entry point leads to, and nodes that can never run (semantics 2, 14).

Unreachable      error     no path of connections leads there from an entry point
NoEntryPoint     error     every node of a body has a connection into it
JoinUnreachable  error     `atLeast` asks for more connections than there are, or than can be taken together
NeverRuns        warning   every way to it has a condition that is always false, or a port that is never taken
JoinWithoutEffect warning  a join where there is nothing to join
"""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawNode
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.notes import Notes, listed
from fairlead.engine.validation.ports import ENDED, never_taken
from fairlead.engine.validation.wiring import RawEdge

_FALSE = "false"


def check_reach(graph: BodyGraph, notes: Notes) -> None:
    """All that these rules find in one body."""
    _check_unreachable(graph, notes)
    for node in graph.nodes:
        _check_join(graph, notes, node)
    _check_never(graph, notes)


def _check_unreachable(graph: BodyGraph, notes: Notes) -> None:
    reached = graph.lost_targets
    for entry in graph.entries:
        reached |= graph.downstream[entry] | 1 << entry
    missing = [
        number
        for number, node in enumerate(graph.nodes)
        if not reached >> number & 1 and node.name not in graph.body.stand_ins
    ]
    if not graph.entries and not graph.lost_targets and graph.nodes:
        names = listed([node.label.removeprefix("node ") for node in graph.nodes])
        message = (
            f"no node of {graph.body.label} can start: each of {names} has a connection into it or stands in for another; "
            "expected an entry point"
        )
        notes.error("NoEntryPoint", message, graph.nodes[0].path)
        return
    for number in missing:
        node = graph.nodes[number]
        sources = listed(edge.source.name for edge in graph.wires.into(node) if not edge.loopback)
        message = (
            f"{node.label} is unreachable: no entry point leads to {sources or 'it'}; "
            "expected a path from a node without incoming connections"
        )
        notes.error("Unreachable", message, node.path)


def _check_join(graph: BodyGraph, notes: Notes, node: RawNode) -> None:
    join = node.data.get("join")
    if join is None or id(node) in graph.wires.lost_targets or node.name in graph.body.stand_ins:
        return
    edges = [edge for edge in graph.wires.into(node) if not edge.loopback]
    needed = join.get("atLeast") if isinstance(join, dict) else None
    wanted = needed if isinstance(needed, int) and not isinstance(needed, bool) else 0
    if wanted > len(edges):
        message = f"the join of {node.name} wants {wanted} connections and there are {len(edges)}; expected at most that"
        notes.error("JoinUnreachable", message, (*node.path, "join"))
    elif wanted > _together(edges):
        message = (
            f"the join of {node.name} wants {wanted} connections and at most {_together(edges)} of its {len(edges)} can be "
            "taken together, as a node takes one of its ports; expected at most that"
        )
        notes.error("JoinUnreachable", message, (*node.path, "join"))
    elif len(edges) < 2:
        count = "one connection leads" if edges else "no connection leads"
        message = f"join has no effect on {node.name}: {count} to it; expected two or more, or no join"
        notes.warning("JoinWithoutEffect", message, (*node.path, "join"), key=True)


def _together(edges: list[RawEdge]) -> int:
    """How many connections can be taken in one run: of one node those of one port, and `ended` with each."""
    ports: dict[int, set[str]] = {}
    for edge in edges:
        ports.setdefault(id(edge.source), set()).add(edge.port)
    return sum((ENDED in names) + bool(names - {ENDED}) for names in ports.values())


def _check_never(graph: BodyGraph, notes: Notes) -> None:
    """Follows what can be taken from the entry points on; the cause is told where it is, the rest where it ends."""
    possible = [False] * len(graph.nodes)
    lost = graph.lost_targets
    for part in reversed(graph.components):
        for number in part:
            node = graph.nodes[number]
            possible[number] = len(part) > 1 or bool(lost >> number & 1) or _can_start(graph, node, possible)
    unreachable = _unreached(graph)
    for number, node in enumerate(graph.nodes):
        if node.data.get("when") == _FALSE:
            notes.warning(
                "NeverRuns", f"{node.label} never runs: its when is always false", (*node.path, "when")
            )
        elif not possible[number] and not unreachable >> number & 1 and node.name not in graph.body.stand_ins:
            message = f"{node.label} never runs: {_why_not(graph, node)}"
            notes.warning("NeverRuns", message, node.path)


def _unreached(graph: BodyGraph) -> int:
    reached = 0
    for entry in graph.entries:
        reached |= graph.downstream[entry] | 1 << entry
    return ((1 << len(graph.nodes)) - 1) & ~reached


def _can_start(graph: BodyGraph, node: RawNode, possible: list[bool]) -> bool:
    if graph.wires.is_entry(node):
        return True
    edges = [edge for edge in graph.wires.into(node) if not edge.loopback]
    return any(possible[graph.of(edge.source)] and not _blocked(edge) for edge in edges)


def _blocked(edge: RawEdge) -> str:
    """Why a connection is never taken, or an empty text."""
    if edge.when.strip() == _FALSE:
        return "its when is always false"
    return never_taken(edge.source, edge.port)


def _why_not(graph: BodyGraph, node: RawNode) -> str:
    reasons: list[str] = []
    for edge in graph.wires.into(node):
        if not edge.loopback:
            why = _blocked(edge) or f"{edge.source.name} never runs"
            reasons.append(f"{edge.id} is never taken, as {why}")
    return "; ".join(reasons[:3])
