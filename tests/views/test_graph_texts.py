"""The three text forms: Mermaid, dot and the terminal."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.views.graph_samples import chain, fan, hostile, order

from fairlead.apps.views.graphs import (
    GraphEdge,
    GraphGroup,
    GraphNode,
    GraphView,
    texts,
    to_dot,
    to_mermaid,
    to_text,
)


def test_mermaid_draws_nodes_edges_and_states():
    """Shapes by kind, ports as labels, bodies as subgraphs, dead edges dotted, states as classes."""
    lines = to_mermaid(order()).splitlines()

    assert lines[:4] == ["---", 'title: "order"', "---", "flowchart TD"]
    assert '  n1{"big<br/>if · Succeeded"}' in lines
    assert "  n0 ==> n1" in lines
    assert '  n1 -.->|"false"| n3' in lines
    assert '  n7 -->|"failed ↺"| n6' in lines or '    n7 -->|"failed ↺"| n6' in lines
    assert '  subgraph n5["lines<br/>forEach · Running"]' in lines
    assert lines.count("  end") == 3
    assert "  class n0,n1 Succeeded" in lines


def test_mermaid_labels_cannot_break_out():
    """Of what a user wrote nothing but letters, digits and spaces reaches the diagram as it is."""
    body = to_mermaid(hostile()).split("flowchart TD")[1]

    for label in re.findall(r'"([^"]*)"', body):
        assert re.fullmatch(r"(?:[^\x00-\x7f]|[A-Za-z0-9 ]|#\d+;|<br/>)*", label)
    assert not re.search(r"script>|%%|`|\x1b|\u202e", body)


def test_dot_draws_nodes_edges_and_clusters():
    """Labels, shapes, clusters for bodies with edges tied to their borders, dashes for dead edges."""
    dot = to_dot(order())

    assert 'n1 [label="big\\nif · Succeeded", shape=diamond, fillcolor="#dcfce7", color="#15803d"];' in dot
    assert 'n1 -> n3 [label="false", style=dashed' in dot
    assert 'n3 -> n5_in [label="[inputs.n > 3]", lhead=cluster_n5];' in dot
    assert dot.count("subgraph cluster_") == 4
    assert "constraint=false" in dot


def test_dot_labels_cannot_break_out():
    """Without its quoted strings a dot file holds nothing that a user wrote."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", to_dot(hostile()))

    assert "script" not in bare
    assert "alert" not in bare
    assert "\\" not in bare


def test_text_reads_like_a_program():
    """Branches stand under what parts them, a join after them with its sources, bodies behind a rail."""
    assert to_text(order()).splitlines() == [
        "order",
        "✓ reserve (run, 2 attempts)",
        "✓ big (if)",
        "├─ true: ‖ sign-off (approval)",
        "│  ├─ approved -> charge",
        "│  └─ rejected: · refused (finish)",
        "└─ false -x charge",
        "· charge (run) <= big.false, sign-off.approved",
        "├─ [inputs.n > 3]: ▶ lines (forEach)",
        "│  ┊  ▶ pack (run)",
        "│  ┊  ✗ label (http) failed ^ pack",
        "└─ · par (parallel)",
        "   ┊  [eu]",
        "   ┊     · to-eu (run)",
        "[finally]",
        "   · cleanup (run)",
        "",
        "· Pending  ▶ Running  ‖ Waiting  ✓ Succeeded  ✗ Failed",
    ]


def test_text_of_several_entries():
    """Entry points stand side by side, and their join at the level of the title."""
    nodes = [GraphNode(name, name, "run") for name in "abcd"]
    edges = [GraphEdge("a", None, "b"), GraphEdge("b", None, "d"), GraphEdge("c", None, "d")]

    assert to_text(GraphView("two", nodes, edges)).splitlines() == [
        "two",
        "├─ a (run)",
        "│  b (run) -> d",
        "└─ c (run) -> d",
        "d (run) <= b, c",
    ]


def test_text_of_a_cycle_without_loopback():
    """A cycle that says no loopback is shown as going back, not walked for ever."""
    nodes = [GraphNode(name, name, "run") for name in "ab"]

    text = to_text(GraphView("ring", nodes, [GraphEdge("a", None, "b"), GraphEdge("b", None, "a")]))

    assert text.splitlines() == ["ring", "a (run)", "b (run) ^ a"]


def test_a_join_of_many_says_how_many():
    """A join of 500 branches names their number."""
    assert "join (log) <= 500 connections" in to_text(fan(500))


def test_indent_is_bounded():
    """In a ladder of 3,000 branchings the indent stays that of a few."""
    names = [f"n{i}" for i in range(6_000)]
    edges = [
        GraphEdge(names[i], port, names[i + step])
        for i in range(0, 5_998, 2)
        for port, step in (("left", 1), ("on", 2))
    ]
    lines = to_text(GraphView("ladder", [GraphNode(name, name, "if") for name in names], edges)).splitlines()

    assert max(len(line) for line in lines) < 120
    assert all(any(re.search(rf"\b{name} \(if\)", line) for line in lines[:50]) for name in names[:20])


def test_a_chain_stays_at_one_indent():
    """What follows stands below, at the same indent, however long the chain."""
    lines = to_text(chain(1_000)).splitlines()

    assert lines[1:] == [f"node-{i} (run)" for i in range(1_000)]


@given(st.text())
def test_clean_text_is_one_harmless_line(text):
    """Nothing that moves a cursor, ends a line or turns the direction of writing survives."""
    clean = texts.clean(text)

    assert clean.encode("utf-8").decode("utf-8") == clean
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", clean)


@given(st.text(), st.floats(20, 300))
def test_shortened_text_fits(text, limit):
    """A shortened text is no wider than asked, and a text that fits is left alone."""
    short = texts.shorten(text, 12.0, limit)

    assert texts.width(short, 12.0) <= limit
    assert short == text or (short.endswith("…") and texts.width(text, 12.0) > limit)


def test_groups_alone_are_all_shown():
    """A container that holds frames alone shows each of them."""
    groups = [GraphGroup("x", "left", "p"), GraphGroup("y", "right", "p")]
    view = GraphView(
        "v", [GraphNode("p", "p", "parallel"), GraphNode("a", "a", "run", group="x")], [], groups
    )

    assert to_text(view).splitlines() == [
        "v",
        "p (parallel)",
        "┊  ├─ [left]",
        "┊  │     a (run)",
        "┊  └─ [right]",
    ]
