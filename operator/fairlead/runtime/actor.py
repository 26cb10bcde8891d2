"""One actor per execution: load → decide → append → act, with a mailbox and timers.

Rules of this file
- Everything that arrived while the last append was in flight is decided together and goes into one append (group commit).
- Append first, then act: no effect is handed on before its events are committed.
- After a Conflict the state is thrown away, folded again from the log, and the commands are decided again; commands say what was
  observed, so that is harmless. What stands in the log by then that nobody here knew of (an append of ours that was given up and
  arrived all the same) is acted upon first, as after any append.
- A log that somebody else has begun meanwhile is theirs: perhaps they have pinned another definition than we have at hand.
- The status follows within a period, also when nothing else happens any more.
- It reads its own writes: there is one state, and every decision is made on the fold of all that was appended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from fairlead.engine.caching import fill_of
from fairlead.engine.effects import effects_of, unanswered_of
from fairlead.engine.engine import Engine
from fairlead.engine.graph import Graph
from fairlead.engine.steering import standing
from fairlead.engine.summary import status
from fairlead.model import commands as c
from fairlead.model.effects import (
    AnyEffect,
    FillCache,
    LookUp,
    SaveCheckpoint,
    StartAttempt,
    StartChild,
    SteerChild,
    StopAttempt,
)
from fairlead.model.errors import Conflict, Unavailable
from fairlead.model.events import Event, NodeCompleted
from fairlead.model.state import State
from fairlead.model.times import SECOND
from fairlead.runtime.caching import Caching
from fairlead.runtime.journal import Journal
from fairlead.runtime.ports import Children, Clock, Runner, StatusSink

STATUS_PERIOD = SECOND
"""How often the status is written while the phase stays the same."""
MAX_BATCH = 256
"""Commands decided in one append at most."""

Listener = Callable[[list[Event], State], None]


class Actor:
    """The running half of one execution."""

    def __init__(
        self,
        journal: Journal,
        graph: Graph,
        *,
        runner: Runner,
        children: Children,
        status: StatusSink,
        caching: Caching,
        clock: Clock,
        listener: Listener | None = None,
    ) -> None:
        self.uid = journal.uid
        self.graph = graph
        self.engine = Engine(graph)
        self._journal = journal
        self._runner = runner
        self._children = children
        self._status = status
        self._caching = caching
        self._shown = ("", 0, 0)
        self._clock = clock
        self._listener = listener
        self._mailbox: deque[tuple[c.Command, int]] = deque()
        self._generation = 1
        self._arrived = asyncio.Event()
        self._committed = 0

    @property
    def state(self) -> State:
        """The state after the last decision."""
        return self.engine.state

    @property
    def idle(self) -> bool:
        """Whether nothing is left in the mailbox."""
        return not self._mailbox

    async def load(self) -> None:
        """Fold the log; what a crash left undone is taken up with the next command, what was asked for is by `ask_again`."""
        await self.take_up(*await self._journal.take_up())

    async def take_up(self, state: State, events: list[Event]) -> None:
        """`load`, of what the journal's `take_up` has given already."""
        self._committed = state.seq
        self.engine = Engine(self.graph, state) if state.seq else Engine(self.graph)
        for event in events:
            if isinstance(event, NodeCompleted) and (fill := fill_of(self.graph, state, event)) is not None:
                await self._caching.fill(fill)  # perhaps once more: the first one stays

    async def ask_again(self) -> None:
        """After `load`, by whoever takes up a run: ask once more for the children that it waits for, and what it asked the cache.

        Children report themselves, or are lost. They come first, as they do after an append.
        """
        for effect in standing(self.graph, self.state):
            await self._act(effect)
        await self._look_up(unanswered_of(self.graph, self.state))

    def show_again(self) -> None:
        """The status that is shown is not the one that was published: publish it with the next step, which is now."""
        self._shown = ("", 0, 0)
        self.tell(c.Tick())

    def tell(self, command: c.Command, *, generation: int = 0) -> None:
        """Put a command into the mailbox; safe from callbacks of the loop. A wish has the `generation` of its spec."""
        self._mailbox.append((command, generation))
        self._arrived.set()

    async def run(self, until: Callable[[State], bool]) -> State:
        """Work until `until` holds of the committed state.

        Raises Unavailable when the log refuses to write, Conflict if somebody else has begun it.
        """
        while not until(self.state):
            await self._wait()
            await self.step()
        return self.state

    async def step(self) -> None:
        """Decide what is in the mailbox and what is due, append, act."""
        taken: list[tuple[c.Command, int]] = []
        while self._mailbox and len(taken) < MAX_BATCH:
            taken.append(self._mailbox.popleft())
        if not self._mailbox:
            self._arrived.clear()
        await self._decided([command for command, _ in taken])
        self._generation = max(self._generation, *(generation for _, generation in taken), 0)
        await self._show(self._clock.now())

    async def _decided(self, commands: list[c.Command]) -> None:
        while True:
            try:
                await self._decide(commands)
                return
            except Conflict:
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Take in what somebody else has written, or we ourselves by a request that came late. Raises Conflict for a birth."""
        known = self._committed
        await self.load()
        if self.state.seq > known:
            if not known:
                raise Conflict(f"the log of {self.uid} was begun by somebody else meanwhile")
            await self._do(await self._journal.read(known))

    async def _decide(self, commands: list[c.Command]) -> None:
        now = self._clock.now()
        await self._commit_turn([], now)  # a turn of which a crash let only a part be committed
        events: list[Event] = []
        for command in commands:
            events += self.engine.decide(command, now)
            if self.engine.unfinished:
                await self._commit_turn(events, now)
                events = []
        if self.state.phase:
            events += self.engine.decide(c.Tick(), now)
        await self._commit_turn(events, now)

    async def _commit_turn(self, events: list[Event], now: int) -> None:
        """Commit events, and the further parts of a turn that is too long for one append."""
        await self._commit(events)
        while self.engine.unfinished:
            await self._commit(self.engine.decide_more(now))

    async def _show(self, now: int) -> None:
        """Publish the status: at once on a change of phase or of the spec that it speaks of, else at most once in a while."""
        state = self.state
        phase, generation, at = self._shown
        changed = (state.phase, self._generation) != (phase, generation)
        if changed or (state.at > at and now - at >= STATUS_PERIOD):
            self._shown = (state.phase, self._generation, now)
            with contextlib.suppress(
                Unavailable
            ):  # it is a projection: nothing depends on it, and it is written again
                await self._status.publish(
                    self.uid, status(self.graph, state, now, generation=self._generation)
                )

    async def _commit(self, events: list[Event]) -> None:
        if not events:
            return
        await self._journal.append(self._committed, events)
        self._committed = events[-1].seq
        if self._listener is not None:
            self._listener(events, self.state)
        await self._do(events)

    async def _do(self, events: list[Event]) -> None:
        """What follows from committed events."""
        lookups: list[LookUp] = []
        for effect in effects_of(self.graph, self.state, events):
            if isinstance(effect, LookUp):
                lookups.append(effect)
            else:
                await self._act(effect)
        await self._look_up(lookups)

    async def _act(self, effect: AnyEffect) -> None:
        match effect:
            case StartAttempt():
                self._runner.start(self.uid, effect)
            case StopAttempt():
                self._runner.stop(self.uid, effect)
            case StartChild():
                await self._children.start(effect)
            case SteerChild():
                await self._children.steer(effect)
            case FillCache():
                await self._caching.fill(effect)
            case LookUp():
                await self._look_up([effect])
            case SaveCheckpoint():
                await self._journal.save(self.state)

    async def _look_up(self, lookups: list[LookUp]) -> None:
        """Ask the cache, and hear its answers with whatever else has arrived."""
        for answer in await asyncio.gather(*map(self._caching.look_up, lookups)):
            self.tell(answer)

    async def _wait(self) -> None:
        """Until something arrives, the next timer is due, or the status that is shown is old enough."""
        if self._mailbox:
            return
        due, shown_at = self.engine.next_due(self._clock.now()), self._shown[2]
        if self.state.at > shown_at:
            again = shown_at + STATUS_PERIOD
            due = again if due is None else min(due, again)
        delay = None if due is None else max(0, due - self._clock.now()) / 1e6
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):  # of Python 3.11, wait_for may lose a cancellation
                await self._arrived.wait()
