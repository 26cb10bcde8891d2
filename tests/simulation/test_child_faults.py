"""Executions that start executions, all against fakes in one thread: faults change nothing that counts.

Every execution of a tree has an actor over one log and one registry that refuse, or do and say that they did not, as they like;
the process that hosts them dies between any two steps. The world acts only when all are at rest and in a fixed order, so that a
run without faults is the oracle: the same executions, each with the same end, instances and multiset of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.simulation.test_actor_faults import Dice, FaultyLog
from tests.support.driver import START, birth_of, spec_of
from tests.support.graphs import INPUTS, workflows

from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model.children import MAX_DEPTH
from fairlead.model.effects import StartAttempt, StartChild, StopAttempt
from fairlead.model.errors import Conflict, Unavailable
from fairlead.model.events import Error
from fairlead.model.manifests import WorkflowSpec
from fairlead.runtime.actor import Actor
from fairlead.runtime.caching import Caching
from fairlead.runtime.children import Child, RegistryChildren, end_of
from fairlead.runtime.journal import Journal
from fairlead.runtime.memory import (
    MemoryBlobs,
    MemoryCache,
    MemoryCheckpoints,
    MemoryLog,
    MemoryRegistry,
    MemoryStatus,
)

pytestmark = pytest.mark.simulation

ROOT = "root"
LEAF = spec_of(
    nodes=[{"name": "x1", "run": {"sh": "true"}, "retry": {"maxAttempts": 2, "initialDelay": "1s"}}]
)
OTHER = spec_of(
    nodes=[
        {"name": "a", "run": {"sh": "true"}},
        {"name": "b", "after": ["a"], "workflow": {"name": "leaf"}, "retry": {"maxAttempts": 2}},
    ],
    outputs={"n": "${nodes.a.outputs.n}"},
    **{"finally": [{"name": "f", "run": {"sh": "true"}}]},
)
CALLED: dict[str, WorkflowSpec | str] = {
    "leaf": LEAF, "other": OTHER, "other2": OTHER, "other4": OTHER, "other5": "UnknownField: no",
}  # fmt: skip
"""What random workflows call: one that calls another, and names that are not there or cannot run."""

Wishes = dict[int, dict[str, Any]]
"""What a person wants of the root, by the round of the world in which it is said."""


class FaultyRegistry(MemoryRegistry):
    """A registry that sometimes refuses, and sometimes does what it is asked and says that it did not."""

    def __init__(self, log: MemoryLog, blobs: MemoryBlobs, dice: Dice) -> None:
        super().__init__(log, CALLED, blobs)
        self._dice = dice

    async def create(
        self, effect: StartChild, spec: WorkflowSpec, inputs: dict[str, Any], wish: c.Wish
    ) -> Child:
        self._fail(7)
        child = await super().create(effect, spec, inputs, wish)
        self._fail(7)
        return child

    async def change_wish(self, child: Child, change: Callable[[c.Wish], c.Wish]) -> None:
        self._fail(9)
        await super().change_wish(child, change)
        self._fail(9)

    def _fail(self, n: int) -> None:
        if self._dice.one_in(n):
            raise Unavailable("refused, before or after")


class Family:
    """The runners, the clock and the people: what outlives a crash of the process that hosts the tree."""

    def __init__(self, spec: WorkflowSpec, inputs: dict[str, Any], dice: Dice, wishes: Wishes) -> None:
        self.spec, self.inputs, self.dice, self.wishes = spec, inputs, dice, wishes
        self.time = START
        self.log, self.blobs = FaultyLog(dice), MemoryBlobs()
        self.registry = FaultyRegistry(self.log, self.blobs, dice)
        self.running: dict[tuple[str, str, int, int], None] = {}
        self.results: dict[tuple[str, str, int, int], c.AttemptEnded] = {}
        self.wish = c.Wish()
        self.actors: dict[str, Actor] = {}
        self.fresh: list[str] = []
        self.begin_anew()

    # --- ports ---

    def now(self) -> int:
        return self.time

    def start(self, uid: str, effect: StartAttempt) -> None:
        key = (uid, effect.node, effect.attempt, effect.delivery)
        if key not in self.results:
            self.running[key] = None

    def stop(self, uid: str, effect: StopAttempt) -> None:
        pass  # it ends in its turn, as it would have

    def tell(self, uid: str, command: c.Command) -> None:
        if uid in self.actors:
            self.actors[uid].tell(command)
            if self.dice.one_in(7):
                self.actors[uid].tell(command)

    def host(self, child: Child) -> None:
        if child.uid in self.actors:
            self.actors[child.uid].tell(self.registry.wishes[child.uid])
        elif child.uid not in self.fresh:
            self.fresh.append(child.uid)

    # --- the life of the process ---

    def begin_anew(self) -> None:
        """Another process takes up the tree: the root, and what was let go."""
        self.actors, self.fresh = {}, [ROOT]
        self.fresh += [
            uid for uid, birth in self.registry.births.items() if birth.parent and not birth.parent.wait
        ]

    async def take_up(self, uid: str) -> None:
        birth = birth_of(self.spec, self.inputs, uid=ROOT) if uid == ROOT else self.registry.births[uid]
        spec = self.spec if uid == ROOT else CALLED[birth.workflow]
        assert not isinstance(spec, str)
        actor = self.actors[uid] = Actor(
            Journal(uid, self.log, MemoryCheckpoints(), self.blobs),
            compile_workflow(spec, birth.workflow),
            runner=self,
            children=RegistryChildren(self.registry, self.tell, self.host),
            status=MemoryStatus(),
            caching=Caching(MemoryCache()),
            clock=self,
        )
        await actor.load()
        if not actor.state.phase:
            actor.tell(birth)
            return
        for key in actor.state.active:
            node = actor.state.node(key)
            identity = (uid, actor.state.instance(key), node.attempt, node.delivery)
            if identity in self.results:
                actor.tell(self.results[identity])
            else:
                self.running[identity] = None
        await actor.ask_again()
        actor.tell(self.wish if uid == ROOT else self.registry.wishes[uid])

    async def step(self) -> None:
        """Each execution takes a step; one that ended tells its parent and leaves. A refusal kills the process."""
        try:
            while self.fresh:
                await self.take_up(self.fresh.pop(0))
            for uid, actor in list(self.actors.items()):
                await actor.step()
                self._leave(uid, actor)
        except (Conflict, Unavailable):
            self.begin_anew()
            return
        if self.dice.one_in(6):
            self.begin_anew()

    def _leave(self, uid: str, actor: Actor) -> None:
        state = actor.state
        if state.ended and state.parent is not None:
            del self.actors[uid]
            if state.parent.wait:
                self.tell(state.parent.uid, end_of(state.parent, state))

    async def settle(self) -> None:
        """Until the logs have all that follows from what was told."""
        for _ in range(500):
            before = sum(map(len, self.log.stored.values()))
            await self.step()
            after = sum(map(len, self.log.stored.values()))
            if before == after and not self.fresh and all(actor.idle for actor in self.actors.values()):
                return

    async def play(self) -> Family:
        for round_ in range(3_000):
            await self.settle()
            self.wish = c.Wish(**self.wishes.get(round_, {})) if round_ in self.wishes else self.wish
            self.actors[ROOT].tell(self.wish)
            await self.settle()
            states = [actor.state for actor in self.actors.values()]
            if all(state.ended for state in states):
                return self
            if self.running:
                self.end(min(self.running, key=lambda key: (key[1:], key[0])))
                continue
            due = [at for at in (actor.engine.next_due(self.time) for actor in self.actors.values()) if at]
            if due:
                self.time = max(self.time, min(due))
            elif self.wish.suspend:
                self.wish = c.Wish(cancel=self.wish.cancel)
            else:
                raise AssertionError(f"stuck: {[(x.name, x.phase, dict(x.children)) for x in states]}")
        raise AssertionError("no end")

    def end(self, key: tuple[str, str, int, int]) -> None:
        uid, node, attempt, delivery = key
        del self.running[key]
        bad = len(node) % 3 == 0 or (attempt == 1 and node.endswith("1"))
        error = Error(reason="NonZeroExit", message="boom", exit_code=1) if bad else None
        outputs = None if bad else {"n": attempt}
        self.results[key] = c.AttemptEnded(
            node=node, attempt=attempt, delivery=delivery, outputs=outputs, error=error
        )
        self.tell(uid, self.results[key])

    async def summary(self) -> dict[str, Any]:
        """What counts, by the name of the execution."""
        found: dict[str, Any] = {}
        for uid in self.log.stored:
            events = await self.log.read(uid)
            assert list(range(1, len(events) + 1)) == [event.seq for event in events]
            told = sorted(
                type(event).__name__ for event in events if type(event).__name__ != "ProgressUpdated"
            )
            state = await self.registry.state(Child(name="", uid=uid))
            statuses = {key: (node.status, node.attempt) for key, node in state.nodes.items()}
            assert state.name not in found, "an execution was made twice"
            assert state.depth <= MAX_DEPTH
            found[state.name] = (state.phase, state.outputs, state.variables, statuses, told)
        return found


def played(
    spec: WorkflowSpec, inputs: dict[str, Any], draws: Sequence[int], wishes: Wishes
) -> dict[str, Any]:
    """What a tree came to."""

    async def play() -> dict[str, Any]:
        return await (await Family(spec, inputs, Dice(draws), wishes).play()).summary()

    return asyncio.run(play())


WISHES = st.dictionaries(
    st.integers(0, 12), st.sampled_from([{"suspend": True}, {"suspend": False}, {"cancel": True}]), max_size=3
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(spec=workflows(), inputs=INPUTS, draws=st.lists(st.integers(0, 10_000), max_size=400), wishes=WISHES)
def test_faults_change_nothing_in_a_tree_of_executions(spec, inputs, draws, wishes):
    """Every execution is made once and comes to the same end, by the same events, whatever is lost, refused or killed."""
    assert played(spec, inputs, [], wishes) == played(spec, inputs, draws, wishes)
