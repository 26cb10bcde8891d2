r"""Reads one JSON document into plain data with places.

JSON is read by its own rules: YAML refuses some JSON (tabs, `\ud83d\ude00`, keys over 1,024 characters). NaN,
Infinity and integers beyond int64 are refused as in YAML.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from fairlead.model.document_tree import Builder, Document, Unreadable, place
from fairlead.model.findings import Finding

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?(?![0-9A-Za-z_.])")
_WORD = re.compile(r"[-+]?[A-Za-z0-9_.]+")
_CONSTANTS = {"true": True, "false": False, "null": None}


def read_json(text: str, file: str, findings: list[Finding]) -> Document | None:
    """The document of a JSON text, or None where it cannot be read, with a finding that says why."""
    reader = _Reader(text, Builder(file, findings))
    try:
        reader.read()
    except Unreadable as stop:
        findings.append(stop.finding)
        return None
    assert reader.builder.result is not None
    data, spot = reader.builder.result
    return Document(data, spot, file)


class _Reader:
    """A scanner with one state: what may come next."""

    def __init__(self, text: str, builder: Builder) -> None:
        self.text = text
        self.builder = builder
        self.index = 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def read(self) -> None:
        """Reads the whole text."""
        builder = self.builder
        while True:
            self._value()
            # After a value: close what ends here, go on behind a comma.
            while builder.stack:
                mark = self._next()
                closing = "}" if builder.stack[-1].kind == "map" else "]"
                if mark == closing:
                    self.index += 1
                    builder.end()
                    continue
                if mark != ",":
                    raise self._wrong(f"a comma or {closing}")
                self.index += 1
                self._key()
                break
            else:
                break
        if self._next():
            raise self._wrong("the end of the text")

    def _value(self) -> None:
        """Reads a value, or opens lists and objects up to their first value."""
        while True:
            mark = self._next()
            at = self._at()
            if mark in ("{", "["):
                self.builder.begin("map" if mark == "{" else "list", at)
                self.index += 1
                if self._next() == ("}" if mark == "{" else "]"):
                    self.index += 1
                    self.builder.end()
                    return
                self._key()
                continue
            self.builder.scalar(self._string() if mark == '"' else self._simple(at), at)
            return

    def _key(self) -> None:
        if self.builder.stack[-1].kind != "map":
            return
        if self._next() != '"':
            raise self._wrong("a key in double quotes")
        at = self._at()
        self.builder.key(self._string(), at)
        if self._next() != ":":
            raise self._wrong("a colon")
        self.index += 1

    def _string(self) -> str:
        try:
            value, self.index = scanstring(self.text, self.index + 1, True)
        except JSONDecodeError as error:
            self.index = min(error.pos, len(self.text))
            raise self._stop(f"{error.msg[0].lower()}{error.msg[1:]}") from None
        text: str = value
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self._stop("half of a surrogate pair stands in a string")
        return text

    def _simple(self, at: int) -> Any:
        number = _NUMBER.match(self.text, self.index)
        if number:
            self.index = number.end()
            return self._number(number, at)
        word = _WORD.match(self.text, self.index)
        if word is None or word.group() not in _CONSTANTS:
            if word and word.group().lstrip("+-") in ("NaN", "Infinity", "inf", "nan"):
                self.builder.say("NotJSON", f"{word.group()} is no JSON number; expected a finite number", at)
                self.index = word.end()
                return 0
            raise self._wrong("a value")
        self.index = word.end()
        return _CONSTANTS[word.group()]

    def _number(self, match: re.Match[str], at: int) -> int | float:
        text = match.group()
        if match.group(2) is None and match.group(3) is None:
            integer = INT64_MAX + 1 if len(text) > 70 else int(text)
            if INT64_MIN <= integer <= INT64_MAX:
                return integer
            shown = text if len(text) <= 40 else text[:37] + "..."
            self.builder.say("NumberTooLarge", f"{shown} does not fit into 64 bits; write it as text", at)
            return 0
        number = float(text)
        if not math.isfinite(number):
            self.builder.say("NotJSON", f"{text} is no JSON number; expected a finite number", at)
            return 0
        return number

    def _next(self) -> str:
        match = _SPACE.match(self.text, self.index)
        self.index = match.end() if match else self.index
        return self.text[self.index : self.index + 1]

    def _at(self) -> int:
        line = bisect_right(self.starts, self.index)
        return place(line, self.index - self.starts[line - 1] + 1)

    def _wrong(self, expected: str) -> Unreadable:
        found = self.text[self.index : self.index + 1]
        return self._stop(
            f"{found!r} stands here; expected {expected}" if found else f"it ends; expected {expected}"
        )

    def _stop(self, what: str) -> Unreadable:
        return Unreadable(self.builder.finding("BadJSON", f"the text is no JSON: {what}", self._at()))
