"""Layering: which row each box stands in, so that every edge points down.

Boxes are numbers, edges pairs of them. Everything is iterative (a chain may have 10,000 links) and linear in the edges.
"""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]


def backward(count: int, edges: Sequence[Pair]) -> set[int]:
    """The indexes of the edges that close a cycle in a depth-first walk in order of declaration."""
    out: list[list[int]] = [[] for _ in range(count)]
    for index, (source, _) in enumerate(edges):
        out[source].append(index)
    closing: set[int] = set()
    entered, left = bytearray(count), bytearray(count)
    for root in range(count):
        if entered[root]:
            continue
        entered[root] = 1
        stack = [(root, iter(out[root]))]
        while stack:
            box, todo = stack[-1]
            for index in todo:
                target = edges[index][1]
                if not entered[target]:
                    entered[target] = 1
                    stack.append((target, iter(out[target])))
                    break
                if not left[target]:
                    closing.add(index)
            else:
                left[box] = 1
                stack.pop()
    return closing


def topological(count: int, edges: Sequence[Pair]) -> list[int]:
    """The boxes of an acyclic graph, sources first, in order of declaration where that is free."""
    out: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for source, target in edges:
        out[source].append(target)
        missing[target] += 1
    order = [box for box in range(count) if not missing[box]]
    for box in order:  # grows while it is walked
        for target in out[box]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    return order


def ranks(count: int, edges: Sequence[Pair]) -> list[int]:
    """The row of every box of an acyclic graph: as high as its predecessors allow, then pulled down where that shortens edges."""
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        into[target].append(source)
        out[source].append(target)
    order = topological(count, edges)
    rank = [0] * count
    for box in order:
        rank[box] = max((rank[source] + 1 for source in into[box]), default=0)
    for box in reversed(order):
        if out[box] and len(out[box]) > len(into[box]):
            rank[box] = min(rank[target] for target in out[box]) - 1
    return rank
