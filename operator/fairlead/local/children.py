"""The executions that nodes start, in the store: what a child is pinned to, and how it is found again.

A child may run what the execution that started the tree may: the workflows of its file and folder when it was started, pinned
with it as its *bundle*. A workflow that was found and cannot run stands there with the reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fairlead.local.journals import journal_of
from fairlead.local.store import ExecutionRecord, Store
from fairlead.local.store.executions import digest_of
from fairlead.model.commands import Wish
from fairlead.model.effects import StartChild
from fairlead.model.manifests import (
    GROUP,
    Definition,
    WorkflowSpec,
    canonical_json,
    digest,
    parse_spec,
    plain,
)
from fairlead.model.state import State
from fairlead.runtime.children import Child, demand_room, workflow_among
from fairlead.runtime.ports import Clock

Workflows = Mapping[str, WorkflowSpec | str]
"""Workflows by name; a text in place of one says why it cannot run."""

_KEPT = 64
"""Workflows that are kept parsed, and records of parents."""


def bundle_of(workflows: Workflows) -> tuple[str, bytes]:
    """Digest and stored form of a bundle, both empty if there is nothing in it."""
    if not workflows:
        return "", b""
    entries = {
        name: {"invalid": found} if isinstance(found, str) else {"spec": plain(found)}
        for name, found in workflows.items()
    }
    form = msgspec.json.encode(entries, order="sorted")
    return digest_of(form), form


class StoreRegistry:
    """The Registry of a store, for the one process that runs a tree: nobody else makes executions in it meanwhile."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._specs: dict[tuple[str, str], WorkflowSpec | str] = {}
        self._bundles: dict[str, dict[str, Any]] = {}
        self._records: dict[str, ExecutionRecord] = {}
        self._trees: dict[str, int] = {}

    async def find(self, name: str) -> Child | None:
        record = self._store.find(name)
        return None if record is None else _child(record)

    async def workflow(self, uid: str, name: str) -> WorkflowSpec:
        bundle = self._record(uid).bundle
        entries = self._entries(bundle)
        known = self._specs.get((bundle, name))
        if known is None and name in entries:
            if len(self._specs) >= _KEPT:
                self._specs.clear()
            known = self._specs[bundle, name] = _workflow(entries[name])
        return workflow_among({**dict.fromkeys(entries, ""), **({name: known} if known else {})}, name)

    def _record(self, uid: str) -> ExecutionRecord:
        if uid not in self._records:
            if len(self._records) >= _KEPT:
                self._records.clear()
            self._records[uid] = self._store.by_uid(uid)
        return self._records[uid]

    def _entries(self, bundle: str) -> dict[str, Any]:
        if not bundle:
            return {}
        if bundle not in self._bundles:
            self._bundles = {bundle: self._store.definition(bundle)}
        return self._bundles[bundle]

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: Wish
    ) -> Child:
        parent, root = self._record(effect.parent.uid), effect.parent.root
        if root not in self._trees:
            self._trees[root] = self._store.tree_size(root)
        demand_room(self._trees[root])
        record = ExecutionRecord(
            uid=str(uuid.uuid4()),
            name=effect.child,
            workflow=effect.workflow,
            digest=digest(spec),
            created_at=self._clock.now(),
            spec={"workflow": {"name": effect.workflow}, "inputs": inputs},
            inputs=inputs,
            metadata=_owned_by(effect) if effect.parent.wait else {},
            source=parent.source,
            priority=effect.priority,
            bundle=parent.bundle,
            parent=effect.parent,
        )
        self._store.create(record, canonical_json(spec), wish)
        self._trees[root] += 1
        return _child(record)

    async def change_wish(self, child: Child, change: Callable[[Wish], Wish]) -> None:
        self._store.change_wish(child.uid, change)

    async def state(self, child: Child) -> State:
        return await journal_of(self._store, child.uid).load()


def _child(record: ExecutionRecord) -> Child:
    return Child(name=record.name, uid=record.uid, parent=record.parent)


def _workflow(entry: dict[str, Any]) -> WorkflowSpec | str:
    return entry["invalid"] if "invalid" in entry else parse_spec(Definition, entry["spec"])


def _owned_by(effect: StartChild) -> dict[str, Any]:
    """The metadata by which a child belongs to its parent, as on a cluster."""
    owner = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "WorkflowExecution"}
    names = {"name": effect.parent.name, "uid": effect.parent.uid, "controller": True}
    return {"ownerReferences": [{**owner, **names}]}
