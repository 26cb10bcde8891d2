"""`fairlead list` and `fairlead get`."""

from __future__ import annotations

from typing import Any

from fairlead.apps.cli.options import AsListing, Listing, Local, Name, StorePath
from fairlead.apps.cli.terminal import document, lines, paint_heading, paint_status, say


def list_(output: AsListing = None, store: StorePath = None, local: Local = False) -> None:
    """List executions, the newest last; PARENT is the one whose node has started it.

    Examples:
      fairlead list
      fairlead list -o wide
      fairlead list -o json | jq -r '.[] | select(.status.phase == "Failed") | .metadata.name'
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.views import executions as views
    from fairlead.apps.views.tables import table

    if executions.usual_store_is_missing(store):
        if output in (Listing.JSON, Listing.YAML):
            document([], output)
        else:
            say("no executions: nothing was ever run here")
        return
    with executions.open_store(store) as opened:
        rows, now = opened.list(), executions.now()
        if output in (Listing.JSON, Listing.YAML):
            document([executions.listed_object(opened, row) for row in rows], output)
        elif output is Listing.WIDE:
            owners = {row.uid: opened.owner(row.uid) for row in rows}
            lines(table(views.WIDE_HEADER, views.wide_rows(rows, now, owners), paint_status))
        elif any(row.parent for row in rows):
            lines(table(views.WITH_PARENTS, views.rows_with_parents(rows, now), paint_status))
        else:
            lines(table(views.HEADER, views.rows(rows, now), paint_status))


def get(name: Name, output: AsListing = None, store: StorePath = None, local: Local = False) -> None:
    """Show one execution: phase, progress, times, the states of its nodes, what it waits for, what came out.

    With -o json it is the WorkflowExecution object, its outputs and variables whole however large; `metrics` beside its status
    has the figures and the nodes.

    Examples:
      fairlead get order-qwxyz
      fairlead get order-qwxyz -o json | jq .status.outputs
    """
    from fairlead.apps.cli import executions
    from fairlead.apps.views import details, nodes
    from fairlead.apps.views.tables import table
    from fairlead.engine.summary import metrics

    with executions.open_store(store) as opened:
        found = executions.load(opened, name)
        owner = opened.owner(found.record.uid)
        children = opened.children_by_phase(found.record.uid)
    now = executions.now()
    status, figures = executions.status_of(found), metrics(found.state, now)
    if output in (Listing.JSON, Listing.YAML):
        status = executions.whole_status_of(found)
        whole = executions.object_of(found.record, found.wish, found.generation, status)
        whole["metrics"] = {**details.figures(figures), "nodes": nodes.data(found.graph, found.state)}
        document(whole, output)
        return
    facts = [("Name", name), ("Workflow", found.record.workflow or "-"), ("Phase", status["phase"])]
    parent = found.record.parent
    if parent is not None:
        facts.append(
            ("Started by", f"{parent.node} of {parent.name}{'' if parent.wait else ', which does not wait'}")
        )
    if children:
        phases = ", ".join(f"{count} {phase}" for phase, count in children.items())
        facts.append(("Children", f"{phases}; `fairlead list` names them"))
    if not found.state.ended:
        go_on = f"fairlead run --resume {name}{executions.store_option(store)}"
        facts.append(("Run by", f"process {owner}" if owner else f"no process: `{go_on}` goes on"))
    if output is Listing.WIDE:
        facts += _more(found)
    states = table(nodes.HEADER, nodes.rows(found.graph, found.state, now), paint_status)
    lines(details.described(facts, status, figures, states, now, paint_heading))
    if output is Listing.WIDE and status.get("paths"):
        lines(
            [
                "",
                paint_heading("Paths:"),
                *table(details.PATHS_HEADER, details.path_rows(status, now), paint_status),
            ]
        )


def _more(found: Any) -> list[tuple[str, str]]:
    """What only `-o wide` tells."""
    return [
        ("UID", found.record.uid),
        ("Digest", found.record.digest),
        ("Source", found.record.source or "-"),
        ("Events", str(found.state.seq)),
        ("Checkpoint", str(found.state.checkpoint or "-")),
    ]
