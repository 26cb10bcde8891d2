"""Times and durations as people read them, rounded; the exact forms are in `model.times`."""

from __future__ import annotations

from datetime import tzinfo

from fairlead.model.times import HOUR, MILLISECOND, MINUTE, SECOND, to_datetime

DAY = 24 * HOUR


def duration(micros: int) -> str:
    """A duration with about three digits: `250ms`, `3.2s`, `1m32s`, `2h05m`, `3d4h`."""
    if micros < SECOND:
        return f"{micros // MILLISECOND}ms"
    if micros < MINUTE:
        tenths = micros * 10 // SECOND
        return f"{tenths // 10}.{tenths % 10}s" if tenths < 100 else f"{tenths // 10}s"
    if micros < HOUR:
        return f"{micros // MINUTE}m{micros % MINUTE // SECOND:02}s"
    if micros < DAY:
        return f"{micros // HOUR}h{micros % HOUR // MINUTE:02}m"
    return f"{micros // DAY}d{micros % DAY // HOUR}h"


def left(seconds: int) -> str:
    """An estimate of the time left, in whole seconds."""
    return f"about {seconds}s left" if seconds < 60 else f"about {duration(seconds * SECOND)} left"


def age(micros: int) -> str:
    """How long ago something was, in one unit or two: `12s`, `5m`, `3h`, `2d`."""
    for unit, name, below in ((SECOND, "s", 2 * MINUTE), (MINUTE, "m", 2 * HOUR), (HOUR, "h", 2 * DAY)):
        if micros < below:
            return f"{max(0, micros) // unit}{name}"
    return f"{micros // DAY}d"


def clock(micros: int, zone: tzinfo | None = None) -> str:
    """The time of day of a time, in the local zone unless told otherwise."""
    return to_datetime(micros).astimezone(zone).strftime("%H:%M:%S")


def count(number: int, what: str) -> str:
    """`1 node`, `3 nodes`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
