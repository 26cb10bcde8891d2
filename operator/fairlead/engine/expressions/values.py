"""JSON values on their way into the CEL runtime and out of it.

In: only the parts that an expression reads, as plain dicts and lists, within the limits. Out: plain JSON again, with times as
RFC 3339, durations in Go style, bytes as base64; keys sorted, because CEL's maps have no order that lasts.
Rules of this file: nothing given is changed, and refusals are ValueError with one sentence.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from fairlead.engine.expressions.budget import ResultTooLarge, TooExpensive
from fairlead.engine.expressions.limits import DEPTH, INT_MAX, INT_MIN, READ
from fairlead.model.times import format_duration

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="sorted")

_TYPE_NAMES = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "double",
    list: "list",
    dict: "map",
    type(None): "null",
    bytearray: "bytes",
    bytes: "bytes",
    datetime: "timestamp",
    timedelta: "duration",
}


def type_name(value: Any) -> str:
    """What CEL calls the type of a plain value."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def compact(value: Any) -> str:
    """Compact JSON, keys in the order they have."""
    return _text(_encoder, value)


def canonical(value: Any) -> str:
    """Compact JSON with sorted keys: the same text for equal values."""
    return _text(_canonical, value)


def _text(encoder: msgspec.json.Encoder, value: Any) -> str:
    try:
        return encoder.encode(value).decode()
    except (TypeError, OverflowError, UnicodeError, RecursionError) as error:
        raise ValueError(f"a {type_name(value)} cannot be written as JSON: {error}") from None


# --- in --------------------------------------------------------------------------------------------------------------


class Unfit(ValueError):
    """A value that is no JSON, or not what was asked for."""


MISSING: Any = object()

NUL = "a string holds the character NUL, which the expression runtime cannot take; pass the value on as it is, or remove it"


def follow(value: Any, path: tuple[str, ...]) -> Any:
    """What stands under a path of names, or MISSING."""
    for step in path:
        if type(value) is not dict and not isinstance(value, Mapping):
            return MISSING
        try:
            value = value[step]
        except KeyError:
            return MISSING
    return value


def holds_nul(value: Any) -> bool:
    """True where a string within a value, or a key, has the character NUL: the runtime cuts what it is given there."""
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is str:
            if "\x00" in item:
                return True
        elif kind is list:
            pending.extend(item)
        elif kind is dict:
            pending.extend(item)
            pending.extend(item.values())
    return False


def may_hold_nul(data: bytes) -> bool:
    """False where the JSON of a value shows that it has no NUL; where it has the escape, it may be a written-out backslash."""
    return b"\\u0000" in data


class Reader:
    """Picks what one expression reads out of a scope, and counts its bytes."""

    __slots__ = ("nul", "size")

    def __init__(self) -> None:
        self.size = 0
        self.nul = False

    def pick(self, value: Any, wanted: Mapping[str, Any] | None) -> Any:
        """The parts of a value that a tree of names wants (None: all of it). Missing keys are left out for CEL to miss them."""
        if wanted is None:
            return self.take(value)
        if not isinstance(value, Mapping):
            return self.take(value)
        out: dict[str, Any] = {}
        for name, below in wanted.items():
            try:
                inner = value[name]
            except KeyError:
                continue
            out[name] = self.pick(inner, below)
        return out

    def take(self, value: Any) -> Any:
        """The whole value, plain."""
        kind = type(value)
        if kind is str:
            self.size += len(value)
            self.nul = self.nul or "\x00" in value
            if not value.isascii():
                check_text(value)
        elif kind is int:
            check_int(value)
        elif kind is list or kind is dict:
            if value:
                return self._container(value)
        elif kind is float:
            if not math.isfinite(value):
                raise Unfit(f"a value that it reads is {value}, which JSON cannot hold")
        elif value is not None and kind is not bool:
            return self._container(value)
        self._check()
        return value

    def _container(self, value: Any) -> Any:
        lazy = False

        def plain(part: Any) -> Any:
            nonlocal lazy
            lazy = True
            if isinstance(part, Mapping):
                return {key: part[key] for key in part}
            if isinstance(part, (list, tuple)):
                return list(part)
            raise TypeError(f"a {type(part).__name__} is no JSON value")

        try:
            data = msgspec.json.encode(value, enc_hook=plain)
        except (TypeError, OverflowError, UnicodeError, RecursionError) as error:
            raise Unfit(
                f"a value that it reads is no JSON: {str(error) or 'it is nested too deeply'}"
            ) from None
        self.size += len(data)
        self._check()
        if lazy or type(value) is tuple:
            value = msgspec.json.decode(data)
        self.nul = self.nul or (may_hold_nul(data) and holds_nul(value))
        return value

    def _check(self) -> None:
        if self.size > READ:
            raise TooExpensive(
                f"it reads {self.size} bytes, and {READ // 1024 // 1024} MiB is the most; name the parts that it needs, or do"
                " it in a `run` node"
            )


def check_text(text: str) -> None:
    """Refuse text that is no Unicode: half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit(
            f"the string {text[:40]!a} holds half of a surrogate pair, which is no Unicode text"
        ) from None


def check_int(value: int) -> None:
    """Refuse an int that CEL and JSON in Go cannot hold."""
    if not INT_MIN <= value <= INT_MAX:
        raise Unfit(f"{value} is beyond the 64 bits of an int")


# --- out -------------------------------------------------------------------------------------------------------------


def to_json(value: Any, limit: int) -> Any:
    """The JSON value of what the runtime gave, of at most about `limit` bytes."""
    return Writer(limit).convert(value, 0)


class Writer:
    """Turns what the runtime gave into JSON and counts its bytes."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def convert(self, value: Any, depth: int = 0) -> Any:
        """The value as JSON. Raises ValueError for what is none, TooExpensive for what is too large."""
        kind = type(value)
        self.left -= len(value) + 2 if kind is str else 2
        if self.left < 0:
            raise ResultTooLarge(f"its result is larger than {self.limit // 1024} KiB")
        if kind is str or kind is bool or value is None:
            return value
        if kind is int:
            check_int(value)
            return value
        if kind is float:
            if not math.isfinite(value):
                raise ValueError(f"its result is {value}, which JSON cannot hold")
            return value
        if depth > DEPTH:
            raise ValueError(f"its result is nested deeper than {DEPTH} levels")
        if kind is list:
            return [self.convert(item, depth + 1) for item in value]
        if kind is dict:
            return {self._key(key): self.convert(value[key], depth + 1) for key in _ordered_keys(value)}
        return _scalar(value)

    def _key(self, key: Any) -> str:
        if type(key) is not str:
            raise ValueError(
                f"its result has the key {key!r} ({type_name(key)}), and JSON takes only strings: write string(...)"
            )
        self.left -= len(key) + 3
        return key


def _ordered_keys(value: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def _scalar(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
        return format_duration(micros) if micros >= 0 else "-" + format_duration(-micros)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise ValueError(f"its result is a {type_name(value)}, which is no JSON value")
