"""What CEL's operators take and give, kind by kind.

Kinds are CEL's names (`int`, `double`, `string`, `list`, …). Rule of this file: it says what the runtime does, tables first.
"""

from __future__ import annotations

NUMBERS = ("int", "double", "uint")

_PLUS = {
    ("string", "string"): "string",
    ("list", "list"): "list",
    ("bytes", "bytes"): "bytes",
    ("timestamp", "duration"): "timestamp",
    ("duration", "timestamp"): "timestamp",
    ("duration", "duration"): "duration",
}
_MINUS = {
    ("timestamp", "timestamp"): "duration",
    ("timestamp", "duration"): "timestamp",
    ("duration", "duration"): "duration",
}
_ORDERED = frozenset(("string", "bool", "bytes", "timestamp", "duration"))


def arithmetic(function: str, left: str, right: str) -> str | None:
    """The kind that `_+_`, `_-_`, `_*_`, `_/_` or `_%_` gives for two kinds; None where it does not take them."""
    if left == right and left in NUMBERS:
        return None if function == "_%_" and left == "double" else left
    if function == "_+_":
        return _PLUS.get((left, right))
    return _MINUS.get((left, right)) if function == "_-_" else None


def ordered(left: str, right: str) -> bool:
    """True where `<` and its like take two kinds: numbers of any kind, or the same kind of what has an order."""
    return (left in NUMBERS and right in NUMBERS) or (left == right and left in _ORDERED)


def alike(left: str, right: str) -> bool:
    """True where two values of these kinds can be equal."""
    return left == right or (left in NUMBERS and right in NUMBERS)
