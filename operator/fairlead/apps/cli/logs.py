"""`fairlead logs`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairlead.apps.cli.options import AsDocument, Local, Name, StorePath
from fairlead.apps.cli.terminal import BOLD, DIM, document, flush, out, painted, say

if TYPE_CHECKING:
    from fairlead.apps.views.attempts import AttemptRow
    from fairlead.local.store import Store
    from fairlead.local.subprocesses import Line
    from fairlead.model.events import Event

Node = Annotated[
    str | None,
    typer.Argument(
        metavar="NODE", help="A node's name, or the id of an instance. Default: all.", show_default=False
    ),
]
Attempt = Annotated[
    int | None,
    typer.Option("--attempt", metavar="N", help="Only this attempt. Default: all.", show_default=False),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what is printed, until the run has ended.")
]

PAUSE = 0.1
"""Seconds between two looks."""


def logs(
    name: Name,
    node: Node = None,
    attempt: Attempt = None,
    follow: Follow = False,
    output: AsDocument = None,
    store: StorePath = None,
    local: Local = False,
) -> None:
    """Show what nodes printed, stdout and stderr as they came, each attempt under a line that says how it ended.

    Of each attempt the first and the last MiB are kept. With --follow each line begins with its node.

    Examples:
      fairlead logs order-qwxyz
      fairlead logs order-qwxyz charge --attempt 2
      fairlead logs order-qwxyz --follow
    """
    from fairlead.apps.cli import executions

    with executions.open_store(store) as opened:
        record = opened.get(name)
        if follow:
            if node is not None:
                executions.node_of(opened, record, node)
            _follow(opened, record.uid, node, attempt)
            return
        rows = _rows(executions.inline(opened.read(record.uid)), node, attempt)
        if node is not None and not rows:
            raise _nothing(opened, name, node, attempt)
        printed = {id(row): list(_lines(opened, record.uid, row)) for row in rows}
    if output is not None:
        document([_item(row, printed[id(row)]) for row in rows], output)
        return
    for row in rows:
        out(painted(f"==> {row.title}", BOLD, sys.stdout))
        for line in printed[id(row)]:
            out(_shown(line))
    if not rows:
        say(f"no node of {name} has run in a process yet")


def _rows(events: list[Event], node: str | None, attempt: int | None) -> list[AttemptRow]:
    """The attempts that are asked for. Raises InvalidInput for a name that means several instances."""
    from fairlead.apps.views.attempts import attempts, chosen
    from fairlead.model.errors import InvalidInput

    rows = attempts(events)
    if node is not None:
        try:
            rows = chosen(rows, node)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
    return [row for row in rows if attempt in (None, row.attempt)]


def _nothing(store: Store, name: str, node: str, attempt: int | None) -> Exception:
    """Why there is nothing of a node. Raises NotFound for one that is none."""
    from fairlead.apps.cli import executions
    from fairlead.model.errors import InvalidInput, NotFound

    found = executions.node_of(store, store.get(name), node)
    if found.kind == "workflow":
        children = _children(store, name, found.name)
        where = " and ".join(f"`fairlead logs {child}`" for child in children[:3]) or "no execution yet"
        return InvalidInput(
            f"{node} runs a workflow, whose nodes print in an execution of their own: {where}"
        )
    if not found.in_pod:
        return InvalidInput(f"{node} is of kind {found.kind}, which prints nothing; see `fairlead events`")
    which = f"attempt {attempt} of {node}" if attempt is not None else node
    return NotFound(f"{which} has not run in {name}; see `fairlead get {name}`")


def _children(store: Store, name: str, node: str) -> list[str]:
    """The executions that the instances of a node have started."""
    from fairlead.apps.cli.executions import inline
    from fairlead.model.events import ChildScheduled
    from fairlead.model.ids import key_of

    events = inline(store.read(store.get(name).uid))
    asked = [event for event in events if isinstance(event, ChildScheduled)]
    return list(dict.fromkeys(x.child for x in asked if key_of(x.node).rpartition("/")[2] == node))


def _lines(store: Store, uid: str, row: AttemptRow) -> Iterator[Line]:
    from fairlead.local.subprocesses import lines, output_path
    from fairlead.model.ids import delivery_id

    key = delivery_id(uid, row.node, row.attempt, row.delivery)
    return lines(output_path(store.folder, uid, key))


def _shown(line: Line) -> str:
    return painted(line.text, DIM, sys.stdout) if line.stream == "gap" else line.text


def _item(row: AttemptRow, lines: list[Line]) -> dict[str, Any]:
    from fairlead.model.times import format_time

    return {
        "node": row.node,
        "attempt": row.attempt,
        "delivery": row.delivery,
        "end": row.end,
        "lines": [{"stream": line.stream, "at": format_time(line.at), "text": line.text} for line in lines],
    }


def _follow(store: Store, uid: str, node: str | None, attempt: int | None) -> None:
    """Print what comes until the run has ended; a line is printed once it is whole."""
    from fairlead.apps.cli.executions import inline
    from fairlead.model.state import ENDED_RUN

    events: list[Event] = []
    printed: dict[tuple[str, int, int], int] = {}
    finished: set[tuple[str, int, int]] = set()
    while True:
        events += inline(store.read(uid, len(events)))
        phase = _phase(events)
        for row in _rows(events, node, attempt):
            key = (row.node, row.attempt, row.delivery)
            if key not in finished:
                _print_new(store, uid, row, printed)
                if row.end:
                    finished.add(key)
        flush()
        if phase in ENDED_RUN:
            return
        time.sleep(PAUSE)


def _print_new(store: Store, uid: str, row: AttemptRow, printed: dict[tuple[str, int, int], int]) -> None:
    key = (row.node, row.attempt, row.delivery)
    found = list(_lines(store, uid, row))
    whole = found if row.end else found[:-1]
    for line in whole[printed.get(key, 0) :]:
        out(f"{painted(row.node, BOLD, sys.stdout)} | {_shown(line)}")
    printed[key] = max(printed.get(key, 0), len(whole))


def _phase(events: list[Event]) -> str:
    """The phase that the last event which changed it led to."""
    from fairlead.engine.transitions import EXECUTION

    phase = ""
    for event in events:
        phase = EXECUTION.get(phase, {}).get(type(event).__name__, phase)
    return phase
