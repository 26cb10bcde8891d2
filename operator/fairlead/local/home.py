"""The local home: executions of one store, taken in and run on this machine.

A run, with all that comes from it, is owned by one process (an OS lock); `hosting` is what that process does.
"""

from __future__ import annotations

import uuid
from typing import Any

from fairlead.engine.graph import Graph
from fairlead.local.children import Workflows, bundle_of
from fairlead.local.hosting import GraphShelf, Hosting, Listener
from fairlead.local.journals import journal_of
from fairlead.local.store import ExecutionRecord, Store
from fairlead.model import commands as c
from fairlead.model.errors import Unavailable
from fairlead.model.manifests import ExecutionSpec, WorkflowSpec, canonical_json, digest, parse_spec
from fairlead.model.state import State
from fairlead.runtime.clock import SystemClock
from fairlead.runtime.intake import WISHES, wish_of


class LocalHome:
    """Runs executions of a store. `listener` hears of each committed batch: name, events, graph and state.

    `losses` are the instances whose output could not all be kept, with the reason: output is no state, and a full disk fails no
    node that does its work.
    """

    def __init__(
        self,
        store: Store,
        *,
        host_commands: bool = False,
        container_tool: str | None = None,
        limit: int | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.store = store
        self.clock = SystemClock()
        self._host_commands = host_commands
        self._container_tool = container_tool
        self._limit = limit
        self._listener = listener
        self.losses: dict[str, str] = {}

    def create(
        self,
        *,
        manifest: WorkflowSpec,
        workflow_name: str,
        name: str,
        inputs: dict[str, Any],
        execution_spec: dict[str, Any] | None = None,
        source: str = "",
        workflows: Workflows | None = None,
    ) -> str:
        """Put a new execution into the store; it begins with the first `run`. Gives its uid. Raises InvalidInput (NameTaken).

        `workflows` are those that its nodes may start, and what these may start.
        """
        bundle, form = bundle_of(workflows or {})
        spec = execution_spec or {}
        asked = {name: spec[name] for name in WISHES if name in spec}
        wish = c.Wish()
        if asked:  # rare: the validator of a spec takes longer to build than a small run takes
            some = {"workflow": {"name": "any"}}  # a spec has one, and no wish depends on which
            wish = wish_of(parse_spec(ExecutionSpec, some | asked))
        record = ExecutionRecord(
            uid=str(uuid.uuid4()),
            name=name,
            workflow=workflow_name,
            digest=digest(manifest),
            created_at=self.clock.now(),
            spec=spec,
            inputs=inputs,
            source=source,
            priority=spec.get("priority", 0),
            bundle=bundle,
        )
        self.store.create(record, canonical_json(manifest), wish, form)
        return record.uid

    async def load(self, name: str) -> tuple[Graph, State]:
        """Graph and state of an execution, for readers. Raises NotFound and LogDamaged."""
        record = self.store.get(name)
        return GraphShelf(self.store).graph(record), await journal_of(self.store, record.uid).load()

    async def run(self, name: str, *, wait: bool = True) -> State:
        """Own the execution and work until it and its children have ended; without `wait`, until all stand still.

        Raises NotFound, InvalidInput if another live process owns it, Unavailable if the store refuses to write.
        """
        record = self.store.get(name)
        try:
            ownership = self.store.own(record.uid)
        except Unavailable:
            _, state = await self.load(name)
            if state.ended:  # nothing is left to write: a store that can only be read shows how it ended
                return state
            raise
        with ownership:
            hosting = Hosting(
                self.store,
                self.clock,
                wait=wait,
                limit=self._limit,
                host_commands=self._host_commands,
                container_tool=self._container_tool,
                listener=self._listener,
                losses=self.losses,
            )
            return await hosting.run(record)
