"""Crossing reduction: the order of the vertices within each row.

Rows hold vertices (boxes, and one stand-in per row that a long edge passes); `up` and `down` are each vertex's neighbours in
the row above and below. Rows are reordered in place by barycentre sweeps, and the order with the fewest crossings stays. The
effort falls as the graph grows: a picture of 10,000 boxes must be drawn in seconds, and nobody follows its lines by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Rows = list[list[int]]
Neighbours = Sequence[Sequence[int]]


def untangle(rows: Rows, up: Neighbours, down: Neighbours) -> None:
    """Reorder `rows` in place."""
    size = sum(map(len, rows))
    sweeps = 16 if size <= 600 else 8 if size <= 4_000 else 3 if size <= 40_000 else 1
    best, fewest = [row[:] for row in rows], crossings(rows, down)
    position = [0] * size
    for row in rows:
        _number(row, position)
    for sweep in range(sweeps):
        if fewest == 0:
            break
        downwards = sweep % 2 == 0
        for row in rows[1:] if downwards else reversed(rows[:-1]):
            _sort(row, up if downwards else down, position)
        if size <= 600:
            _exchange(rows, up, down, position)
        now = crossings(rows, down)
        if now < fewest:
            best, fewest = [row[:] for row in rows], now
    rows[:] = best


def crossings(rows: Rows, down: Neighbours) -> int:
    """How many pairs of edges cross, counted row by row with a Fenwick tree (n log n)."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {vertex: index for index, vertex in enumerate(lower)}
        size = len(lower)
        tree = [0] * (size + 1)
        seen = 0
        for vertex in upper:
            ends = sorted(place[target] for target in down[vertex])
            for end in ends:  # edges already seen that end further right cross this one
                total += seen - _count(tree, end + 1)
            for end in ends:
                seen += 1
                index = end + 1
                while index <= size:
                    tree[index] += 1
                    index += index & -index
    return total


def _count(tree: list[int], index: int) -> int:
    found = 0
    while index:
        found += tree[index]
        index -= index & -index
    return found


def _number(row: list[int], position: list[int]) -> None:
    for index, vertex in enumerate(row):
        position[vertex] = index


def _sort(row: list[int], neighbours: Neighbours, position: list[int]) -> None:
    """Order a row by the mean place of the neighbours; a vertex without any keeps its place among the others."""
    key = {
        vertex: sum(position[n] for n in neighbours[vertex]) / len(neighbours[vertex])
        for vertex in row
        if neighbours[vertex]
    }
    moving = iter(sorted(key, key=key.__getitem__))
    row[:] = [next(moving) if vertex in key else vertex for vertex in row]
    _number(row, position)


def _exchange(rows: Rows, up: Neighbours, down: Neighbours, position: list[int]) -> None:
    """Swap neighbours in a row while that removes crossings."""
    for row in rows:
        for index in range(len(row) - 1):
            left, right = row[index], row[index + 1]
            gain = sum(
                _inversions(side[left], side[right], position)
                - _inversions(side[right], side[left], position)
                for side in (up, down)
            )
            if gain > 0:
                row[index], row[index + 1] = right, left
                position[left], position[right] = index + 1, index


def _inversions(left: Sequence[int], right: Sequence[int], position: list[int]) -> int:
    return sum(position[a] > position[b] for a in left for b in right)
