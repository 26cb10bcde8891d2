"""What is drawn as one: alike nodes as a block, edges between the same two things as one line.

A fan-out to 500 nodes that all come from the same and all lead to the same says nothing more as 1,000 lines; as a block of 500
boxes with one line in and one out it can be read. Two ports of one node that lead to the same place share a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairlead.apps.views.graphs.views import EdgeState, GraphEdge

BLOCK = 12  # more alike nodes than that stand in a block


@dataclass(frozen=True, slots=True)
class Wire:
    """A line between two units by number, for one edge or several."""

    source: int
    target: int
    label: str
    loopback: bool
    state: EdgeState | None


def units(
    members: Sequence[str], edges: Sequence[GraphEdge], may_join: Callable[[str], bool]
) -> tuple[list[list[str]], list[Wire]]:
    """The members as units (one member, or the block of those with the same neighbours by the same ports), and the wires."""
    blocks: dict[object, list[str]] = {}
    neighbours = _neighbours(members, edges)
    looping = {end for edge in edges if edge.loopback for end in (edge.source, edge.target)}
    for name in members:
        alone = name in looping or not may_join(name)
        blocks.setdefault(name if alone else neighbours[name], []).append(name)
    parts: list[list[str]] = []
    for block in blocks.values():
        parts.extend([block] if len(block) > BLOCK else [[name] for name in block])
    order = {name: place for place, name in enumerate(members)}
    parts.sort(key=lambda part: order[part[0]])
    unit_of = {name: number for number, part in enumerate(parts) for name in part}
    return parts, _wires(edges, unit_of, parts)


def _neighbours(members: Sequence[str], edges: Sequence[GraphEdge]) -> dict[str, object]:
    around: dict[str, list[tuple[str, bool, str]]] = {name: [] for name in members}
    for edge in edges:
        around[edge.source].append((edge.target, True, edge.label))
        around[edge.target].append((edge.source, False, edge.label))
    return {name: tuple(sorted(found)) for name, found in around.items()}


def _wires(edges: Sequence[GraphEdge], unit_of: dict[str, int], parts: Sequence[Sequence[str]]) -> list[Wire]:
    shared: dict[tuple[int, int, bool, EdgeState | None], list[GraphEdge]] = {}
    for edge in edges:
        source, target = unit_of[edge.source], unit_of[edge.target]
        many = len(parts[source]) > 1 or len(parts[target]) > 1
        shared.setdefault((source, target, edge.loopback, None if many else edge.state), []).append(edge)
    return [
        Wire(
            source,
            target,
            ", ".join(dict.fromkeys(edge.label for edge in group if edge.label)),
            back,
            _state(group),
        )
        for (source, target, back, _), group in shared.items()
    ]


def _state(edges: Sequence[GraphEdge]) -> EdgeState | None:
    states = {edge.state for edge in edges}
    return next((state for state in ("taken", "open", "dead") if state in states), None)
