"""What is in a store: opening it, finding an execution, and its WorkflowExecution object."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from fairlead.local.store import ExecutionRecord, ExecutionRow, Store, default_store_path
from fairlead.model.commands import Wish
from fairlead.model.errors import Bug, NotFound
from fairlead.model.times import format_duration, format_time

if TYPE_CHECKING:
    from fairlead.engine.graph import Graph, NodeDef
    from fairlead.model.state import State
    from fairlead.runtime.journal import Journal

T = TypeVar("T")
Json = dict[str, Any]


def now() -> int:
    """The time."""
    return time.time_ns() // 1_000


def open_store(path: Path | None, *, create: bool = False) -> Store:
    """The store that `--store` names, else the usual one. Raises NotFound if the usual one was never made, and Unavailable."""
    if path is not None:
        return Store(path, create=create)
    usual = default_store_path(os.environ)
    if not create and not usual.exists():
        raise NotFound(
            f"nothing was ever run here: there is no store {usual}; expected `fairlead run` before, or --store"
        )
    return Store(usual, create=create)


def usual_store_is_missing(path: Path | None) -> bool:
    """Whether no store is named and none was ever made."""
    return path is None and not default_store_path(os.environ).exists()


def store_option(path: Path | None) -> str:
    """How the commands that are named in hints say which store is meant."""
    return f" --store {shlex.quote(str(path))}" if path is not None else ""


def inline(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as those of a store: an event loop would cost more than the work."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise Bug("a store waited; expected its methods to work inline")


class Execution(NamedTuple):
    """An execution as a reader has it: the record, what is wished for, and the fold of its log."""

    record: ExecutionRecord
    wish: Wish
    generation: int
    graph: Graph
    state: State


def load(store: Store, name: str) -> Execution:
    """An execution of a store. Raises NotFound and LogDamaged."""
    record = store.get(name)
    state = inline(journal_of(store, record.uid).load())
    return Execution(
        record, store.wish(record.uid), store.wish_version(record.uid), graph_of(store, record), state
    )


def journal_of(store: Store, uid: str) -> Journal:
    """The log of an execution with its checkpoints and large values."""
    from fairlead.local import journals

    return journals.journal_of(store, uid)


def graph_of(store: Store, record: ExecutionRecord) -> Graph:
    """The pinned definition of an execution, compiled."""
    from fairlead.engine.graph import compile_workflow
    from fairlead.model.manifests import Definition, parse_spec

    spec = parse_spec(Definition, store.definition(record.digest))
    return compile_workflow(spec, record.workflow)


def node_of(store: Store, record: ExecutionRecord, node: str) -> NodeDef:
    """A node of an execution, by name or instance id. Raises NotFound with the nearest name."""
    from fairlead.model.wording import nearest_name

    graph = graph_of(store, record)
    try:
        return graph.find(node)
    except KeyError:
        names = [*graph.root.names.values(), *graph.finally_.names.values()]
    near = nearest_name(node, names)
    hint = f"did you mean {near}?" if near else f"expected one of {', '.join(names[:12])}"
    raise NotFound(f"{record.name} has no node {node}; {hint}")


def status_of(found: Execution) -> Json:
    """The `status` of an execution, as of now."""
    from fairlead.engine.summary import status

    if not found.state.phase:
        return {"phase": "Pending", "createdAt": format_time(found.record.created_at)}
    behind = 0 if taken_up(found.wish, found.state) else 1
    return status(found.graph, found.state, now(), generation=max(1, found.generation - behind))


def whole_status_of(found: Execution) -> Json:
    """The same with all variables and outputs whole, as the fold has them: for documents, whose readers want the values."""
    status = status_of(found)
    if found.state.phase:
        status |= {"variables": found.state.variables, "outputs": found.state.outputs}
        more = {
            name: left
            for name, left in status.pop("more", {}).items()
            if name not in ("variables", "outputs")
        }
        status |= {"more": more} if more else {}
    return status


def taken_up(wish: Wish, state: State) -> bool:
    """Whether the run has acted on what is wished for; if not, its status speaks of the spec before."""
    if wish.redrive > state.redrive:
        return False
    if state.ended:
        return True
    if wish.cancel and not (state.cancel or state.cancel_void):
        return False
    if wish.stop > state.redrive and not state.cancel:
        return False
    wanted = wish.suspend or wish.held
    return state.suspend_seen or bool(state.cancel) if wanted else not state.suspended_at


def object_of(record: ExecutionRecord, wish: Wish, generation: int, status: Json) -> Json:
    """The WorkflowExecution object."""
    metadata = {
        **record.metadata,
        "name": record.name,
        "uid": record.uid,
        "generation": generation,
        "creationTimestamp": format_time(record.created_at),
    }
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": metadata,
        "spec": spec_of(record.spec, wish),
        "status": status,
    }


def listed_object(store: Store, row: ExecutionRow) -> Json:
    """The WorkflowExecution object of a line of the list: its status is the last one published, its phase that of the log."""
    status = {**row.status, "phase": row.phase}
    return object_of(store.get(row.name), store.wish(row.uid), store.wish_version(row.uid), status)


def spec_of(given: Json, wish: Wish) -> Json:
    """The spec as it was given, with what people wished for since."""
    spec = {
        name: value
        for name, value in given.items()
        if name not in ("suspend", "suspendTimeout", "cancel", "redrive")
    }
    if wish.suspend:
        spec["suspend"] = True
    if wish.suspend_timeout is not None:
        spec["suspendTimeout"] = format_duration(wish.suspend_timeout)
    if wish.cancel:
        reason = {"reason": wish.cancel_reason} if wish.cancel_reason else {}
        spec["cancel"] = {**reason, "force": True} if wish.force else reason
    if wish.redrive:
        spec["redrive"] = wish.redrive
    return spec


def row_of(store: Store, name: str) -> ExecutionRow:
    """The line of an execution in the list. Raises NotFound."""
    store.get(name)
    return next(row for row in store.list() if row.name == name)
