"""Labels that people wrote: made harmless, measured and shortened. Nothing here knows a format."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Widths in ems of a common sans-serif face; close enough to size a box, whatever face the viewer really has.
_NARROW = dict.fromkeys("iljtfrI.,:;'|!()[]{}/\\ -\"`", 0.34)
_WIDE = dict.fromkeys("mwMW@%—…", 0.92)
_UPPER = dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&+=<>~_", 0.68)
_EMS = _NARROW | _WIDE | _UPPER


def clean(text: str) -> str:
    """The text on one line, without what would steer a terminal, a parser or the direction of writing."""
    return "".join(_harmless(char) for char in text)


def _harmless(char: str) -> str:
    if " " <= char <= "~":
        return char
    if char in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    # Cc control, Cf formatting (bidirectional overrides, zero widths), Cs half a surrogate pair, Cn unassigned (no XML).
    return "\ufffd" if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn"} else char


@lru_cache(maxsize=4096)
def width(text: str, size: float) -> float:
    """About how wide a text is, set in that size."""
    return size * sum(_em(char) for char in text)


def _em(char: str) -> float:
    if char in _EMS:
        return _EMS[char]
    if char < "\x7f":
        return 0.57
    if unicodedata.combining(char):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.62


@lru_cache(maxsize=4096)
def shorten(text: str, size: float, limit: float) -> str:
    """The text, cut with an ellipsis where it would be wider than `limit`."""
    if width(text, size) <= limit:
        return text
    room = limit - width("…", size)
    used = 0.0
    for end, char in enumerate(text):
        used += size * _em(char)
        if used > room:
            return text[:end].rstrip() + "…"
    return text


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
