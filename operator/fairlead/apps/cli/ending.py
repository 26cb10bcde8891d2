"""What a run came to, for a person and as an exit code."""

from __future__ import annotations

import sys
from typing import Any

from fairlead.apps.cli.failures import CANCELLED, DONE, FAILED
from fairlead.apps.cli.terminal import COLOURS, out, painted, say

EXIT_CODES = {"Succeeded": DONE, "Failed": FAILED, "Cancelled": CANCELLED}
"""Exit codes by final phase."""


def print_end(name: str, status: dict[str, Any]) -> None:
    """The end of a run for a person."""
    from fairlead.apps.views import details

    out(painted(details.headline(name, status), COLOURS.get(status["phase"], ""), sys.stdout))
    for heading, lines in details.sections({**status, "variables": {}}):
        out(f"{heading}:")
        for line in lines:
            out(f"  {line}")


def hint_failed(name: str, option: str) -> None:
    """What to do about a run that has failed."""
    say(
        f"`fairlead logs {name}{option}` shows what its nodes printed, `fairlead redrive {name}{option}` runs it again"
    )
