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


def hint_failed(name: str, option: str, go_on: str = "") -> None:
    """What to do about a run that has failed; `go_on` is what takes up a redrive, where nobody does by himself."""
    again = f"fairlead redrive {name}{option}" + (f" && {go_on}" if go_on else "")
    say(f"`fairlead logs {name}{option}` shows what its nodes printed, `{again}` runs the failed ones again")
