"""Events as readers see them, and the events that are derived from others.

Rules of this file
- The log has one event for the end of an engine node; VariableChanged and ConditionEvaluated are made from it for subscribers,
  for `events --type` and for `expect.events`. They carry the `seq` of their source and are not in the log.
- The reader's form is the stored one with RFC 3339 times and Go durations; `event_of` takes it back without loss, so that an
  exported log can be folded again. A value that the reader did not ask for whole is shown as `{digest, size}`, and `large`
  says where such stand. The outputs of containers are added by `engine.collecting`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.model import events as e
from fairlead.model.large import put_at, take_out
from fairlead.model.times import format_duration, format_time, parse_duration, parse_time

Json = dict[str, Any]

TIMES = frozenset({"at", "cachedAt", "deadline", "due", "expires", "startDeadline", "until"})
"""Fields of events that are times."""

DURATIONS = frozenset({"delay", "limit", "timeout"})
"""Fields of events that are durations."""

_FIRST = ("seq", "at", "type", "path", "node", "attempt")


def readable(event: e.Event) -> Json:
    """The reader's form: seq, at, type, where it applies path, node and attempt, then the fields of its type."""
    stored: Json = {"seq": event.seq, "at": event.at, **msgspec.to_builtins(event)}
    for large in event.large or ():
        put_at(stored, large)
    found = {name: stored.pop(name) for name in _FIRST if name in stored}
    found.update(stored)
    for name in found.keys() & TIMES:
        found[name] = format_time(found[name])
    for name in found.keys() & DURATIONS:
        found[name] = format_duration(found[name])
    return found


def event_of(form: Json) -> e.AnyEvent:
    """The event of a reader's form. Raises ValueError (msgspec.ValidationError is one) saying what is wrong."""
    stored = dict(form)
    if stored.get("collected") is not None:
        stored.pop("outputs", None)  # `Collecting` has added them
    for names, parse in ((TIMES, parse_time), (DURATIONS, parse_duration)):
        for name in stored.keys() & names:
            text = stored[name]
            if not isinstance(text, str):
                raise ValueError(f"{name} is {text!r}; expected text, as `fairlead events -o json` prints it")
            stored[name] = parse(text)
    try:
        for large in stored.get("large") or ():
            take_out(stored, large["path"])
    except (LookupError, TypeError) as error:
        raise ValueError(f"large speaks of a value that is not there: {error!r}") from error
    event: e.AnyEvent = msgspec.convert(stored, e.AnyEvent)
    return event


DERIVED = frozenset({"ConditionEvaluated", "VariableChanged"})
"""Types that `derived_of` makes."""


def derived_of(event: e.Event) -> list[Json]:
    """What follows from an event for readers: the condition that an `if` asked, then each variable written, in order."""
    if not isinstance(event, e.NodeCompleted):
        return []
    found: list[Json] = []
    if event.condition is not None:
        found.append(_derived(event, "ConditionEvaluated", condition=event.condition, port=event.port))
    found += [
        _derived(event, "VariableChanged", name=name, value=value) for name, value in event.variables.items()
    ]
    return found


def _derived(event: e.NodeCompleted, kind: str, **fields: Any) -> Json:
    where = {
        "seq": event.seq,
        "at": format_time(event.at),
        "type": kind,
        "path": event.path,
        "node": event.node,
    }
    return {**where, **fields}
