"""Which ports a node has (semantics 13)."""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawNode, as_dict, as_list, as_text

ENDED = "ended"
FAILED = "failed"

OWN_PORTS = {
    "if": ("true", "false"),
    "wait": ("done", "expired"),
    "approval": ("approved", "rejected", "expired"),
    "finish": (),
}
"""Ports of the kinds whose ports are not `done` alone; `failed` and `ended` come to all but those of a finish."""
PORT_WANTED = frozenset({"if", "switch", "approval"})


def ports_of(node: RawNode) -> dict[str, None] | None:
    """All ports of a node in order, the default one first; None where its kind cannot be read. A finish has none."""
    if node.ports is None:
        names = _ports_of(node)
        node.ports = False if names is None else dict.fromkeys(names)
    return node.ports or None


def _ports_of(node: RawNode) -> tuple[str, ...] | None:
    if not node.kind or (node.kind == "switch" and not node.readable):
        return None
    if node.kind == "finish":
        return ()
    own = _cases(node) if node.kind == "switch" else OWN_PORTS.get(node.kind, ("done",))
    return (*own, FAILED, ENDED)


def _cases(node: RawNode) -> tuple[str, ...]:
    names = [as_text(as_dict(case).get("name")) for case in as_list(node.value.get("cases"))]
    return (*(name for name in names if name), "default")


def never_taken(node: RawNode, port: str) -> str:
    """Why a port that exists can never be taken, or an empty text."""
    if node.kind == "if":
        condition = as_text(node.data.get("if")).strip()
        if condition in ("true", "false") and port in ("true", "false") and condition != port:
            return f"the condition is always {condition}"
    if port == "expired" and node.kind == "approval" and node.readable:
        if node.value.get("onExpire", "expired") != "expired":
            return f"on expiry it takes {node.value['onExpire']}"
        return "" if "expires" in node.value else "it has no expires"
    if port == "expired" and node.kind == "wait" and node.readable and "timeout" not in node.value:
        return "it has no timeout"
    return ""
