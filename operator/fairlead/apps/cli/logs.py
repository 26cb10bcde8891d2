"""`fairlead logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairlead.apps.cli.options import AsDocument, Name, Where, looks
from fairlead.apps.cli.terminal import BOLD, DIM, document, flush, out, painted, say

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Home, Known
    from fairlead.apps.cli.printed import Line
    from fairlead.apps.views.attempts import AttemptRow
    from fairlead.model.events import Event

Node = Annotated[
    str | None,
    typer.Argument(
        metavar="NODE",
        help="A node's name, or the id of an instance where there are several. Default: all.",
        show_default=False,
    ),
]
Attempt = Annotated[
    int | None,
    typer.Option("--attempt", metavar="N", help="Only this attempt. Default: all.", show_default=False),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what is printed, until the run has ended.")
]


@looks
def logs(
    name: Name,
    node: Node = None,
    attempt: Attempt = None,
    follow: Follow = False,
    output: AsDocument = None,
    *,
    where: Where,
) -> None:
    """Show what nodes printed, stdout and stderr as they came, each attempt under a line that says how it ended.

    Of each attempt the first and the last MiB are kept; in a cluster it is what Kubernetes keeps of the logs of pods that are
    still there. With --follow each line begins with its node.

    Examples:
      fairlead logs order-qwxyz
      fairlead logs order-qwxyz charge --attempt 2
      fairlead logs order-qwxyz --follow
    """
    from fairlead.apps.cli.executions import node_of
    from fairlead.apps.cli.homes import home_at

    with home_at(where) as home:
        known = home.find(name)
        if follow:
            if node is not None:
                node_of(home, known, node)
            _follow(home, known, node, attempt)
            return
        rows = _rows(home.events(known, up_to=0), node, attempt)
        if node is not None and not rows:
            raise _nothing(home, known, node, attempt)
        printed = home.printed(known, rows)
    if output is not None:
        document([_item(row, lines) for row, lines in zip(rows, printed, strict=True)], output)
        return
    for row, lines in zip(rows, printed, strict=True):
        out(painted(f"==> {row.title}", BOLD, sys.stdout))
        for line in lines:
            out(_shown(line))
    if not rows:
        say(f"no node of {name} has run in a process yet")


def _rows(
    events: list[Event], node: str | None, attempt: int | None, *, several: bool = False
) -> list[AttemptRow]:
    """The attempts that are asked for. Raises InvalidInput for a name that means `several` instances where one is wanted."""
    from fairlead.apps.views.attempts import attempts, chosen
    from fairlead.model.errors import InvalidInput

    rows = attempts(events)
    if node is not None:
        try:
            rows = chosen(rows, node, several=several)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
    return [row for row in rows if attempt in (None, row.attempt)]


def _nothing(home: Home, known: Known, node: str, attempt: int | None) -> Exception:
    """Why there is nothing of a node. Raises NotFound for one that is none."""
    from fairlead.apps.cli.executions import node_of
    from fairlead.model.errors import InvalidInput, NotFound

    found = node_of(home, known, node)
    if found.kind == "workflow":
        children = _children(home, known, found.name)
        where = (
            " and ".join(f"`fairlead logs {child}{home.option}`" for child in children[:3])
            or "no execution yet"
        )
        return InvalidInput(
            f"{node} runs a workflow, whose nodes print in an execution of their own: {where}"
        )
    if not found.in_pod:
        return InvalidInput(f"{node} is of kind {found.kind}, which prints nothing; see `fairlead events`")
    which = f"attempt {attempt} of {node}" if attempt is not None else node
    return NotFound(f"{which} has not run in {known.name}; see `fairlead get {known.name}{home.option}`")


def _children(home: Home, known: Known, node: str) -> list[str]:
    """The executions that the instances of a node have started."""
    from fairlead.model.events import ChildScheduled
    from fairlead.model.ids import key_of

    asked = [event for event in home.events(known, up_to=0) if isinstance(event, ChildScheduled)]
    return list(dict.fromkeys(x.child for x in asked if key_of(x.node).rpartition("/")[2] == node))


def _shown(line: Line) -> str:
    return painted(line.text, DIM, sys.stdout) if line.stream == "gap" else line.text


def _item(row: AttemptRow, lines: list[Line]) -> dict[str, Any]:
    return {
        "node": row.node,
        "attempt": row.attempt,
        "delivery": row.delivery,
        "end": row.end,
        "lines": [_line(line) for line in lines],
    }


def _line(line: Line) -> dict[str, str]:
    from fairlead.model.times import format_time

    at = {"at": format_time(line.at)} if line.at else {}
    return {"stream": line.stream, **at, "text": line.text}


def _follow(home: Home, known: Known, node: str | None, attempt: int | None) -> None:
    """Print what comes until the run has ended; a line is printed once it is whole.

    Who follows a name gets all its instances: the first is there before anybody knows of the others.
    """
    from fairlead.apps.cli.following import batches

    events: list[Event] = []
    printed: dict[tuple[str, int, int], int] = {}
    finished: set[tuple[str, int, int]] = set()
    for batch in batches(home, known, up_to=0):
        events += batch
        rows = [row for row in _rows(events, node, attempt, several=True) if _key(row) not in finished]
        for row, lines in zip(rows, home.printed(known, rows), strict=True):
            _print_new(row, lines, printed)
            if row.end:
                finished.add(_key(row))
        flush()


def _key(row: AttemptRow) -> tuple[str, int, int]:
    return row.node, row.attempt, row.delivery


def _print_new(row: AttemptRow, found: list[Line], printed: dict[tuple[str, int, int], int]) -> None:
    key = _key(row)
    whole = found if row.end else found[:-1]
    for line in whole[printed.get(key, 0) :]:
        out(f"{painted(row.node, BOLD, sys.stdout)} | {_shown(line)}")
    printed[key] = max(printed.get(key, 0), len(whole))
