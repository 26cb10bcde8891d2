"""Bare CEL: compile once, evaluate often.

Rules of this file: compiling is cached by text and local names, so that ten thousand nodes with one condition compile it
once; an `Expression` never changes after it was made; evaluating is a pure function of the scope and the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from fairlead.engine.expressions import blame, compiler, diagnosis, runtime, syntax, trees
from fairlead.engine.expressions.budget import Evaluation, ResultTooLarge, TooExpensive
from fairlead.engine.expressions.errors import (
    ExpressionError,
    ExpressionResultTooLarge,
    ExpressionTooExpensive,
    cut,
)
from fairlead.engine.expressions.limits import INT_MAX, INT_MIN, RESULT, SHOWN_VALUES
from fairlead.engine.expressions.reads import Path, as_tree, read_paths, static_path
from fairlead.engine.expressions.values import (
    MISSING,
    NUL,
    Reader,
    Unfit,
    Writer,
    compact,
    follow,
    to_json,
    type_name,
)
from fairlead.model.times import format_time, to_datetime

NO_LOCALS: frozenset[str] = frozenset()


class Expression:
    """A compiled expression. `reads` are the static paths of all that it reads (see `reads.py`)."""

    __slots__ = ("_condition", "_path", "_program", "_wanted", "reads", "source")

    def __init__(
        self,
        source: str,
        program: compiler.Program,
        tree: trees.Tree,
        roots: frozenset[str],
        *,
        condition: bool,
    ) -> None:
        self.source = source
        self.reads: tuple[Path, ...] = read_paths(tree.root, roots)
        self._program = program
        self._wanted = as_tree(self.reads)
        self._condition = condition
        self._path = _pure_path(tree, roots)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, scope: Mapping[str, Any], seed: str = "") -> Any:
        """The JSON value of the expression. Raises ExpressionError."""
        with Evaluation(seed) as evaluation:
            return self.evaluate_in(scope, evaluation)

    def evaluate_in(self, scope: Mapping[str, Any], evaluation: Evaluation) -> Any:
        """As `evaluate`, within an evaluation that others share (the parts of one template string)."""
        reader = Reader()
        data: dict[str, Any] = {}
        try:
            if self._path is not None:
                found = follow(scope, self._path)
                if found is not MISSING:
                    value = self._pass_on(reader.take(found), reader)
                    evaluation.given += reader.size
                    return value
            data = reader.pick(scope, self._wanted)
            if reader.nul:
                raise Unfit(NUL)
        except TooExpensive as error:
            raise _refusal(error)(self.source, str(error), self._seen(scope)) from None
        except Unfit as error:
            raise ExpressionError(self.source, str(error), self._seen(scope)) from None
        if "now" in data:
            data["now"] = to_datetime(data["now"])
        return self._run(data, reader.size, evaluation, scope)

    def _run(self, data: dict[str, Any], size: int, evaluation: Evaluation, scope: Mapping[str, Any]) -> Any:
        try:
            result = self._program.run(data, size, evaluation)
            if evaluation.interrupt is not None:
                raise evaluation.interrupt
            if evaluation.stopped is not None:
                raise TooExpensive(evaluation.stopped)
            return self._finish(result, evaluation)
        except TooExpensive as error:
            raise _refusal(error)(self.source, str(error), self._seen(data)) from None
        except (ValueError, RuntimeError, TypeError, OverflowError) as error:
            if evaluation.interrupt is not None:
                raise evaluation.interrupt from None
            if evaluation.stopped is not None:
                raise ExpressionTooExpensive(self.source, evaluation.stopped, self._seen(data)) from None
            raise self._failure(str(error), data, scope) from None

    def _failure(self, said: str, data: Mapping[str, Any], scope: Mapping[str, Any]) -> ExpressionError:
        if diagnosis.is_iteration_limit(said):
            return ExpressionTooExpensive(self.source, diagnosis.ITERATION_MESSAGE, self._seen(data))
        tree = self._program.tree()
        node = blame.culprit(said, tree)
        message = diagnosis.missing_key(said, self.reads, scope) or diagnosis.runtime_message(
            said, self.source
        )
        write = blame.int_beside_a_double(said, node)
        if write is not None:
            message = diagnosis.mixed(said, write) or message
        offset = tree.offset_of(node) if node is not None else None
        if isinstance(node, syntax.Select) and offset is not None:
            offset = max(offset, self.source.find(node.field, offset))  # the runtime points at the dot
        return ExpressionError(self.source, message, self._seen(data), offset)

    def _pass_on(self, value: Any, reader: Reader) -> Any:
        """The value of an expression that is nothing but a path: what stands there, untouched and uncopied."""
        if reader.size > RESULT:
            raise ResultTooLarge(f"its result is {reader.size} bytes, and {RESULT // 1024} KiB is the most")
        if self._condition and type(value) is not bool:
            raise Unfit(_no_condition(value))
        return value

    def _finish(self, result: Any, evaluation: Evaluation) -> Any:
        value = result.plain_value()
        kind = type(value)
        if kind is bool:
            return value
        if kind is str and runtime.is_error(result):
            raise ValueError(value)
        if self._condition:
            raise ValueError(_no_condition(to_json(value, RESULT)))
        if kind is int and INT_MIN <= value <= INT_MAX:
            return value
        writer = Writer(RESULT)
        value = writer.convert(value)
        evaluation.given += RESULT - writer.left
        return value

    def _seen(self, data: Mapping[str, Any]) -> dict[str, str]:
        """What was read, for the error: each value cut, and no more than a kilobyte of them."""
        seen: dict[str, str] = {}
        left = SHOWN_VALUES
        for path in self.reads:
            value = follow(data, path)
            name = ".".join(path)
            if value is MISSING:
                continue
            text = cut(_shown(value))
            left -= len(name) + len(text)
            if left < 0:
                break
            seen[name] = text
        return seen


def _refusal(error: TooExpensive) -> type[ExpressionTooExpensive]:
    return ExpressionResultTooLarge if isinstance(error, ResultTooLarge) else ExpressionTooExpensive


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return format_time((value - to_datetime(0)) // timedelta(microseconds=1))
    try:
        return compact(value)
    except ValueError:
        return f"a {type_name(value)}"


def _no_condition(value: Any) -> str:
    return f"a condition must be true or false, but this one is {cut(_shown(value), 80)} ({type_name(value)})"


def _pure_path(tree: trees.Tree, roots: frozenset[str]) -> Path | None:
    """The path of an expression that is nothing else, so that the runtime need not be asked; `now` is no JSON."""
    path = static_path(tree.root)
    plain = all(
        not (isinstance(n, syntax.Select) and n.test)
        and not (isinstance(n, syntax.Call) and n.function != "_[_]")
        for n in syntax.walk(tree.root)
    )
    return path if path is not None and plain and path[0] in roots and path[0] != "now" else None


# --- compiling -------------------------------------------------------------------------------------------------------


def compile_expression(source: str, *, locals: frozenset[str] = NO_LOCALS) -> Expression:
    """The expression of a text. `locals` are names known beside the roots. Raises ExpressionSyntaxError."""
    return _compiled(source, locals, False)


def compile_condition(source: str, *, locals: frozenset[str] = NO_LOCALS) -> Expression:
    """As `compile_expression`, for a text whose value must be true or false."""
    return _compiled(source, locals, True)


@lru_cache(maxsize=8_192)
def _compiled(source: str, locals_: frozenset[str], condition: bool) -> Expression:
    program, tree = compiler.compile_source(source, locals_, condition)
    return Expression(source, program, tree, runtime.ROOT_SET | locals_, condition=condition)
