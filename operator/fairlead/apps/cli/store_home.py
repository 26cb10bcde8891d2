"""The local store as a home of executions."""

from __future__ import annotations

import os
import shlex
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fairlead.apps.cli.contexts import context_is_set
from fairlead.apps.cli.homes import Changes, Execution, Fact, Json, Known, Recorded, Wished
from fairlead.apps.cli.printed import Line
from fairlead.local.store import ExecutionRecord, ExecutionRow, Store, default_store_path
from fairlead.model.commands import Wish
from fairlead.model.errors import Bug, InvalidInput, NotFound
from fairlead.model.state import PENDING, State
from fairlead.model.times import format_duration, format_time

if TYPE_CHECKING:
    from fairlead.apps.views.attempts import AttemptRow
    from fairlead.engine.graph import Graph
    from fairlead.model.events import Event
    from fairlead.runtime.journal import Journal

T = TypeVar("T")


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


def inline(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, as those of a store: an event loop would cost more than the work."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise Bug("a store waited; expected its methods to work inline")


def run_option(path: Path | None) -> str:
    """How `fairlead run` is told in hints which store is meant."""
    return f" --store {shlex.quote(str(path))}" if path is not None else ""


class StoreHome:
    """The executions of a store: the one at `path`, else the usual one, opened when it is first needed."""

    place = "in the store"
    pause = 0.1

    def __init__(self, path: Path | None, store: Store | None = None) -> None:
        self.option = run_option(path) or (" --local" if context_is_set(os.environ) else "")
        self._path = path
        self._store = store
        self._opened_here = store is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None and self._opened_here:
            self._store.close()

    @property
    def store(self) -> Store:
        """The store. Raises NotFound if there is none, and Unavailable."""
        if self._store is None:
            self._store = open_store(self._path)
        return self._store

    # --- what there is ---

    def rows(self, *, everywhere: bool = False) -> Sequence[ExecutionRow]:
        """All executions, none where nothing was ever run."""
        if everywhere:
            raise InvalidInput("-A asks for all namespaces of a cluster; the local store has none")
        if self._never_made():
            return []
        return self.store.list()

    def objects(self, rows: Sequence[Any]) -> list[Json]:
        """Their status is the last one published, its phase that of the log."""
        return [self._listed(row) for row in rows]

    def _listed(self, row: ExecutionRow) -> Json:
        record = self.store.get(row.name)
        return {**self._object(record), "status": {**row.status, "phase": row.phase}}

    def owners(self, rows: Sequence[Any]) -> Mapping[str, int | None] | None:
        """The live processes."""
        return {row.uid: self.store.owner(row.uid) for row in rows}

    def nothing(self) -> str:
        """Why a list is empty."""
        return "nothing was ever run here" if self._never_made() else f"the store {self.store.path} has none"

    def _never_made(self) -> bool:
        return self._store is None and self._path is None and not default_store_path(os.environ).exists()

    # --- one execution ---

    def find(self, name: str) -> Known:
        """The execution of a name."""
        record = self.store.get(name)
        row = next(row for row in self.store.list() if row.name == name)
        return Known(record.name, record.uid, row.phase)

    def load(self, name: str) -> Execution:
        """An execution with its graph and state."""
        record = self.store.get(name)
        state = inline(self._journal(record.uid).load())
        generation = self.store.wish_version(record.uid)
        behind = 0 if taken_up(self.store.wish(record.uid), state) else 1
        return Execution(
            known=Known(record.name, record.uid, state.phase or PENDING),
            workflow=record.workflow,
            parent=record.parent,
            object=self._object(record),
            published={"phase": PENDING, "createdAt": format_time(record.created_at)},
            observed=max(1, generation - behind),
            graph=self._graph(record),
            state=state,
        )

    def graph(self, known: Known) -> Graph | None:
        """The pinned definition, compiled."""
        return self._graph(self.store.get(known.name))

    def facts(self, found: Execution) -> list[Fact]:
        """Which process runs it."""
        if found.state.ended:
            return []
        owner = self.store.owner(found.known.uid)
        nobody = f"no process: `{self.go_on(found.known)}` goes on"
        return [("Run by", f"process {owner}" if owner else nobody)]

    def why_it_rests(self, known: Known) -> str:
        """No process runs it."""
        if self.store.owner(known.uid) is not None:
            return ""
        return f"is run by no process now: `{self.go_on(known)}` goes on"

    def go_on(self, known: Known) -> str:
        """A process that resumes it."""
        return f"fairlead run --resume {known.name}{run_option(self._path)}"

    def more_facts(self, found: Execution) -> list[Fact]:
        """Where its definition came from."""
        return [("Source", self.store.get(found.known.name).source or "-")]

    def children_by_phase(self, found: Execution) -> dict[str, int]:
        """How many executions its nodes have started, by phase."""
        return self.store.children_by_phase(found.known.uid)

    # --- its log ---

    def events(self, known: Known, after: int = 0, *, up_to: int | None = None) -> list[Event]:
        """The events after a sequence number."""
        return inline(self._journal(known.uid).read(after, up_to=up_to))

    def version(self, known: Known) -> object:
        """What SQLite says of changes by others."""
        return self.store.data_version()

    def last_seq(self, known: Known) -> int:
        """The number of the last event."""
        return self.store.last_seq(known.uid)

    def verify(self, known: Known) -> None:
        """The hashes of the log."""
        damage = self.store.damage(known.uid)
        if damage is not None:
            raise damage

    def checkpoint(self, known: Known) -> State | None:
        """The newest checkpoint."""
        return inline(self._journal(known.uid).checkpoint())

    def recorded(self, known: Known, state: State) -> Recorded:
        """Phase and times as the store has them in its own columns."""
        row = next(row for row in self.store.list() if row.uid == known.uid)
        digest = self.store.get(known.name).digest
        return Recorded(
            "the recorded phase and times",
            [
                ("the phase", state.phase or PENDING, row.phase),
                ("the start", state.started_at or None, row.started_at),
                ("the end", state.finished_at or None, row.finished_at),
                ("the last event", state.seq, row.last_seq),
                ("the definition's digest", state.digest or digest, digest),
            ],
        )

    # --- what it prints ---

    def printed(self, known: Known, rows: Sequence[AttemptRow]) -> list[list[Line]]:
        """What each of some attempts printed."""
        from fairlead.local.subprocesses import lines, output_path
        from fairlead.model.ids import delivery_id

        keys = [delivery_id(known.uid, row.node, row.attempt, row.delivery) for row in rows]
        return [
            [Line(*line) for line in lines(output_path(self.store.folder, known.uid, key))] for key in keys
        ]

    def tail(self, uid: str, node: str, attempt: int, delivery: int) -> list[str]:
        """The last ten lines of an attempt."""
        from fairlead.apps.cli.progress import tail_in

        return tail_in(self.store.folder)(uid, node, attempt, delivery)

    # --- wishes ---

    def wish(self, known: Known, what: Wished, changes: Changes) -> str:
        """Record it; the process that runs the execution takes it up within 200 ms, else the next `run --resume` does."""
        match what:
            case "suspend":
                wish = self.store.set_wish(
                    known.name, suspend=True, suspend_timeout=changes.get("suspend_timeout")
                )
            case "resume":
                wish = self.store.set_wish(known.name, suspend=False, suspend_timeout=None)
                if wish.held:
                    return "its parent is suspended, and it goes on when that is resumed"
            case "cancel":
                reason = changes.get("cancel_reason", "")
                if changes.get("force"):
                    self.store.set_wish(known.name, cancel=True, cancel_reason=reason, force=True)
                else:
                    self.store.set_wish(known.name, cancel=True, cancel_reason=reason)
            case "redrive":
                self.store.redrive(known.name)
        owner = self.store.owner(known.uid)
        if owner:
            return f"{what} asked for; process {owner} takes it up"
        return f"{what} asked for; no process runs it now, `{self.go_on(known)}` takes it up"

    def delete(self, known: Known) -> str:
        """Remove it, with the files of its nodes."""
        self.store.delete(known.name)
        return "is deleted"

    # --- inside ---

    def _journal(self, uid: str) -> Journal:
        from fairlead.local import journals

        return journals.journal_of(self.store, uid)

    def _graph(self, record: ExecutionRecord) -> Graph:
        from fairlead.engine.graph import compile_workflow
        from fairlead.model.manifests import Definition, parse_spec

        spec = parse_spec(Definition, self.store.definition(record.digest))
        return compile_workflow(spec, record.workflow)

    def _object(self, record: ExecutionRecord) -> Json:
        """The WorkflowExecution object without its status."""
        metadata = {
            **record.metadata,
            "name": record.name,
            "uid": record.uid,
            "generation": self.store.wish_version(record.uid),
            "creationTimestamp": format_time(record.created_at),
        }
        return {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "WorkflowExecution",
            "metadata": metadata,
            "spec": spec_of(record.spec, self.store.wish(record.uid)),
        }


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
    if not (wish.suspend or wish.held):
        return not state.suspended_at
    if state.cancel:
        return True
    return (state.suspend_seen or not wish.suspend) and (state.held or not wish.held)


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
