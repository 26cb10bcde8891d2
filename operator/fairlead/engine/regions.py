"""What the loopbacks of a body repeat (semantics 20).

The region of a loopback u.port>v is every node on a forward path from v to u. All loopbacks of one region leave the same node and
lead to the same node, so both names identify it: `u>v`. Validation has seen to it that v is the only way in and that regions nest
or have nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairlead.engine.graph import Edge, NodeDef
    from fairlead.model.state import RegionState


class Region:
    """The nodes between the ends of one or more loopbacks: `first` is where they lead to, `last` where they leave."""

    __slots__ = ("exits", "first", "id", "last", "names")

    def __init__(self, first: str, last: str, names: list[str]) -> None:
        self.id = region_id(last, first)
        self.first = first
        self.last = last
        self.names = names
        self.exits: list[Edge] = []


def region_id(last: str, first: str) -> str:
    """The name of a region within its body: `last>first`."""
    return f"{last}>{first}"


def waits_for_pass(regions: Iterable[Region], known: Mapping[str, RegionState]) -> bool:
    """Whether one of these loops waits for its next pass; `known` are those of the body of which a loopback was taken."""
    return any(region.id in known and known[region.id].wanted for region in regions)


def find_regions(nodes: Mapping[str, NodeDef]) -> list[Region]:
    """The regions of a body, the inner ones first; each node and each edge that leaves one is told of those it is in."""
    ends = {
        (edge.target, edge.source): None
        for node in nodes.values()
        for edge in node.outgoing
        if edge.loopback is not None
    }
    if not ends:
        return []
    after = {name: [edge.target for edge in _forward(node.outgoing)] for name, node in nodes.items()}
    before = {name: [edge.source for edge in node.incoming] for name, node in nodes.items()}
    found: list[Region] = []
    for first, last in ends:
        between = _reached(first, after) & _reached(last, before)
        found.append(Region(first, last, [name for name in nodes if name in between]))
    found.sort(key=lambda region: len(region.names))
    members = [set(region.names) for region in found]
    for region, inside in zip(found, members, strict=True):
        for name in region.names:
            nodes[name].regions = (*nodes[name].regions, region)
            for edge in nodes[name].outgoing:
                if edge.loopback is None and edge.target not in inside:
                    edge.leaves = (*edge.leaves, region)
                    region.exits.append(edge)
    return found


def _forward(edges: Iterable[Edge]) -> Iterable[Edge]:
    return (edge for edge in edges if edge.loopback is None)


def _reached(start: str, following: Mapping[str, Sequence[str]]) -> set[str]:
    reached, todo = {start}, [start]
    while todo:
        for name in following[todo.pop()]:
            if name not in reached:
                reached.add(name)
                todo.append(name)
    return reached
