"""docs/failures.md answers every failure of its list with tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| # ")
]
RELIABILITY, SECURITY = 33, 13
"""Failures of other engines, and classes of holes in them, that the page answers."""


def test_no_failure_is_left_out():
    """Numbered without a gap, each with what was seen, where, what we do, and a test."""
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, RELIABILITY + SECURITY + 1)]
    cited = re.compile(r"[\w-]+#\d+|CVE-\d{4}-\d+|Argo Workflows")
    bare = [row for row in ROWS if len(row) != 4 or not cited.search(row[1]) or not row[2]]
    assert bare == []


def test_every_row_is_held_by_tests_that_are_there():
    """File and function; nothing else stands in that column."""
    wrong: list[str] = []
    for row in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[3])
        rest = re.sub(r"`[^`]*`|, ", "", row[3])
        if not named or rest:
            wrong.append(f"{row[0]}: {row[3]}")
        for file, function in named:
            text = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).is_file() else ""
            if f"def {function}(" not in text:
                wrong.append(f"{row[0]}: {file}::{function}")
    assert wrong == []
