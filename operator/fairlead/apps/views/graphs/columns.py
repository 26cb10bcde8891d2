"""Horizontal placement: the x of every vertex, rows and their order given.

Each row is placed by weighted least squares: every vertex wants to stand at the mean of its neighbours, and no two may come
nearer than their widths and a gap. That is isotonic regression, solved exactly by pooling adjacent violators in linear time.
Sweeps down and up let the wishes spread. Stand-ins of long edges pull hard at each other, so long lines come out straight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from fairlead.apps.views.graphs.orders import Neighbours, Rows

_STRAIGHT = 8.0  # how much more a long edge insists on being straight than a short one on being short


def place(
    rows: Rows, widths: Sequence[float], boxes: int, up: Neighbours, down: Neighbours, gap: float
) -> list[float]:
    """The centre of every vertex; vertices from `boxes` on are stand-ins. The leftmost edge is at 0."""
    xs = [0.0] * len(widths)
    for row in rows:
        offsets = _offsets(row, widths, boxes, gap)
        for vertex, offset in zip(row, offsets, strict=True):
            xs[vertex] = offset - offsets[-1] / 2
    sweeps = 12 if len(widths) <= 4_000 else 4
    for sweep in range(sweeps):
        last = sweep >= sweeps - 2
        ways = [up, down] if last else [up] if sweep % 2 == 0 else [down]
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wishes, weights = [], []
            for vertex in row:
                wish, weight = _wish(vertex, ways, xs, boxes)
                wishes.append(wish)
                weights.append(weight)
            settled = settle(wishes, weights, _offsets(row, widths, boxes, gap))
            for vertex, x in zip(row, settled, strict=True):
                xs[vertex] = x
    _straighten(rows, widths, boxes, (up, down), gap, xs)
    left = min((x - width / 2 for x, width in zip(xs, widths, strict=True)), default=0.0)
    return [x - left for x in xs]


def _straighten(
    rows: Rows,
    widths: Sequence[float],
    boxes: int,
    sides: tuple[Neighbours, Neighbours],
    gap: float,
    xs: list[float],
) -> None:
    """Put the vertices of each thread exactly below each other, as far down as the room beside their neighbours allows."""
    beside: list[tuple[int, int]] = [(-1, -1)] * len(xs)
    for row in rows:
        for place, vertex in enumerate(row):
            beside[vertex] = (row[place - 1] if place else -1, row[place + 1] if place + 1 < len(row) else -1)

    def room(vertex: int) -> tuple[float, float]:
        left, right = beside[vertex]
        low = xs[left] + _distance(left, vertex, widths, boxes, gap) if left >= 0 else float("-inf")
        high = xs[right] - _distance(vertex, right, widths, boxes, gap) if right >= 0 else float("inf")
        return low, high

    for thread in _threads(rows, boxes, *sides):
        todo = thread
        while len(todo) > 1:
            low, high = room(todo[0])
            taken = 1
            for vertex in todo[1:]:
                left, right = room(vertex)
                if max(low, left) > min(high, right):
                    break
                low, high, taken = max(low, left), min(high, right), taken + 1
            mean = sum(xs[vertex] for vertex in todo[:taken]) / taken
            for vertex in todo[:taken]:
                xs[vertex] = min(max(mean, low), high)
            todo = todo[taken:]


def _threads(rows: Rows, boxes: int, up: Neighbours, down: Neighbours) -> Iterator[list[int]]:
    """Runs of vertices that only follow each other: the stand-ins of one edge, boxes in single file."""

    def goes_on(vertex: int, below: int) -> bool:
        return (vertex >= boxes and below >= boxes) or (len(down[vertex]) == 1 and len(up[below]) == 1)

    for row in rows:
        for start in row:
            if any(goes_on(above, start) for above in up[start]):
                continue
            thread = [start]
            while down[thread[-1]] and goes_on(thread[-1], down[thread[-1]][0]):
                thread.append(down[thread[-1]][0])
            if len(thread) > 1:
                yield thread


def settle(wishes: Sequence[float], weights: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to the wishes (weighted least squares) that keep at least the distances between the offsets."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(wishes, weights, offsets, strict=True):
        mean, mass, members = wish - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, other_mass, other_members = blocks.pop()
            mean = (mean * mass + other * other_mass) / (mass + other_mass)
            mass += other_mass
            members += other_members
        blocks.append((mean, mass, members))
    means = [mean for mean, _, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _offsets(row: Sequence[int], widths: Sequence[float], boxes: int, gap: float) -> list[float]:
    """Centres of a row packed as tightly as allowed, the first at 0."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + _distance(left, right, widths, boxes, gap))
    return offsets if row else []


def _distance(left: int, right: int, widths: Sequence[float], boxes: int, gap: float) -> float:
    """How near the centres of two neighbours may come."""
    between = gap if left < boxes or right < boxes else gap / 2
    return (widths[left] + widths[right]) / 2 + between


def _wish(vertex: int, ways: Sequence[Neighbours], xs: list[float], boxes: int) -> tuple[float, float]:
    total = mass = 0.0
    for way in ways:
        for other in way[vertex]:
            pull = _STRAIGHT if vertex >= boxes and other >= boxes else 2.0 if vertex >= boxes else 1.0
            total += pull * xs[other]
            mass += pull
    return (total / mass, mass) if mass else (xs[vertex], 0.2)
