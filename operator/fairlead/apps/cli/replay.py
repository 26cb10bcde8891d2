"""`fairlead replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairlead.apps.cli.failures import DONE, FAILED
from fairlead.apps.cli.options import AsDocument, Where, looks
from fairlead.apps.cli.terminal import GREEN, document, out, painted

if TYPE_CHECKING:
    from fairlead.apps.cli.replaying import Verdict

Subject = Annotated[
    str,
    typer.Argument(
        metavar="ID|FILE", help="An execution, or events as `events -o json` prints them.", show_default=False
    ),
]


@looks
def replay(subject: Subject, output: AsDocument = None, *, where: Where) -> int:
    """Fold the log of an execution again, and compare with all that was recorded.

    Each event must be there, unchanged and a legal move; the state must be, byte for byte, that of the checkpoints; phase and
    times must be those that were recorded beside it. A FILE is folded alike, and compared with the execution that it came from if
    that is at hand.
    The first difference is named and the exit code is 1.

    Examples:
      fairlead replay order-qwxyz
      fairlead events order-qwxyz -o json > order.json && fairlead replay order.json
    """
    import sys

    from fairlead.apps.cli import replaying
    from fairlead.apps.cli.homes import home_at

    is_file = subject == "-" or "/" in subject or Path(subject).is_file()
    with home_at(where) as home:
        verdict = replaying.of_file(Path(subject), home) if is_file else replaying.of_execution(subject, home)
    if output is not None:
        document(_document(verdict), output)
    elif verdict.difference:
        out(f"{verdict.name}: {verdict.difference}")
    else:
        out(painted(f"{verdict.name}: {verdict.summary}", GREEN, sys.stdout))
    return FAILED if verdict.difference else DONE


def _document(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": verdict.name,
        "events": verdict.events,
        "phase": verdict.phase,
        "compared": list(verdict.compared),
        "same": not verdict.difference,
    }
    if verdict.difference:
        found |= {"difference": verdict.difference, "seq": verdict.seq}
    return found
