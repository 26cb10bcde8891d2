"""From a view to places on a canvas: boxes, frames around bodies, lines. Still no format: `svg` writes what is found here.

Containers are laid out inside out: a body's layout gives the size of its frame, which is one box of the layout around it.
A frame that stands beside nodes without any edge (the `finally` block) is put below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairlead.apps.views.graphs import layout, texts, wires
from fairlead.apps.views.graphs.layout import Line, Point
from fairlead.apps.views.graphs.views import GraphGroup, GraphNode, GraphView, Tree, tree_of

LABEL_SIZE = 13.0
CAPTION_SIZE = 11.0
EDGE_SIZE = 11.0
BOX_HEIGHT = 46.0
LEFT, RIGHT, BADGE = 40.0, 14.0, 22.0  # the icon's room, the margin, a status badge's room
NARROWEST, WIDEST = 112.0, 280.0
HEADER = 36.0
PADDING = 18.0
BLOCK_GAP = 12.0
EDGE_LABEL_WIDEST = 200.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A placed box (`item` a node), frame (`frame` set) or the outline of a block (no item)."""

    item: GraphNode | GraphGroup | None
    x: float
    y: float
    width: float
    height: float
    frame: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Stroke:
    """A placed line; `label` is its text, shortened."""

    wire: wires.Wire
    line: Line
    label: str


@dataclass(slots=True)
class Drawing:
    """Everything placed, outer things before inner ones."""

    shapes: list[Shape] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def add(self, other: Drawing, dx: float, dy: float) -> None:
        """Put another drawing into this one."""
        for s in other.shapes:
            self.shapes.append(Shape(s.item, s.x + dx, s.y + dy, s.width, s.height, s.frame, s.depth))
        for stroke in other.strokes:
            line = stroke.line
            points = [(x + dx, y + dy) for x, y in line.points]
            label = (line.label[0] + dx, line.label[1] + dy) if line.label else None
            self.strokes.append(Stroke(stroke.wire, Line(points, label, line.square), stroke.label))


def draw(view: GraphView) -> Drawing:
    """Place everything in a view."""
    return _body(tree_of(view), None, 0)


def caption(node: GraphNode) -> str:
    """The second line of a box: the kind and what there is to remark."""
    return " · ".join(texts.clean(part) for part in (node.kind, node.detail) if part)


def _body(tree: Tree, container: str | None, depth: int) -> Drawing:
    """The members of one container, with the top left at (0, 0)."""
    members = tree.members.get(container, [])
    edges = tree.edges.get(container, [])
    wired = {end for edge in edges for end in (edge.source, edge.target)}
    main = [name for name in members if isinstance(tree.items[name], GraphNode) or name in wired]
    below = [name for name in members if name not in main] if main else []
    parts, lines = wires.units(main or members, edges, lambda name: not tree.is_container(name))
    pieces = [_unit(tree, part, depth) for part in parts]
    labels = [texts.shorten(texts.clean(wire.label), EDGE_SIZE, EDGE_LABEL_WIDEST) for wire in lines]
    links = [
        layout.Link(
            wire.source, wire.target, texts.width(label, EDGE_SIZE) + 8 if label else 0.0, wire.loopback
        )
        for wire, label in zip(lines, labels, strict=True)
    ]
    placed = layout.arrange([(piece.width, piece.height) for piece in pieces], links)
    drawing = Drawing(width=placed.width, height=placed.height)
    for piece, (x, y) in zip(pieces, placed.corners, strict=True):
        drawing.add(piece, x, y)
    drawing.strokes += [
        Stroke(w, line, text) for w, line, text in zip(lines, placed.lines, labels, strict=True)
    ]
    _put_below(drawing, [_unit(tree, [name], depth) for name in below])
    return drawing


def _put_below(drawing: Drawing, pieces: Sequence[Drawing]) -> None:
    """Put pieces in a row of their own, in the middle under what is there."""
    if not pieces:
        return
    width = sum(piece.width for piece in pieces) + layout.BOX_GAP * (len(pieces) - 1)
    x, top = (drawing.width - width) / 2, drawing.height + layout.ROW_GAP
    shift = max(0.0, -x)
    if shift:
        inner = Drawing(drawing.shapes, drawing.strokes)
        drawing.shapes, drawing.strokes = [], []
        drawing.add(inner, shift, 0.0)
        drawing.width, x = width, 0.0
    for piece in pieces:
        drawing.add(piece, x, top)
        x += piece.width + layout.BOX_GAP
    drawing.height = top + max(piece.height for piece in pieces)


def _unit(tree: Tree, names: Sequence[str], depth: int) -> Drawing:
    if len(names) > 1:
        return _block([tree.items[name] for name in names], depth)
    item = tree.items[names[0]]
    if tree.is_container(item.id):
        return _frame(tree, item, depth)
    width, height = box_size(item)
    return Drawing([Shape(item, 0.0, 0.0, width, height, frame=False, depth=depth)], [], width, height)


def _frame(tree: Tree, item: GraphNode | GraphGroup, depth: int) -> Drawing:
    """A body inside its frame, under the header."""
    body = _body(tree, item.id, depth + 1)
    title = texts.width(texts.clean(item.label), LABEL_SIZE)
    if isinstance(item, GraphNode):
        title += LEFT + BADGE + texts.width(caption(item), CAPTION_SIZE)
    width = max(body.width + 2 * PADDING, min(title + 2 * PADDING, 2 * WIDEST))
    height = HEADER + body.height + PADDING
    drawing = Drawing([Shape(item, 0.0, 0.0, width, height, frame=True, depth=depth)], [], width, height)
    drawing.add(body, (width - body.width) / 2, HEADER)
    return drawing


def _block(items: Sequence[GraphNode | GraphGroup], depth: int) -> Drawing:
    """Alike nodes as a grid about half as high as wide, columns as wide as the widest box."""
    sizes = [box_size(item) for item in items]
    width, height = max(w for w, _ in sizes) + BLOCK_GAP, BOX_HEIGHT + BLOCK_GAP
    across = min(len(items), max(4, round((len(items) * 1.8 * height / width) ** 0.5)))
    down = -(-len(items) // across)
    drawing = Drawing([], [], across * width + BLOCK_GAP, down * height + BLOCK_GAP)
    drawing.shapes.append(Shape(None, 0.0, 0.0, drawing.width, drawing.height, frame=True, depth=depth))
    for number, item in enumerate(items):
        x, y = number % across * width + BLOCK_GAP, number // across * height + BLOCK_GAP
        drawing.shapes.append(Shape(item, x, y, width - BLOCK_GAP, BOX_HEIGHT, frame=False, depth=depth))
    return drawing


def box_size(item: GraphNode | GraphGroup) -> Point:
    """How big the box of a plain node is."""
    text = texts.width(texts.clean(item.label), LABEL_SIZE)
    badge = 0.0
    if isinstance(item, GraphNode):
        text = max(text, texts.width(caption(item), CAPTION_SIZE))
        badge = BADGE if item.status else 0.0
    return min(max(LEFT + text + badge + RIGHT, NARROWEST), WIDEST), BOX_HEIGHT
