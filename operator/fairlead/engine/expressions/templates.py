"""Templates: any JSON value with `${ cel }` in its strings.

A string that is exactly one `${…}` has the value of the expression with its type; in any other the value is put into the
text, strings as they are and all else as compact JSON. Keys of maps are not templates.

Rules of this file: a template never changes after it was made; one without expressions is `constant` and gives back the value
that it was made of; `uuid()` depends on the seed and the place in the template, so that a part evaluated alone gives what it
gives within the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fairlead.engine.expressions.budget import Evaluation
from fairlead.engine.expressions.errors import ExpressionResultTooLarge, ExpressionSyntaxError
from fairlead.engine.expressions.expressions import NO_LOCALS, Expression, compile_expression
from fairlead.engine.expressions.limits import DEPTH, RESULT
from fairlead.engine.expressions.reads import Path, shortest
from fairlead.engine.expressions.scanner import scan
from fairlead.engine.expressions.values import canonical

JsonValue = Any

# A string's pieces: literal text and expressions. A part of a template: a constant, a string, a list or a map of parts.
Pieces = tuple[str | Expression, ...]


class _Constant:
    __slots__ = ("value",)

    def __init__(self, value: JsonValue) -> None:
        self.value = value


class _String:
    __slots__ = ("pieces", "place", "text")

    def __init__(self, text: str, pieces: Pieces, place: str) -> None:
        self.text = text
        self.pieces = pieces
        self.place = place


class _List:
    __slots__ = ("parts",)

    def __init__(self, parts: list[_Part]) -> None:
        self.parts = parts


class _Map:
    __slots__ = ("parts",)

    def __init__(self, parts: dict[str, _Part]) -> None:
        self.parts = parts


_Part = _Constant | _String | _List | _Map


class Template:
    """A compiled template. `constant` says that it holds no `${…}`; `reads` are the static paths of all that it reads."""

    __slots__ = ("_part", "constant", "reads", "value")

    def __init__(self, value: JsonValue, part: _Part) -> None:
        self.value = value
        self._part = part
        self.constant = isinstance(part, _Constant)
        self.reads: tuple[Path, ...] = shortest({path for each in _expressions(part) for path in each.reads})

    def __repr__(self) -> str:
        return f"Template({self.value!r})"

    def evaluate(self, scope: Mapping[str, Any], seed: str = "") -> JsonValue:
        """The value with every `${…}` evaluated. Raises ExpressionError, at the first that fails."""
        if isinstance(self._part, _Constant):
            return self._part.value
        return _Run(scope, seed).value(self._part)

    def entries(self) -> dict[str, Template]:
        """A template per key, for one that is a map. Raises TypeError for others."""
        if isinstance(self._part, _Map):
            return {key: Template(self.value[key], part) for key, part in self._part.parts.items()}
        if isinstance(self.value, dict):
            return {
                key: Template(value, _Constant(_plain(self._part, key))) for key, value in self.value.items()
            }
        raise TypeError(f"only a template that is a map has entries, not {self.value!r}")


def _plain(part: _Part, key: str) -> JsonValue:
    assert isinstance(part, _Constant)
    return part.value[key]


class _Run:
    """One evaluation of a template: it adds up what the expressions gave, for the limit on the whole."""

    __slots__ = ("left", "scope", "seed")

    def __init__(self, scope: Mapping[str, Any], seed: str) -> None:
        self.scope = scope
        self.seed = seed
        self.left = RESULT

    def value(self, part: _Part) -> JsonValue:
        if isinstance(part, _Constant):
            return part.value
        if isinstance(part, _Map):
            return {key: self.value(each) for key, each in part.parts.items()}
        if isinstance(part, _List):
            return [self.value(each) for each in part.parts]
        return self.string(part)

    def string(self, part: _String) -> JsonValue:
        with Evaluation(self.seed, part.place) as evaluation:
            if len(part.pieces) == 1 and isinstance(part.pieces[0], Expression):
                value = part.pieces[0].evaluate_in(self.scope, evaluation)
                self.count(evaluation.given, part)
                return value
            out: list[str] = []
            for piece in part.pieces:
                if isinstance(piece, str):
                    out.append(piece)
                    continue
                value = piece.evaluate_in(self.scope, evaluation)
                out.append(value if isinstance(value, str) else canonical(value))
                self.count(len(out[-1]), part)
            return "".join(out)

    def count(self, size: int, part: _String) -> None:
        self.left -= size
        if self.left < 0:
            raise ExpressionResultTooLarge(
                part.text, f"the whole template gives more than {RESULT // 1024} KiB"
            )


def _expressions(part: _Part) -> list[Expression]:
    if isinstance(part, _Constant):
        return []
    if isinstance(part, _String):
        return [piece for piece in part.pieces if isinstance(piece, Expression)]
    parts = part.parts if isinstance(part, _List) else list(part.parts.values())
    return [each for inner in parts for each in _expressions(inner)]


# --- compiling -------------------------------------------------------------------------------------------------------


def compile_template(value: JsonValue, *, locals: frozenset[str] = NO_LOCALS) -> Template:
    """The template of a JSON value. Raises ExpressionSyntaxError, with `place` naming the string within the value."""
    return Template(value, _part(value, locals, "", 0))


def _part(value: JsonValue, locals_: frozenset[str], place: str, depth: int) -> _Part:
    if isinstance(value, str):
        return _string_part(value, locals_, place)
    if not isinstance(value, (dict, list)):
        return _Constant(value)
    if depth > DEPTH:
        raise ExpressionSyntaxError(
            f"the value is nested deeper than {DEPTH} levels", place[:200], place=place[:200]
        )
    if isinstance(value, dict):
        parts = {key: _part(each, locals_, f"{place}.{key}", depth + 1) for key, each in value.items()}
        changed = any(not _same(part, value[key]) for key, part in parts.items())
        return _Map(parts) if changed else _Constant(value)
    listed = [_part(each, locals_, f"{place}[{index}]", depth + 1) for index, each in enumerate(value)]
    changed = any(not _same(part, value[index]) for index, part in enumerate(listed))
    return _List(listed) if changed else _Constant(value)


def _same(part: _Part, value: JsonValue) -> bool:
    """True where evaluating would give back the value itself (a string with `$${` is constant and not the same)."""
    return isinstance(part, _Constant) and part.value is value


def _string_part(text: str, locals_: frozenset[str], place: str) -> _Part:
    if "${" not in text:
        return _Constant(text)
    try:
        pieces = _pieces(text, locals_)
    except ExpressionSyntaxError as error:
        raise error.moved(text, error.offset, place) from None
    if all(isinstance(piece, str) for piece in pieces):
        return _Constant("".join(str(piece) for piece in pieces))
    return _String(text, pieces, place)


@lru_cache(maxsize=8_192)
def _pieces(text: str, locals_: frozenset[str]) -> Pieces:
    pieces: list[str | Expression] = []
    for piece in scan(text):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        try:
            pieces.append(compile_expression(piece.source, locals=locals_))
        except ExpressionSyntaxError as error:
            raise error.moved(text, piece.offset + error.offset) from None
    return tuple(pieces)
