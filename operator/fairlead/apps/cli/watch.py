"""`fairlead watch`: how an execution goes on, drawn on a terminal as `run` draws it, a line per change elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from fairlead.apps.cli.failures import UNFINISHED
from fairlead.apps.cli.options import AsDocument, Document, Name, Where, looks
from fairlead.apps.cli.terminal import document

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Home, Known

WatchTimeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Leave, with exit code 4, when it has not ended by then.",
        show_default=False,
    ),
]


@looks
def watch(name: Name, timeout: WatchTimeout = None, output: AsDocument = None, *, where: Where) -> int:
    """Show how an execution goes on, from its start until it has ended, and what it came to.

    On a terminal it is drawn live, elsewhere a line is written for each change; with -o json that goes to stderr and the status
    to stdout. Ctrl-C leaves the execution as it is.

    Exit codes: 0 succeeded, 1 failed, 3 cancelled, 4 not finished when --timeout was over.

    Examples:
      fairlead watch order-qwxyz
      fairlead watch order-qwxyz --timeout 10m
    """
    from fairlead.apps.cli.homes import home_at

    most = seconds_of(timeout)
    with home_at(where) as home:
        return shown_to_its_end(home, home.find(name), most, output)


def seconds_of(timeout: str | None) -> float | None:
    """The seconds of a --timeout. Raises InvalidInput."""
    from fairlead.model.errors import InvalidInput
    from fairlead.model.times import SECOND, parse_duration

    try:
        return None if timeout is None else parse_duration(timeout) / SECOND
    except ValueError as error:
        raise InvalidInput(f"--timeout: {error}") from None


def shown_to_its_end(
    home: Home, known: Known, most: float | None = None, output: Document | None = None
) -> int:
    """Show an execution until it has ended or `most` seconds are over, and then what it came to; the exit code."""
    _show(home, known, most, sys.stdout if output is None else sys.stderr)
    return show_end(home, known, output)


def show_end(home: Home, known: Known, output: Document | None) -> int:
    """Show what an execution has come to; the exit code."""
    from fairlead.apps.cli.ending import EXIT_CODES, hint_failed, print_end
    from fairlead.apps.cli.executions import status_of, whole_status_of

    found = home.load(known.name)
    status = status_of(found)
    if output is not None:
        document(whole_status_of(found), output)
    else:
        print_end(known.name, status)
    if status["phase"] == "Failed":
        hint_failed(known.name, home.option, home.go_on(known))
    return EXIT_CODES.get(status["phase"], UNFINISHED)


def _show(home: Home, known: Known, most: float | None, stream: TextIO) -> None:
    from fairlead.apps.cli.following import batches
    from fairlead.apps.cli.progress import PAUSE, progress_on
    from fairlead.engine.evolve import evolve
    from fairlead.model.state import State

    state, graph = State(), None

    def keep_fresh(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(PAUSE, left))
            progress.refresh()

    with closing(progress_on(stream, home.tail)) as progress:
        for batch in batches(home, known, most=most, idle=keep_fresh, tell=progress.tell):
            if not batch:
                continue
            graph = graph or home.graph(known)
            assert graph is not None, "what has events has a definition"
            for event in batch:  # one by one: a line speaks of the state that its event led to
                evolve(state, event)
                progress.heard(known.name, [event], graph, state)
