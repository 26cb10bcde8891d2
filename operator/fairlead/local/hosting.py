"""The executions at work in this process: one that was asked for, and all that come from it.

Rules of this file
- It only joins the pieces: actors, the subprocess runner that they share, the store's wishes. Nothing is decided here.
- Whoever takes a run up ends what is left of the old process group first; what was running is reported lost and delivered again.
- A store that cannot be written ends the work on all; nothing is lost by it. A child whose log is damaged is lost to its parent,
  and stops nobody else.
- Wishes of other processes come through the store and are noticed within 100 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from fairlead.engine import expressions
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.engine.summary import status
from fairlead.local.children import StoreRegistry
from fairlead.local.journals import journal_of
from fairlead.local.store import ExecutionRecord, Store
from fairlead.local.subprocesses import Attempt, Ended, RunnerEvent, Started, SubprocessRunner
from fairlead.model import commands as c
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.errors import LogDamaged, Unavailable
from fairlead.model.events import Error, Event
from fairlead.model.manifests import Definition, parse_spec
from fairlead.model.state import WAITING, State
from fairlead.model.times import parse_duration
from fairlead.runtime.actor import Actor
from fairlead.runtime.caching import Caching
from fairlead.runtime.children import Child, RegistryChildren, end_of, lost_by
from fairlead.runtime.ports import Clock

POLL = 0.1
"""Seconds between two looks at the store for wishes of other processes."""
_GRAPHS_KEPT = 64

Listener = Callable[[str, list[Event], Graph, State], None]


class GraphShelf:
    """Compiled definitions, by digest: the children of a forEach are many and have one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._graphs: dict[tuple[str, str], Graph] = {}

    def graph(self, record: ExecutionRecord) -> Graph:
        """The definition that an execution is pinned to."""
        key = (record.digest, record.workflow)
        if key not in self._graphs:
            if len(self._graphs) >= _GRAPHS_KEPT:
                self._graphs.clear()
            spec = parse_spec(Definition, self._store.definition(record.digest))
            self._graphs[key] = compile_workflow(spec, record.workflow)
        return self._graphs[key]


class Hosting:
    """Runs one execution, and what comes from it; without `wait` only until all of them stand still."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wait: bool,
        limit: int | None,
        host_commands: bool,
        container_tool: str | None,
        listener: Listener | None,
        losses: dict[str, str],
    ) -> None:
        self._losses = losses
        self._store = store
        self._clock = clock
        self._wait = wait
        self._listener = listener
        self._shelf = GraphShelf(store)
        self._actors: dict[str, Actor] = {}
        self._wishes: dict[str, int] = {}  # the versions that actors have been told
        self._first = ""  # the execution that was asked for
        self._leaving = False
        self._group = asyncio.TaskGroup()
        self._children = RegistryChildren(StoreRegistry(store, clock), self._tell, self._host)
        self._runner = SubprocessRunner(
            workspace=store.folder,
            on_event=self._reported,
            limit=limit,
            host_commands=host_commands,
            container_tool=container_tool,
        )

    async def run(self, record: ExecutionRecord) -> State:
        """Until it and all that it started have ended, or stand still. Raises Unavailable and LogDamaged."""
        self._first = record.uid
        watching = asyncio.create_task(self._watch_wishes())
        try:
            async with self._group:
                work = self._begin(record)
                self._take_up_let_go(record.uid)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._runner.close()
        return work.result()

    def _take_up_let_go(self, uid: str) -> None:
        """Children that nobody waits for are taken up by whoever takes up what they came from."""
        for record, has_ended in self._store.below(uid):
            if not has_ended and record.parent is not None and not record.parent.wait:
                self._host(Child(name=record.name, uid=record.uid, parent=record.parent))

    # --- one execution ---

    def _host(self, child: Child) -> None:
        """Have a child at work; one that is hears what is wished for."""
        actor = self._actors.get(child.uid)
        if actor is None:
            _ = self._begin(self._store.get(child.name))  # the group keeps it
        else:
            actor.tell(self._store.wish(child.uid))

    def _begin(self, record: ExecutionRecord) -> asyncio.Task[State]:
        graph = self._shelf.graph(record)
        if graph.max_nodes is not None and graph.max_nodes > self._runner.limit:
            self._runner.limit = graph.max_nodes
        actor = self._actors[record.uid] = Actor(
            journal_of(self._store, record.uid),
            graph,
            runner=_Hands(self._runner),
            children=self._children,
            status=self._store,
            caching=Caching(self._store.cache),
            clock=self._clock,
            listener=lambda events, state: self._heard(record.name, graph, events, state),
        )
        self._wishes[record.uid] = self._store.wish_version(record.uid)
        return self._group.create_task(self._work(record, actor))

    async def _work(self, record: ExecutionRecord, actor: Actor) -> State:
        try:
            await self._take_up(record, actor)
            state = await actor.run(self._may_leave)
        except LogDamaged as damage:
            if record.parent is None or record.uid == self._first:
                raise
            child = Child(name=record.name, uid=record.uid, parent=record.parent)
            self._tell(record.parent.uid, lost_by(damage, record.parent, child))
            return actor.state
        finally:
            del self._actors[record.uid]
            await self._show_last(actor)
        if state.ended and record.parent is not None and record.parent.wait:
            self._tell(record.parent.uid, end_of(record.parent, state))
        return state

    async def _take_up(self, record: ExecutionRecord, actor: Actor) -> None:
        """Start a new run, or take up one that another process left."""
        await actor.load()
        state = actor.state
        if not state.phase:
            actor.tell(_create(record, self._store.wish(record.uid)))
            await actor.step()
            return
        await self._runner.end_leftovers(record.uid)
        for key in list(state.active):
            node = state.node(key)
            lost = c.AttemptLost(
                node=state.instance(key),
                attempt=node.attempt,
                delivery=node.delivery,
                message="the fairlead process that ran it is gone",
                counted=False,  # whoever stops and resumes a run again and again has a healthy node
            )
            actor.tell(lost)
        await actor.ask_again()
        actor.tell(self._store.wish(record.uid))
        await actor.step()

    def _may_leave(self, state: State) -> bool:
        """Whether an execution has ended, or all of them stand still and nobody stays for that."""
        if not self._wait and not self._leaving and all(map(_still, self._actors.values())):
            self._leaving = True
            for actor in self._actors.values():
                actor.tell(c.Tick())
        return state.ended or self._leaving

    async def _show_last(self, actor: Actor) -> None:
        """However a run is left, the store shows how it was left; a store that cannot be written keeps what it has."""
        if actor.state.phase:
            with contextlib.suppress(Unavailable):
                await self._store.publish(actor.uid, status(actor.graph, actor.state, self._clock.now()))

    # --- what comes in ---

    def _tell(self, uid: str, command: c.Command) -> None:
        actor = self._actors.get(uid)
        if actor is not None:
            actor.tell(command)

    def _reported(self, event: RunnerEvent) -> None:
        """What the runner says goes into the mailbox of the execution that the key names."""
        uid, _, rest = event.key.partition("/")
        node, attempt, delivery = rest.rsplit("/", 2)
        if isinstance(event, Ended) and event.output_problem:
            self._losses[node] = event.output_problem
        self._tell(uid, _command(event, node, int(attempt), int(delivery)))

    async def _watch_wishes(self) -> None:
        seen = -1
        while True:
            await asyncio.sleep(POLL)
            changed = self._store.data_version()
            if changed == seen:
                continue
            seen = changed
            for uid in list(self._actors):
                latest = self._store.wish_version(uid)
                if latest != self._wishes[uid]:
                    self._wishes[uid] = latest
                    self._tell(uid, self._store.wish(uid))

    def _heard(self, name: str, graph: Graph, events: list[Event], state: State) -> None:
        if self._listener is not None:
            self._listener(name, events, graph, state)


class _Hands:
    """The runner port over the subprocess runner."""

    def __init__(self, runner: SubprocessRunner) -> None:
        self._runner = runner

    def start(self, uid: str, effect: StartAttempt) -> None:
        attempt = Attempt(
            key=effect.id,
            document=effect.document,
            grace=effect.grace,
            priority=effect.priority,
            secrets=effect.secrets,
        )
        self._runner.start(attempt)

    def stop(self, uid: str, effect: StopAttempt) -> None:
        self._runner.stop(effect.id, effect.grace)


def _create(record: ExecutionRecord, wish: c.Wish) -> c.Create:
    timeout = record.spec.get("timeout")
    return c.Create(
        name=record.name,
        uid=record.uid,
        workflow=record.workflow,
        generation=record.generation,
        digest=record.digest,
        runtime=expressions.RUNTIME_VERSION,
        inputs=record.inputs,
        priority=record.priority,
        timeout=None if timeout is None else parse_duration(timeout),
        wish=wish,
        parent=record.parent,
    )


def _command(event: RunnerEvent, node: str, attempt: int, delivery: int) -> c.Command:
    identity: dict[str, Any] = {"node": node, "attempt": attempt, "delivery": delivery}
    if isinstance(event, Started):
        return c.AttemptStarted(**identity)
    return _ended(event, identity)


def _ended(event: Ended, identity: dict[str, Any]) -> c.Command:
    if event.error is None:
        return c.AttemptEnded(outputs=event.outputs or {}, **identity)
    reason, message = str(event.error["reason"]), str(event.error.get("message", ""))
    if reason == "NodeLost":
        return c.AttemptLost(reason=reason, message=message, **identity)
    error = Error(reason=reason, message=message, exit_code=event.error.get("exitCode"))
    return c.AttemptEnded(error=error, **identity)


def _still(actor: Actor) -> bool:
    """Whether nothing in an execution moves without somebody's doing, a wait's end, or that of a child."""
    state = actor.state
    if state.active or state.phase == "" or not actor.idle:
        return False
    waiting = {state.node(key).status for key in state.waiting}
    return bool(state.suspended_at) or (waiting <= {WAITING} and bool(waiting or state.children))
