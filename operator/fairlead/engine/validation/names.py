"""Names of nodes: each once in its body and the bodies around it, also as expressions write them (semantics 1, 18)."""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawBody, RawGraph, RawNode, underscored
from fairlead.engine.validation.notes import Notes


def check_names(graph: RawGraph, notes: Notes) -> None:
    """Names that stand twice, or that would be one and the same name in an expression."""
    for body in graph.bodies:
        seen: dict[str, RawNode] = {}
        written: dict[str, RawNode] = {}
        for node in body.nodes:
            if not node.name:
                continue
            first = seen.setdefault(node.name, node)
            if first is not node:
                where = f"in line {notes.line_of((*first.path, 'name'))}"
                _duplicate(notes, node, f"{body.label} has a node of this name already, {where}")
                continue
            same = written.setdefault(underscored(node.name), node)
            outer = _around(body, node.name)
            if same is not node:
                message = (
                    f"the names {same.name!r} and {node.name!r} are both {underscored(node.name)} in expressions; "
                    "expected names that differ there"
                )
                notes.error("NameCollision", message, (*node.path, "name"))
            elif outer is not None:
                _duplicate(notes, node, f"{outer.body.label} around it has a node of this name")


def _around(body: RawBody, name: str) -> RawNode | None:
    """The node of this name in a body around this one; what is inside may not hide it."""
    outer = body.outer
    while outer is not None:
        if name in outer.by_name:
            return outer.by_name[name]
        outer = outer.outer
    return None


def _duplicate(notes: Notes, node: RawNode, why: str) -> None:
    message = f"the name {node.name!r} stands twice: {why}; expected each name once"
    notes.error("DuplicateName", message, (*node.path, "name"))
