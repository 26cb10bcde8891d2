"""Append first, then act: what an actor does about an append that was refused, lost, or made by somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.support.driver import START, birth_of, spec_of

from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model.effects import StartAttempt, StopAttempt
from fairlead.model.errors import Conflict, Unavailable
from fairlead.model.events import Event
from fairlead.runtime.actor import Actor
from fairlead.runtime.caching import Caching
from fairlead.runtime.children import RegistryChildren
from fairlead.runtime.journal import Journal
from fairlead.runtime.memory import (
    MemoryBlobs,
    MemoryCache,
    MemoryCheckpoints,
    MemoryLog,
    MemoryRegistry,
    MemoryStatus,
)

SPEC = spec_of(
    nodes=[{"name": "a", "run": {"sh": "true"}}, {"name": "b", "after": ["a"], "run": {"sh": "true"}}]
)


class GivenUp(MemoryLog):
    """A log that gives up on an append when it is told to; that append arrives before the next one."""

    gives_up = False
    late: tuple[str, int, Sequence[Event]] | None = None

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        if self.late is not None:
            late, self.late = self.late, None
            await super().append(*late)
        if self.gives_up:
            self.gives_up = False
            self.late = uid, after, list(events)
            raise Unavailable("no answer")
        await super().append(uid, after, events)


class Stage:
    """A run of two nodes, the log that it is in, and what was asked of its runner."""

    def __init__(self) -> None:
        self.log = GivenUp()
        self.asked: list[str] = []
        self.actor = self.another()

    def now(self) -> int:
        return START

    def start(self, uid: str, effect: StartAttempt) -> None:
        self.asked.append(effect.node)

    def stop(self, uid: str, effect: StopAttempt) -> None:
        raise AssertionError("nobody ends anything here")

    def another(self) -> Actor:
        """The run in the hands of another process."""
        return Actor(
            Journal("uid-1", self.log, MemoryCheckpoints(), MemoryBlobs()),
            compile_workflow(SPEC, "flow"),
            runner=self,
            children=RegistryChildren(MemoryRegistry(self.log, {}), lambda *_: None, lambda _: None),
            status=MemoryStatus(),
            caching=Caching(MemoryCache()),
            clock=self,
        )

    async def begin(self) -> None:
        self.actor.tell(birth_of(SPEC, {}))
        await self.actor.step()

    def tell_end(self, node: str) -> None:
        self.actor.tell(c.AttemptEnded(node=node, attempt=1, delivery=1, outputs={}))


def test_nothing_is_done_before_it_is_in_the_log():
    """An append without an answer: no attempt is started by it, whatever becomes of the append."""

    async def scene() -> None:
        stage = Stage()
        stage.log.gives_up = True
        with pytest.raises(Unavailable):
            await stage.begin()
        assert stage.asked == []

    asyncio.run(scene())


def test_an_append_that_was_given_up_and_comes_late_is_acted_upon():
    """The process that takes the run up has not seen it: it finds it in its way, and starts what follows from it, once."""

    async def scene() -> None:
        stage = Stage()
        await stage.begin()
        stage.log.gives_up = True
        stage.tell_end("a")
        with pytest.raises(Unavailable):
            await stage.actor.step()
        stage.actor = stage.another()
        await stage.actor.load()
        assert stage.asked == ["a"]

        stage.tell_end("a")
        await stage.actor.step()

        assert stage.asked == ["a", "b"]
        stage.tell_end("b")
        await stage.actor.step()
        assert (stage.actor.state.phase, stage.asked) == ("Succeeded", ["a", "b"])

    asyncio.run(scene())


def test_a_birth_that_was_given_up_and_comes_late_is_taken_up_by_whoever_hosts_the_run():
    """Somebody else may have begun it with another definition: this actor cannot go on, and says so."""

    async def scene() -> None:
        stage = Stage()
        stage.log.gives_up = True
        with pytest.raises(Unavailable):
            await stage.begin()
        stage.actor = stage.another()

        with pytest.raises(Conflict, match="begun by somebody else"):
            await stage.begin()
        assert stage.asked == []

    asyncio.run(scene())
