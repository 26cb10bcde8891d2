"""Operators that would lead in one namespace by Leases of different names: one leads, the others say why they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from tests.support.waiting import until_async

from fairlead.kube import lease
from fairlead.kube.client import LEASES, Client, Forbidden, Resource, from_kubeconfig
from fairlead.kube.lease import Leadership, Times
from fairlead.kube.rivals import Rivals

QUICK = Times(duration=2.0, renew=1.2, retry=0.2)


class Stage:
    """Candidates for one namespace, and who of them leads."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.leaders: set[str] = set()
        self.most = 0

    @asynccontextmanager
    async def candidate(
        self, name: str, served: str | None = "shop", client: Client | None = None
    ) -> AsyncIterator[Leadership]:
        """One at work, by a Lease of that name."""
        client = client or self.client
        rivals = Rivals(client, self.namespace, name, served)
        leadership = Leadership(client, self.namespace, name, name, times=QUICK, rivals=rivals)

        async def lead() -> None:
            self.leaders.add(name)
            self.most = max(self.most, len(self.leaders))
            try:
                await asyncio.Event().wait()
            finally:
                self.leaders.discard(name)

        task = asyncio.ensure_future(leadership.run(lead))
        try:
            yield leadership
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait for something."""

        async def found() -> bool | None:
            return bool(holds()) or None

        await until_async(found, what)


@pytest.fixture
def play(cluster, namespace) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    """Runs a scene."""

    def run(scene: Callable[[Stage], Awaitable[None]]) -> None:
        async def inside() -> None:
            async with Client(from_kubeconfig(cluster.kubeconfig)) as client:
                await scene(Stage(client, namespace))

        asyncio.run(inside())

    return run


def test_the_second_waits_for_the_first(play):
    """It takes no Lease and names the one by which the other leads; when that one goes, it leads."""

    async def scene(stage: Stage) -> None:
        async with AsyncExitStack() as stack:
            async with stage.candidate("one"):
                await stage.until(lambda: stage.leaders == {"one"}, "one leads")
                two = await stack.enter_async_context(stage.candidate("two"))
                await stage.until(lambda: two.rival, "two has seen one")
                assert f"leads for namespace shop by the Lease {stage.namespace}/one" in two.rival
                assert stage.leaders == {"one"}
            await stage.until(lambda: stage.leaders == {"two"}, "two leads")
            assert two.rival == ""

    play(scene)


def test_of_those_who_begin_together_one_leads(play):
    """Four at the same moment, round after round: never two of them, and at last one."""

    async def scene(stage: Stage) -> None:
        for _ in range(5):
            async with AsyncExitStack() as stack:
                for name in ("a", "b", "c", "d"):
                    await stack.enter_async_context(stage.candidate(name))
                await stage.until(lambda: stage.leaders, "one leads")
            assert stage.most == 1

    play(scene)


@pytest.mark.parametrize("served", ["bank", None])
def test_who_serves_another_namespace_is_no_rival(play, served):
    """Two that share a namespace for their Leases lead beside each other; who serves all is everybody's rival."""

    async def scene(stage: Stage) -> None:
        async with stage.candidate("one") as one, stage.candidate("two", served) as two:
            if served is None:
                await stage.until(lambda: stage.leaders and (one.rival or two.rival), "one of them leads")
                assert stage.most == 1
            else:
                await stage.until(lambda: stage.leaders == {"one", "two"}, "both lead")

    play(scene)


def test_a_rival_that_died_is_outlived(play):
    """Its Lease says that it leads; nobody renews it, and so it does not."""

    async def scene(stage: Stage) -> None:
        async with stage.candidate("dead") as dead:
            await stage.until(lambda: stage.leaders, "it leads")
            writer = dead.writer
        patch = {"spec": {"holderIdentity": writer, "leaseDurationSeconds": 2}}
        await stage.client.patch(LEASES, stage.namespace, "dead", patch)
        async with stage.candidate("heir") as heir:
            await stage.until(lambda: heir.rival, "it sees who led")
            await stage.until(lambda: stage.leaders == {"heir"}, "it leads")

    play(scene)


class _Unpermitted(Client):
    """A client that may not list Leases."""

    async def get(
        self, resource: Resource, namespace: str | None, name: str | None = None, **more: Any
    ) -> bytes:
        if resource is LEASES and name is None:
            raise Forbidden("list leases was answered 403")
        return await super().get(resource, namespace, name, **more)


def test_two_who_lead_find_each_other_out(play, cluster, monkeypatch: pytest.MonkeyPatch):
    """Who may not look leads as if it were alone; the other sees it while it leads, and gives way to the older Lease."""
    monkeypatch.setattr(lease, "EVERY", 0.5)

    async def scene(stage: Stage) -> None:
        async with _Unpermitted(from_kubeconfig(cluster.kubeconfig)) as blind:
            async with stage.candidate("old", client=blind):
                await stage.until(lambda: stage.leaders == {"old"}, "old has had its Lease")
            async with stage.candidate("young") as young:
                await stage.until(lambda: stage.leaders == {"young"}, "young leads")
                async with stage.candidate("old", client=blind):
                    await stage.until(lambda: young.rival, "young gives way")
                    assert stage.leaders == {"old"}
                await stage.until(lambda: stage.leaders == {"young"}, "young leads again")

    play(scene)
