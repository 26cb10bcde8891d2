"""Collects findings and gives each its place in the file.

Rules of this file: a path names a field of the data that was checked; where that data has a misspelt field put right
(`spelling.py`), the finding shows the field as it is written. A place inside a text is exact for `|` blocks, and for all other
texts that of the word meant, as far as the raw text shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from fairlead.model.documents import Document, Path, path_text
from fairlead.model.findings import Finding, Severity
from fairlead.model.manifests.base import shown
from fairlead.model.wording import nearest_name

__all__ = ["Notes", "lines_of", "listed", "shown"]

_LISTED = 12
_COMPARISONS = 100_000
"""How many names are compared at most, in all, to find the nearest ones: about a second's worth."""
_BREAKS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_PROPERTIES = re.compile(r"(?:[!&]\S*[ \t]+)+")
_TOKEN = re.compile(r"[A-Za-z0-9_]+|\S")


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML counts them."""
    return _BREAKS.split(text)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, cut after a dozen."""
    every = names if isinstance(names, Sequence) else list(names)
    return ", ".join(every[:_LISTED]) + (", ..." if len(every) > _LISTED else "")


def _first_indent(lines: Iterable[str]) -> int:
    """How many spaces stand before the first line that is not blank."""
    return next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)


class Notes:
    """The findings about one document."""

    def __init__(
        self,
        document: Document,
        file: str = "",
        lines: Sequence[str] = (),
        renamed: Mapping[Path, str] | None = None,
    ) -> None:
        self.document = document
        self.file = file or document.file
        self.findings: list[Finding] = []
        self._lines = lines
        self._renamed = renamed or {}
        self._comparisons = _COMPARISONS

    def error(self, reason: str, message: str, path: Path, *, key: bool = False) -> None:
        """An error at a value, or with `key` at the field's name."""
        self._add("error", reason, message, path, self._place(path, key=key))

    def warning(self, reason: str, message: str, path: Path, *, key: bool = False) -> None:
        """A warning at a value, or with `key` at the field's name."""
        self._add("warning", reason, message, path, self._place(path, key=key))

    def inside(
        self, severity: Severity, reason: str, message: str, path: Path, text: str, offset: int
    ) -> None:
        """A finding at a character of a text."""
        self._add(severity, reason, message, path, self._place_in(path, text, offset))

    def nearest(self, name: str, known: Sequence[str]) -> str:
        """The known name that an unknown one probably means, or an empty text."""
        self._comparisons -= len(known)
        return nearest_name(name, list(known)) if self._comparisons >= 0 else ""

    def did_you_mean(self, name: str, known: Sequence[str], none: str = "there are none") -> str:
        """The end of a sentence about an unknown name: the nearest known one, and those that exist."""
        if not known:
            return none
        near = self.nearest(name, known)
        if near:
            return (
                f"did you mean {near}?"
                if len(known) == 1
                else f"did you mean {near} (known: {listed(known)})?"
            )
        return f"expected {known[0]}" if len(known) == 1 else f"expected one of {listed(known)}"

    def line_of(self, path: Path) -> int:
        """The line at which a value stands; 0 if that is not known."""
        return self._place(path)[0]

    def _add(self, severity: Severity, reason: str, message: str, path: Path, place: tuple[int, int]) -> None:
        where = path_text(self._written(path))
        self.findings.append(Finding(severity, reason, message, where, self.file, *place))

    def _written(self, path: Path) -> Path:
        """The path with the names that stand in the file."""
        if not self._renamed:
            return path
        return tuple(self._renamed.get(path[: end + 1], step) for end, step in enumerate(path))

    def _place(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        find = self.document.place if key else self.document.value_place
        return find(self._written(path))

    def _place_in(self, path: Path, text: str, offset: int) -> tuple[int, int]:
        line, column = self._place(path)
        if not 0 < line <= len(self._lines):
            return line, column
        raw = self._lines[line - 1]
        properties = _PROPERTIES.match(raw, column - 1)
        begin = properties.end() if properties else column - 1
        if raw.startswith("|", begin):
            return self._in_block(line, text, offset)
        if raw.startswith("*", begin):
            return line, column
        return self._find_token(line, begin, text, offset) or (line, column)

    def _in_block(self, line: int, text: str, offset: int) -> tuple[int, int]:
        before = text[:offset]
        below = islice(self._lines, line, None)
        indent = _first_indent(below) - _first_indent(text.split("\n"))
        return line + 1 + before.count("\n"), indent + offset - (before.rfind("\n") + 1) + 1

    def _find_token(self, line: int, begin: int, text: str, offset: int) -> tuple[int, int] | None:
        """Where the same word, for the same time, stands in the raw text."""
        token = _TOKEN.match(text, offset)
        if token is None:
            return None
        word = token.group()
        times = text.count(word, 0, offset)
        # Escapes make the raw text longer, but not by much; a text of one line may be all of the file.
        length = 2 * len(text) + 200
        for number in range(line - 1, min(len(self._lines), line + text.count("\n") + 50)):
            raw, at = self._lines[number], begin if number == line - 1 else 0
            end = at + length
            while (at := raw.find(word, at, end)) >= 0:
                if times == 0:
                    return number + 1, at + 1
                times -= 1
                at += len(word)
        return None
