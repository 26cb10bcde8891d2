"""One engine in two homes: what happens to a run from outside being the same, so is its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, manifest
from tests.support.operators import Site

OF_A_HOME = {
    "at",
    "uid",
    "handle",
    "name",
    "generation",
    "due",
    "delay",
    "idempotencyKey",
    "until",
    "deadline",
}
"""Fields that tell of clocks, of identities, and of what is drawn from them."""


def _node(
    name: str, *after: str, outputs: dict[str, Any] | None = None, code: int = 0, **more: Any
) -> dict[str, Any]:
    """A script, and for a cluster where KWOK plays its pod the same result as an annotation."""
    if code:
        script = f"import sys; sys.exit({code})"
        error = {"reason": "NonZeroExit", "message": f"exit code {code}", "exitCode": code}
        message = json.dumps({"error": error})
    else:
        script = f"outputs.update({outputs or {}!r})"
        message = json.dumps({"outputs": outputs or {}})
    pod = {"annotations": {"fairlead.dev/kwok-message": message}}
    return {
        "name": name,
        "run": {"python": script, "pod": pod},
        **({"after": list(after)} if after else {}),
        **more,
    }


FLOWS: dict[str, dict[str, Any]] = {
    "steps": {
        "variables": {"sum": 0},
        "nodes": [
            _node("a", outputs={"n": 2, "parts": ["x", "y"]}, store={"sum": "${outputs.n}"}),
            {"name": "more", "if": "vars.sum > 1", "after": ["a"]},
            _node("b", "more.true", outputs={"n": 40}),
            _node("never", "more.false"),
            {"name": "add", "set": {"sum": "${vars.sum + nodes.b.outputs.n}"}, "after": ["b"]},
            {
                "name": "each",
                "after": ["add"],
                "forEach": {
                    "items": "${nodes.a.outputs.parts}",
                    "maxParallel": 1,
                    "nodes": [_node("pack", outputs={"ok": True})],
                    "outputs": {"what": "${item}"},
                },
            },
            {"name": "end", "finish": {"result": "allowed"}, "after": ["each"]},
        ],
        "outputs": {"sum": "${vars.sum}", "packed": "${nodes.each.outputs.items}"},
    },
    "fails": {
        "nodes": [
            _node("shaky", code=3, retry={"maxAttempts": 2, "backoff": "fixed", "initialDelay": "50ms"}, fallback="plan-b"),
            _node("plan-b", outputs={"by": "b"}),
            _node("handled", "shaky", code=4),
            {"name": "told", "log": {"message": "by ${nodes.shaky.outputs.by}"}, "after": ["handled.failed"]},
            _node("bad", "told", code=5),
            _node("next", "bad"),
        ],
        "finally": [_node("sweep")],
    },
    "loops": {
        "variables": {"turns": 0},
        "nodes": [
            _node("try", outputs={"n": 1}),
            {"name": "count", "set": {"turns": "${vars.turns + nodes.try.outputs.n}"}, "after": ["try"]},
            {"name": "enough", "switch": {"cases": [{"name": "yes", "when": "vars.turns > 2"}]}, "after": ["count"]},
            {"name": "nap", "wait": {"for": "20ms"}, "after": ["enough.yes"]},
        ],
        "connections": [{"from": "enough.default", "to": "try", "loopback": {"maxIterations": 5}}],
        "outputs": {"turns": "${vars.turns}"},
    },
}  # fmt: skip


def _plain(value: Any) -> Any:
    """A part of a log without what is of one home."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key not in OF_A_HOME}
    return [_plain(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", FLOWS)
def test_the_log_is_the_same_in_both_homes(served: Site, tmp_path: Path, name: str):
    """Event by event: types, nodes, attempts, paths, connections, outputs, errors, the digest, and how it ended."""
    served.workflow(name, **FLOWS[name])
    served.execution(f"{name}-1", name)
    cli = Cli(tmp_path)
    cli("run", cli.write("flow.yaml", manifest("Workflow", name, FLOWS[name])), f"{name}-1")
    shown = served.ended(f"{name}-1")
    where = ("-n", served.namespace, "--kubeconfig", served.kubeconfig)
    here, there = cli.json("events", f"{name}-1", "--local"), cli.json("events", f"{name}-1", *where)
    assert [(event["type"], event.get("node")) for event in there] == [
        (event["type"], event.get("node")) for event in here
    ]
    for one, other in zip(there, here, strict=True):
        assert _plain(one) == _plain(other)
    status = cli.json("get", f"{name}-1", "--local")["status"]
    for key in ("phase", "outputs", "variables", "result", "error", "progress"):
        assert _plain(shown.get(key)) == _plain(status.get(key)), key
