"""Times and durations.

A time is an `int` of microseconds since the Unix epoch (UTC), a duration an `int` of microseconds. People read and write RFC 3339
(`2026-11-21T09:00:00Z`) and Go durations (`1h30m`, `500ms`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MICROSECOND = 1
MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_UNITS = {"h": HOUR, "m": MINUTE, "s": SECOND, "ms": MILLISECOND, "us": MICROSECOND, "µs": MICROSECOND}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|us|µs|m|s))+\Z")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|m|s)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DURATION = 10 * 365 * 24 * HOUR


def parse_duration(text: str) -> int:
    """Microseconds of a Go duration; `0` alone is allowed. Raises ValueError with the value and what was expected."""
    if text == "0":
        return 0
    if not _DURATION.match(text):
        raise ValueError(f"{text!r} is no duration; expected Go style such as 90s, 1h30m or 500ms")
    total = round(sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text)))
    if total > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than ten years, the longest duration allowed")
    return total


def format_duration(micros: int) -> str:
    """The Go form of a duration, without loss: `5400000000` is `1h30m`."""
    if micros == 0:
        return "0s"
    parts: list[str] = []
    rest = micros
    for unit in ("h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_time(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 time with an offset. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; expected RFC 3339 such as 2026-11-21T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; expected RFC 3339 such as 2026-11-21T09:00:00Z")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(micros: int) -> datetime:
    """The aware UTC datetime of a time."""
    return _EPOCH + timedelta(microseconds=micros)


def format_time(micros: int) -> str:
    """RFC 3339 in UTC with `Z`; fractions of a second only where there are any."""
    moment = to_datetime(micros)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{text}{fraction}Z"
