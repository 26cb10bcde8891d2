"""Loops that end with MaxIterationsExceeded and in no other way (semantics 20, 21).

EndlessLoop   warning   the loopback is taken at the end of every pass

Rules of this file: it is told only where it is certain. A loop in the body of a container, or in a workflow with a timeout or a
finish, may be ended from outside; a failure that is handled, a condition or another port may lead out of it.
"""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawGraph, RawNode
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.ports import ENDED, FAILED, never_taken, ports_of
from fairlead.engine.validation.wiring import RawEdge

_HANDLES = frozenset({FAILED, ENDED, ""})
"""Ports that are taken on a failure; an unknown one may be."""


def check_endless(graph: BodyGraph, raw: RawGraph, notes: Notes) -> None:
    """The loopbacks of the workflow's own body that are taken at the end of every pass."""
    wires = graph.wires
    if graph.body.kind != "workflow" or wires.lost_sources or wires.lost_targets:
        return
    if "timeout" in raw.spec or any(node.kind in ("", "finish") for node in raw.nodes()):
        return
    for edge, region in graph.regions:
        if region and _is_taken(graph, edge) and not _goes_on(graph, edge) and _is_reached(graph, edge):
            message = (
                f"the loopback {edge.id} is taken at the end of every pass, so the loop can only end with "
                f"MaxIterationsExceeded; expected a when on it, or a way for {edge.source.name} to end without it"
            )
            notes.warning("EndlessLoop", message, (*edge.path, "loopback"), key=True)


def _is_taken(graph: BodyGraph, edge: RawEdge) -> bool:
    """Whether a connection is taken whenever its source has ended in a way that does not fail the run."""
    node = edge.source
    if edge.when.strip() not in ("", "true"):
        return False
    if edge.port == ENDED:
        return True
    own = [port for port in ports_of(node) or () if port not in _HANDLES]
    possible = [port for port in own if not never_taken(node, port)]
    if possible != [edge.port] or ("when" in node.data and own[0] != edge.port):
        return False
    return not any(other.port in _HANDLES for other in graph.wires.out_of(node))


def _goes_on(graph: BodyGraph, loopback: RawEdge) -> bool:
    """Whether the run goes on after the node that the loopback leaves has failed with MaxIterationsExceeded."""
    node: RawNode = loopback.source
    if "fallback" in node.data or "onError" in node.data:
        return True
    return any(edge.port in _HANDLES and not edge.loopback for edge in graph.wires.out_of(node))


def _is_reached(graph: BodyGraph, loopback: RawEdge) -> bool:
    """Whether every pass comes to its last node."""
    reached, todo = {id(loopback.target)}, [loopback.target]
    while todo:
        for edge in graph.wires.out_of(todo.pop()):
            known = id(edge.target) in reached or isinstance(edge.target.data.get("join"), dict)
            if not (known or edge.loopback) and _is_taken(graph, edge):
                reached.add(id(edge.target))
                todo.append(edge.target)
    return id(loopback.source) in reached
