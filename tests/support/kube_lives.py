"""The home in one process after the other, on a bad way to the API server: requests get lost, and it dies at any write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tests.support.kube_faults import Crash, Fault, FaultyClient
from tests.support.operators import Site
from tests.support.waiting import until_async

from fairlead.kube import executions as intake
from fairlead.kube.client import Ambiguous, Client, from_kubeconfig
from fairlead.kube.home import KubernetesHome
from fairlead.kube.lease import Leadership
from fairlead.kube.pods.manifests import PodSettings
from fairlead.runtime.clock import SystemClock

LIVES = 6
"""After so many lives nobody dies any more: the runs come to their end."""


class Way(FaultyClient):
    """A client whose requests, reads too, meet faults by chance; after its death nothing of it goes through."""

    def __init__(self, *words: Any, dice: random.Random, faults: float = 0.0, deaths: float = 0.0) -> None:
        super().__init__(*words)
        self._dice, self._faults, self._deaths = dice, faults, deaths
        self.died = asyncio.Event()
        self.met = 0

    def fate(self, method: str, path: str) -> Fault:
        """What becomes of a write."""
        if "/leases/" in path:
            return Fault.NONE  # losing the Lease is another test's subject
        luck = self._dice.random()
        if luck < self._deaths:
            self.died.set()
            return self._dice.choice((Fault.CRASH_BEFORE, Fault.CRASH_AFTER))
        if luck < self._deaths + self._faults:
            self.met += 1
            return self._dice.choice((Fault.LOST, Fault.UNANSWERED))
        return Fault.NONE

    async def request(self, method: str, path: str, **words: Any) -> bytes:
        """As a client does, on this way."""
        if self.died.is_set():
            raise Ambiguous("the dead ask nothing")
        try:
            if method == "GET" and "/leases/" not in path and self._dice.random() < self._faults:
                self.met += 1
                raise Ambiguous(f"{method} {path} was lost")
            return await super().request(method, path, **words)
        except Crash as crash:
            raise Ambiguous("the dead hear nothing") from crash


async def one_life(
    client: Client, namespace: str, died: asyncio.Event, over: Callable[[], Awaitable[Any]]
) -> None:
    """A home, until its process dies or everything is over."""
    leadership = Leadership(client, namespace, "fairlead", "one", exclusive=True)
    settings = PodSettings(runner_image="runner:test")
    home = KubernetesHome(client, leadership, SystemClock(), settings, namespace=namespace)
    work = {
        asyncio.ensure_future(home.run()),
        asyncio.ensure_future(died.wait()),
        asyncio.ensure_future(over()),
    }
    done, rest = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.wait(rest)
    for task in done:
        task.result()


async def all_over(site: Site) -> None:
    """Until all executions of a namespace have ended and nobody holds them."""
    async with Client(from_kubeconfig(site.kubeconfig)) as client:
        left: list[str] = []

        async def over() -> bool | None:
            there = [one async for one in intake.executions(client, site.namespace)]
            left[:] = [one.metadata.name for one in there if not one.at_rest]
            return not left or None

        try:
            await until_async(over, "all executions have ended", 180)
        except AssertionError as late:
            raise AssertionError(f"{late}: {[(name, site.status(name)) for name in left]}") from None


async def lives_of(
    site: Site,
    dice: random.Random,
    scene: Coroutine[Any, Any, Any],
    *,
    faults: float,
    deaths: float,
    lives: int = LIVES,
) -> tuple[int, int]:
    """Homes, one after the other, until a scene is over; how many there were, and how many faults they met."""
    over, lived, met = asyncio.ensure_future(scene), 0, 0
    while not over.done():
        risk = deaths if lived < lives else 0.0
        way = Way(from_kubeconfig(site.kubeconfig), dice=dice, faults=faults, deaths=risk)
        async with way as client:
            await one_life(client, site.namespace, client.died, lambda: asyncio.shield(over))
        lived, met = lived + 1, met + client.met
    over.result()
    return lived, met
