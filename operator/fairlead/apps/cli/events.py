"""`fairlead events`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from fairlead.apps.cli.options import AsDocument, Name, Where, looks
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

WHOLE = 64 * 1024
"""Bytes of JSON up to which a value is shown; a larger one is shown as its digest and size."""

Json = dict[str, Any]


@looks
def events(
    name: Name,
    types: Types = None,
    nodes: Nodes = None,
    follow: Follow = False,
    output: AsDocument = None,
    *,
    where: Where,
) -> None:
    """Show what happened in an execution: its event log, from the start, and live with --follow.

    With -o json it is one list, with --follow one JSON object a line. VariableChanged and ConditionEvaluated are made from
    other events, so they come only when --type asks for them. A value of more than 64 KiB is shown as its digest and size.

    Examples:
      fairlead events order-qwxyz
      fairlead events order-qwxyz --type NodeFailed --type NodeRetrying
      fairlead events order-qwxyz --node charge --follow
      fairlead events order-qwxyz -o json > order.json && fairlead replay order.json
    """
    from fairlead.apps.cli.executions import node_of
    from fairlead.apps.cli.following import batches
    from fairlead.apps.cli.homes import home_at
    from fairlead.apps.views.events import line

    wanted = selection(types or [], nodes or [])
    with home_at(where) as home:
        known = home.find(name)
        for node in nodes or ():
            node_of(home, known, node)
        if not follow:
            found = [form for form in _forms(home.events(known, up_to=WHOLE)) if wanted(form)]
            if output is not None:
                document(found, output)
            else:
                lines(map(line, found))
            return
        show = line if output is None else _one_line if output == "json" else _one_document
        for batch in batches(home, known, up_to=WHOLE):
            for form in _forms(batch):
                if wanted(form):
                    out(show(form))
            flush()


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


def _forms(found: Any) -> Iterator[Json]:
    """Events and what is derived from them, as readers see them."""
    from fairlead.engine.derived import derived_of, readable

    for event in found:
        yield readable(event)
        yield from derived_of(event)


def _one_line(form: Json) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":"))


def _one_document(form: Json) -> str:
    import yaml

    text: str = yaml.safe_dump(form, sort_keys=False, allow_unicode=True)
    return "---\n" + text.rstrip("\n")
