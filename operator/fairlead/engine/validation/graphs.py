"""One body's graph with its order: what the rules about cycles, reach, reading and writing ask."""

from __future__ import annotations

from functools import cached_property

from fairlead.engine.validation import orders
from fairlead.engine.validation.bodies import RawBody, RawNode
from fairlead.engine.validation.wiring import RawEdge, Wires


class BodyGraph:
    """The nodes of a body by number, and which lead to which by forward edges (all but loopbacks)."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.body: RawBody = wires.body
        self.nodes: list[RawNode] = wires.body.nodes
        self.number = {id(node): number for number, node in enumerate(self.nodes)}
        self.forward = [edge for edge in wires.edges if not edge.loopback]
        self.loopbacks = [edge for edge in wires.edges if edge.loopback]
        self.after: list[list[int]] = [[] for _ in self.nodes]
        for edge in self.forward:
            self.after[self.of(edge.source)].append(self.of(edge.target))

    def of(self, node: RawNode) -> int:
        """The number of a node."""
        return self.number[id(node)]

    @cached_property
    def before(self) -> list[list[int]]:
        """Forward edges turned round."""
        return orders.reversed_edges(self.after)

    @cached_property
    def components(self) -> list[list[int]]:
        """Strongly connected components of forward edges; last first."""
        return orders.components(self.after)

    @cached_property
    def downstream(self) -> list[int]:
        """For each node the set of nodes that a forward path leads to."""
        return orders.closures(self.after, self.components)

    @cached_property
    def upstream(self) -> list[int]:
        """For each node the set of nodes from which a forward path leads to it."""
        return orders.closures(self.before, self.components[::-1])

    @cached_property
    def lost_sources(self) -> int:
        """Nodes from which something unknown can be reached."""
        mask = 0
        for node in self.wires.lost_sources.values():
            mask |= self.upstream[self.of(node)] | 1 << self.of(node)
        return mask

    @cached_property
    def lost_targets(self) -> int:
        """Nodes that something unknown can reach."""
        mask = 0
        for node in self.wires.lost_targets.values():
            mask |= self.downstream[self.of(node)] | 1 << self.of(node)
        return mask

    @cached_property
    def entries(self) -> list[int]:
        """Nodes that start by themselves."""
        return [number for number, node in enumerate(self.nodes) if self.wires.is_entry(node)]

    def region(self, loopback: RawEdge) -> int:
        """The nodes that a loopback repeats: every node on a forward path from its target to its source."""
        first, last = self.of(loopback.target), self.of(loopback.source)
        if first == last:
            return 1 << first
        if not self.downstream[first] >> last & 1:
            return 0
        return (self.downstream[first] | 1 << first) & (self.upstream[last] | 1 << last)

    @cached_property
    def regions(self) -> list[tuple[RawEdge, int]]:
        """Each loopback with the nodes that it repeats; none where it closes no cycle."""
        return [(edge, self.region(edge)) for edge in self.loopbacks]

    @cached_property
    def repeated(self) -> int:
        """All nodes that some loopback repeats."""
        mask = 0
        for _, region in self.regions:
            mask |= region
        return mask

    def ordered_after(self, reader: int) -> int:
        """Nodes of an earlier pass that a node may read: those behind it in a loop, and itself."""
        if self.body.inside_loop:
            return self.downstream[reader] | 1 << reader
        mask = 0
        for _, region in self.regions:
            if region >> reader & 1:
                mask |= region & (self.downstream[reader] | 1 << reader)
        return mask
