"""`fairlead events`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from fairlead.apps.cli.options import AsDocument, Local, Name, StorePath
from fairlead.apps.cli.terminal import document, flush, lines, out

Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Only events of this type; several times for several.",
        show_default=False,
    ),
]
Nodes = Annotated[
    list[str] | None,
    typer.Option(
        "--node", metavar="NODE", help="Only events of this node, by name or instance id.", show_default=False
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with what happens, until the run has ended.")
]

PAUSE = 0.1
"""Seconds between two looks at the store."""

WHOLE = 64 * 1024
"""Bytes of JSON up to which a value is shown; a larger one is shown as its digest and size."""

Json = dict[str, Any]


def events(
    name: Name,
    types: Types = None,
    nodes: Nodes = None,
    follow: Follow = False,
    output: AsDocument = None,
    store: StorePath = None,
    local: Local = False,
) -> None:
    """Show what happened in an execution: its event log, from the start, and live with --follow.

    With -o json it is one list, with --follow one JSON object a line. VariableChanged and ConditionEvaluated are made from
    other events, so they come only when --type asks for them. A value of more than 64 KiB is shown as its digest and size; of
    a forEach or parallel that gave more than that in all, NodeCompleted leaves it to the BodyEnded of its bodies.

    Examples:
      fairlead events order-qwxyz
      fairlead events order-qwxyz --type NodeFailed --type NodeRetrying
      fairlead events order-qwxyz --node charge --follow
      fairlead events order-qwxyz -o json > order.json && fairlead replay order.json
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.views.events import line
    from fairlead.engine.collecting import Collecting

    wanted = selection(types or [], nodes or [])
    with executions.open_store(store) as opened:
        record = opened.get(name)
        uid = record.uid
        for node in nodes or ():
            executions.node_of(opened, record, node)
        if not follow:
            read = executions.journal_of(opened, uid).read(up_to=WHOLE)
            found = [form for form in _forms(executions.inline(read), Collecting(WHOLE)) if wanted(form)]
            if output is not None:
                document(found, output)
            else:
                lines(map(line, found))
            return
        show = line if output is None else _one_line if output == "json" else _one_document
        for live in _live(opened, uid):
            if live is None:
                flush()
            elif wanted(live):
                out(show(live))


def selection(types: list[str], nodes: list[str]) -> Callable[[Json], bool]:
    """Whether an event in its reader's form is asked for. Raises InvalidInput for a type that does not exist."""
    from fairlead.engine.derived import DERIVED
    from fairlead.model.events import TYPES
    from fairlead.model.ids import key_of

    known = {*TYPES, *DERIVED}
    chosen = {_known_type(name, known) for name in types} or set(TYPES)

    def wanted(form: Json) -> bool:
        if form["type"] not in chosen:
            return False
        if not nodes:
            return True
        node = form.get("node", "")
        return bool(node) and not {node, key_of(node), key_of(node).rpartition("/")[2]}.isdisjoint(nodes)

    return wanted


def _known_type(name: str, known: set[str]) -> str:
    from fairlead.model.errors import InvalidInput
    from fairlead.model.wording import nearest_name

    if name in known:
        return name
    near = nearest_name(name, sorted(known))
    hint = f"did you mean {near}?" if near else f"expected one of {', '.join(sorted(known))}"
    raise InvalidInput(f"--type {name}: there is no such event; {hint}")


def _forms(found: Any, collecting: Any) -> Iterator[Json]:
    """Events and what is derived from them, as readers see them; of a container's end also what its bodies gave."""
    from fairlead.engine.derived import derived_of, readable

    for event in found:
        yield collecting.take(readable(event))
        yield from derived_of(event)


def _live(store: Any, uid: str) -> Iterator[Json | None]:
    """The forms of all events until the run has ended; None after each batch."""
    import time

    from fairlead.apps.cli.executions import inline, journal_of
    from fairlead.engine.collecting import Collecting
    from fairlead.model.events import Redriven

    collecting = Collecting(WHOLE)
    ends = {"ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled"}
    seq, seen, ended = 0, -1, False
    while not ended:
        version = store.data_version()
        if version != seen:
            seen = version
            batch = inline(journal_of(store, uid).read(seq, up_to=WHOLE))
            for event in batch:
                seq = event.seq
                kind = type(event).__name__
                ended = (ended or kind in ends) and not isinstance(event, Redriven)
            yield from _forms(batch, collecting)
            yield None
        if not ended:
            time.sleep(PAUSE)


def _one_line(form: Json) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def _one_document(form: Json) -> str:
    import yaml

    text: str = yaml.safe_dump(form, sort_keys=False, allow_unicode=True)
    return "---\n" + text.rstrip("\n")
