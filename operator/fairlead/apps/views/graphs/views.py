"""What the renderers are given: nodes, edges and frames, flat, each naming what it stands in.

A *container* is a node that other nodes name as their `group` (a while, a forEach), or a `GraphGroup`: a frame that is no
node, such as a branch of a parallel (its `parent` is the parallel's id) or the `finally` block (no parent).
Edges join two things of the same container, as connections do in a manifest. `Tree` checks all that once for all renderers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Status = Literal[
    "Pending", "Ready", "Running", "Retrying", "Waiting", "Succeeded", "Failed", "Skipped", "Cancelled"
]
EdgeState = Literal["open", "taken", "dead"]

STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node; `detail` is a short remark beside the kind (an attempt, a duration), `group` the container's id."""

    id: str
    label: str
    kind: str
    status: Status | None = None
    detail: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One connection; `port` is None for the default port of a kind whose ports need no telling apart."""

    source: str
    port: str | None
    target: str
    when: str | None = None
    loopback: bool = False
    state: EdgeState | None = None

    @property
    def label(self) -> str:
        """What stands beside the line: the port, and the condition if there is one."""
        return " ".join(filter(None, [self.port, f"[{self.when}]" if self.when else None]))


@dataclass(frozen=True, slots=True)
class GraphGroup:
    """A frame that is no node."""

    id: str
    label: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class GraphView:
    """A whole graph, in the order of declaration; `legend` says whether a picture counts the statuses below it."""

    title: str
    nodes: Sequence[GraphNode]
    edges: Sequence[GraphEdge] = ()
    groups: Sequence[GraphGroup] = ()
    legend: bool = True


@dataclass(frozen=True, slots=True)
class Tree:
    """A view by containers: `members` and `edges` of each container id (None is the top), `items` by id."""

    items: dict[str, GraphNode | GraphGroup] = field(default_factory=dict)
    members: dict[str | None, list[str]] = field(default_factory=dict)
    edges: dict[str | None, list[GraphEdge]] = field(default_factory=dict)

    def is_container(self, name: str) -> bool:
        return name in self.members or isinstance(self.items[name], GraphGroup)


def tree_of(view: GraphView) -> Tree:
    """The view by containers. Raises ValueError for a view that is none: unknown ids, doubles, rings of containers."""
    tree = Tree()
    homes: dict[str, str | None] = {}
    members: list[GraphNode | GraphGroup] = [*view.nodes, *view.groups]
    for item in members:
        if item.id in tree.items:
            raise ValueError(f"two things of the graph have the id {item.id!r}, expected unique ids")
        tree.items[item.id] = item
        homes[item.id] = item.group if isinstance(item, GraphNode) else item.parent
    for name, home in homes.items():
        if home is not None and home not in tree.items:
            raise ValueError(f"{name!r} stands in {home!r}, expected the id of a node or of a group")
        tree.members.setdefault(home, []).append(name)
    _refuse_rings(homes)
    for edge in view.edges:
        if edge.source not in homes or edge.target not in homes:
            raise ValueError(f"edge {edge.source!r} -> {edge.target!r}: expected the ids of two nodes")
        if homes[edge.source] != homes[edge.target]:
            raise ValueError(
                f"edge {edge.source!r} -> {edge.target!r} leaves its container, expected both in one"
            )
        tree.edges.setdefault(homes[edge.source], []).append(edge)
    return tree


def _refuse_rings(homes: dict[str, str | None]) -> None:
    """Every thing must reach the top: follow the chain outwards once per thing."""
    grounded: set[str | None] = {None}
    for start in homes:
        chain: list[str] = []
        name: str | None = start
        while name not in grounded:
            if name is None or name in chain:
                raise ValueError(f"{start!r} stands in itself by way of {' in '.join(map(repr, chain))}")
            chain.append(name)
            name = homes[name]
        grounded.update(chain)
