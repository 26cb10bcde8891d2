"""The layered layout: what is promised about places and lines, for any graph."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.views.graph_samples import chain, fan, order

from fairlead.apps.views.graphs import columns, orders, ranks, to_dot, to_mermaid, to_svg, to_text
from fairlead.apps.views.graphs.dominators import dominators
from fairlead.apps.views.graphs.drawing import draw
from fairlead.apps.views.graphs.layout import Arrangement, Link, arrange

SIZES = st.tuples(st.floats(10, 300), st.floats(10, 300))


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[Link]]:
    """Boxes of any size, links of any kind between them."""
    sizes = draw(st.lists(SIZES, min_size=1, max_size=12))
    ends = st.integers(0, len(sizes) - 1)
    links = st.builds(Link, ends, ends, st.sampled_from([0.0, 60.0]), st.booleans())
    return sizes, draw(st.lists(links, max_size=24))


def boxes(sizes: list[tuple[float, float]], made: Arrangement) -> list[tuple[float, float, float, float]]:
    return [(x, y, x + w, y + h) for (x, y), (w, h) in zip(made.corners, sizes, strict=True)]


@given(problems())
def test_boxes_keep_apart_and_inside(problem):
    """No two boxes touch, and all stand within the size that the layout states."""
    sizes, links = problem

    made = arrange(sizes, links)

    for left, top, right, bottom in boxes(sizes, made):
        assert left > -0.01 and top > -0.01 and right < made.width + 0.01 and bottom < made.height + 0.01
    for a, b in combinations(boxes(sizes, made), 2):
        assert a[2] <= b[0] + 0.01 or b[2] <= a[0] + 0.01 or a[3] <= b[1] + 0.01 or b[3] <= a[1] + 0.01


@given(problems())
def test_lines_join_their_boxes(problem):
    """Each line starts at the lower side of its source and ends at the upper side of its target."""
    sizes, links = problem

    made = arrange(sizes, links)

    placed = boxes(sizes, made)
    for link, line in zip(links, made.lines, strict=True):
        (x, y), (end_x, end_y) = line.points[0], line.points[-1]
        source, target = placed[link.source], placed[link.target]
        assert source[0] <= x <= source[2] and y == pytest.approx(source[3])
        assert target[0] <= end_x <= target[2] and end_y == pytest.approx(target[1])
        assert bool(line.label) == bool(link.label)


@given(st.integers(1, 10), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_ranks_point_down(count, pairs):
    """Once the edges that close cycles are set aside, every edge leads to a lower row."""
    edges = [(a % count, b % count) for a, b in pairs]
    closing = ranks.backward(count, edges)
    forward = [edge for index, edge in enumerate(edges) if index not in closing]

    rank = ranks.ranks(count, forward)

    assert len(ranks.topological(count, forward)) == count
    assert all(rank[source] < rank[target] for source, target in forward)


@given(st.lists(st.lists(st.integers(0, 5), max_size=4, unique=True), min_size=1, max_size=6))
def test_crossings_are_counted(targets):
    """The Fenwick count equals the definition: pairs of edges in opposite order at both ends."""
    upper = list(range(len(targets)))
    lower = list(range(100, 106))
    edges = [(a, 100 + b) for a, ends in enumerate(targets) for b in ends]
    down: list[list[int]] = [[] for _ in range(106)]
    for a, b in edges:
        down[a].append(b)

    counted = orders.crossings([upper, lower], down)

    assert counted == sum((a < c and b > d) or (a > c and b < d) for (a, b), (c, d) in combinations(edges, 2))


def test_a_tangle_is_untangled():
    """Three edges that all cross can be drawn without a crossing, and are."""
    rows = [[0, 1, 2], [3, 4, 5]]
    down: list[list[int]] = [[5], [4], [3], [], [], []]
    up: list[list[int]] = [[], [], [], [2], [1], [0]]

    orders.untangle(rows, up, down)

    assert orders.crossings(rows, down) == 0


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.5, 5), st.floats(1, 50)), min_size=1, max_size=8))
def test_settling_keeps_distances(wanted):
    """Whatever the wishes, neighbours keep their distance, and who has room stands where it wishes."""
    wishes, weights, gaps = (list(column) for column in zip(*wanted, strict=True))
    offsets = [sum(gaps[:i]) for i in range(len(gaps))]

    xs = columns.settle(wishes, weights, offsets)

    for i in range(len(xs) - 1):
        assert xs[i + 1] - xs[i] >= gaps[i] - 1e-6
    if all(wishes[i + 1] - wishes[i] >= gaps[i] for i in range(len(xs) - 1)):
        assert xs == pytest.approx(wishes)


def test_dominators_of_a_diamond():
    """The join of two branches is dominated by the node that parts them, its branches by the same."""
    into = [[], [0], [0], [1, 2], [3]]

    assert dominators(into, [0, 1, 2, 3, 4]) == [5, 0, 0, 0, 3]


def test_alike_nodes_stand_in_a_block():
    """A fan-out of 500 is a block with one line in and one out, not 1,000 lines."""
    drawing = draw(fan(500))

    assert len(drawing.strokes) == 2
    assert len([shape for shape in drawing.shapes if not shape.frame]) == 502
    assert drawing.width < 20 * drawing.height


def test_a_body_stands_in_its_frame():
    """Every node of a body lies within its container's frame, and the finally block below all of it."""
    shapes = {shape.item.id: shape for shape in draw(order()).shapes if shape.item}
    inner, frame, last = shapes["pack"], shapes["lines"], shapes["finally"]

    assert frame.x < inner.x and inner.x + inner.width < frame.x + frame.width
    assert frame.y < inner.y and inner.y + inner.height < frame.y + frame.height
    assert all(
        last.y >= shape.y + shape.height
        for name, shape in shapes.items()
        if name not in ("finally", "cleanup")
    )


@pytest.mark.parametrize("render", [to_svg, to_text, to_mermaid, to_dot])
@pytest.mark.parametrize("view", [chain(10_000), fan(9_998)], ids=["chain", "fan"])
def test_ten_thousand_nodes_are_drawn(render, view):
    """The largest graph that a manifest may hold is drawn (the timeout of the test bounds how long that takes)."""
    assert len(render(view)) > 100_000
