"""A finding: one thing that validation has to say about a manifest, with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    `path` is the field as a user writes it (`spec.nodes[2].retry.maxAttempts`); `line` and `column` are 1-based, 0 where the
    place is not known; `reason` is CamelCase; `message` is one sentence with the value and what was expected.
    """

    severity: Severity
    reason: str
    message: str
    path: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else f"line {self.line}: " if self.line else ""
        where = f" ({self.path})" if self.path else ""
        return f"{place}{self.severity} {self.reason}: {self.message}{where}"
