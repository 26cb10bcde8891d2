"""The whole runtime against fakes, in one thread and in virtual time: faults change nothing that counts.

The world ends attempts only when the run is at rest and in a fixed order, so that a run without faults is the oracle: with
crashes between any two steps, duplicated and stale reports, spurious ticks, lost compare-and-sets and appends that are refused
or applied and called refused, the log must hold the same events, and end in the same state with the same outputs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.driver import START, birth_of
from tests.support.graphs import INPUTS, workflows

from fairlead.engine.evolve import fold
from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model import state as s
from fairlead.model.effects import StartAttempt, StartChild, SteerChild, StopAttempt
from fairlead.model.errors import Conflict, Unavailable
from fairlead.model.events import Error, Event, NodeStarted
from fairlead.model.manifests import WorkflowSpec
from fairlead.model.state import State
from fairlead.runtime.actor import Actor
from fairlead.runtime.caching import Caching
from fairlead.runtime.journal import Journal
from fairlead.runtime.memory import MemoryBlobs, MemoryCache, MemoryCheckpoints, MemoryLog, MemoryStatus

pytestmark = pytest.mark.simulation

Key = tuple[str, int, int]


class Dice:
    """The drawn numbers; zero, which means no fault, when they are used up."""

    def __init__(self, draws: Sequence[int]) -> None:
        self._draws: Iterator[int] = iter(draws)

    def one_in(self, n: int) -> bool:
        return next(self._draws, 0) % n == 1


class FaultyLog(MemoryLog):
    """A log that sometimes refuses, sometimes commits and says that it did not, and sometimes commits later than it says."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice
        self._late: dict[str, tuple[int, Sequence[Event]]] = {}

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        late = self._late.pop(uid, None)
        if late is not None and late[0] == len(self.stored.get(uid, ())):
            await super().append(uid, *late)
        if self._dice.one_in(9):
            raise Unavailable("refused before")
        if self._dice.one_in(13):
            self._late[uid] = after, events
            raise Unavailable("still on its way, and given up")
        if self._dice.one_in(11):
            raise Conflict("lost the race")
        await super().append(uid, after, events)
        if self._dice.one_in(9):
            raise Unavailable("applied, and called refused")


class PlayedChildren:
    """Children that end when nothing else is left to do: a home in short. `test_child_faults` has them in full."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.running: dict[str, StartChild] = {}
        self.ended: dict[str, c.ChildEnded] = {}

    async def start(self, effect: StartChild) -> None:
        name = effect.child
        self.world.actor.tell(c.ChildStarted(node=effect.node, child=name, uid=name))
        if name in self.ended and self.ended[name].redrive >= effect.redrive:
            self.world.actor.tell(self.ended[name])
        elif effect.parent.wait:
            self.running[name] = effect

    async def steer(self, effect: SteerChild) -> None:
        name = effect.child
        if name in self.ended and self.ended[name].redrive >= effect.redrive:
            self.world.actor.tell(self.ended[name])
        elif name not in self.running:
            self.world.actor.tell(c.ChildLost(node=effect.node, child=name, uid=effect.uid))

    def end(self, name: str) -> None:
        effect = self.running.pop(name)
        bad = len(effect.node) % 3 == 0
        error = Error(reason="NonZeroExit", message="boom") if bad else None
        self.ended[name] = c.ChildEnded(
            node=effect.node,
            child=name,
            uid=name,
            phase=s.FAILED if bad else s.SUCCEEDED,
            redrive=effect.redrive,
            outputs={} if bad else {"n": 1},
            error=error,
        )
        self.world.actor.tell(self.ended[name])
        if self.world.dice.one_in(3):
            self.world.actor.tell(self.ended[name])


class World:
    """The runner, the clock and the people: what outlives a crash of the runtime."""

    def __init__(self, spec: WorkflowSpec, inputs: dict[str, Any], dice: Dice) -> None:
        self.graph = compile_workflow(spec, "flow")
        self.dice = dice
        self.time = START
        self.log = FaultyLog(dice)
        self.checkpoints, self.blobs = MemoryCheckpoints(), MemoryBlobs()
        self.cache = MemoryCache()
        self.running: dict[Key, StartAttempt] = {}
        self.results: dict[Key, c.AttemptEnded] = {}
        self.children = PlayedChildren(self)
        self.spec, self.inputs = spec, inputs
        self.actor = self.new_actor()

    # --- ports ---

    def now(self) -> int:
        return self.time

    def start(self, uid: str, effect: StartAttempt) -> None:
        key = (effect.node, effect.attempt, effect.delivery)
        if key not in self.results:
            self.running[key] = effect

    def stop(self, uid: str, effect: StopAttempt) -> None:
        pass  # it ends in its turn, as it would have

    # --- the runtime's life ---

    def new_actor(self) -> Actor:
        return Actor(
            Journal("uid-1", self.log, self.checkpoints, self.blobs),
            self.graph,
            runner=self,
            children=self.children,
            status=MemoryStatus(),
            caching=Caching(self.cache),
            clock=self,
        )

    async def crash(self) -> None:
        """Another process folds the log, looks at what exists and takes up the rest."""
        self.actor = self.new_actor()
        await self.actor.load()
        state = self.actor.state
        if not state.phase:
            self.actor.tell(birth_of(self.spec, self.inputs))
        await self.actor.ask_again()
        for key in state.active:
            node = state.node(key)
            identity = (state.instance(key), node.attempt, node.delivery)
            if identity in self.results:
                self.actor.tell(self.results[identity])
            elif identity not in self.running:
                self.running[identity] = StartAttempt(
                    id="",
                    node=identity[0],
                    attempt=identity[1],
                    delivery=identity[2],
                    priority=0,
                    document={},
                    grace=0,
                )

    async def step(self) -> None:
        """One step of the actor; a refused append kills it, as it would the process, and so does a birth that was another's."""
        try:
            await self.actor.step()
        except (Conflict, Unavailable):
            await self.crash()
            return
        if self.dice.one_in(4):
            await self.crash()

    async def settle(self) -> None:
        """Until the log has all that follows from what was told."""
        for _ in range(50):
            length = len(self.log.stored.get("uid-1", ()))
            await self.step()
            if length == len(self.log.stored.get("uid-1", ())) and not self.actor._mailbox:
                return

    async def play(self) -> State:
        self.actor.tell(birth_of(self.spec, self.inputs))
        await self.settle()
        for _ in range(3_000):
            state = self.actor.state
            if state.ended:
                break
            if self.dice.one_in(5) and self.results:
                self.actor.tell(min(self.results.items())[1])  # a report once more
            if self.dice.one_in(5):
                self.actor.tell(c.Tick())
            if self.running:
                self.end(min(self.running))
            elif self.children.running:
                self.children.end(min(self.children.running))
            else:
                due = self.actor.engine.next_due(self.time)
                assert due is not None, f"stuck: { ({k: n.status for k, n in state.nodes.items()}) }"
                self.time = max(self.time, due)
            await self.settle()
        return self.actor.state

    def end(self, key: Key) -> None:
        node, attempt, delivery = key
        del self.running[key]
        started = c.AttemptStarted(node=node, attempt=attempt, delivery=delivery)
        bad = len(node) % 3 == 0 or (attempt == 1 and node.endswith("1"))
        error = Error(reason="NonZeroExit", message="boom", exit_code=1) if bad else None
        outputs = None if bad else {"n": attempt}
        ended = c.AttemptEnded(node=node, attempt=attempt, delivery=delivery, outputs=outputs, error=error)
        self.results[key] = ended
        if self.dice.one_in(3):
            self.actor.tell(started)
        self.actor.tell(ended)
        if self.dice.one_in(3):
            self.actor.tell(started)
            self.actor.tell(ended)


@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=400))
def test_faults_change_nothing_that_counts(spec, inputs, draws):
    """Same end, outputs, instances and multiset of events as without faults; no gap, no attempt counted twice."""

    async def play(dice: Dice) -> tuple[tuple[object, ...], list[Event]]:
        world = World(spec, inputs, dice)
        state = await world.play()
        events = await world.log.read("uid-1")
        told = sorted(type(event).__name__ for event in events if type(event).__name__ != "ProgressUpdated")
        statuses = {key: (node.status, node.attempt) for key, node in state.nodes.items()}
        return (state.phase, state.outputs, state.variables, statuses, told), events

    calm, _ = asyncio.run(play(Dice([])))
    rough, events = asyncio.run(play(Dice(draws)))

    assert calm == rough
    assert list(range(1, len(events) + 1)) == [event.seq for event in events]
    started = [(event.node, event.attempt) for event in events if isinstance(event, NodeStarted)]
    assert len(started) == len(set(started))


@given(spec=workflows(), inputs=INPUTS)
def test_the_actor_ends_as_the_engine_alone(spec, inputs):
    """The log that an actor writes folds to the state that it holds."""

    async def play() -> tuple[State, list[Event]]:
        world = World(spec, inputs, Dice([]))
        return await world.play(), await world.log.read("uid-1")

    state, events = asyncio.run(play())

    assert state.ended
    assert s.encode(fold(events)) == s.encode(state)
