"""From text to a program that can be run: what is refused before the runtime sees it, what it refuses, and what it would let
pass.

Refused before: texts that are too long, that are no Unicode, or with so many `optMap`s that expanding them would fill the
memory. Refused after: optional values where they would have to become JSON (the runtime corrupts its own error state there),
messages of protobuf, time zones that are files, a condition whose type is known not to be bool.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fairlead.engine.expressions import diagnosis, guards, optionals, rewriting, runtime, trees
from fairlead.engine.expressions.budget import Evaluation
from fairlead.engine.expressions.comparisons import Relaxed, relax
from fairlead.engine.expressions.errors import ExpressionSyntaxError, cut
from fairlead.engine.expressions.limits import OPTIONAL_MACROS, SOURCE
from fairlead.engine.expressions.syntax import Call, Const, MapNode, walk
from fairlead.engine.expressions.trees import Tree

_OPTIONAL_MACRO = re.compile(r"\bopt(?:Flat)?Map\b")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*|[+-]?\d\d:\d\d")
_ZONED = frozenset(
    ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes",
     "getSeconds", "getMilliseconds")
)  # fmt: skip


class Program:
    """A text that compiled: the program as written, and the guarded one, which is made when it is first needed."""

    __slots__ = ("_cheap_below", "_environment", "_guarded", "_original", "_plain", "_roots", "_sites")

    def __init__(self, plain: Any, tree: Tree, locals_: frozenset[str]) -> None:
        self._plain = plain
        self._original = tree.original
        self._cheap_below = rewriting.cheap_below(tree)
        self._environment = runtime.environment(locals_)
        self._roots = runtime.ROOT_SET | locals_
        self._guarded: Any = None
        self._sites: tuple[guards.Site, ...] = ()

    def run(self, data: dict[str, Any], size: int, evaluation: Evaluation) -> Any:
        """The result of the runtime for what was read, which is `size` bytes."""
        if size <= self._cheap_below:
            return self._plain.eval(data=data)
        if self._guarded is None:
            tree, self._sites = rewriting.guarded(self.tree(), self._roots)
            self._guarded = self._environment.deserialize(trees.encode(tree)) if self._sites else self._plain
        evaluation.prepare(self._sites, data)
        return self._guarded.eval(data=data)

    def tree(self) -> Tree:
        """The tree of the text. It is ten times as large as the program and rarely needed, so it is not kept."""
        return trees.decode(self._plain.serialize(), self._original)


def compile_source(source: str, locals_: frozenset[str], condition: bool) -> tuple[Program, Tree]:
    """The program and the syntax tree of a text. Raises ExpressionSyntaxError, the first error found."""
    plain, tree, errors = find_errors(source, locals_, condition)
    if tree is None or errors:
        raise errors[0]
    return Program(plain, tree, locals_), tree


def find_errors(
    source: str, locals_: frozenset[str], condition: bool = False
) -> tuple[Any, Tree | None, list[ExpressionSyntaxError]]:
    """All that is wrong with a text; what the runtime made of it and its tree, if it could be compiled."""
    refused = _refuse_text(source)
    if refused is not None:
        return None, None, [refused]
    plain, original, errors = _compile(source, locals_)
    if errors:
        return None, None, errors
    serialised = plain.serialize()
    tree = trees.decode(serialised, original)
    errors = _refuse_tree(source, tree)
    if optionals.may_occur(serialised):
        errors += _refuse_optionals(source, tree)
    if condition and plain.return_type().name() not in ("BOOL", "DYN") and not errors:
        kind = diagnosis.a_type(tree.type_of(tree.root))
        message = f"a condition must be true or false, but `{cut(source, 80)}` is {kind}"
        errors.append(
            ExpressionSyntaxError(message, source, tree.offset_of(tree.root), reason="TypeMismatch")
        )
    return plain, tree, errors


def _compile(
    source: str, locals_: frozenset[str]
) -> tuple[Any, Callable[[int], int] | None, list[ExpressionSyntaxError]]:
    """What the runtime makes of a text, how offsets in it are counted back if the text had to be relaxed, or what is wrong."""
    environment = runtime.environment(locals_)
    text = Relaxed(source)
    plain, said = _attempt(environment, source)
    relaxed = relax(source, said, environment) if plain is None else None
    if relaxed is not None:
        text = relaxed
        plain, said = _attempt(environment, text.source)
    if plain is not None:
        return plain, text.offset if text.inserted else None, []
    known = runtime.ROOT_SET | locals_
    errors = diagnosis.syntax_errors(text.source, said, known, runtime.function_names())
    return None, None, [each.moved(source, text.offset(each.offset)) for each in errors]


def _attempt(environment: Any, text: str) -> tuple[Any, str]:
    """What the runtime makes of a text, or what it says against it."""
    try:
        return environment.compile(text), ""
    except (RuntimeError, TypeError, ValueError) as error:
        return None, str(error)


def _refuse_text(source: str) -> ExpressionSyntaxError | None:
    if not source.strip():
        return ExpressionSyntaxError("the expression is empty", source)
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        return ExpressionSyntaxError(
            "the expression holds half of a surrogate pair, which is no Unicode text", source, error.start
        )
    if size > SOURCE:
        return ExpressionSyntaxError(
            f"the expression has {size} bytes, more than the {SOURCE} that one may have", source
        )
    macros = list(_OPTIONAL_MACRO.finditer(source))
    if len(macros) > OPTIONAL_MACROS:
        message = f"the expression has {len(macros)} optMap or optFlatMap, more than the {OPTIONAL_MACROS} that one may have"
        return ExpressionSyntaxError(message, source, macros[OPTIONAL_MACROS].start())
    return None


def _refuse_tree(source: str, tree: Tree) -> list[ExpressionSyntaxError]:
    found: list[ExpressionSyntaxError] = []
    for node in walk(tree.root):
        if isinstance(node, MapNode) and node.message:
            message = f"{node.message!r} is a protobuf message, and expressions have only JSON values"
            found.append(ExpressionSyntaxError(message, source, tree.offset_of(node)))
        if isinstance(node, Call) and node.function in _ZONED and node.args:
            zone = node.args[0]
            if not (isinstance(zone, Const) and zone.kind == "string" and _ZONE.fullmatch(zone.value)):
                message = (
                    f'{node.function}() needs a time zone written out, such as "Europe/Berlin" or "+02:00"'
                )
                found.append(
                    ExpressionSyntaxError(message, source, tree.offset_of(node), reason="TypeMismatch")
                )
    return found


def _refuse_optionals(source: str, tree: Tree) -> list[ExpressionSyntaxError]:
    what = {True: "the expression gives an optional value", False: "an optional value cannot be used here"}
    return [
        ExpressionSyntaxError(
            f"{what[node is tree.root]}: end it with .orValue(...) or .value()",
            source,
            tree.offset_of(node),
            reason="TypeMismatch",
        )
        for node in optionals.misused(tree)
    ]
