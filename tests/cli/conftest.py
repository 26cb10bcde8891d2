"""Every test of the command line has a folder and a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.cli import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line in the test's folder."""
    return Cli(tmp_path)
