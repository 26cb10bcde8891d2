"""Rows as aligned text, the way kubectl prints them; cells are made harmless and statuses can be painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead.apps.views.graphs import texts

GAP = "   "
Paint = Callable[[str, str], str]
"""Gives the text that stands for a cell: the cell's own value, and the same padded."""


def plain(_: str, padded: str) -> str:
    """No colours."""
    return padded


def table(header: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint = plain) -> list[str]:
    """The lines of a table; the last column is not padded."""
    cells = [[texts.clean(cell) for cell in row] for row in rows]
    widths = [max(texts.columns(cell) for cell in column) for column in zip(header, *cells, strict=True)]
    lines = [_line(header, widths, plain)]
    lines += [_line(row, widths, paint) for row in cells]
    return lines


def _line(row: Sequence[str], widths: Sequence[int], paint: Paint) -> str:
    padded = [cell + " " * (width - texts.columns(cell)) for cell, width in zip(row, widths, strict=True)]
    return GAP.join(paint(cell, wide) for cell, wide in zip(row, padded, strict=True)).rstrip()
