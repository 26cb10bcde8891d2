"""Runs of workflows that nodes inline."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}
NODE: dict[str, Any] = {"name": "n", **RUN}


def call(name: str = "act", **inputs: Any) -> dict[str, Any]:
    """What a node that inlines a workflow has."""
    return {"workflow": {"name": name, "inline": True, "inputs": inputs}}


def one(act: dict[str, Any], *, inputs: dict[str, Any] | None = None, **fields: Any) -> Driver:
    """A run of the node `a`, which inlines `act`; fields of the node, and under `spec` those of the caller."""
    spec = fields.pop("spec", {})
    others = spec.pop("nodes", [])
    node = {"name": "a", **call(**(inputs or {})), **fields}
    return Driver({"nodes": [node, *others], "workflows": {"act": act}, **spec})
