"""What a text with expressions says: its errors, and what it reads.

Rules of this file: expressions are compiled by the same cached functions as when they run, so that a workflow that was validated
runs without compiling anything again; only where something is wrong the text is looked at a second time, for its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.engine.expressions import (
    Expression,
    ExpressionSyntaxError,
    compile_condition,
    compile_expression,
    scanner,
)
from fairlead.engine.expressions.compiler import find_errors
from fairlead.engine.expressions.reads import static_path
from fairlead.engine.expressions.syntax import Call, Ident, Node, Select, walk

ReadPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that is wrong with a text, at a character of it."""

    reason: str
    message: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled expression, and where in the text its source begins."""

    expression: Expression
    offset: int
    locals: frozenset[str]
    condition: bool

    def place_of(self, read: ReadPath) -> int:
        """Where in the text something that it reads is named."""
        checked = find_errors(self.expression.source, self.locals, self.condition)
        if isinstance(checked, list):
            return self.offset
        tree = checked[1]
        found = [
            tree.offset_of(first)
            for node in walk(tree.root)
            if (path := static_path(node)) is not None
            and path[: len(read)] == read
            and (first := _first(node)) is not None
        ]
        return self.offset + min(found, default=0)

    def calls(self, functions: Iterable[str]) -> list[tuple[str, int]]:
        """Which of these functions it calls, and where in the text."""
        checked = find_errors(self.expression.source, self.locals, self.condition)
        if isinstance(checked, list):
            return []
        names, tree = set(functions), checked[1]
        return [
            (node.function, self.offset + tree.offset_of(node))
            for node in walk(tree.root)
            if isinstance(node, Call) and node.function in names
        ]


def _first(node: Node) -> Ident | None:
    """The name with which a path begins."""
    while not isinstance(node, Ident):
        if isinstance(node, Select):
            node = node.operand
        elif isinstance(node, Call) and node.args:
            node = node.args[0]
        else:
            return None
    return node


def read_text(text: str, form: str, locals_: frozenset[str]) -> tuple[list[Formula], list[Mistake]]:
    """The expressions in a text of one of the forms of `Field`, and all that is wrong with it."""
    if form == "template":
        return _template(text, locals_)
    if text.lstrip().startswith("${"):
        message = "a condition is bare CEL; expected it without ${ and }"
        if form == "formula":
            message = "computed is bare CEL; expected it without ${ and }"
        return [], [Mistake("ExpressionInvalid", message)]
    return _compiled(text, 0, locals_, condition=form == "condition")


def _template(text: str, locals_: frozenset[str]) -> tuple[list[Formula], list[Mistake]]:
    formulas: list[Formula] = []
    mistakes: list[Mistake] = []
    try:
        pieces = scanner.scan(text)
    except ExpressionSyntaxError as error:
        return [], [_mistake(error, 0)]
    for piece in pieces:
        if not isinstance(piece, str):
            good, bad = _compiled(piece.source, piece.offset, locals_, condition=False)
            formulas += good
            mistakes += bad
    return formulas, mistakes


def _compiled(
    source: str, offset: int, locals_: frozenset[str], *, condition: bool
) -> tuple[list[Formula], list[Mistake]]:
    compile_ = compile_condition if condition else compile_expression
    try:
        expression = compile_(source, locals=locals_)
    except ExpressionSyntaxError as first:
        errors = find_errors(source, locals_, condition)
        every = errors if isinstance(errors, list) else [first]
        return [], [_mistake(error, offset) for error in every]
    return [Formula(expression, offset, locals_, condition)], []


def _mistake(error: ExpressionSyntaxError, offset: int) -> Mistake:
    return Mistake(error.reason, error.message, offset + error.offset)
