"""`fairlead list` and `fairlead get`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.options import AsListing, Listing, Name, Where, looks
from fairlead.apps.cli.terminal import document, lines, paint_heading, paint_status, say

if TYPE_CHECKING:
    from fairlead.apps.cli.homes import Execution, Fact, Home

AllNamespaces = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces of the cluster.")
]


@looks
def list_(output: AsListing = None, everywhere: AllNamespaces = False, *, where: Where) -> None:
    """List executions, the newest last; PARENT is the one whose node has started it.

    Examples:
      fairlead list
      fairlead list -A -o wide
      fairlead list -o json | jq -r '.[] | select(.status.phase == "Failed") | .metadata.name'
    """
    from fairlead.apps.cli.executions import now
    from fairlead.apps.cli.homes import home_at
    from fairlead.apps.views import executions as views
    from fairlead.apps.views.tables import table

    with home_at(where) as home:
        rows = home.rows(everywhere=everywhere)
        if output in (Listing.JSON, Listing.YAML):
            document(home.objects(rows), output)
            return
        if not rows:
            say(f"no executions: {home.nothing()}")
            return
        if output is Listing.WIDE:
            header, cells = views.wide(rows, now(), home.owners(rows))
        elif any(row.parent for row in rows):
            header, cells = views.WITH_PARENTS, views.rows_with_parents(rows, now())
        else:
            header, cells = views.HEADER, views.rows(rows, now())
    if everywhere:
        header, cells = views.with_namespaces(header, cells, [getattr(row, "namespace", "-") for row in rows])
    lines(table(header, cells, paint_status))


@looks
def get(name: Name, output: AsListing = None, *, where: Where) -> None:
    """Show one execution: phase, progress, times, the states of its nodes, what it waits for, what came out.

    With -o json it is the WorkflowExecution object, its outputs and variables whole however large; `metrics` beside its status
    has the figures and the nodes.

    Examples:
      fairlead get order-qwxyz
      fairlead get order-qwxyz -o json | jq .status.outputs
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.cli.homes import home_at
    from fairlead.apps.views import details, nodes
    from fairlead.apps.views.tables import table
    from fairlead.engine.summary import metrics

    with home_at(where) as home:
        found = home.load(name)
        if output in (Listing.JSON, Listing.YAML):
            whole = {**found.object, "status": executions.whole_status_of(found)}
            if found.graph is not None:
                figures = details.figures(metrics(found.state, executions.now()))
                whole["metrics"] = {**figures, "nodes": nodes.data(found.graph, found.state)}
            document(whole, output)
            return
        status, now = executions.status_of(found), executions.now()
        facts = [("Name", name), ("Workflow", found.workflow or "-"), ("Phase", status["phase"])]
        if found.state.cancel and found.state.cancel_reason:
            facts.append(("Cancel reason", found.state.cancel_reason))
        facts += _family(home, found)
        facts += home.facts(found)
        if output is Listing.WIDE:
            facts += [("UID", found.known.uid), ("Digest", found.state.digest or "-")]
            facts += home.more_facts(found)
            facts += [("Events", str(found.state.seq)), ("Checkpoint", str(found.state.checkpoint or "-"))]
    states: list[str] = []
    if found.graph is not None:
        states = table(nodes.HEADER, nodes.rows(found.graph, found.state, now), paint_status)
    lines(details.described(facts, status, metrics(found.state, now), states, now, paint_heading))
    if output is Listing.WIDE and status.get("paths"):
        lines(
            [
                "",
                paint_heading("Paths:"),
                *table(details.PATHS_HEADER, details.path_rows(status, now), paint_status),
            ]
        )


def _family(home: Home, found: Execution) -> list[Fact]:
    """The execution whose node has started it, and those that its own nodes have started."""
    facts = []
    parent = found.parent
    if parent is not None:
        facts.append(
            ("Started by", f"{parent.node} of {parent.name}{'' if parent.wait else ', which does not wait'}")
        )
    children = home.children_by_phase(found)
    if children:
        phases = ", ".join(f"{count} {phase}" for phase, count in children.items())
        facts.append(("Children", f"{phases}; `fairlead list{home.option}` names them"))
    return facts
