"""Folding a log again and comparing it with what was recorded; the work behind `fairlead replay`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fairlead.apps.cli.events import WHOLE
from fairlead.apps.cli.homes import Home, Known
from fairlead.apps.cli.sources import read_text
from fairlead.apps.cli.terminal import say
from fairlead.apps.views.words import count
from fairlead.engine.derived import DERIVED, event_of, readable
from fairlead.engine.evolve import evolve
from fairlead.model import state as states
from fairlead.model.errors import Bug, InvalidInput, LogDamaged, NotFound, Unavailable
from fairlead.model.events import Event, ExecutionCreated
from fairlead.model.state import State

_SHOWN = 80
"""Characters of a value that a difference shows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay found; `difference` is empty if all that was `compared` is the same."""

    name: str
    events: int
    phase: str
    compared: tuple[str, ...] = ()
    difference: str = ""
    seq: int = 0

    @property
    def summary(self) -> str:
        """What was found to be the same."""
        return f"{count(self.events, 'event')} folded to {self.phase}; the same as before: {', '.join(self.compared)}"


class _Different(Exception):
    """The first difference, and the number of the event that it is at."""

    def __init__(self, message: str, seq: int) -> None:
        super().__init__(message)
        self.seq = seq


def of_execution(name: str, home: Home) -> Verdict:
    """Replay an execution. Raises NotFound and Unavailable."""
    known, state = home.find(name), State()
    try:
        home.verify(known)
        events = home.events(known)
    except LogDamaged as found:
        return Verdict(name, home.last_seq(known), "", difference=str(found), seq=found.seq or 0)
    kept = home.checkpoint(known)
    compared = ["the hashes of the log"]
    try:
        for event in events:
            _fold(state, event)
            if kept is not None and kept.seq == event.seq:
                _compare_checkpoint(kept, state)
                compared.append(f"the checkpoint at event {kept.seq}")
        compared.append(_compare_record(home, known, state))
    except _Different as found:
        return Verdict(name, len(events), state.phase, tuple(compared), str(found), found.seq)
    return Verdict(name, len(events), state.phase or "Pending", tuple(compared))


def of_file(file: Path, home: Home) -> Verdict:
    """Replay exported events, and compare them with the log that they came from if it is in the home. Raises InvalidInput."""
    state = State()
    found: list[Event] = []
    try:
        whole = _Whole(home)
        for event in _exported(file):
            if event.seq != state.seq + 1:
                seq = state.seq + 1
                raise _Different(f"event {seq} is missing: {event.seq} follows {state.seq} in {file}", seq)
            _fold(state, whole.of(event, state))
            found.append(event)
        if not found:
            raise InvalidInput(f"{file} has no events; expected what `fairlead events ID -o json` prints")
        compared = _compare_log(found, home)
    except _Different as difference:
        return Verdict(state.name or str(file), len(found), state.phase, (), str(difference), difference.seq)
    return Verdict(state.name, len(found), state.phase, compared)


class _Whole:
    """Events with the values that an export leaves out because they are large; the home that has them gives them."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._events: list[Event] | None = None

    def of(self, event: Event, state: State) -> Event:
        """The event itself if it is whole. Raises InvalidInput where the home does not have it."""
        if not event.large:
            return event
        if self._events is None:
            born = event if isinstance(event, ExecutionCreated) else state
            known = self._home.find(born.name)
            self._events = self._home.events(known) if known.uid == born.uid else []
        if event.seq > len(self._events):
            raise InvalidInput(
                f"event {event.seq} leaves out a value of {event.large[0].size} bytes; expected the store or cluster that has it,"
                " see `fairlead replay --help`"
            )
        return self._events[event.seq - 1]


def _fold(state: State, event: Event) -> None:
    try:
        evolve(state, event)
    except Bug as wrong:
        raise _Different(f"event {event.seq} does not fit what came before it: {wrong}", event.seq) from wrong
    except (KeyError, IndexError, ValueError) as wrong:
        kind = type(event).__name__
        raise _Different(
            f"event {event.seq} ({kind}) speaks of what is not there: {wrong!r}", event.seq
        ) from wrong


def _compare_checkpoint(kept: State, state: State) -> None:
    folded, recorded = states.encode(state), states.encode(kept)
    if folded != recorded:
        place = _first_difference(msgspec.json.decode(folded), msgspec.json.decode(recorded))
        raise _Different(f"after event {kept.seq} the fold differs from the checkpoint: {place}", kept.seq)


def _compare_record(home: Home, known: Known, state: State) -> str:
    """Compare with what was recorded beside the log; what that is."""
    recorded = home.recorded(known, state)
    for what, folded, there in recorded.pairs:
        if folded != there:
            raise _Different(f"{what} is {folded} by the log and {there} as recorded", state.seq)
    return recorded.what


def _compare_log(events: Sequence[Event], home: Home) -> tuple[str, ...]:
    """Compare exported events with the log that they came from, where it is at hand."""
    created = events[0]
    if not isinstance(created, ExecutionCreated):
        raise _Different("the first event is no ExecutionCreated", 1)
    try:
        known = home.find(created.name)
        if known.uid != created.uid:
            return ("the legal moves",)
        stored = home.events(known, up_to=WHOLE)
    except NotFound:
        return ("the legal moves",)
    except Unavailable as away:
        say(f"not compared with the log that it came from: {away}")
        return ("the legal moves",)
    for event, recorded in zip(events, stored, strict=False):
        if event != recorded:
            place = _first_difference(readable(event), readable(recorded))
            raise _Different(f"event {event.seq} differs from the log {home.place}: {place}", event.seq)
    if len(events) > len(stored):
        raise _Different(
            f"event {len(stored) + 1} is not {home.place}, where the log ends before it", len(stored) + 1
        )
    return ("the legal moves", f"the log of {created.name} {home.place}")


def _exported(file: Path) -> Iterator[Event]:
    """The events in a file: one JSON list, or one JSON object a line."""
    for number, form in enumerate(_forms(file), start=1):
        if not isinstance(form, dict):
            raise InvalidInput(
                f"{file}, item {number}: expected an event as `fairlead events -o json` prints it"
            )
        if form.get("type") in DERIVED:
            continue
        try:
            yield event_of(form)
        except ValueError as wrong:
            seq = form.get("seq")
            raise _Different(
                f"event {seq} is unreadable: {wrong}", seq if isinstance(seq, int) else 0
            ) from wrong


def _forms(file: Path) -> Iterable[Any]:
    text = read_text(file, most=-1).decode("utf-8", "replace")
    try:
        whole = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except ValueError as wrong:
            message = (
                f"{file} is no list of events ({wrong}); expected what `fairlead events ID -o json` prints"
            )
            raise InvalidInput(message) from None
    return whole if isinstance(whole, list) else [whole]


def _first_difference(folded: Any, recorded: Any, place: str = "") -> str:
    """Where two JSON values first differ, with both."""
    if isinstance(folded, dict) and isinstance(recorded, dict):
        for name in [*folded, *(key for key in recorded if key not in folded)]:
            if folded.get(name) != recorded.get(name):
                return _first_difference(folded.get(name), recorded.get(name), f"{place}.{name}".lstrip("."))
        return f"{place or 'its keys'} have another order"
    if isinstance(folded, list) and isinstance(recorded, list) and len(folded) == len(recorded):
        for index, (one, other) in enumerate(zip(folded, recorded, strict=True)):
            if one != other:
                return _first_difference(one, other, f"{place}[{index}]")
    return f"{place} is {_shown(folded)}; recorded {_shown(recorded)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
