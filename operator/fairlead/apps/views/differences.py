"""Where two JSON values first differ, in words."""

from __future__ import annotations

import json
from typing import Any

_SHOWN = 80
"""Characters of a value that a difference shows."""


def first_difference(one: Any, other: Any, place: str = "", called: str = "recorded") -> str:
    """Where two JSON values first differ, with both; `called` is what the other one is."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(key for key in other if key not in one)]:
            if one.get(name) != other.get(name):
                return first_difference(one.get(name), other.get(name), f"{place}.{name}".lstrip("."), called)
        return f"{place or 'its keys'} have another order"
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                return first_difference(left, right, f"{place}[{index}]", called)
    return f"{place} is {_shown(one)}; {called} {_shown(other)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
