"""The SVG: well formed, self-contained, and closed to what users write into labels."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from tests.views.graph_samples import hostile, order

from fairlead.apps.views.graphs import GraphEdge, GraphNode, GraphView, to_svg
from fairlead.apps.views.graphs.palette import ICONS, LOOKS
from fairlead.apps.views.graphs.views import STATUSES

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("view", [order(), hostile()], ids=["order", "hostile"])
def test_it_is_well_formed_and_self_contained(view):
    """It parses as XML, has no script, no handler, and refers to nothing outside itself."""
    svg = to_svg(view)

    elements = list(ET.fromstring(svg).iter())
    assert {element.tag.removeprefix(SVG) for element in elements} <= {
        *("svg", "title", "style", "defs", "path", "marker", "rect", "g", "text", "use", "circle"),
    }
    for element in elements:
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name != "href" or value.startswith("#fl-")
    assert not re.search(r"url\((?!#fl-)|@import", svg)


def test_the_legend_can_be_left_out():
    """A view counts its statuses below the picture, unless it says that they are no count."""
    node = GraphNode("a", "a", "run", "Running")

    assert "Running 1" in words(to_svg(GraphView("x", [node])))
    assert "Running 1" not in words(to_svg(GraphView("x", [node], legend=False)))


def test_references_are_defined():
    """Every sign and arrow head that is used is defined, each once."""
    svg = to_svg(order())

    defined = re.findall(r' id="([^"]+)"', svg)
    used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert used <= set(defined)
    assert len(defined) == len(set(defined))


def test_user_text_stays_text():
    """What a user wrote appears as the words of a label, nowhere as markup."""
    svg = to_svg(hostile())

    assert "<script" not in svg
    assert any(word.startswith("</text><script>") for word in words(svg))


def test_labels_ports_and_kinds_are_shown():
    """Names, kinds with remarks, ports and conditions can be read."""
    shown = words(to_svg(order()))

    assert {
        "order",
        "reserve",
        "run · 2 attempts",
        "true",
        "approved",
        "[inputs.n > 3]",
        "eu",
        "finally",
    } <= set(shown)


def test_the_legend_counts_states():
    """The legend lists the states that occur with their number, and is absent without states."""
    plain = GraphView("plain", [GraphNode("a", "a", "run")])

    assert {"Succeeded 2", "Running 2", "Pending 5"} <= set(words(to_svg(order())))
    assert words(to_svg(plain)) == ["plain", "a", "run"]


def test_states_of_edges_differ():
    """A taken, an open, a dead and a looping edge each have a style of their own."""
    styles = set(re.findall(r'class="e e-(\w+)"', to_svg(order())))

    assert styles == {"taken", "open", "dead", "back", "plain"}


def test_long_labels_are_shortened():
    """A label that is too long ends in an ellipsis and is whole in the tooltip."""
    name = "a-name-that-goes-on-" * 10
    svg = to_svg(GraphView("v", [GraphNode("a", name, "run")]))

    assert [word for word in words(svg) if word.startswith("a-name") and word.endswith("…")]
    assert f"<title>{name} · run</title>" in svg


def test_ports_to_one_target_share_a_line():
    """Two ports of a node that lead to the same place are one line with both names."""
    nodes = [GraphNode("a", "a", "approval"), GraphNode("b", "b", "finish")]
    svg = to_svg(GraphView("v", nodes, [GraphEdge("a", "rejected", "b"), GraphEdge("a", "expired", "b")]))

    assert svg.count('class="e ') == 1
    assert "rejected, expired" in words(svg)


def test_every_status_and_kind_has_a_look():
    """No status and no kind of node of the API is without colours and a sign."""
    kinds = (
        "run http notify resource set log if switch while forEach parallel wait approval emit workflow finish"
    )

    assert set(LOOKS) == set(STATUSES)
    assert set(ICONS) == set(kinds.split())
