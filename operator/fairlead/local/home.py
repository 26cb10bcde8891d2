"""The local home: executions of one store, run on this machine by actors with subprocesses.

Rules of this file
- It only joins the pieces: the store's log and wishes, the actor, the subprocess runner. Nothing is decided here.
- A run is owned by one process (an OS lock). Whoever takes it over ends what is left of the old process group first; what was
  running is reported lost and delivered again.
- Wishes of other processes come through the store and are noticed within 100 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from fairlead.engine import expressions
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.engine.summary import status
from fairlead.local.store import ExecutionRecord, Store
from fairlead.local.subprocesses import Attempt, Ended, RunnerEvent, Started, SubprocessRunner
from fairlead.model import commands as c
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.errors import Unavailable
from fairlead.model.events import Error, Event
from fairlead.model.manifests import Definition, WorkflowSpec, canonical_json, digest, parse_spec
from fairlead.model.state import WAITING, State
from fairlead.model.times import parse_duration
from fairlead.runtime.actor import Actor, load_state

POLL = 0.1
"""Seconds between two looks at the store for wishes of other processes."""

Listener = Callable[[str, list[Event], Graph, State], None]


class SystemClock:
    """The clock of this machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000


class LocalHome:
    """Runs executions of a store. `listener` hears of each committed batch: name, events, graph and state."""

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
        self._actors: dict[str, Actor] = {}
        self._runner: SubprocessRunner | None = None

    def create(
        self,
        *,
        manifest: WorkflowSpec,
        workflow_name: str,
        name: str,
        inputs: dict[str, Any],
        execution_spec: dict[str, Any] | None = None,
        source: str = "",
    ) -> str:
        """Put a new execution into the store; it begins with the first `run`. Gives its uid. Raises InvalidInput (NameTaken)."""
        spec = execution_spec or {}
        cancel = spec.get("cancel")
        timeout = spec.get("suspendTimeout")
        wish = c.Wish(
            suspend=bool(spec.get("suspend", False)),
            suspend_timeout=None if timeout is None else parse_duration(timeout),
            cancel=cancel is not None,
            cancel_reason=(cancel or {}).get("reason", ""),
            force=bool((cancel or {}).get("force", False)),
            redrive=spec.get("redrive", 0),
        )
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
        )
        self.store.create(record, canonical_json(manifest), wish)
        return record.uid

    async def load(self, name: str) -> tuple[Graph, State]:
        """Graph and state of an execution, for readers. Raises NotFound and LogDamaged."""
        record = self.store.get(name)
        return self._graph(record), await load_state(record.uid, self.store, self.store)

    async def run(self, name: str, *, wait: bool = True) -> State:
        """Own the execution and work until it has ended; without `wait`, until it is suspended and nothing runs.

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
            graph = self._graph(record)
            runner = self._start_runner(graph)
            actor = Actor(
                record.uid,
                graph,
                log=self.store,
                checkpoints=self.store,
                runner=_Hands(runner),
                status=self.store,
                clock=self.clock,
                listener=lambda events, state: self._heard(name, graph, events, state),
            )
            self._actors[record.uid] = actor
            watching: asyncio.Task[None] | None = None
            try:
                await self._begin(actor, record, runner)
                watching = asyncio.create_task(self._watch_wishes(actor))
                return await actor.run(lambda state: state.ended or (not wait and _still(state)))
            finally:
                if watching is not None:
                    watching.cancel()
                    await asyncio.gather(watching, return_exceptions=True)
                self._actors.pop(record.uid, None)
                await self._show_last(actor)
                if not self._actors:
                    await self._stop_runner()

    # --- inside ---

    def _graph(self, record: ExecutionRecord) -> Graph:
        spec = parse_spec(Definition, self.store.definition(record.digest))
        return compile_workflow(spec, record.workflow)

    async def _begin(self, actor: Actor, record: ExecutionRecord, runner: SubprocessRunner) -> None:
        """Start a new run, or take up one that another process left."""
        await actor.load()
        state = actor.state
        if not state.phase:
            actor.tell(_create(record, self.store.wish(record.uid)))
            await actor.step()
            return
        await runner.end_leftovers(record.uid)
        for key in list(state.active):
            node = state.node(key)
            message = "the fairlead process that ran it is gone"
            lost = c.AttemptLost(
                node=state.instance(key),
                attempt=node.attempt,
                delivery=node.delivery,
                message=message,
                counted=False,  # whoever stops and resumes a run again and again has a healthy node
            )
            actor.tell(lost)
        actor.tell(self.store.wish(record.uid))
        await actor.step()

    def _start_runner(self, graph: Graph) -> SubprocessRunner:
        if self._runner is None:
            self._runner = SubprocessRunner(
                workspace=self.store.folder,
                on_event=self._reported,
                limit=graph.max_nodes or self._limit,
                host_commands=self._host_commands,
                container_tool=self._container_tool,
            )
        return self._runner

    async def _stop_runner(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.close()

    async def _show_last(self, actor: Actor) -> None:
        """However a run is left, the store shows how it was left; a store that cannot be written keeps what it has."""
        if actor.state.phase:
            with contextlib.suppress(Unavailable):
                await self.store.publish(actor.uid, status(actor.graph, actor.state, self.clock.now()))

    def _reported(self, event: RunnerEvent) -> None:
        """What the runner says goes into the mailbox of the execution that the key names."""
        uid, _, rest = event.key.partition("/")
        node, attempt, delivery = rest.rsplit("/", 2)
        actor = self._actors.get(uid)
        if actor is not None:
            actor.tell(_command(event, node, int(attempt), int(delivery)))

    async def _watch_wishes(self, actor: Actor) -> None:
        seen, version = -1, self.store.wish_version(actor.uid)
        while True:
            await asyncio.sleep(POLL)
            changed = self.store.data_version()
            if changed == seen:
                continue
            seen = changed
            latest = self.store.wish_version(actor.uid)
            if latest != version:
                version = latest
                actor.tell(self.store.wish(actor.uid))

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


def _still(state: State) -> bool:
    """Whether nothing moves without somebody's doing or a wait's end."""
    if state.active or state.phase == "":
        return False
    waiting = {state.node(key).status for key in state.waiting}
    return bool(state.suspended_at) or waiting == {WAITING}
