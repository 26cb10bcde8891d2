"""Runs that leave a store in a bundle, or come into it from one. What is taken in is there whole or not at all."""

from __future__ import annotations

import uuid
from typing import Any

from fairlead.engine.moving import born_anew, demand_movable, spec_for
from fairlead.engine.summary import status
from fairlead.local.store import ExecutionRecord, Store
from fairlead.local.store.executions import digest_of
from fairlead.model.errors import InvalidInput
from fairlead.model.manifests import ExecutionSpec, parse_spec
from fairlead.model.state import State
from fairlead.runtime import bundles
from fairlead.runtime.bundles import KIND, VERSION, Bundle, Header
from fairlead.runtime.intake import wish_of


async def export_run(
    store: Store, name: str, execution: dict[str, Any], exported_at: str, *, force: bool = False
) -> Bundle:
    """An execution of a store; `execution` is its object. Raises NotFound, InvalidInput if it is at work, LogDamaged."""
    record = store.get(name)
    events = await store.read(record.uid)
    if not events:
        raise InvalidInput(f"execution {name} has not begun; there is nothing to export but its manifest")
    bundle = Bundle(
        Header(KIND, VERSION, execution, exported_at, "local", len(events)),
        store.definition_form(record.digest),
        list(events),
        await bundles.values_of(store, record.uid, events),
        store.definition_form(record.bundle) if record.bundle else b"",
    )
    state = bundles.check(bundle, f"execution {name}")
    if not force:
        demand_movable(state)
    return bundle


async def import_run(store: Store, bundle: Bundle, state: State, name: str, now: int, where: str) -> None:
    """Take in what `bundles.check` gave `state` for, under a name. Raises InvalidInput (NameTaken, BadBundle), Unavailable."""
    graph = bundles.definition_in(bundle, where)
    birth = bundle.created
    spec = spec_for(bundle.header.execution.get("spec", {}), state, bundles.log_digest(bundle.events))
    record = ExecutionRecord(
        uid=str(uuid.uuid4()),
        name=name,
        workflow=birth.workflow,
        digest=birth.digest,
        created_at=now,
        generation=birth.generation,
        spec=spec,
        inputs=state.inputs,
        source=where,
        priority=birth.priority,
        bundle=digest_of(bundle.workflows) if bundle.workflows else "",
    )
    events = [born_anew(birth, record.uid, name), *bundle.events[1:]]
    store.take_in(
        record,
        bundle.definition,
        wish_of(parse_spec(ExecutionSpec, spec)),
        events,
        bundle.values,
        bundle.workflows,
    )
    await store.publish(record.uid, status(graph, state, now))
