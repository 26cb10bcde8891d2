"""Fields that stand on nodes for which they are not meant (semantics 8, 11, 24, 25, 38).

NotAllowedHere   error     the field would be misunderstood: it is refused
WithoutEffect    warning   the field does nothing there
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.engine.validation.bodies import RawGraph, RawNode, as_dict
from fairlead.engine.validation.notes import Notes, shown
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
    "cache": (_IN_ENGINE, "put it on the nodes that run in a pod, in its body if it has one"),
}
"""Field → the kinds that refuse it, and what to do instead."""

_USELESS: Mapping[str, tuple[str, ...]] = {
    "retry": (*_AT_ONCE, "wait", "approval"),
    "timeout": (*_AT_ONCE, "wait", "approval"),
    "startTimeout": _IN_ENGINE,
    "terminationGrace": _IN_ENGINE,
    "maxDeliveries": _IN_ENGINE,
    "onNodeLost": _IN_ENGINE,
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


def has_place(field: str, kind: str) -> bool:
    """Whether a common field may stand on a node of a kind and does something there."""
    return kind not in _REFUSED.get(field, ((), ""))[0] and kind not in _USELESS.get(field, ())


def check_placement(graph: RawGraph, notes: Notes) -> None:
    """Fields out of their place, on every node at every depth."""
    for body in graph.bodies:
        in_finally = body.inside("finally")
        for node in body.nodes:
            _check_node(node, notes)
            _check_items(node, notes)
            if node.kind == "finish" and in_finally:
                message = (
                    f"{node.label} is a finish in finally, when the run has ended; expected no finish there"
                )
                notes.error("NotAllowedHere", message, (*node.path, "finish"), key=True)
    _check_spec(graph, notes)
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
            other = _INSTEAD.get((field, node.kind), "it on nodes that run in a pod")
            message = f"{field} has no effect on a node of kind {node.kind}; expected {other}"
            notes.warning("WithoutEffect", message, (*node.path, field), key=True)


def _check_items(node: RawNode, notes: Notes) -> None:
    items = node.value.get("items") if node.kind == "forEach" else None
    if isinstance(items, str) and "${" not in items:
        message = f"items is the text {shown(items)}; expected a list, or ${{ cel }} that gives one"
        notes.error("WrongType", message, (*node.path, "forEach", "items"))


def _check_spec(graph: RawGraph, notes: Notes) -> None:
    spec, path = graph.spec, graph.path
    if as_dict(spec.get("defaults")) and not any(node.in_pod for node in graph.nodes()):
        kinds = ", ".join(POD_KINDS)
        message = f"defaults have no effect, as no node runs in a pod; expected a node of kind {kinds}"
        notes.warning("WithoutEffect", message, (*path, "defaults"), key=True)
    concurrency = as_dict(spec.get("concurrency"))
    for field in ("key", "whenFull"):
        if field in concurrency and "maxExecutions" not in concurrency:
            message = f"{field} has no effect without maxExecutions; expected both"
            notes.warning("WithoutEffect", message, (*path, "concurrency", field), key=True)
    if "finallyTimeout" in spec and not spec.get("finally"):
        message = "finallyTimeout has no effect without finally; expected both"
        notes.warning("WithoutEffect", message, (*path, "finallyTimeout"), key=True)


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
