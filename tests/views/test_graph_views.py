"""The input of the renderers: what makes a view, and that every renderer takes every view."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.views.graph_samples import order

from fairlead.apps.views.graphs import (
    GraphEdge,
    GraphGroup,
    GraphNode,
    GraphView,
    to_dot,
    to_mermaid,
    to_svg,
    to_text,
)
from fairlead.apps.views.graphs.views import Status

RENDERERS = [to_dot, to_mermaid, to_svg, to_text]

A, B = GraphNode("a", "a", "run"), GraphNode("b", "b", "run")


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize(
    ("view", "message"),
    [
        (GraphView("v", [A, A]), "two things of the graph have the id 'a'"),
        (GraphView("v", [A], [GraphEdge("a", None, "x")]), "edge 'a' -> 'x': expected the ids of two nodes"),
        (GraphView("v", [A, GraphNode("c", "c", "run", group="x")]), "'c' stands in 'x', expected the id"),
        (
            GraphView("v", [A, GraphNode("c", "c", "run", group="a")], [GraphEdge("a", None, "c")]),
            "edge 'a' -> 'c' leaves its container",
        ),
        (
            GraphView("v", [GraphNode("c", "c", "run", group="g")], groups=[GraphGroup("g", "g", "c")]),
            "'c' stands in itself by way of 'c' in 'g'",
        ),
    ],
)
def test_a_view_that_is_none_is_refused(render, view, message):
    """A double id, an unknown id, an edge across containers and a ring of containers are named."""
    with pytest.raises(ValueError, match=message.split("(", maxsplit=1)[0]):
        render(view)


@pytest.mark.parametrize("render", RENDERERS)
def test_the_same_view_gives_the_same_bytes(render):
    """Rendering depends on nothing but the view."""
    assert render(order()) == render(order())


@pytest.mark.parametrize("render", RENDERERS)
def test_an_empty_graph_is_drawn(render):
    """A graph without nodes is a title."""
    assert "nothing here" in render(GraphView("nothing here", []))


@st.composite
def views(draw: st.DrawFn) -> GraphView:
    """Any graph: cycles, self-loops, doubles, nested bodies, loopbacks, odd names."""
    count = draw(st.integers(0, 14))
    homes = [draw(st.none() | st.integers(0, i - 1)) if i else None for i in range(count)]
    statuses: st.SearchStrategy[Status | None] = st.sampled_from([None, *get_args(Status)])
    nodes = [
        GraphNode(
            f"n{i}",
            draw(st.text(max_size=8)),
            draw(st.sampled_from(["run", "if", "finish", "other"])),
            draw(statuses),
            group=None if home is None else f"n{home}",
        )
        for i, home in enumerate(homes)
    ]
    pairs = [(i, j) for i in range(count) for j in range(count) if homes[i] == homes[j]]
    edges = [
        GraphEdge(f"n{i}", draw(st.sampled_from([None, "done"])), f"n{j}", loopback=draw(st.booleans()))
        for i, j in (draw(st.lists(st.sampled_from(pairs), max_size=24)) if pairs else [])
    ]
    return GraphView("any", nodes, edges)


@pytest.mark.parametrize("render", RENDERERS)
@given(view=views())
def test_every_graph_is_drawn(render, view):
    """No shape of graph, not even one that validation would refuse, makes a renderer fail or leave a node out."""
    text = render(view)

    if render is to_dot:
        assert text.count("label=") >= len(view.nodes)
    if render is to_svg:
        assert text.count('class="i ') == len(view.nodes)
