"""What people write who come from other languages and other engines, and how CEL says it.

`operator_of` is for texts that do not compile because of a word or sign that is none of CEL's, `name_of` and `function_of` for
names that nobody knows.
"""

from __future__ import annotations

import re

_SIGNS = {"and": "&&", "or": "||", "is": "==", "=": "=="}
_NAMES = {
    "None": "null", "nil": "null", "undefined": "null", "NULL": "null", "Null": "null",
    "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
    "params": "inputs", "parameters": "inputs", "args": "inputs", "arguments": "inputs",
    "steps": "nodes", "tasks": "nodes", "jobs": "nodes", "variables": "vars",
}  # fmt: skip
_FUNCTIONS = {
    "len": "size(x)", "length": "size(x)", "count": "size(x)", "str": "string(x)", "toString": "string(x)",
    "float": "double(x)", "number": "double(x)", "not": "!x", "lower": "x.lowerAscii()", "upper": "x.upperAscii()",
    "toLowerCase": "x.lowerAscii()", "toUpperCase": "x.upperAscii()", "strip": "x.trim()", "sorted": "x.sort()",
    "json": "parseJson(x)", "fromJson": "parseJson(x)", "fromJSON": "parseJson(x)", "toJSON": "toJson(x)",
    "any": "xs.exists(x, …)", "default": "x.orValue(…)", "coalesce": "x.orValue(…)",
}  # fmt: skip
_UNREADABLE = re.compile(r"token recognition error at: '(.)")
_UNFITTING = re.compile(r"^(?:mismatched|extraneous) input '(\w+)' expecting <EOF>")


def operator_of(said: str) -> str | None:
    """The sentence for a sign or word of another language, if the runtime stumbled over one. `said`: its own words."""
    found = _UNREADABLE.search(said) or _UNFITTING.search(said)
    if found is None:
        return None
    sign = found.group(1)
    if sign in _SIGNS:
        return f"{sign!r} is no operator of CEL; expected {_SIGNS[sign]}"
    return f"the character {sign!r} is none of CEL's" if _UNREADABLE.search(said) else None


def name_of(name: str) -> str | None:
    """CEL's name for what a name means elsewhere."""
    return _NAMES.get(name)


def function_of(name: str) -> str | None:
    """How CEL says what a function does elsewhere."""
    return _FUNCTIONS.get(name)
