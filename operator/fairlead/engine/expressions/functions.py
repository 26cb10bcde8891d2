"""Our own CEL functions: what they do, each in linear time (sorting apart).

Rules of this file: a function takes and gives plain JSON values, never changes what it was given, and raises ValueError with
one sentence that shows the value when it cannot; it charges its work to the evaluation under way. Times, durations and bytes
are no JSON: they are refused where they would have to be ordered or grouped, and written as text where text is wanted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fairlead.engine.expressions import budget
from fairlead.engine.expressions.errors import cut
from fairlead.engine.expressions.limits import INT_MAX, INT_MIN, RANGE, RESULT
from fairlead.engine.expressions.numbers import normalise
from fairlead.engine.expressions.values import (
    NUL,
    canonical,
    compact,
    holds_nul,
    may_hold_nul,
    to_json,
    type_name,
)

Number = int | float


def _numbers(values: Sequence[Any], function: str) -> None:
    for index, value in enumerate(values):
        if type(value) is not int and type(value) is not float:
            raise ValueError(f"{function}() needs numbers, but element {index} is {_show(value)}")


def _show(value: Any) -> str:
    try:
        return f"{cut(compact(value), 60)} ({type_name(value)})"
    except ValueError:
        return f"a {type_name(value)}"


def sum_(values: list[Any]) -> Number:
    """The sum: an int if all are ints, else a double; 0 for no elements."""
    _numbers(values, "sum")
    if any(type(value) is float for value in values):
        return math.fsum(values)
    total = sum(values)
    if not INT_MIN <= total <= INT_MAX:
        raise ValueError(
            f"sum() is {total}, beyond the 64 bits of an int; make one of the numbers a double(...)"
        )
    return int(total)


def avg(values: list[Any]) -> float:
    """The mean, always a double."""
    _numbers(values, "avg")
    if not values:
        raise ValueError("avg() needs at least one element, and the list is empty")
    return math.fsum(values) / len(values)


def min_(values: list[Any]) -> Any:
    """The least element."""
    _ordered(values, "min")
    return min(values)


def max_(values: list[Any]) -> Any:
    """The greatest element."""
    _ordered(values, "max")
    return max(values)


def sort(values: list[Any]) -> list[Any]:
    """The elements in ascending order; equal ones stay in the order they had."""
    if values:
        _ordered(values, "sort")
    return sorted(values)


def _ordered(values: Sequence[Any], function: str) -> None:
    """Refuse what has no order: an empty list, elements of several kinds, lists and maps."""
    if not values:
        raise ValueError(f"{function}() needs at least one element, and the list is empty")
    first = _order(values[0])
    for index, value in enumerate(values):
        if _order(value) != first or first is None:
            raise ValueError(
                f"{function}() needs numbers only, strings only or bools only, but element {index} is {_show(value)}"
                + (f" and element 0 is {_show(values[0])}" if index else "")
            )


def _order(value: Any) -> str | None:
    kind = type(value)
    if kind is int or kind is float:
        return "number"
    return {str: "string", bool: "bool"}.get(kind)


def unique(values: list[Any]) -> list[Any]:
    """Each element once, in the order of first appearance; 1 and 1.0 are equal as in CEL."""
    seen: set[Any] = set()
    out: list[Any] = []
    for value in values:
        key = _identity(value)
        if key not in seen:
            seen.add(key)
            out.append(value)
    return out


def _identity(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value
    if kind is int or kind is float:
        return (0, value)
    if kind is bool or value is None:
        return (1, value)
    return (2, canonical(value))


def flatten(values: list[Any]) -> list[Any]:
    """The elements, those that are lists replaced by what they hold: one level."""
    out: list[Any] = []
    for value in values:
        if type(value) is list:
            out.extend(value)
        else:
            out.append(value)
    return out


def _follow(value: Any, path: str, index: int, function: str) -> Any:
    for name in path.split("."):
        if type(value) is not dict or name not in value:
            has = (
                f"has {cut(', '.join(map(str, value)), 100) or 'no keys'}"
                if type(value) is dict
                else f"is {_show(value)}"
            )
            raise ValueError(f'{function}("{path}") finds no "{name}" in element {index}, which {has}')
        value = value[name]
    return value


def pluck(values: list[Any], path: str) -> list[Any]:
    """What stands under a dotted path in each element."""
    return [_follow(value, path, index, "pluck") for index, value in enumerate(values)]


def group_by(values: list[Any], path: str) -> dict[str, list[Any]]:
    """The elements by what stands under a dotted path: strings as they are, all else as compact JSON."""
    out: dict[str, list[Any]] = {}
    for index, value in enumerate(values):
        key = _follow(value, path, index, "groupBy")
        out.setdefault(key if type(key) is str else compact(key), []).append(value)
    return out


def sort_by(values: list[Any], path: str) -> list[Any]:
    """The elements in ascending order of what stands under a dotted path."""
    if not values:
        return []
    keys = pluck(values, path)
    _ordered(keys, "sortBy")
    return [values[index] for index in sorted(range(len(values)), key=keys.__getitem__)]


def zip_(left: list[Any], right: list[Any]) -> list[Any]:
    """Pairs of the elements at the same place of two lists of the same length."""
    if len(left) != len(right):
        raise ValueError(
            f"zip() needs two lists of the same length, but they have {len(left)} and {len(right)} elements"
        )
    return [list(pair) for pair in zip(left, right, strict=True)]


def range_(count: int) -> list[int]:
    """0, 1, … below a count."""
    if count < 0:
        raise ValueError(f"range({count}) needs a number that is not negative")
    if count > RANGE:
        budget.evaluation().stop(
            f"range({count}) would give more than {RANGE} elements; do it in a `run` node"
        )
    return list(range(count))


def parse_json(text: str) -> Any:
    """The value of a JSON text; integral numbers are ints, as wherever there is no schema."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ValueError(f"parseJson() was given {cut(repr(text), 80)}, which is no JSON: {error}") from None
    return normalise(value, None)


def to_json_text(value: Any) -> str:
    """Compact JSON with sorted keys."""
    return canonical(to_json(value, RESULT))


def hash_(value: Any) -> str:
    """SHA-256 (hex) of the compact JSON with sorted keys; 1.0 and 1 hash the same."""
    return hashlib.sha256(canonical(_one_form(to_json(value, RESULT))).encode()).hexdigest()


def _one_form(value: Any) -> Any:
    """The value with integral doubles as ints, as far as doubles are exact."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() and abs(value) <= 2**53 else value
    if kind is list:
        return [_one_form(item) for item in value]
    if kind is dict:
        return {key: _one_form(item) for key, item in value.items()}
    return value


def uuid() -> str:
    """A UUID that is the same whenever the same evaluation is repeated."""
    return budget.evaluation().uuid()


_MAY_HOLD_TEXT = (str, list, dict)
_encoder = msgspec.json.Encoder()
_RESULT_COSTS = 4
"""Handing a result to the runtime takes four times what taking an argument takes, most of it memory."""


def charged(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its work paid for, and its result fit for the runtime."""

    def call(*args: Any) -> Any:
        evaluation = budget.evaluation()
        for arg in args:
            evaluation.charge(budget.weight(arg))
        result = function(*args)
        evaluation.charge(budget.weight(result) * _RESULT_COSTS)
        if type(result) in _MAY_HOLD_TEXT and may_hold_nul(_encoder.encode(result)) and holds_nul(result):
            raise ValueError(NUL)
        return result

    return call
