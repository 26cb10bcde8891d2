"""A run in virtual time: the engine alone, with node results given and nothing executed.

Time jumps from one due moment to the next, so that a wait of days takes no time. `fairlead test` and the simulations use it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from fairlead.engine.effects import effects_of
from fairlead.engine.engine import Engine
from fairlead.engine.graph import Graph
from fairlead.model import commands as c
from fairlead.model.effects import FillCache, LookUp, StartAttempt, StopAttempt
from fairlead.model.events import Event
from fairlead.model.state import State
from fairlead.runtime import caching
from fairlead.runtime.memory import MemoryCache

Answer = list[tuple[int, c.Command]]
"""What comes back from an effect: delays in microseconds, and commands."""

MAX_STEPS = 1_000_000


class VirtualRun:
    """One execution in virtual time.

    `start` answers a StartAttempt, `stop` a StopAttempt; both give commands with delays. `events` is the log.
    The cache is empty at the beginning.
    """

    def __init__(
        self, graph: Graph, start: Callable[[StartAttempt], Answer], stop: Callable[[StopAttempt], Answer]
    ) -> None:
        self.engine = Engine(graph)
        self.events: list[Event] = []
        self.now = 0
        self._start = start
        self._stop = stop
        self._cache = MemoryCache()
        self._agenda: list[tuple[int, int, c.Command]] = []
        self._count = 0

    @property
    def state(self) -> State:
        """The state so far."""
        return self.engine.state

    def at(self, time: int, command: c.Command) -> None:
        """Put a command on the agenda."""
        self._count += 1
        heapq.heappush(self._agenda, (time, self._count, command))

    def run(self, create: c.Create, now: int) -> State:
        """From birth until the run has ended, or until nothing more can happen by itself."""
        self.now = now
        self._decide(create)
        for _ in range(MAX_STEPS):
            if self.state.ended or not self._advance():
                break
        return self.state

    def _advance(self) -> bool:
        due = self.engine.next_due(self.now)
        if self._agenda and (due is None or self._agenda[0][0] <= due):
            time, _, command = heapq.heappop(self._agenda)
            self.now = max(self.now, time)
            self._decide(command)
            return True
        if due is None:
            return False
        self.now = max(self.now, due)
        self._decide(c.Tick())
        return True

    def _decide(self, command: c.Command) -> None:
        self._commit(self.engine.decide(command, self.now))
        while self.engine.unfinished:
            self._commit(self.engine.decide_more(self.now))

    def _commit(self, events: Iterable[Event]) -> None:
        events = list(events)
        self.events += events
        for effect in effects_of(self.engine.graph, self.state, events):
            answer: Answer = []
            if isinstance(effect, StartAttempt):
                answer = self._start(effect)
            elif isinstance(effect, StopAttempt):
                answer = self._stop(effect)
            elif isinstance(effect, LookUp):
                found = self._cache.get_now(caching.store_key(effect.identity), effect.at)
                answer = [(0, caching.answer(effect, found))]
            elif isinstance(effect, FillCache):
                key, entry = caching.store_key(effect.identity), caching.entry_of(effect)
                self._cache.put_now(key, entry, effect.expires, effect.at)
            for delay, command in answer:
                self.at(self.now + delay, command)
