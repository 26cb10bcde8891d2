"""SECURITY.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there():
    """File and function."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    gone = [
        f"{file}::{function}"
        for file, function in named
        if not (ROOT / file).is_file() or f"def {function}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert len(named) > 20
    assert gone == []


def test_every_row_names_a_test():
    """No sentence of what somebody can or cannot do stands alone."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert rows
    assert [row for row in rows if "`tests/" not in row] == []
