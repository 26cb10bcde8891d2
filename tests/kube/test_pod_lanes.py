"""Slow creations of pods: however many there are, those of others do not wait for them, and only so many are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from tests.support.pod_scenes import start_of
from tests.support.waiting import until_async

from fairlead.kube.client.client import Channel
from fairlead.kube.pods import lanes
from fairlead.kube.pods.deliveries import Delivery
from fairlead.kube.pods.lanes import PLACES, Lanes

_START = start_of({"run": {"sh": "true"}})


class _Server:
    """Creates pods, those of some executions not before its gate opens."""

    def __init__(self, slow: Callable[[str], bool]) -> None:
        self._slow = slow
        self.gate = asyncio.Event()
        self.under_way = self.most = 0
        self.made: list[str] = []
        self.called_off: list[Delivery] = []
        self.lanes = Lanes(self.create, self.called_off.append)

    async def create(self, delivery: Delivery) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await (self.gate.wait() if self._slow(delivery.uid) else asyncio.sleep(0))
            self.made.append(delivery.start.id)
        finally:
            self.under_way -= 1

    def want(self, uid: str, count: int) -> list[str]:
        made = [
            Delivery(uid, msgspec.structs.replace(_START, id=f"{uid}/{number}")) for number in range(count)
        ]
        for delivery in made:
            self.lanes.push(delivery)
        return [delivery.start.id for delivery in made]

    async def until_made(self, wanted: list[str]) -> None:
        async def there() -> bool | None:
            return set(wanted) <= set(self.made) or None

        await until_async(there, "the pods that are wanted")


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a scene on a server where some executions are slow; a slow creation is found out soon."""
    monkeypatch.setattr(lanes, "QUICK", 0.2)

    def run(slow: Callable[[str], bool], scene: Callable[[_Server], Awaitable[None]]) -> None:
        async def inside() -> None:
            server = _Server(slow)
            server.lanes.open()
            try:
                await scene(server)
            finally:
                await server.lanes.close()
            assert server.most <= 2 * PLACES

        asyncio.run(inside())

    return run


def test_a_slow_crowd_of_one_execution_keeps_nobody_waiting(play):
    """Five hundred pods that nobody answers for, then some of another execution: these are made; at last so are all."""

    async def scene(server: _Server) -> None:
        crowd = server.want("crowd", 500)
        await server.until_made(server.want("quick", 100))
        assert not set(crowd) & set(server.made)
        server.gate.set()
        await server.until_made(crowd)
        assert len(server.made) == 600

    play("crowd".__eq__, scene)


def test_many_slow_executions_keep_nobody_waiting(play):
    """The same of two hundred executions with one pod each, none of which is known to be slow before it is tried."""

    async def scene(server: _Server) -> None:
        crowd = [one for number in range(200) for one in server.want(f"slow-{number}", 1)]
        await server.until_made(server.want("quick", 100))
        await server.until_made(server.want("later", 100))
        server.gate.set()
        await server.until_made(crowd)
        assert sorted(server.made) == sorted({*server.made})

    play(lambda uid: uid.startswith("slow-"), scene)


def test_what_was_called_off_counts_as_tried(play):
    """It may have been done all the same: who stops it then has to wait for an answer."""

    async def scene(server: _Server) -> None:
        server.want("crowd", 2 * PLACES)

        async def called_off() -> bool | None:
            return len(server.called_off) == PLACES or None

        await until_async(called_off, "that half of them is called off")
        assert all(one.tries == 1 and one.queued for one in server.called_off)

    play("crowd".__eq__, scene)


def test_an_execution_that_was_slow_is_not_for_ever(play):
    """Once its slow creations are over it has the quick lane again, and leaves nothing behind."""

    async def scene(server: _Server) -> None:
        crowd = server.want("crowd", 3 * PLACES)

        async def found_out() -> bool | None:
            return bool(server.called_off) or None

        await until_async(found_out, "that it is slow")
        server.gate.set()
        await server.until_made(crowd)
        server.gate.clear()
        server.want("crowd", 2 * PLACES)

        async def under_way() -> bool | None:
            return server.under_way == 2 * PLACES or None

        await until_async(under_way, "that half of them went from the quick lane to the slow one")

    play("crowd".__eq__, scene)


def test_creations_leave_connections_free():
    """Both lanes full, half as many requests again are under way: logs are appended to, statuses written."""
    assert Channel.ORDINARY.value >= 3 * PLACES
