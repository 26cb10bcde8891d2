"""Immediate dominators of an acyclic graph: for each node the last one that every way to it passes.

They give a graph the shape of a program: a branch stands under the node that parts it, a join beside that node.
"""

from __future__ import annotations

from collections.abc import Sequence


def dominators(into: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """The immediate dominator of every node, `len(into)` (the top) for those that have none.

    `into` names each node's predecessors, `order` is a topological one: one walk is enough where nothing runs in circles.
    """
    top = len(into)
    parent = [top] * (top + 1)
    depth = [0] * (top + 1)
    for node in order:
        meet = into[node][0] if into[node] else top
        for other in into[node][1:]:
            meet = _meet(meet, other, parent, depth)
        parent[node] = meet
        depth[node] = depth[meet] + 1
    return parent[:top]


def _meet(left: int, right: int, parent: Sequence[int], depth: Sequence[int]) -> int:
    """Where two lines of dominators come together."""
    while left != right:
        if depth[left] >= depth[right]:
            left = parent[left]
        else:
            right = parent[right]
    return left
