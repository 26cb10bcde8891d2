"""A graph as Mermaid flowchart text, for READMEs and wikis that draw it.

Ids are ours (`n0`, `n1`, …). Of a label only letters, digits and spaces pass as they are; every other ASCII character becomes
its `#code;`, so that no label can end a string, open a directive or be taken for HTML or Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.apps.views.graphs import palette, texts
from fairlead.apps.views.graphs.views import (
    STATUSES,
    GraphEdge,
    GraphGroup,
    GraphNode,
    GraphView,
    Tree,
    tree_of,
)

_SHAPES = {
    "if": ("{", "}"),
    "switch": ("{", "}"),
    "wait": ("{{", "}}"),
    "approval": ("[/", "/]"),
    "finish": ("([", "])"),
    "set": ("[", "]"),
    "log": ("[", "]"),
}
_ROUNDED = ("(", ")")
_ARROWS = {"open": "-->", "taken": "==>", "dead": "-.->", None: "-->"}
_DASHES = {"Skipped", "Cancelled"}


def to_mermaid(view: GraphView) -> str:
    """The graph as a Mermaid flowchart."""
    tree = tree_of(view)
    names = {item: f"n{number}" for number, item in enumerate(tree.items)}
    lines = ["---", f'title: "{_quote(view.title)}"', "---", "flowchart TD"]
    lines += _body(tree, None, names, "  ")
    lines += _edges(view, names)
    for status in STATUSES:
        members = [names[node.id] for node in view.nodes if node.status == status]
        if members:
            look = palette.LOOKS[status]
            dash = ",stroke-dasharray:5 3" if status in _DASHES else ""
            lines.append(
                f"  classDef {status} fill:{look.fill[0]},stroke:{look.border[0]},color:#0f172a{dash}"
            )
            lines.append(f"  class {','.join(members)} {status}")
    return "\n".join([*lines, ""])


def _body(tree: Tree, container: str | None, names: dict[str, str], indent: str) -> Iterator[str]:
    for member in tree.members.get(container, []):
        item = tree.items[member]
        if tree.is_container(member):
            yield f'{indent}subgraph {names[member]}["{_caption(item)}"]'
            yield f"{indent}  direction TB"
            yield from _body(tree, member, names, indent + "  ")
            yield f"{indent}end"
        elif isinstance(item, GraphNode):
            left, right = _SHAPES.get(item.kind, _ROUNDED)
            yield f'{indent}{names[member]}{left}"{_caption(item)}"{right}'


def _caption(item: GraphNode | GraphGroup) -> str:
    if isinstance(item, GraphGroup):
        return _escape(item.label)
    below = " · ".join(_escape(part) for part in (item.kind, item.detail, item.status) if part)
    return f"{_escape(item.label)}<br/>{below}" if below else _escape(item.label)


def _edges(view: GraphView, names: dict[str, str]) -> Iterator[str]:
    dead: list[str] = []
    for number, edge in enumerate(view.edges):
        label = f'|"{_edge_label(edge)}"|' if edge.label or edge.loopback else ""
        yield f"  {names[edge.source]} {_ARROWS[edge.state]}{label} {names[edge.target]}"
        if edge.state == "dead":
            dead.append(str(number))
    if dead:
        yield f"  linkStyle {','.join(dead)} stroke:#94a3b8,color:#64748b"


def _edge_label(edge: GraphEdge) -> str:
    return " ".join(filter(None, [_escape(edge.label), "↺" if edge.loopback else ""]))


def _escape(text: str) -> str:
    return "".join(
        char if char.isalnum() or char == " " or char > "~" else f"#{ord(char)};"
        for char in texts.clean(text)
    )


def _quote(text: str) -> str:
    """A YAML double-quoted scalar; the title is front matter, not diagram text."""
    return texts.clean(text).replace("\\", "\\\\").replace('"', '\\"')
