"""Regular expressions of a JSON Schema, matched in linear time.

Python's `re` can take years over `^(a+)+$`; a schema comes from whoever wrote the workflow, and a text from whoever runs it. So
patterns are matched by RE2, which the expression runtime brings along. What RE2 does not have (look-ahead, back references) is
refused when the schema is checked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from fairlead.engine.expressions import ExpressionError, compile_condition

_MAX_PATTERN = 1_000
_FEW = 3
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def refusal(pattern: str) -> str:
    """Why a pattern cannot be used, or an empty text."""
    if len(pattern) > _MAX_PATTERN:
        return f"it has {len(pattern)} characters; expected at most {_MAX_PATTERN}"
    try:
        matches(pattern, "")
    except ExpressionError:
        return "it is no regular expression of RE2, which has no look-ahead and no back references"
    return ""


def risky(pattern: str) -> bool:
    """Whether Python cannot read it, or a repetition stands inside a repetition, as in `(a+)+`: backtracking may never end.

    For names of properties alone: `numbers.py` asks `re` about them.
    """
    try:
        todo: list[tuple[Any, bool]] = [(_parser.parse(pattern), False)]
    except (re.error, RecursionError, OverflowError):
        return True
    while todo:
        part, repeated = todo.pop()
        if isinstance(part, _parser.SubPattern):
            todo.extend((inner, repeated) for inner in part.data)
        elif isinstance(part, tuple) and len(part) == 2 and part[0] in _REPEATS:
            _, most, inner = part[1]
            if repeated and most > _FEW:
                return True
            todo.append((inner, repeated or most > _FEW))
        elif isinstance(part, (tuple, list)):
            todo.extend((inner, repeated) for inner in part)
    return False


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found somewhere in the text. Raises ExpressionError for what RE2 refuses."""
    return bool(_search().evaluate({"item": {"text": text, "pattern": pattern}}))


@lru_cache(maxsize=1)
def _search() -> Any:
    return compile_condition("item.text.matches(item.pattern)")
