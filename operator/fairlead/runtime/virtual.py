"""A run in virtual time, with the executions that its nodes start: engines alone, with results given and nothing executed.

Time jumps from one due moment to the next, so that a wait of days takes no time. `fairlead test` and the simulations use it.
"""

from __future__ import annotations

import heapq
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol

from fairlead.engine.effects import effects_of
from fairlead.engine.engine import Engine
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.model import commands as c
from fairlead.model.effects import (
    AnyEffect,
    FillCache,
    LookUp,
    StartAttempt,
    StartChild,
    SteerChild,
    StopAttempt,
)
from fairlead.model.errors import Bug
from fairlead.model.events import Event
from fairlead.model.manifests import WorkflowSpec
from fairlead.model.state import State
from fairlead.runtime import caching
from fairlead.runtime.children import Child, RegistryChildren, end_of
from fairlead.runtime.memory import MemoryCache, MemoryLog, MemoryRegistry

Answer = list[tuple[int, c.Command]]
"""What comes back from an effect: delays in microseconds, and commands."""

MAX_STEPS = 1_000_000


class Players(Protocol):
    """Who answers effects; `place` is the instance, with a slash, whose child asks, and so on up; empty for the run itself."""

    def start(self, place: str, effect: StartAttempt) -> Answer:
        """What becomes of an attempt."""

    def stop(self, place: str, effect: StopAttempt) -> Answer:
        """What becomes of an attempt that is being ended."""

    def child(self, place: str, effect: StartChild | SteerChild) -> Answer | None:
        """What becomes of a child; None to have it run in the same way."""


class VirtualExecution:
    """One execution: its engine, and its log."""

    def __init__(self, graph: Graph, place: str) -> None:
        self.engine = Engine(graph)
        self.events: list[Event] = []
        self.place = place


class VirtualRun:
    """An execution and all that comes from it, in virtual time; `state` and `events` are its own. The cache is empty at first."""

    def __init__(
        self, graph: Graph, players: Players, workflows: Mapping[str, WorkflowSpec | str] | None = None
    ) -> None:
        self.now = 0
        self._players = players
        self._cache = MemoryCache()
        self._root = VirtualExecution(graph, "")
        self._at_work: dict[str, VirtualExecution] = {}
        self._agenda: list[tuple[int, bool, int, str, c.Command]] = []
        self._count = 0
        self._graphs: dict[str, Graph] = {}
        self._workflows = workflows or {}
        self._registry = _Registry(self._workflows, self._at_work)
        self._children = RegistryChildren(self._registry, self._tell, self._host)

    @property
    def state(self) -> State:
        """The state so far."""
        return self._root.engine.state

    @property
    def events(self) -> list[Event]:
        """The log so far."""
        return self._root.events

    def run(self, create: c.Create, now: int) -> State:
        """From birth until all have ended, or until nothing more can happen by itself."""
        self.now = now
        self._at_work[create.uid] = self._root
        self._decide(create.uid, create)
        for _ in range(MAX_STEPS):
            if all(each.engine.state.ended for each in self._at_work.values()) or not self._advance():
                break
        return self.state

    def _put(self, time: int, uid: str, command: c.Command, *, timer: bool = False) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (time, timer, self._count, uid, command))

    def _tell(self, uid: str, command: c.Command) -> None:
        self._put(self.now, uid, command)

    def _host(self, child: Child) -> None:
        if child.uid in self._at_work:
            self._tell(child.uid, self._registry.wishes[child.uid])
            return
        birth, parent = self._registry.births[child.uid], child.parent
        assert parent is not None
        spec = self._workflows[birth.workflow]
        assert not isinstance(spec, str)
        if birth.workflow not in self._graphs:
            self._graphs[birth.workflow] = compile_workflow(spec, birth.workflow)
        place = f"{self._at_work[parent.uid].place}{parent.node}/"
        self._at_work[child.uid] = VirtualExecution(self._graphs[birth.workflow], place)
        self._tell(child.uid, birth)

    def _advance(self) -> bool:
        """Do what is next; False if there is nothing."""
        while self._agenda:
            time, timer, _, uid, command = heapq.heappop(self._agenda)
            if timer and self._at_work[uid].engine.next_due(self.now) != time:
                continue  # it was cleared, or moved
            self.now = max(self.now, time)
            self._decide(uid, command)
            return True
        return False

    def _decide(self, uid: str, command: c.Command) -> None:
        execution = self._at_work[uid]
        engine = execution.engine
        had_ended = engine.state.ended
        self._commit(execution, engine.decide(command, self.now))
        while engine.unfinished:
            self._commit(execution, engine.decide_more(self.now))
        parent = engine.state.parent
        if engine.state.ended and not had_ended and parent is not None and parent.wait:
            self._tell(parent.uid, end_of(parent, engine.state))
        due = engine.next_due(self.now)
        if due is not None:
            self._put(due, uid, c.Tick(), timer=True)

    def _commit(self, execution: VirtualExecution, events: Iterable[Event]) -> None:
        events = list(events)
        execution.events += events
        for effect in effects_of(execution.engine.graph, execution.engine.state, events):
            for delay, command in self._answer(execution, effect):
                self._put(self.now + delay, execution.engine.state.uid, command)

    def _answer(self, execution: VirtualExecution, effect: AnyEffect) -> Answer:
        match effect:
            case StartAttempt():
                return self._players.start(execution.place, effect)
            case StopAttempt():
                return self._players.stop(execution.place, effect)
            case StartChild() | SteerChild():
                answer = self._players.child(execution.place, effect)
                if answer is not None:
                    return answer
                if isinstance(effect, StartChild):
                    _finish(self._children.start(effect))
                else:
                    _finish(self._children.steer(effect))
            case LookUp():
                found = self._cache.get_now(caching.store_key(effect.identity), effect.at)
                return [(0, caching.answer(effect, found))]
            case FillCache():
                key, entry = caching.store_key(effect.identity), caching.entry_of(effect)
                self._cache.put_now(key, entry, effect.expires, effect.at)
        return []


class _Registry(MemoryRegistry):
    """The registry in memory, with states as they are at work."""

    def __init__(
        self, workflows: Mapping[str, WorkflowSpec | str], at_work: dict[str, VirtualExecution]
    ) -> None:
        super().__init__(MemoryLog(), workflows)
        self._at_work = at_work

    async def state(self, child: Child) -> State:
        execution = self._at_work.get(child.uid)
        return execution.engine.state if execution is not None else State()


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits: memory has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise Bug("a registry in memory waited; expected its methods to work inline")
