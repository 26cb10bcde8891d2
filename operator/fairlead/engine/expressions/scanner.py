"""Finding `${ … }` in a string.

Rules of this file: the end of a hole is found by CEL's own lexical rules (strings of every kind, comments, quoted names,
nested braces), never by the next brace; `$${` is a literal `${`; a lone `$` is itself. Nothing here knows what an expression
means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fairlead.engine.expressions.errors import ExpressionSyntaxError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIXES = frozenset(("r", "b", "rb", "br"))


@dataclass(frozen=True, slots=True)
class Hole:
    """A `${…}`: the text between the braces, and where that text begins in the string."""

    source: str
    offset: int


def scan(text: str) -> tuple[str | Hole, ...]:
    """The string as literal pieces and holes, in order; no two literals side by side. Raises ExpressionSyntaxError."""
    pieces: list[str | Hole] = []
    literal: list[str] = []
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0:
            break
        if text.startswith("$${", dollar):
            literal.append(text[position:dollar] + "${")
            position = dollar + 3
        elif text.startswith("${", dollar):
            literal.append(text[position:dollar])
            end = _end_of_hole(text, dollar)
            if any(literal):
                pieces.append("".join(literal))
            literal.clear()
            pieces.append(Hole(text[dollar + 2 : end], dollar + 2))
            position = end + 1
        else:
            literal.append(text[position : dollar + 1])
            position = dollar + 1
    literal.append(text[position:])
    if any(literal):
        pieces.append("".join(literal))
    return tuple(pieces)


def escape(text: str) -> str:
    """The template that stands for this very text."""
    return text.replace("${", "$${")


def _end_of_hole(text: str, start: int) -> int:
    """Where the brace stands that closes the `${` at `start`."""
    position, depth = start + 2, 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            position = _end_of_string(text, position, raw=False)
        elif char == "`":
            position = _after(text, "`", position + 1, position)
        elif char == "/" and text.startswith("//", position):
            newline = text.find("\n", position)
            position = len(text) if newline < 0 else newline
        elif char == "}" and depth == 0:
            return position
        else:
            depth += (char == "{") - (char == "}")
            name = _NAME.match(text, position)
            if name is None:
                position += 1
                continue
            position = name.end()
            prefix = name.group().lower()
            if prefix in _PREFIXES and text[position : position + 1] in ('"', "'"):
                position = _end_of_string(text, position, raw="r" in prefix)
    raise ExpressionSyntaxError("'${' has no closing '}'; a literal '${' is written '$${'", text, start)


def _end_of_string(text: str, start: int, *, raw: bool) -> int:
    """The position after the string literal whose first quote stands at `start`."""
    quote = text[start]
    if text.startswith(quote * 3, start):
        quote *= 3
    position = start + len(quote)
    while position < len(text):
        if text.startswith(quote, position):
            return position + len(quote)
        char = text[position]
        if char == "\n" and len(quote) == 1:
            break
        position += 2 if char == "\\" and not raw else 1
    raise ExpressionSyntaxError(
        f"the string that begins with {quote} is not closed within '${{…}}'", text, start
    )


def _after(text: str, closing: str, position: int, start: int) -> int:
    end = text.find(closing, position)
    if end < 0:
        raise ExpressionSyntaxError(
            f"the name that begins with {closing} is not closed within '${{…}}'", text, start
        )
    return end + 1
