"""Fields that stand on nodes for which they are not meant (semantics 8, 11, 24, 25, 38).

NotAllowedHere   error     the field would be misunderstood: it is refused
WithoutEffect    warning   the field does nothing there
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.engine.validation.bodies import RawGraph, RawNode, as_dict
from fairlead.engine.validation.notes import Notes
from fairlead.model.documents import Path
from fairlead.model.manifests import NODE_KINDS, POD_KINDS
from fairlead.model.times import format_duration, parse_duration

_IN_ENGINE = tuple(kind for kind in NODE_KINDS if kind not in POD_KINDS)
_AT_ONCE = ("set", "log", "if", "switch", "finish")
"""Kinds that are done the moment they start."""

_REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "when": (("if", "switch", "approval", "finish"), "put the condition on the connection into it"),
    "guards": (_IN_ENGINE, "put them on the nodes that run in a pod"),
    "with": (_IN_ENGINE, "its own fields take templates"),
}
"""Field → the kinds that refuse it, and what to do instead."""

_USELESS: Mapping[str, tuple[str, ...]] = {
    "retry": (*_AT_ONCE, "wait", "approval"),
    "timeout": (*_AT_ONCE, "wait", "approval"),
    "startTimeout": _IN_ENGINE,
    "terminationGrace": _IN_ENGINE,
    "maxDeliveries": _IN_ENGINE,
    "onNodeLost": _IN_ENGINE,
    "cache": _IN_ENGINE,
    "breaker": _IN_ENGINE,
    "rateLimit": _IN_ENGINE,
    "concurrency": _IN_ENGINE,
    "onError": ("finish",),
}
"""Field → the kinds for which it does nothing."""

_INSTEAD = {
    ("timeout", "approval"): "approval.expires",
    ("timeout", "wait"): "wait.timeout",
    ("with", "workflow"): "workflow.inputs",
}


def check_placement(graph: RawGraph, notes: Notes) -> None:
    """Fields out of their place, on every node at every depth."""
    for body in graph.bodies:
        in_finally = any(outer.kind == "finally" for outer in body.outward())
        for node in body.nodes:
            _check_node(node, notes)
            if node.kind == "finish" and in_finally:
                message = (
                    f"{node.label} is a finish in finally, when the run has ended; expected no finish there"
                )
                notes.error("NotAllowedHere", message, (*node.path, "finish"), key=True)
    _check_defaults(graph, notes)
    _check_expiries(graph, notes)


def _check_node(node: RawNode, notes: Notes) -> None:
    for field in node.data.keys() & _REFUSED.keys():
        kinds, hint = _REFUSED[field]
        if node.kind in kinds and node.data[field]:
            instead = f"expected {_INSTEAD[field, node.kind]}" if (field, node.kind) in _INSTEAD else hint
            message = f"{field} is not allowed on a node of kind {node.kind}; {instead}"
            notes.error("NotAllowedHere", message, (*node.path, field), key=True)
    for field in node.data.keys() & _USELESS.keys():
        if node.kind in _USELESS[field] and node.data[field] is not None:
            instead = _INSTEAD.get((field, node.kind))
            hint = f"expected {instead}" if instead else "expected it on nodes that run in a pod"
            message = f"{field} has no effect on a node of kind {node.kind}; {hint}"
            notes.warning("WithoutEffect", message, (*node.path, field), key=True)


def _check_defaults(graph: RawGraph, notes: Notes) -> None:
    defaults = as_dict(graph.spec.get("defaults"))
    if defaults and not any(node.in_pod for node in graph.nodes()):
        message = (
            f"defaults have no effect: no node runs in a pod; expected a node of kind {', '.join(POD_KINDS)}"
        )
        notes.warning("WithoutEffect", message, (*graph.path, "defaults"), key=True)


def _check_expiries(graph: RawGraph, notes: Notes) -> None:
    limit = _duration(graph.spec.get("timeout"))
    if limit is None:
        return
    for node in graph.nodes():
        for field in _EXPIRIES.get(node.kind, ()):
            length = _duration(node.value.get(field))
            if length is not None and length > limit:
                path: Path = (*node.path, node.kind, field)
                message = (
                    f"{field} is {format_duration(length)}, longer than the workflow's timeout of "
                    f"{format_duration(limit)}, which ends the run before; expected less"
                )
                notes.warning("ExpiresTooLate", message, path)


_EXPIRIES = {"approval": ("expires",), "wait": ("for", "timeout")}


def _duration(value: Any) -> int | None:
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
