"""Cycles and loopbacks (semantics 20): a cycle needs a loopback, a loopback a cycle; loops have one way in and nest."""

from __future__ import annotations

from itertools import pairwise

from fairlead.engine.validation import orders
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.wiring import RawEdge

_SHOWN = 12


def check_cycles(graph: BodyGraph, notes: Notes) -> None:
    """Cycles without a loopback; loopbacks that close none, that can be entered elsewhere, or that overlap."""
    for part in graph.components:
        if len(part) > 1 or part[0] in graph.after[part[0]]:
            _cycle(graph, notes, part)
    for edge, region in graph.regions:
        if region:
            _one_way_in(graph, notes, edge, region)
        else:
            message = (
                f"the loopback {edge.id} closes no cycle: no path leads from {edge.target.name} to {edge.source.name}; "
                "expected a connection back to a node before, or no loopback"
            )
            notes.error("LoopbackWithoutCycle", message, (*edge.path, "loopback"), key=True)
    _nested(graph, notes)


def _cycle(graph: BodyGraph, notes: Notes, part: list[int]) -> None:
    cycle = orders.shortest_cycle_through(graph.after, part[0], set(part))
    names = [graph.nodes[number].name for number in cycle]
    shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 2], "...", names[-1]]
    edges = [_edge(graph, first, second) for first, second in pairwise([*cycle, cycle[0]])]
    # The connection that is written last is most likely the one that was meant to go back.
    closing = max(edges, key=lambda edge: notes.line_of(edge.path))
    message = (
        f"the nodes {' -> '.join([*shown, names[0]])} form a cycle; expected no cycle, or "
        "loopback: {maxIterations: 100} on the connection that goes back"
    )
    notes.error("Cycle", message, closing.path)


def _edge(graph: BodyGraph, source: int, target: int) -> RawEdge:
    edges = graph.wires.out_of(graph.nodes[source])
    return next(edge for edge in edges if not edge.loopback and graph.of(edge.target) == target)


def _one_way_in(graph: BodyGraph, notes: Notes, loopback: RawEdge, region: int) -> None:
    head = graph.of(loopback.target)
    for number in orders.bits(region & ~(1 << head)):
        for edge in graph.wires.into(graph.nodes[number]):
            if not edge.loopback and not region >> graph.of(edge.source) & 1:
                message = (
                    f"the connection {edge.id} leads into the loop {loopback.target.name} ... {loopback.source.name} "
                    f"beside its start; expected every way in to lead to {loopback.target.name}"
                )
                notes.error("IrreducibleLoop", message, edge.path)


def _nested(graph: BodyGraph, notes: Notes) -> None:
    loops = [(edge, region) for edge, region in graph.regions if region]
    for index, (edge, region) in enumerate(loops):
        for other, its_region in reversed(loops[:index]):
            common = region & its_region
            if common and common not in (region, its_region):
                node = graph.nodes[next(orders.bits(common))].name
                message = (
                    f"the loops {other.target.name} ... {other.source.name} and {edge.target.name} ... "
                    f"{edge.source.name} overlap in {node}; expected one inside the other, or nothing in common"
                )
                notes.error("OverlappingLoops", message, edge.path)
                break
