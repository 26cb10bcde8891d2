"""The layered layout of the boxes of one container: where each box stands and how each line runs.

The steps are Sugiyama's: rows (`ranks`), stand-ins for edges that pass rows, their order (`orders`), x (`columns`), y, lines.
A label takes part as a stand-in as wide as its text, in a row of its own under the source, so labels cover neither boxes nor
each other. Loopbacks take no part: they run back in lanes to the right of the rows they span.

Own code, because what PyPI has does not fit: grandalf is unmaintained and slow, fast-sugiyama knows no sizes of
boxes (containers are big ones) and took over a minute for 10,000 boxes in 100 rows; Graphviz is a program to install.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.apps.views.graphs import columns, orders, ranks

Point = tuple[float, float]

BOX_GAP = 28.0  # between boxes of a row
ROW_GAP = 40.0  # between rows
LABEL_GAP = 18.0  # between a row and the row of its labels, and below it
LABEL_HEIGHT = 18.0
LANE_GAP = 22.0  # between the lanes of loopbacks
STAND_INS = 60_000  # more than that are not worth their time: longer edges are drawn straight


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two boxes by number; `label` is the width of its label, 0 for none; `back` says it is a loopback."""

    source: int
    target: int
    label: float = 0.0
    back: bool = False


@dataclass(slots=True)
class Line:
    """How a link runs: through `points`, as a curve or, running back in a lane, at right angles."""

    points: list[Point]
    label: Point | None = None
    square: bool = False


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Top left corners of the boxes, the links' lines in their order, and the size of it all."""

    corners: list[Point]
    lines: list[Line]
    width: float
    height: float


def arrange(sizes: Sequence[Point], links: Sequence[Link]) -> Arrangement:
    """Lay out boxes of the given sizes."""
    return _Layout(sizes, links).arrange()


class _Layout:
    """The working state of one layout. Vertices are the boxes, then the stand-ins."""

    def __init__(self, sizes: Sequence[Point], links: Sequence[Link]) -> None:
        self.sizes = sizes
        self.links = links
        self.boxes = len(sizes)
        pairs = [(link.source, link.target) for link in links]
        closing = ranks.backward(
            self.boxes, [p for p, link in zip(pairs, links, strict=True) if not link.back]
        )
        forward = [index for index, link in enumerate(links) if not link.back]
        self.forward = [index for place, index in enumerate(forward) if place not in closing]
        self.back = sorted(set(range(len(links))) - set(self.forward))
        self.widths = [width for width, _ in sizes]
        self.chains: dict[int, list[int]] = {}  # the stand-ins of each forward link
        self.rows: orders.Rows = []
        self.row_of: list[int] = []
        self.up: list[list[int]] = [[] for _ in sizes]
        self.down: list[list[int]] = [[] for _ in sizes]
        self.xs: list[float] = []
        self.tops: list[float] = []
        self.heights: list[float] = []
        self.boxless: list[bool] = []  # rows of labels and stand-ins alone
        self.corners: list[Point] = []
        self.right = 0.0

    def arrange(self) -> Arrangement:
        if not self.boxes:
            return Arrangement([], [], 0.0, 0.0)
        self._build_rows()
        orders.untangle(self.rows, self.up, self.down)
        self.xs = columns.place(self.rows, self.widths, self.boxes, self.up, self.down, BOX_GAP)
        self._place_rows()
        self.corners = [
            (self.xs[box] - width / 2, self.tops[row] + (self.heights[row] - height) / 2)
            for box, ((width, height), row) in enumerate(zip(self.sizes, self.row_of, strict=True))
        ]
        lines = self._forward_lines() | self._loopback_lines()
        last = len(self.rows) - 1
        turns = any(self.row_of[self.links[index].source] == last for index in self.back)
        bottom = self.tops[last] + self.heights[last] + (LABEL_GAP if turns else 0.0)
        return Arrangement(
            self.corners, [lines[index] for index in range(len(self.links))], self.right, bottom
        )

    # ------------------------------------------------------------------------------------------------ rows and stand-ins
    def _build_rows(self) -> None:
        """Fill rows with boxes, labels and stand-ins."""
        pairs = [(self.links[index].source, self.links[index].target) for index in self.forward]
        rank = ranks.ranks(self.boxes, pairs)
        labelled = {rank[self.links[index].source] for index in self.forward if self.links[index].label}
        row_of_rank, row = [], 0
        for number in range(max(rank) + 1):
            row_of_rank.append(row)
            row += 2 if number in labelled else 1
        self.row_of = [row_of_rank[number] for number in rank]
        self.rows = [[] for _ in range(row)]
        for box in self._walk(pairs):
            self.rows[self.row_of[box]].append(box)
        budget = STAND_INS
        for index in self.forward:
            budget -= self._thread(index, budget)

    def _thread(self, index: int, budget: int) -> int:
        """Give a link its stand-ins, if the budget allows; gives how many."""
        link = self.links[index]
        rows = range(self.row_of[link.source] + 1, self.row_of[link.target])
        if len(rows) > budget:
            return 0
        before = link.source
        chain: list[int] = []
        for row in rows:
            vertex = len(self.widths)
            self.widths.append(link.label + 8 if link.label and not chain else 2.0)
            self.up.append([before])
            self.down.append([])
            self.down[before].append(vertex)
            self.rows[row].append(vertex)
            chain.append(vertex)
            before = vertex
        self.down[before].append(link.target)
        self.up[link.target].append(before)
        self.chains[index] = chain
        return len(chain)

    def _walk(self, pairs: Sequence[ranks.Pair]) -> list[int]:
        """The boxes depth first from the sources, so that what belongs together starts side by side."""
        out: list[list[int]] = [[] for _ in range(self.boxes)]
        fed = bytearray(self.boxes)
        for source, target in pairs:
            out[source].append(target)
            fed[target] = 1
        seen = bytearray(self.boxes)
        order: list[int] = []
        stack = [box for box in reversed(range(self.boxes)) if not fed[box]]
        while stack:
            box = stack.pop()
            if not seen[box]:
                seen[box] = 1
                order.append(box)
                stack.extend(reversed(out[box]))
        return order

    def _place_rows(self) -> None:
        """Top and height of each row. A row of labels and stand-ins alone is low and stands close."""
        self.boxless = [all(vertex >= self.boxes for vertex in row) for row in self.rows]
        y = LABEL_GAP if any(self.row_of[self.links[index].target] == 0 for index in self.back) else 0.0
        for number, row in enumerate(self.rows):
            height = max(
                (self.sizes[vertex][1] for vertex in row if vertex < self.boxes), default=LABEL_HEIGHT
            )
            self.tops.append(y)
            self.heights.append(height)
            y += height + (LABEL_GAP if any(self.boxless[number : number + 2]) else ROW_GAP)

    # ------------------------------------------------------------------------------------------------------------- lines
    def _forward_lines(self) -> dict[int, Line]:
        leaving: dict[int, list[tuple[float, int]]] = {}
        arriving: dict[int, list[tuple[float, int]]] = {}
        for index in self.forward:
            link, chain = self.links[index], self.chains.get(index, [])
            leaving.setdefault(link.source, []).append((self.xs[chain[0] if chain else link.target], index))
            arriving.setdefault(link.target, []).append((self.xs[chain[-1] if chain else link.source], index))
        exits, entries = self._spread(leaving), self._spread(arriving)
        return {index: self._line(index, exits[index], entries[index]) for index in self.forward}

    def _spread(self, ends: dict[int, list[tuple[float, int]]]) -> dict[int, float]:
        """Where on its box's side each link starts (or ends): spread in the order of the far ends, so that they do not cross."""
        places: dict[int, float] = {}
        for box, far in ends.items():
            width = self.sizes[box][0]
            step = min(28.0, width * 0.7 / len(far))
            for place, (wanted, index) in enumerate(sorted(far)):
                slot = self.xs[box] + (place - (len(far) - 1) / 2) * step
                places[index] = wanted if abs(wanted - slot) < step * 0.45 else slot
        return places

    def _line(self, index: int, start: float, end: float) -> Line:
        """From the lower side of the source straight through its row, by the stand-ins, to the upper side of the target."""
        link, chain = self.links[index], self.chains.get(index, [])
        row = self.row_of[link.source]
        points = [(start, self._bottom(link.source)), (start, self.tops[row] + self.heights[row])]
        for number, vertex in enumerate(chain, start=row + 1):
            x, top, height = self.xs[vertex], self.tops[number], self.heights[number]
            points += [(x, top + height / 2)] if self.boxless[number] else [(x, top), (x, top + height)]
        points += [(end, self.tops[self.row_of[link.target]]), (end, self.corners[link.target][1])]
        if not link.label:
            return Line(points)
        if not chain:  # no stand-in was granted: beside the start of the line
            return Line(points, (start, points[1][1] + LABEL_GAP))
        return Line(points, (self.xs[chain[0]], self.tops[row + 1] + self.heights[row + 1] / 2))

    def _bottom(self, box: int) -> float:
        return self.corners[box][1] + self.sizes[box][1]

    def _loopback_lines(self) -> dict[int, Line]:
        """Out below the source's row, up a lane on the right of the rows between, in above the target's row."""
        rights = [max((self.xs[v] + self.widths[v] / 2 for v in row), default=0.0) for row in self.rows]
        spans = {
            index: sorted((self.row_of[self.links[index].source], self.row_of[self.links[index].target]))
            for index in self.back
        }
        lines: dict[int, Line] = {}
        for number, index in enumerate(
            sorted(spans, key=lambda i: (spans[i][1] - spans[i][0], i))
        ):  # inner loops first
            high, low = spans[index]
            room = max(self.links[index].label, 4.0)
            edge = max(rights[high : low + 1]) + LANE_GAP + room
            rights[high : low + 1] = [edge] * (low + 1 - high)
            lines[index] = self._loopback(index, edge - room / 2, number % 3 * 3.0)
        self.right = max(rights)
        return lines

    def _loopback(self, index: int, lane: float, aside: float) -> Line:
        link = self.links[index]
        source, target = self.row_of[link.source], self.row_of[link.target]
        below = self.tops[source] + self.heights[source] + LABEL_GAP / 2 - 2 + aside
        above = self.tops[target] - LABEL_GAP / 2 + 2 - aside
        start = self.corners[link.source][0] + self.sizes[link.source][0] * 0.85
        end = self.corners[link.target][0] + self.sizes[link.target][0] * 0.85
        points = [(start, self._bottom(link.source)), (start, below), (lane, below)]
        points += [(lane, above), (end, above), (end, self.corners[link.target][1])]
        return Line(points, (lane, (above + below) / 2) if link.label else None, square=True)
