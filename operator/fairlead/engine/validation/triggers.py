"""Triggers: names that stand once, and time tables that can be read."""

from __future__ import annotations

import re

from fairlead.engine.validation.bodies import RawGraph, as_dict, as_list, as_text
from fairlead.engine.validation.notes import Notes, shown

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?(?:#[1-5])?\Z")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}\Z")


def check_triggers(graph: RawGraph, notes: Notes) -> None:
    """All that is wrong with the triggers beyond their shape."""
    seen: set[str] = set()
    for index, item in enumerate(as_list(graph.spec.get("triggers"))):
        trigger, path = as_dict(item), (*graph.path, "triggers", index)
        name = as_text(trigger.get("name"))
        if name and name in seen:
            message = f"two triggers are named {name!r}; expected each name once"
            notes.error("DuplicateName", message, (*path, "name"))
        seen.add(name)
        schedule = as_dict(trigger.get("schedule"))
        cron, zone = as_text(schedule.get("cron")), as_text(schedule.get("timeZone"))
        why = cron_problem(cron) if cron else ""
        if why:
            notes.error("BadCron", why, (*path, "schedule", "cron"))
        if zone and not _ZONE.match(zone):
            message = f"{shown(zone)} is no time zone; expected a name such as Europe/Berlin or UTC"
            notes.error("BadTimeZone", message, (*path, "schedule", "timeZone"))


def cron_problem(text: str) -> str:
    """Why a text is no cron expression, or an empty text."""
    fields = text.split()
    if len(fields) != len(_CRON):
        return f"{shown(text)} has {len(fields)} fields; expected five: minute hour day month weekday, as 30 4 * * 1-5"
    for field, (what, low, high, names) in zip(fields, _CRON, strict=True):
        for part in field.split(","):
            if not _fits(part, low, high, names):
                return (
                    f"{shown(part)} is no {what}; expected {low} to {high}, a range, a step such as */5, or *"
                )
    return ""


def _fits(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    if part.upper() in ("L", "LW") and high == 31:
        return True
    match = _PART.match(part)
    if match is None or match["step"] == "0":
        return False
    ends = [match["first"], match["last"]]
    numbers = [_number(end, names) for end in ends if end is not None]
    return all(low <= number <= high for number in numbers)


def _number(text: str, names: tuple[str, ...]) -> int:
    lowered = text.lower().removesuffix("l") if text.isdecimal() is False else text
    if lowered in names:
        return names.index(lowered) + (1 if names is _MONTHS else 0)
    return int(lowered) if lowered.isdecimal() and len(lowered) < 4 else -1
