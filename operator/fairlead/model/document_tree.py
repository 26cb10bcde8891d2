"""Builds plain JSON data and, beside it, where each key and value stands in the text.

Readers (`yaml_text.py`, `json_text.py`) call `begin`, `key`, `scalar`, `end`; this file holds the rules that
both share: each key once, limits of depth and size. It never recurses, so that text nested 100,000 deep is a
finding and not a crash.

A place is one integer, `line << 24 | column`, both 1-based; a spot is `(place of the value, place of its key,
spots inside)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairlead.model.findings import Finding, Severity

MAX_DEPTH = 200
MAX_VALUES = 1_000_000

Path = tuple[str | int, ...]
Spot = tuple[int, int, Any]
_COLUMN_BITS = 24
_SHOWN_DEPTH = 30
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$<-]+\Z")


class Unreadable(Exception):
    """The text cannot be read any further; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def place(line: int, column: int) -> int:
    """A place from a 1-based line and column."""
    return line << _COLUMN_BITS | column


def path_text(path: Path) -> str:
    """A path as a user writes it: `spec.nodes[2].retry.maxAttempts`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.match(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f'["{step}"]')
    return "".join(parts)


def line_column(at: int) -> tuple[int, int]:
    """The 1-based line and column of a place."""
    return at >> _COLUMN_BITS, at & ((1 << _COLUMN_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text: plain JSON data, and where its parts stand."""

    data: Any
    spot: Spot
    file: str = ""

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column of what a path names, of its key if it has one; of its owner if it is not there."""
        value_at, key_at = self._find(path)
        return line_column(key_at or value_at)

    def value_place(self, path: Path) -> tuple[int, int]:
        """Line and column of the value itself."""
        return line_column(self._find(path)[0])

    def _find(self, path: Path) -> tuple[int, int]:
        spot = self.spot
        for step in path:
            inside = spot[2]
            if isinstance(inside, dict):
                inner = inside.get(step)
            elif isinstance(inside, list) and isinstance(step, int) and 0 <= step < len(inside):
                inner = inside[step]
            else:
                inner = None
            if inner is None:
                break
            spot = inner
        return spot[0], spot[1]


_PENDING: tuple[Any, Spot] = (None, (0, 0, None))


class _Frame:
    """A mapping or a sequence that is being read."""

    __slots__ = ("anchor", "as_key", "at", "key", "key_at", "kind", "merges", "size", "spots", "value")

    def __init__(self, kind: str, at: int, anchor: str | None, *, as_key: bool) -> None:
        self.kind = kind
        self.as_key = as_key  # it stands where a key should, so its value goes nowhere
        self.at = at
        self.anchor = anchor
        self.value: Any = {} if kind == "map" else []
        self.spots: Any = {} if kind == "map" else []
        self.key: str | None = None
        self.key_at = 0  # not 0: a key was read and its value comes next
        self.merges: list[tuple[Any, Spot]] | None = None  # values of `<<`, put in at the end
        self.size = 1


class Builder:
    """Puts one document together."""

    def __init__(self, file: str, findings: list[Finding]) -> None:
        self.file = file
        self.findings = findings
        self.stack: list[_Frame] = []
        self.result: tuple[Any, Spot] | None = None
        self.anchors: dict[str, tuple[Any, Spot, int]] = {}

    def say(self, reason: str, message: str, at: int, severity: Severity = "error") -> None:
        """Notes a finding after which reading goes on."""
        self.findings.append(self.finding(reason, message, at, severity))

    def finding(self, reason: str, message: str, at: int, severity: Severity = "error") -> Finding:
        """A finding at a place of this text, with the path of what is being read."""
        line, column = line_column(at)
        return Finding(severity, reason, message, self._path(), self.file, line, column)

    def wants_key(self) -> bool:
        """True if the next thing read is a key of a mapping."""
        return bool(self.stack) and self.stack[-1].kind == "map" and not self.stack[-1].key_at

    def begin(self, kind: str, at: int, anchor: str | None = None) -> None:
        """A mapping (`map`) or a sequence (`list`) starts."""
        if len(self.stack) >= MAX_DEPTH:
            message = f"the text is nested more than {MAX_DEPTH} deep; expected less"
            raise Unreadable(self.finding("TooDeep", message, at))
        as_key = self.wants_key()
        if as_key:
            self.say("BadKey", "a list or an object stands where a key should; expected text", at)
        self.stack.append(_Frame(kind, at, anchor, as_key=as_key))

    def key(self, key: str, at: int) -> None:
        """The key of the next value."""
        frame = self.stack[-1]
        frame.key = key
        if key in frame.value:
            first, _ = line_column(frame.spots[key][1])
            self.say(
                "DuplicateKey", f"the key {key!r} is written twice, first in line {first}; expected once", at
            )
            frame.key = None
        frame.key_at = at

    def merge_key(self, at: int) -> None:
        """The key `<<`, whose value is put in at the end of the mapping."""
        frame = self.stack[-1]
        frame.key, frame.key_at = None, at
        frame.merges = [*(frame.merges or ()), _PENDING]

    def bad_key(self, reason: str, message: str, at: int) -> None:
        """A key that cannot be one; its value is read and dropped."""
        self.say(reason, message, at)
        self.stack[-1].key, self.stack[-1].key_at = None, at

    def scalar(self, value: Any, at: int, anchor: str | None = None) -> None:
        """A value that is no mapping and no sequence."""
        self._put(value, (at, 0, None), 1, anchor)

    def alias(self, anchor: str, at: int) -> None:
        """The value of an anchor again."""
        if any(frame.anchor == anchor for frame in self.stack):
            raise Unreadable(self.finding("BadAlias", f"the alias *{anchor} stands inside what it names", at))
        if anchor not in self.anchors:
            raise Unreadable(
                self.finding(
                    "BadAlias", f"the alias *{anchor} names no anchor; expected &{anchor} before it", at
                )
            )
        value, spot, size = self.anchors[anchor]
        if self.wants_key():
            self.bad_key("BadKey", f"the alias *{anchor} stands where a key should; expected text", at)
            return
        self._put(value, (at, 0, spot[2]), size, None)

    def end(self) -> None:
        """The innermost mapping or sequence ends."""
        frame = self.stack.pop()
        if frame.merges is not None:
            self._merge(frame, frame.merges)
        if frame.as_key:
            self.stack[-1].key, self.stack[-1].key_at = None, frame.at
            return
        self._put(frame.value, (frame.at, 0, frame.spots), frame.size, frame.anchor)

    def _put(self, value: Any, spot: Spot, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, spot, size)
        if not self.stack:
            self.result = value, spot
            return
        frame = self.stack[-1]
        frame.size += size
        if frame.size > MAX_VALUES:
            message = (
                f"the text has more than {MAX_VALUES:,} values once its aliases are put in; expected fewer"
            )
            raise Unreadable(self.finding("TooManyValues", message, spot[0]))
        if frame.kind == "list":
            frame.value.append(value)
            frame.spots.append(spot)
            return
        if frame.key is not None:
            frame.value[frame.key] = value
            frame.spots[frame.key] = (spot[0], frame.key_at, spot[2])
        elif frame.merges is not None and frame.merges[-1] is _PENDING:
            frame.merges[-1] = (value, spot)
        frame.key, frame.key_at = None, 0

    def _merge(self, frame: _Frame, merges: list[tuple[Any, Spot]]) -> None:
        """Puts in what `<<` brings, where the mapping does not have the key itself."""
        for value, spot in merges:
            sources = list(zip(value, spot[2], strict=True)) if isinstance(value, list) else [(value, spot)]
            for source, source_spot in sources:
                if not isinstance(source, dict):
                    self.say(
                        "BadMerge",
                        "<< brings in something that is no object; expected an alias of one",
                        spot[0],
                    )
                    continue
                for key, item in source.items():
                    if key not in frame.value:
                        frame.value[key] = item
                        frame.spots[key] = source_spot[2][key]

    def _path(self) -> str:
        steps: list[str | int] = []
        for frame in self.stack[:_SHOWN_DEPTH]:
            if frame.kind == "list":
                steps.append(len(frame.value))
            elif frame.key is not None:
                steps.append(frame.key)
        return path_text(tuple(steps))
