"""What an operation of CEL costs, in units of work, before it is done.

Only operations whose cost or result grows with their operands are here; all others cost their place in the tree. Rules of
this file: a cost is an upper bound measured against cel-expr-python 0.1.3 (a search for 1 MB of text in 2 MB took it 26 s, a
regular expression of 900 repetitions 6 µs a character), and it is found without doing the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead.engine.expressions.budget import weight
from fairlead.engine.expressions.limits import BYTES_PER_UNIT

_REGEX_COMPILE_MOST = 2_000_000  # units: RE2 gives up at 8 MiB of program, after 40 ms
_UNICODE_CLASS = 2_000  # instructions of one Unicode class such as \pL
_SEARCH = 1_000  # comparisons of the naive text search that fit into one unit
_REGEX_STEP = 25  # characters times instructions of RE2's slowest machine that fit into one unit

Cost = Callable[[list[Any]], int]


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, bytearray, list, dict)) else 0


def _all(values: list[Any]) -> int:
    return sum(map(weight, values))


def _kept(values: list[Any]) -> int:
    # What is kept is handed over once more at the end, and small lists within lists are worth more than their few bytes.
    return 8 * _all(values)


def _text(values: list[Any]) -> int:
    return 1 + sum(_size(value) // BYTES_PER_UNIT for value in values if not isinstance(value, (list, dict)))


def _search(values: list[Any]) -> int:
    return _text(values) + _size(values[0]) * _size(values[1]) // _SEARCH


def _replace(values: list[Any]) -> int:
    text, old, new = values[:3]
    if not (isinstance(text, str) and isinstance(old, str) and isinstance(new, str)):
        return 1
    return _search(values[:2]) + text.count(old) * (1 + len(new) // BYTES_PER_UNIT)


def _split(values: list[Any]) -> int:
    text, separator = values[:2]
    if not isinstance(text, str) or not isinstance(separator, str):
        return 1
    return _search(values[:2]) + 3 * (text.count(separator) if separator else len(text))


def _join(values: list[Any]) -> int:
    separator = _size(values[1]) if len(values) > 1 else 0
    return weight(values[0]) + _size(values[0]) * separator // BYTES_PER_UNIT


def _format(values: list[Any]) -> int:
    # A precision is at most 1000 digits for each of the values.
    return _all(values) + (values[0].count("%") * 1000 // BYTES_PER_UNIT if isinstance(values[0], str) else 0)


def _matches(values: list[Any]) -> int:
    text, pattern = values[:2]
    if not isinstance(text, str) or not isinstance(pattern, str):
        return 1
    program = regex_program(pattern)
    return _text(values) + min(program, _REGEX_COMPILE_MOST) + len(text) * program // _REGEX_STEP


def regex_program(pattern: str) -> int:
    """An upper bound, roughly, of the instructions that RE2 makes of a pattern: repetitions multiply what they repeat."""
    totals, last, position = [0], 0, 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "(":
            totals[-1] += last
            totals.append(0)
            last = 0
        elif char == ")" and len(totals) > 1:
            last += totals.pop()
        elif char == "{":
            end = _closing(pattern, "}", position)
            counts = [
                int(each[:4])
                for each in pattern[position : end - 1].split(",")
                if each.isascii() and each.isdigit()
            ]
            last *= max([1, *counts])
            position = end
        else:
            totals[-1] += last
            last, position = _atom(pattern, char, position)
    return sum(totals) + last


def _atom(pattern: str, char: str, position: int) -> tuple[int, int]:
    """The instructions of one character, class or escape, and where the next one begins."""
    if char == "\\":
        if pattern[position : position + 1] not in ("p", "P"):
            return 10, position + 1
        named = pattern.startswith("{", position + 1)
        return _UNICODE_CLASS, _closing(pattern, "}", position + 1) if named else position + 2
    if char == "[":
        end = _closing(pattern, "]", position + 1)
        body = pattern[position:end]
        return 20 + len(body) + _UNICODE_CLASS * body.lower().count("\\p"), end
    return (10 if char == "." else 4), position


def _closing(pattern: str, bracket: str, position: int) -> int:
    """The position after the next closing bracket, or the end."""
    end = pattern.find(bracket, position)
    return end + 1 if end >= 0 else len(pattern)


OURS = (
    "sum", "min", "max", "avg", "sort", "unique", "flatten", "pluck", "groupBy", "sortBy", "zip", "parseJson", "toJson", "hash",
)  # fmt: skip
"""Functions of our own. They pay for themselves, but only once their arguments have been handed over."""

OF: dict[str, Cost] = {
    "_+_": _all,
    "_==_": _all,
    "_!=_": _all,
    "_<_": _all,
    "_<=_": _all,
    "_>_": _all,
    "_>=_": _all,
    "@in": _all,
    "keep": _kept,
    "contains": _search,
    "indexOf": _search,
    "lastIndexOf": _search,
    "startsWith": _text,
    "endsWith": _text,
    "matches": _matches,
    "replace": _replace,
    "split": _split,
    "join": _join,
    "format": _format,
    "substring": _text,
    "charAt": _text,
    "lowerAscii": _text,
    "upperAscii": _text,
    "trim": _text,
    "reverse": _text,
    "strings.quote": _text,
    "size": _text,
    "string": _text,
    "bytes": _text,
    "int": _text,
    "uint": _text,
    "double": _text,
    "bool": _text,
    "timestamp": _text,
    "duration": _text,
    "math.@max": _all,
    "math.@min": _all,
    **dict.fromkeys(OURS, _all),
}
"""The cost of each operation that is charged. `keep` is putting a value into a list or map."""

GROWING = frozenset(("replace", "split", "join", "format", "matches", "contains", "indexOf", "lastIndexOf"))
"""Operations whose cost is more than proportional to the sizes of their operands."""
