r"""A graph as Graphviz dot.

Ids are ours (`n0`, `n1`, …); labels are quoted strings, never HTML-like ones, with quotes and backslashes escaped so that
neither a string ends early nor one of dot's own escapes (`\N`, `\G`) appears. A container is a cluster with an invisible point
at its top and one at its bottom, to which the edges into and out of it are tied.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.apps.views.graphs import palette, texts
from fairlead.apps.views.graphs.views import GraphEdge, GraphGroup, GraphNode, GraphView, Tree, tree_of

_SHAPES = {"if": "diamond", "switch": "diamond", "wait": "hexagon", "approval": "house", "finish": "oval"}


def to_dot(view: GraphView) -> str:
    """The graph as a Graphviz digraph."""
    tree = tree_of(view)
    names = {item: f"n{number}" for number, item in enumerate(tree.items)}
    lines = [
        "digraph workflow {",
        f"  label={_quote(view.title)}; labelloc=t; compound=true; rankdir=TB; fontname=Helvetica;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, color="#94a3b8", fontname=Helvetica, fontsize=11];',
        '  edge [color="#64748b", fontname=Helvetica, fontsize=10];',
        *_body(tree, None, names, "  "),
        *(f"  {_edge(tree, edge, names)}" for edge in view.edges),
        "}",
    ]
    return "\n".join([*lines, ""])


def _body(tree: Tree, container: str | None, names: dict[str, str], indent: str) -> Iterator[str]:
    for member in tree.members.get(container, []):
        item = tree.items[member]
        name = names[member]
        if tree.is_container(member):
            yield f"{indent}subgraph cluster_{name} {{"
            look = _look(item) or ["color=gray60"]
            yield f"{indent}  label={_label(item)}; style=rounded; {'; '.join(part for part in look if 'style' not in part)};"
            yield f"{indent}  {name}_in [shape=point, style=invis]; {name}_out [shape=point, style=invis];"
            for inner in tree.members.get(member, []):
                first, last = _ends(tree, inner, names)
                yield f"{indent}  {name}_in -> {first} [style=invis]; {last} -> {name}_out [style=invis];"
            yield from _body(tree, member, names, indent + "  ")
            yield f"{indent}}}"
        elif isinstance(item, GraphNode):
            attributes = [f"label={_label(item)}", f"shape={_SHAPES.get(item.kind, 'box')}", *_look(item)]
            yield f"{indent}{name} [{', '.join(attributes)}];"


def _ends(tree: Tree, member: str, names: dict[str, str]) -> tuple[str, str]:
    name = names[member]
    return (f"{name}_in", f"{name}_out") if tree.is_container(member) else (name, name)


def _look(item: GraphNode | GraphGroup) -> list[str]:
    if not isinstance(item, GraphNode) or item.status is None:
        return []
    look = palette.LOOKS[item.status]
    dashed = ['style="rounded,filled,dashed"'] if look.dashed else []
    return [f'fillcolor="{look.fill[0]}"', f'color="{look.border[0]}"', *dashed]


def _label(item: GraphNode | GraphGroup) -> str:
    if isinstance(item, GraphGroup):
        return _quote(item.label)
    below = " · ".join(filter(None, [item.kind, item.detail, item.status]))
    return _quote(item.label, below)


def _edge(tree: Tree, edge: GraphEdge, names: dict[str, str]) -> str:
    tail, head = _ends(tree, edge.source, names)[1], _ends(tree, edge.target, names)[0]
    attributes = [f"label={_quote(edge.label)}"] if edge.label else []
    if tree.is_container(edge.source):
        attributes.append(f"ltail=cluster_{names[edge.source]}")
    if tree.is_container(edge.target):
        attributes.append(f"lhead=cluster_{names[edge.target]}")
    if edge.loopback:
        attributes += ["constraint=false", f'color="{palette.LINES["back"][0]}"']
    if edge.state == "dead":
        attributes += ["style=dashed", 'color="#cbd5e1"', 'fontcolor="#64748b"']
    elif edge.state == "taken":
        attributes += ["penwidth=2", f'color="{palette.LINES["taken"][0]}"']
    return f"{tail} -> {head} [{', '.join(attributes)}];"


def _quote(*lines: str) -> str:
    escaped = (texts.clean(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line)
    return '"' + "\\n".join(escaped) + '"'
