"""A fallback stands in for another node and is outside of the graph (semantics 2)."""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawGraph, RawNode, as_text
from fairlead.engine.validation.notes import Notes, listed
from fairlead.engine.validation.ports import PORT_WANTED
from fairlead.engine.validation.wiring import Wires


def check_fallbacks(wires: Wires, graph: RawGraph, notes: Notes) -> None:
    """The fallbacks that the nodes of one body name, and what the nodes so named may not have."""
    body = wires.body
    for node in body.nodes:
        if "fallback" in node.data:
            _check_naming(node, graph, notes)
    for name, users in body.stand_ins.items():
        stand_in = body.by_name.get(name)
        if stand_in is not None:
            _check_stand_in(stand_in, users, notes)
    for edge in wires.beside:
        stand_in = edge.source if edge.source.name in body.stand_ins else edge.target
        message = f"{_who(stand_in)}; expected no connection to or from it, not {edge.id}"
        notes.error("BadFallback", message, edge.path)


def _check_naming(node: RawNode, graph: RawGraph, notes: Notes) -> None:
    name, path = as_text(node.data.get("fallback")), (*node.path, "fallback")
    if not name:
        return
    if name == node.name:
        notes.error("BadFallback", f"{node.label} names itself as fallback; expected another node", path)
    elif name not in node.body.by_name:
        elsewhere = graph.named(name)
        if elsewhere is not None:
            message = f"node {name!r} is in {elsewhere.body.label}; expected a fallback in {node.body.label}"
            notes.error("CrossesBody", message, path)
        else:
            known = [other.name for other in node.body.nodes if other.name and other is not node]
            message = f"there is no node {name!r} in {node.body.label}; {notes.did_you_mean(name, known)}"
            notes.error("UnknownNode", message, path)
    if node.kind in PORT_WANTED or node.kind == "finish":
        message = (
            f"{node.label} is of kind {node.kind}, and a fallback cannot choose its port; expected no fallback, or a "
            f"connection from {node.name}.failed"
        )
        if node.kind == "finish":
            message = f"{node.label} is a finish, for which nothing can stand in; expected no fallback"
        notes.error("NotAllowedHere", message, path, key=True)


def _check_stand_in(node: RawNode, users: list[RawNode], notes: Notes) -> None:
    if as_text(node.data.get("fallback")):
        message = f"{_who(node)}; expected no fallback of its own"
        notes.error("BadFallback", message, (*node.path, "fallback"), key=True)
    if node.data.get("join") is not None:
        message = f"join has no effect on {node.name}, which stands in for {_names(users)}; expected no join"
        notes.warning("JoinWithoutEffect", message, (*node.path, "join"), key=True)


def _who(node: RawNode) -> str:
    users = _names(node.body.stand_ins.get(node.name, []))
    return f"{node.label} stands in for {users} and is outside of the graph"


def _names(nodes: list[RawNode]) -> str:
    return listed([node.name for node in nodes])
