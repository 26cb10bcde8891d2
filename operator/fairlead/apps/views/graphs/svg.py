"""A graph as one self-contained SVG: no script, no link, no font or picture from elsewhere.

What users wrote appears only as escaped text, never in an attribute, an id or a style.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from fairlead.apps.views.graphs import palette, texts
from fairlead.apps.views.graphs.drawing import (
    BADGE,
    BOX_HEIGHT,
    CAPTION_SIZE,
    LABEL_SIZE,
    LEFT,
    RIGHT,
    Drawing,
    Shape,
    Stroke,
    caption,
    draw,
)
from fairlead.apps.views.graphs.layout import Point
from fairlead.apps.views.graphs.views import STATUSES, GraphNode, GraphView

MARGIN = 24.0
TITLE = 34.0
LEGEND = 34.0
CORNER = 8.0


def to_svg(view: GraphView) -> str:
    """The graph as an SVG document."""
    drawing = draw(view)
    legend = list(_legend(view)) if view.legend else []
    legend_width = sum(width for width, _ in legend)
    title_width = texts.width(texts.clean(view.title), 16)
    width = max(drawing.width, legend_width, min(title_width, 900.0)) + 2 * MARGIN
    height = drawing.height + 2 * MARGIN + TITLE + (LEGEND if legend else 0.0)
    dx, dy = (width - drawing.width) / 2, MARGIN + TITLE
    size = f'width="{width:.0f}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fl" role="img" {size} viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{_text(view.title)}</title>",
        f"<style>{palette.style_sheet()}</style>",
        _definitions(view, drawing),
        '<rect class="bg" width="100%" height="100%"/>',
        f'<text class="h" x="{MARGIN:.0f}" y="{MARGIN + 12:.0f}">{_fit(view.title, 16, width - 2 * MARGIN)}</text>',
        f'<g transform="translate({dx:.1f} {dy:.1f})">',
        *(_shape(shape) for shape in drawing.shapes if shape.frame),
        *(_stroke(stroke) for stroke in drawing.strokes),
        *(_shape(shape) for shape in drawing.shapes if not shape.frame),
        *(_label(stroke) for stroke in drawing.strokes if stroke.label and stroke.line.label),
        "</g>",
    ]
    x = MARGIN
    for step, markup in legend:
        parts.append(f'<g transform="translate({x:.1f} {height - MARGIN - 8:.1f})">{markup}</g>')
        x += step
    return "\n".join([*parts, "</svg>", ""])


def _text(text: str) -> str:
    return escape(texts.clean(text))


def _fit(text: str, size: float, room: float) -> str:
    return escape(texts.shorten(texts.clean(text), size, room))


def _definitions(view: GraphView, drawing: Drawing) -> str:
    """Signs and arrow heads that the picture uses, each drawn once."""
    kinds = sorted({node.kind for node in view.nodes if node.kind in palette.ICONS})
    signs = [("plain", palette.PLAIN_ICON), *((kind, palette.ICONS[kind]) for kind in kinds)]
    symbols = [f'<path id="fl-k-{name}" d="{path}"/>' for name, path in signs]
    states = sorted({node.status for node in view.nodes if node.status})
    symbols += [f'<path id="fl-s-{name}" d="{palette.LOOKS[name].sign}"/>' for name in states]
    heads = [
        f'<marker id="fl-a-{name}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" markerWidth="9" '
        f'markerHeight="9" orient="auto"><path class="a-{name}" d="M0 1l10 4-10 4z"/></marker>'
        for name in sorted({_style(stroke) for stroke in drawing.strokes})
    ]
    return f"<defs>{''.join(symbols)}{''.join(heads)}</defs>"


# -------------------------------------------------------------------------------------------------------- boxes and frames
def _shape(shape: Shape) -> str:
    item = shape.item
    if item is None:
        return f'<rect class="k" {_place(shape)} rx="{CORNER + 4:.0f}"/>'
    status = item.status if isinstance(item, GraphNode) else None
    classes = " ".join(filter(None, ["f" if shape.frame else None, status]))
    inside = "".join(_frame(shape) if shape.frame else _box(shape))
    return f'<g class="{classes}">{inside}</g>' if classes else f"<g>{inside}</g>"


def _place(shape: Shape) -> str:
    return f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'


def _tooltip(shape: Shape) -> str:
    item = shape.item
    if not isinstance(item, GraphNode):
        return ""
    said = [item.label, caption(item), item.status]
    return f"<title>{_text(' · '.join(part for part in said if part))}</title>"


def _box(shape: Shape) -> Iterator[str]:
    node = shape.item
    if not isinstance(node, GraphNode):
        return
    rounding = BOX_HEIGHT / 2 if node.kind == "finish" else CORNER
    room = shape.width - LEFT - RIGHT - (BADGE if node.status else 0.0) + 2
    yield _tooltip(shape)
    yield f'<rect class="b" {_place(shape)} rx="{rounding:.0f}"/>'
    yield _icon(node, shape.x + 14, shape.y + BOX_HEIGHT / 2 - 8)
    below = caption(node)
    middle = 20 if below else 27
    yield _line(shape.x + LEFT, shape.y + middle, "t", _fit(node.label, LABEL_SIZE, room))
    if below:
        yield _line(shape.x + LEFT, shape.y + 36, "c", _fit(below, CAPTION_SIZE, room))
    yield _badge(node, shape.x + shape.width - 25, shape.y + BOX_HEIGHT / 2 - 8)


def _frame(shape: Shape) -> Iterator[str]:
    item = shape.item
    if item is None:
        return
    yield _tooltip(shape)
    yield f'<rect class="body" {_place(shape)} rx="{CORNER + 4:.0f}"/>'
    yield f'<rect class="b" {_place(shape)} rx="{CORNER + 4:.0f}"/>'
    x, y = shape.x + 14, shape.y + 22
    room = shape.width - 28
    if isinstance(item, GraphNode):
        yield _icon(item, x, y - 13)
        yield _badge(item, shape.x + shape.width - 27, y - 13)
        x, room = x + 24, room - 24 - BADGE
    label = texts.shorten(texts.clean(item.label), LABEL_SIZE, room)
    yield _line(x, y, "t", escape(label))
    if isinstance(item, GraphNode):
        used = texts.width(label, LABEL_SIZE) + 10
        if room - used > 2 * CAPTION_SIZE:
            yield _line(x + used, y, "c", _fit(caption(item), CAPTION_SIZE, room - used))


def _line(x: float, y: float, style: str, escaped: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escaped}</text>'


def _icon(node: GraphNode, x: float, y: float) -> str:
    name = node.kind if node.kind in palette.ICONS else "plain"
    return f'<use class="i {palette.family(node.kind)}" href="#fl-k-{name}" x="{x:.1f}" y="{y:.1f}"/>'


def _badge(node: GraphNode, x: float, y: float) -> str:
    if not node.status:
        return ""
    return (
        f'<circle class="d" cx="{x + 8:.1f}" cy="{y + 8:.1f}" r="8"/>'
        f'<use class="s" href="#fl-s-{node.status}" x="{x:.1f}" y="{y:.1f}"/>'
    )


# ------------------------------------------------------------------------------------------------------------------- lines
def _style(stroke: Stroke) -> str:
    if stroke.wire.loopback and stroke.wire.state != "dead":
        return "back"
    return stroke.wire.state or "plain"


def _stroke(stroke: Stroke) -> str:
    style = _style(stroke)
    points = stroke.line.points
    path = _square(points) if stroke.line.square else _curve(points)
    return f'<path class="e e-{style}" marker-end="url(#fl-a-{style})" d="{path}"/>'


def _curve(points: Sequence[Point]) -> str:
    """A smooth line downwards that never swings wider than its points (monotone cubic, after Fritsch and Carlson).

    It leaves and arrives vertically, and it is straight where two points stand above each other.
    """
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    spots = [points[0], *(b for a, b in pairwise(points) if b[1] - a[1] > 0.5)]
    slopes = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(spots)]
    bends = [0.0, *(2 / (1 / a + 1 / b) if a * b > 0 else 0.0 for a, b in pairwise(slopes)), 0.0]
    for (start, end), (leaving, arriving) in zip(pairwise(spots), pairwise(bends), strict=True):
        third = (end[1] - start[1]) / 3
        if abs(end[0] - start[0]) < 0.5:
            path.append(f"L{end[0]:.1f} {end[1]:.1f}")
        else:
            path.append(
                f"C{start[0] + leaving * third:.1f} {start[1] + third:.1f} "
                f"{end[0] - arriving * third:.1f} {end[1] - third:.1f} {end[0]:.1f} {end[1]:.1f}"
            )
    return "".join(path)


def _square(points: Sequence[Point]) -> str:
    """Right angles with rounded corners."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (before, corner), (_, after) in zip(pairwise(points), pairwise(points[1:]), strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        path.append(
            f"L{enter[0]:.1f} {enter[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {leave[0]:.1f} {leave[1]:.1f}"
        )
    return "".join([*path, f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"])


def _towards(corner: Point, other: Point) -> Point:
    """A point a corner's radius from `corner` on the way to `other`, at most half way."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(8.0, length / 2) / length if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share


def _label(stroke: Stroke) -> str:
    place = stroke.line.label
    if place is None:
        return ""
    x, y = place
    width = texts.width(stroke.label, 11) + 8
    full = f"<title>{_text(stroke.wire.label)}</title>" if stroke.label != stroke.wire.label else ""
    return (
        f'<g>{full}<rect class="p" x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" rx="4"/>'
        f'<text class="l" x="{x:.1f}" y="{y + 4:.1f}">{escape(stroke.label)}</text></g>'
    )


# ------------------------------------------------------------------------------------------------------------------ legend
def _legend(view: GraphView) -> Iterator[tuple[float, str]]:
    """One entry for each status that occurs, with how often."""
    counts: Counter[str] = Counter(node.status for node in view.nodes if node.status)
    for status in STATUSES:
        if status in counts:
            text = f"{status} {counts[status]}"
            sign = f'<circle class="d" cx="8" cy="8" r="8"/><use class="s" href="#fl-s-{status}"/>'
            yield (
                texts.width(text, CAPTION_SIZE) + 44,
                f'<g class="{status}">{sign}<text class="c" x="22" y="12">{text}</text></g>',
            )
