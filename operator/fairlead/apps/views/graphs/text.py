"""A graph as plain text for a terminal.

It reads like a program: what follows stands below, the ways out of a node are indented under it, and a join stands at the level
of the node all its ways come from, with `<=` and what it waits for. Each node stands once, under its immediate dominator;
`->` points to one that stands elsewhere (`=>` a connection that was taken, `-x` a dead one, `^` a loopback).

    reserve (run)
    big (if)
    ├─ true: sign-off (approval)
    │  ├─ approved -> charge
    │  └─ rejected -> refused
    └─ false -> charge
    charge (run) <= sign-off.approved, big.false
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairlead.apps.views.graphs import ranks, texts
from fairlead.apps.views.graphs.dominators import dominators
from fairlead.apps.views.graphs.views import STATUSES, GraphEdge, GraphGroup, GraphView, Tree, tree_of

SIGNS = {
    "Pending": "·",
    "Ready": "○",
    "Running": "▶",
    "Retrying": "↻",
    "Waiting": "‖",
    "Succeeded": "✓",
    "Failed": "✗",
    "Skipped": "-",
    "Cancelled": "■",
}
DEEPEST = 10  # from here on the heaviest way goes on at the same indent, so the indent stays below this and a logarithm
JOINED = 6  # a join of more ways says how many, not which
_ARROWS = {"taken": "=>", "dead": "-x", "open": "->", None: "->"}


def to_text(view: GraphView) -> str:
    """The graph as lines of text."""
    tree = tree_of(view)
    lines = [
        texts.clean(view.title),
        *_Body(tree, None, signs=any(node.status for node in view.nodes)).lines("", ""),
    ]
    used = {node.status for node in view.nodes}
    legend = [f"{SIGNS[status]} {status}" for status in STATUSES if status in used]
    if legend:
        lines += ["", "  ".join(legend)]
    return "\n".join(line.rstrip() for line in [*lines, ""])


@dataclass(frozen=True, slots=True)
class _Step:
    """One node to write: `lead` is the port that leads to it, `joined` says that it is not simply what follows."""

    node: int
    lead: str = ""
    joined: bool = False


class _Body:
    """The graph of one container; nodes are numbers in order of declaration, `top` stands for the entry."""

    def __init__(self, tree: Tree, container: str | None, *, signs: bool) -> None:
        self.tree = tree
        self.signs = signs
        self.names = tree.members.get(container, [])
        self.number = {name: place for place, name in enumerate(self.names)}
        self.top = len(self.names)
        self.out: list[list[GraphEdge]] = [[] for _ in self.names]
        self.into: list[list[GraphEdge]] = [[] for _ in self.names]
        self.back: list[list[GraphEdge]] = [[] for _ in self.names]
        pairs = self._sort_edges(tree.edges.get(container, []))
        order = ranks.topological(self.top, pairs)
        parent = dominators([[self.number[edge.source] for edge in edges] for edges in self.into], order)
        self.under: list[list[int]] = [[] for _ in range(self.top + 1)]
        for node in order:
            self.under[parent[node]].append(node)
        self.weight = [1] * (self.top + 1)
        for node in reversed(order):
            self.weight[parent[node]] += self.weight[node]

    def _sort_edges(self, edges: Sequence[GraphEdge]) -> list[ranks.Pair]:
        """Edges forward and back; one that closes a cycle without saying so counts as going back."""
        straight = [edge for edge in edges if not edge.loopback]
        pairs = [(self.number[edge.source], self.number[edge.target]) for edge in straight]
        closing = ranks.backward(self.top, pairs)
        for edge in edges:
            if edge.loopback:
                self.back[self.number[edge.source]].append(edge)
        for index, edge in enumerate(straight):
            source, target = pairs[index]
            if index in closing:
                self.back[source].append(edge)
            else:
                self.out[source].append(edge)
                self.into[target].append(edge)
        return [pair for index, pair in enumerate(pairs) if index not in closing]

    def lines(self, first: str, rest: str) -> Iterator[str]:
        """The whole body; `first` stands before its first line, `rest` before the others."""
        entries = [node for node in self.under[self.top] if not self.into[node]]
        apart = self._apart(entries)
        steps = [_Step(node) for node in entries if node not in apart]
        joins = [_Step(node, joined=True) for node in self.under[self.top] if self.into[node]]
        if len(steps) > 1:
            yield from self._ways([(step, "") for step in steps], rest, 0)
            first, steps = rest, []
        yield from self._chain([*steps, *joins, *map(_Step, apart)], first, rest, 0)

    def _apart(self, entries: Sequence[int]) -> list[int]:
        """Frames that nothing leads to or from, such as `finally`: they come after everything, unless there is nothing else."""
        frames = [isinstance(self.tree.items[name], GraphGroup) for name in self.names]
        return [] if all(frames) else [node for node in entries if frames[node] and not self.out[node]]

    def _chain(self, steps: Sequence[_Step], first: str, rest: str, deep: int) -> Iterator[str]:
        """Nodes one below the other, each followed by its ways and then by what comes after it."""
        todo = list(reversed(steps))
        while todo:
            step = todo.pop()
            ways, after, pointers = self._onward(step.node, deep)
            yield f"{first}{self._line(step, pointers)}"
            first = rest
            name = self.names[step.node]
            if self.tree.is_container(name):
                inner = rest + ("   " if isinstance(self.tree.items[name], GraphGroup) else "┊  ")
                yield from _Body(self.tree, name, signs=self.signs).lines(inner, inner)
            yield from self._ways(ways, rest, deep)
            todo.extend(reversed(after))

    def _ways(self, ways: Sequence[tuple[_Step | None, str]], rest: str, deep: int) -> Iterator[str]:
        """The ways out of a node: a chain of its own for each step, one line for each pointer."""
        for place, (step, pointer) in enumerate(ways, start=1):
            last = place == len(ways)
            branch, beside = (f"{rest}└─ ", f"{rest}   ") if last else (f"{rest}├─ ", f"{rest}│  ")
            if step is None:
                yield f"{branch}{pointer}"
            else:
                yield from self._chain([step], branch, beside, deep + 1)

    def _onward(self, node: int, deep: int) -> tuple[list[tuple[_Step | None, str]], list[_Step], list[str]]:
        """What stands under a node (its ways), after it (at the same indent), and beside it (pointers)."""
        edges = self.out[node]
        beside = [self._pointer(edge, "^") for edge in self.back[node]]
        if len(edges) == 1:
            target = self.number[edges[0].target]
            if self._owned(target):
                return [], [_Step(target, texts.clean(edges[0].label))], beside
            return [], [], [self._pointer(edges[0]), *beside]
        owned = {self.number[edge.target] for edge in edges if self._owned(self.number[edge.target])}
        heaviest = max(owned, key=self.weight.__getitem__) if owned and deep >= DEEPEST else None
        ways: list[tuple[_Step | None, str]] = []
        for edge in edges:
            target = self.number[edge.target]
            if target in owned and target != heaviest:
                ways.append((_Step(target, texts.clean(edge.label)), ""))
            else:
                ways.append((None, self._pointer(edge)))
        after = [target for target in self.under[node] if target == heaviest or not self._owned(target)]
        return ways, [_Step(target, joined=True) for target in after], beside

    def _owned(self, node: int) -> bool:
        """Exactly one connection leads to it, so it stands where that comes from."""
        return len(self.into[node]) == 1

    def _pointer(self, edge: GraphEdge, arrow: str | None = None) -> str:
        sign = _ARROWS[edge.state] if arrow is None or edge.state == "dead" else arrow
        target = self.tree.items[edge.target].label
        return " ".join(filter(None, [texts.clean(edge.label), sign, texts.clean(target)]))

    def _line(self, step: _Step, pointers: Sequence[str]) -> str:
        item = self.tree.items[self.names[step.node]]
        parts = [f"{step.lead}:"] if step.lead else []
        if isinstance(item, GraphGroup):
            parts.append(f"[{texts.clean(item.label)}]")
        else:
            if self.signs:
                parts.append(SIGNS[item.status] if item.status else " ")
            parts.append(texts.clean(item.label))
            said = ", ".join(texts.clean(part) for part in (item.kind, item.detail) if part)
            parts.append(f"({said})" if said else "")
        if step.joined:
            parts.append(f"<= {self._sources(step.node)}" + (";" if pointers else ""))
        return " ".join(filter(None, [*parts, "; ".join(pointers)]))

    def _sources(self, node: int) -> str:
        edges = self.into[node]
        if len(edges) > JOINED:
            return f"{len(edges)} connections"
        sources = [(texts.clean(self.tree.items[edge.source].label), edge.port) for edge in edges]
        return ", ".join(f"{label}.{texts.clean(port)}" if port else label for label, port in sources)
