"""The states of a graph's nodes: as rows of a table, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairlead.apps.views import words
from fairlead.apps.views.workflow_graph import status_of
from fairlead.engine.graph import Body, Graph, NodeDef
from fairlead.model import state as s
from fairlead.model.state import NodeState, State
from fairlead.model.times import format_time

HEADER = ("NODE", "KIND", "STATUS", "ATTEMPTS", "TIME", "WHY")


def rows(graph: Graph, state: State, now: int) -> list[list[str]]:
    """One row a node, in order of declaration, for HEADER."""
    return [
        [
            state.instance(key),
            node.kind,
            status_of(found),
            str(found.attempt or "-"),
            _time(found, now),
            _why(found),
        ]
        for key, node, found in instances(graph, state)
    ]


def data(graph: Graph, state: State) -> list[dict[str, Any]]:
    """The same as JSON; what does not apply is left out."""
    return [_item(state.instance(key), node, found) for key, node, found in instances(graph, state)]


def instances(graph: Graph, state: State) -> Iterator[tuple[str, NodeDef, NodeState]]:
    """Every node with its state, each followed by the fallback that stood in for it; `finally` last."""
    for body in (graph.root, graph.finally_):
        yield from _of_body(body, state)


def _of_body(body: Body, state: State) -> Iterator[tuple[str, NodeDef, NodeState]]:
    for name, node in body.nodes.items():
        yield name, node, state.node(name)
        stand_in = f"{state.instance(name)}/{node.spec.fallback}"
        if node.spec.fallback and stand_in in state.nodes:
            yield stand_in, body.fallbacks[node.spec.fallback], state.node(stand_in)


def _time(node: NodeState, now: int) -> str:
    if not node.started_at:
        return "-"
    return words.duration((node.finished_at or now) - node.started_at)


def _why(node: NodeState) -> str:
    if node.status == s.READY:
        return node.held
    if node.status in (s.SCHEDULED, s.RUNNING) and node.held:
        return f"{node.held}: {node.note}" if node.note else node.held
    if node.status == s.SKIPPED:
        return node.handled
    if node.status == s.STOPPING:
        return f"stopping: {node.stop}"
    if node.status == s.LOST:
        return "lost, is delivered again"
    if node.status == s.LOOKING_UP:
        return "asks the cache"
    if node.error is not None and node.status in (s.FAILED, s.RETRYING, s.FALLBACK):
        handled = " (handled)" if node.handled else ""
        return (
            f"{node.error.reason}: {node.error.message}{handled}" if node.error.message else node.error.reason
        )
    if node.child is not None:
        return f"execution {node.child.name}"
    if node.cached is not None:
        return f"from the cache, filled by {node.cached.execution} at {format_time(node.cached.at)}"
    return "by its fallback" if node.via else "-"


def _item(instance: str, node: NodeDef, found: NodeState) -> dict[str, Any]:
    item: dict[str, Any] = {"node": instance, "kind": node.kind, "status": status_of(found)}
    if found.attempt:
        item["attempts"] = found.attempt
    item |= {name: text for name, text in (("path", found.path), ("port", found.port)) if text}
    if found.via:
        item["via"] = found.via
    if found.cached is not None:
        item["cached"] = {"execution": found.cached.execution, "at": format_time(found.cached.at)}
    times = (("startedAt", found.started_at), ("finishedAt", found.finished_at))
    item |= {name: format_time(at) for name, at in times if at}
    if found.child is not None:
        item["execution"] = found.child.name
    if found.status == s.SKIPPED or found.held:
        item["reason"] = found.held or found.handled
    elif found.error is not None:
        item["reason"], item["message"] = found.error.reason, found.error.message
    return item
