"""`fairlead graph`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.options import Where, looks
from fairlead.apps.cli.terminal import write

if TYPE_CHECKING:
    from fairlead.apps.views.graphs import GraphView


class Format(StrEnum):
    """What a graph is drawn as."""

    TEXT = "text"
    SVG = "svg"
    MERMAID = "mermaid"
    DOT = "dot"


Subject = Annotated[
    str,
    typer.Argument(metavar="FILE|ID", help="A manifest, or an execution's name.", show_default=False),
]


@looks
def graph(
    subject: Subject,
    form: Annotated[Format, typer.Option("--format", "-f", help="What to draw it as.")] = Format.TEXT,
    *,
    where: Where,
) -> None:
    """Draw a workflow; of an execution, with the states of its nodes and connections.

    What is a file is taken as one, unless an option says where to look for an execution.

    Examples:
      fairlead graph order.yaml
      fairlead graph order.yaml --format svg > order.svg
      fairlead graph order-qwxyz --format mermaid
    """
    import sys

    from fairlead.apps.views import graphs

    named = where.names_store or where.names_cluster
    meant = named or not (Path(subject).exists() or _like_a_file(subject))
    view = _of_execution(subject, where) if meant else view_of_file(Path(subject))
    draw = {
        Format.TEXT: graphs.to_text,
        Format.SVG: graphs.to_svg,
        Format.MERMAID: graphs.to_mermaid,
        Format.DOT: graphs.to_dot,
    }
    text = draw[form](view)
    write(sys.stdout, text if text.endswith("\n") else text + "\n")


def _like_a_file(subject: str) -> bool:
    """Names of executions have no slash and none of these endings."""
    return subject == "-" or "/" in subject or subject.endswith((".yaml", ".yml", ".json"))


def view_of_file(file: Path) -> GraphView:
    """The graph of the first workflow in a file. Raises Refused."""
    from fairlead.apps.cli.sources import read_graph
    from fairlead.apps.views.workflow_graph import graph_view
    from fairlead.engine.graph import compile_workflow

    source = read_graph(file)
    return graph_view(compile_workflow(source.workflow, source.name), source.name or file.stem)


def _of_execution(name: str, where: Where) -> GraphView:
    from fairlead.apps.cli.executions import graph_of
    from fairlead.apps.cli.homes import home_at
    from fairlead.apps.views.workflow_graph import ended_by, graph_view, settled_by

    with home_at(where) as home:
        found = home.load(name)
        events = home.events(found.known, up_to=0)
    title = f"{name} ({found.state.phase or 'Pending'})"
    return graph_view(graph_of(found), title, found.state, settled_by(events), ended_by(events))
