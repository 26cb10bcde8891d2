"""All that can be said of an expression or a template without evaluating it.

    analyse_expression(source, …)  a bare CEL text
    analyse_template(value, …)     any JSON value with `${…}` in its strings

Both find everything at once and raise nothing. `types` gives JSON Schemas for root names (`{"inputs": spec.inputs}`); without
one a root may be anything. A condition must be true or false. What is read and called is listed with its place, for the rules
about which names may be read where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fairlead.engine.expressions import compiler, runtime, shapes
from fairlead.engine.expressions.errors import ExpressionSyntaxError
from fairlead.engine.expressions.inference import Inference
from fairlead.engine.expressions.limits import DEPTH
from fairlead.engine.expressions.reads import Path, references, shortest
from fairlead.engine.expressions.scanner import Hole, scan
from fairlead.engine.expressions.shapes import ANY, Shape
from fairlead.engine.expressions.syntax import Call, walk
from fairlead.engine.expressions.trees import Tree

NO_LOCALS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `place` is where in a template the string stands (`.items[0]`), `offset` counts characters within it.

    `reason`: ExpressionInvalid, UnknownName, UnknownFunction, TypeMismatch, UnknownProperty, NeverEqual, EmptySum.
    """

    severity: Literal["error", "warning"]
    reason: str
    message: str
    offset: int
    place: str = ""
    name: str = ""
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A path that is read, or (with one step) a function that is called, and where its first name stands."""

    path: Path
    offset: int
    place: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found. `shape` is what is known of the value."""

    problems: tuple[Problem, ...]
    references: tuple[Reference, ...]
    calls: tuple[Reference, ...]
    shape: Shape = ANY

    @property
    def reads(self) -> tuple[Path, ...]:
        """The shortest set of paths that covers all that is read, as `Expression.reads`."""
        return shortest({each.path for each in self.references})

    @property
    def roots(self) -> frozenset[str]:
        """The root names that are read."""
        return frozenset(each.path[0] for each in self.references)

    @property
    def ok(self) -> bool:
        """True where there is no error; there may be warnings."""
        return all(each.severity != "error" for each in self.problems)


def analyse_expression(
    source: str,
    *,
    locals: frozenset[str] = NO_LOCALS,
    types: Mapping[str, Any] | None = None,
    condition: bool = False,
) -> Analysis:
    """What can be said of a bare CEL text."""
    return _analyse(source, locals, _shapes(types), condition=condition)


def analyse_template(
    value: Any, *, locals: frozenset[str] = NO_LOCALS, types: Mapping[str, Any] | None = None
) -> Analysis:
    """What can be said of a template."""
    known = _shapes(types)
    problems: list[Problem] = []
    found: list[Reference] = []
    calls: list[Reference] = []
    shape = ANY
    for place, text in _strings(value, "", 0, problems):
        pieces, error = _scan(text, place)
        if error is not None:
            problems.append(error)
        for piece in pieces:
            if isinstance(piece, Hole):
                one = _analyse(piece.source, locals, known, condition=False)
                problems += [
                    replace(each, offset=each.offset + piece.offset, place=place) for each in one.problems
                ]
                found += [
                    replace(each, offset=each.offset + piece.offset, place=place) for each in one.references
                ]
                calls += [replace(each, offset=each.offset + piece.offset, place=place) for each in one.calls]
                whole = not place and len(pieces) == 1
                shape = one.shape if whole else shape
    if isinstance(value, str) and shape is ANY and not _is_one_hole(value):
        shape = shapes.of("string")
    return Analysis(tuple(problems), tuple(found), tuple(calls), shape)


def _is_one_hole(text: str) -> bool:
    pieces, error = _scan(text, "")
    return error is not None or (len(pieces) == 1 and isinstance(pieces[0], Hole))


def _shapes(types: Mapping[str, Any] | None) -> dict[str, Shape]:
    return {name: shapes.from_schema(schema) for name, schema in (types or {}).items()}


def _analyse(
    source: str, locals_: frozenset[str], known: Mapping[str, Shape], *, condition: bool
) -> Analysis:
    _, tree, errors = compiler.find_errors(source, locals_, condition=condition)
    if tree is None:
        return Analysis(tuple(map(_problem, errors)), (), ())
    inference = Inference(source, tree, known)
    shape = inference.run()
    if condition and not errors:
        inference.condition(shape)
    found = (Problem(each.severity, each.reason, each.message, each.offset) for each in inference.findings)
    read = references(tree, runtime.ROOT_SET | locals_)
    return Analysis(
        (*map(_problem, errors), *found),
        tuple(Reference(path, offset) for path, offset in read),
        tuple(_calls(tree)),
        shape,
    )


def _problem(error: ExpressionSyntaxError) -> Problem:
    return Problem("error", error.reason, error.message, error.offset, "", error.name, error.suggestion)


def _calls(tree: Tree) -> Iterator[Reference]:
    for node in walk(tree.root):
        if isinstance(node, Call) and node.function[0].isalpha():
            yield Reference((node.function,), tree.offset_of(node))


def _strings(value: Any, place: str, depth: int, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """The strings of a value that may hold `${…}`, with their places."""
    if isinstance(value, str):
        if "${" in value:
            yield place, value
    elif isinstance(value, (dict, list)):
        if depth > DEPTH:
            problems.append(
                Problem(
                    "error",
                    "ExpressionInvalid",
                    f"the value is nested deeper than {DEPTH} levels",
                    0,
                    place[:200],
                )
            )
            return
        if isinstance(value, dict):
            for key, each in value.items():
                yield from _strings(each, f"{place}.{key}", depth + 1, problems)
        else:
            for index, each in enumerate(value):
                yield from _strings(each, f"{place}[{index}]", depth + 1, problems)


def _scan(text: str, place: str) -> tuple[tuple[str | Hole, ...], Problem | None]:
    try:
        return scan(text), None
    except ExpressionSyntaxError as error:
        return (), replace(_problem(error), place=place)
