"""Large values: how they are taken out of events and states, and put back.

    {"type": "NodeCompleted", "outputs": {"n": 1, "list": null}, "large": [{"path": ["outputs", "list"], "digest": …, "size": …}]}

Rules of this file
- What a value field holds is taken out where its compact JSON is longer than LARGE: from the inside outwards, so that a list of
  documents is a blob that refers to the blobs of the documents, and each is the same blob wherever it stands.
- The reference stands beside the value (`large`), never in its place: no value of a user's can be taken for one.
- A blob is the JSON of a `Blob`, its digest is over these bytes. `size` is that of the whole value as JSON.
- Values are never changed in place (see `model.state`), so one that was taken out before is known again by its identity.
- Fields are found by their type: whatever may hold `Any` is a value field.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

import msgspec

from fairlead.model.events import TYPES, Event, Large
from fairlead.model.state import LoopState, State

LARGE = 4 * 1024
"""Bytes of JSON that a value may have and still stand in the event."""
KNOWN = 64 << 20
"""Bytes of values, as JSON, that are known by their identity at most."""
_FEW = 32
"""Entries of a mapping that are looked at one by one before it is measured as a whole."""
_REFERENCE = 128
"""What a reference adds to a form, in bytes."""

Place = list[str | int]


class Blob(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What is stored of a large value: the value without its own large parts, and these."""

    value: Any
    large: list[Large] = []


_encode = msgspec.json.Encoder().encode
_decode_blob = msgspec.json.Decoder(Blob).decode


def digest_of(data: bytes) -> str:
    """The digest of a blob's bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def value_fields(cls: type) -> tuple[str, ...]:
    """The fields of a struct that may hold values."""
    return tuple(name for name, hint in get_type_hints(cls).items() if _holds_any(hint))


def _holds_any(hint: Any) -> bool:
    return hint is Any or any(map(_holds_any, get_args(hint)))


FIELDS: dict[type[Event], tuple[str, ...]] = {
    cls: fields for cls in TYPES.values() if (fields := value_fields(cls))
}
"""The value fields of the events that have any."""


class Taker:
    """Takes large values out; `fresh` are the blobs that were not seen before, by digest."""

    def __init__(self) -> None:
        self.fresh: dict[str, bytes] = {}
        self._seen: set[str] = set()
        self._known: OrderedDict[int, tuple[Any, Large]] = OrderedDict()
        self._bytes = 0

    def thin(self, event: Event) -> Event:
        """The event without its large values; the same one if it has none."""
        fields = FIELDS.get(type(event))
        if fields is None:
            return event
        found: list[Large] = []
        changes: dict[str, Any] = {}
        for name in fields:
            value = getattr(event, name)
            if value:
                rest = self.cut(value, [name], found)
                if rest is not value:
                    changes[name] = {} if rest is None and type(value) is dict else rest
        return msgspec.structs.replace(event, large=found, **changes) if found else event

    def cut(self, value: Any, place: Place, found: list[Large]) -> Any:
        """The value without its large parts, None where it is one itself; `found` takes the references."""
        kind = type(value)
        if kind is str:
            if len(value) * 6 <= LARGE:  # no escape is longer
                return value
        elif kind is not dict and kind is not list:
            return value
        known = self._known.get(id(value))
        if known is not None and known[0] is value:
            found.append(_at(place, known[1]))
            return None
        size = -1
        if not (self._known and kind is dict and len(value) <= _FEW):
            size = len(_encode(value))
            if size <= LARGE:
                return value
        inner: list[Large] = []
        rest = value if kind is str else self._cut_parts(value, inner)
        if kind is not str and len(_encode(rest)) + _REFERENCE * len(inner) <= LARGE:
            found.extend(_at([*place, *large.path], large) for large in inner)
            return rest
        if size < 0:
            size = len(_encode(value))
        large = self._take(Blob(rest, inner), size)
        self.know(value, large)
        found.append(_at(place, large))
        return None

    def _cut_parts(self, value: Any, inner: list[Large]) -> Any:
        if type(value) is list:
            parts: list[Any] = [self.cut(part, [index], inner) for index, part in enumerate(value)]
            return parts if inner else value
        entries = {key: self.cut(part, [key], inner) for key, part in value.items()}
        return entries if inner else value

    def _take(self, blob: Blob, size: int) -> Large:
        data = _encode(blob)
        digest = digest_of(data)
        if digest not in self._seen:
            self.fresh[digest] = data
        return Large(path=[], digest=digest, size=size)

    def taken(self) -> None:
        """What was fresh is stored."""
        self._seen.update(self.fresh)
        self.fresh = {}

    def know(self, value: Any, large: Large) -> None:
        """Know a value again that is stored."""
        if type(value) is str or large.size > KNOWN:
            return
        before = self._known.pop(id(value), None)
        self._bytes += large.size - (before[1].size if before is not None else 0)
        self._known[id(value)] = (value, large)
        while self._bytes > KNOWN:
            self._bytes -= self._known.popitem(last=False)[1][1].size

    def stored(self, digests: Iterable[str]) -> None:
        """These blobs are stored already."""
        self._seen.update(digests)


def _at(place: Place, large: Large) -> Large:
    return Large(path=place, digest=large.digest, size=large.size)


def thin_state(state: State, taker: Taker) -> State:
    """The state without its large values, for a checkpoint. What is the same stays the same object; the state is not changed.

    Each variable and each result of a body is taken for itself: one more of them is no new blob of all.
    """
    found: list[Large] = []
    changes: dict[str, Any] = {
        "inputs": _whole(taker, state.inputs, ["inputs"], found),
        "outputs": _whole(taker, state.outputs, ["outputs"], found),
        "variables": _each(taker, state.variables, ["variables"], found),
    }
    nodes: dict[str, Any] = {}
    for key, node in state.nodes.items():
        if node.given or node.values:
            given = _whole(taker, node.given, ["nodes", key, "given"], found)
            values = _whole(taker, node.values, ["nodes", key, "values"], found)
            if given is not node.given or values is not node.values:
                nodes[key] = msgspec.structs.replace(node, given=given, values=values)
    for name in ("loops", "kept"):
        held: dict[str, LoopState] = getattr(state, name)
        loops: dict[str, Any] = {}
        for key, loop in held.items():
            items = loop.items if not loop.items else taker.cut(loop.items, [name, key, "items"], found)
            results = _each(taker, loop.results, [name, key, "results"], found)
            if items is not loop.items or results is not loop.results:
                loops[key] = msgspec.structs.replace(loop, items=items, results=results)
        changes[name] = {**held, **loops} if loops else held
    if not found:
        return state
    changes["nodes"] = {**state.nodes, **nodes} if nodes else state.nodes
    return msgspec.structs.replace(state, large=found, **changes)


def _whole(taker: Taker, values: Any, place: Place, found: list[Large]) -> Any:
    if not values:
        return values
    rest = taker.cut(values, place, found)
    return {} if rest is None else rest


def _each(taker: Taker, values: dict[str, Any], place: Place, found: list[Large]) -> dict[str, Any]:
    count = len(found)
    rest = {}
    for name, value in values.items():
        cut = taker.cut(value, [*place, name], found)
        rest[name] = {} if cut is None and type(value) is dict else cut
    return rest if len(found) > count else values


class Changed(ValueError):
    """A blob is missing or is not what it was; `digest` names it."""

    def __init__(self, digest: str, what: str) -> None:
        super().__init__(f"the value {digest} {what}")
        self.digest = digest


class Giver:
    """Puts large values back: each digest is one object, however often it is referred to."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._blobs: dict[str, Blob] = {}

    def missing(self, references: Iterable[Large]) -> list[str]:
        """The blobs that have yet to be fetched for some references; asked again until there are none."""
        wanted: dict[str, None] = {}
        pending = [large.digest for large in references]
        seen: set[str] = set()
        while pending:
            digest = pending.pop()
            if digest in self.values or digest in seen:
                continue
            seen.add(digest)
            blob = self._blobs.get(digest)
            if blob is None:
                wanted[digest] = None
            else:
                pending += [large.digest for large in blob.large]
        return list(wanted)

    def take(self, digest: str, data: bytes | None) -> None:
        """Take a blob that was fetched. Raises Changed."""
        if data is None:
            raise Changed(digest, "is missing")
        if digest_of(data) != digest:
            raise Changed(digest, f"was changed: its digest is {digest_of(data)}")
        self._blobs[digest] = _decode_blob(data)

    def give(self, owner: Any, references: Iterable[Large]) -> None:
        """Put values back where they were taken from, in place; `owner` is a struct, a dict or a list."""
        for large in references:
            place = owner
            for step in large.path[:-1]:
                place = _inside(place, step)
            _set(place, large.path[-1], self._value(large.digest))

    def _value(self, digest: str) -> Any:
        if digest not in self.values:
            blob = self._blobs.pop(digest)
            holder = [blob.value]
            self.give(holder, [_at([0, *large.path], large) for large in blob.large])
            self.values[digest] = holder[0]
        return self.values[digest]


def _inside(place: Any, step: str | int) -> Any:
    if isinstance(place, msgspec.Struct):
        return getattr(place, str(step))
    return place[step]


def _set(place: Any, step: str | int, value: Any) -> None:
    if isinstance(place, msgspec.Struct):
        msgspec.structs.force_setattr(place, str(step), value)
    else:
        place[step] = value


def put_at(form: dict[str, Any], large: Large) -> None:
    """Show a reference, `{digest, size}`, where its value was taken out, in an event's form of plain JSON."""
    place, step = _in_form(form, large.path)
    place[step] = {"digest": large.digest, "size": large.size}


def take_out(form: dict[str, Any], path: Place) -> None:
    """The reverse of `put_at`. Raises LookupError or TypeError for a place that is not there."""
    place, step = _in_form(form, path)
    if place is form:
        del form[str(step)]
    else:
        place[step] = None


def _in_form(form: dict[str, Any], path: Place) -> tuple[Any, str | int]:
    head, *words = str(path[0]).split("_")
    place: Any = form
    steps = [head + "".join(word.title() for word in words), *path[1:]]
    for step in steps[:-1]:
        place = place[step]
    return place, steps[-1]
