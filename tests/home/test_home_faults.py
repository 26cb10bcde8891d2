"""The home on a bad way to the API server: requests and answers get lost, connections are cut, the process dies at any write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.kube_faults import Crash, Fault, FaultyClient, Gate
from tests.support.operators import Site, pod_node
from tests.support.recorded import check_run, recording
from tests.support.waiting import until_async

from fairlead.kube import executions as intake
from fairlead.kube.client import Ambiguous, Client, from_kubeconfig
from fairlead.kube.home import KubernetesHome
from fairlead.kube.lease import Leadership
from fairlead.kube.pods.manifests import PodSettings
from fairlead.runtime.clock import SystemClock

patient = pytest.mark.timeout(240, func_only=True)

LIVES = 6
"""After so many lives nobody dies any more: the runs come to their end."""
NAMES = ("line-0", "fan-0", "rounds-0", "stubborn-0", "parent-0")


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


async def _one_life(
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


async def _all_over(site: Site) -> None:
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


def _some_runs(site: Site) -> None:
    site.workflow("line", [pod_node("a"), pod_node("b", "a", runs="500ms"), pod_node("c", "b")])
    fan = [pod_node(f"f{number}", "first", runs=f"{number * 200}ms") for number in range(1, 4)]
    last = pod_node("last", *(node["name"] for node in fan), outputs={"n": 7})
    site.workflow("fan", [pod_node("first"), *fan, last], outputs={"n": "${nodes.last.outputs.n}"})
    items = {"items": [1, 2, 3], "maxParallel": 2, "nodes": [pod_node("item")]}
    turns = {"condition": "pass.index < 2", "nodes": [pod_node("turn", runs="300ms")]}
    site.workflow(
        "rounds", [{"name": "turns", "while": turns}, {"name": "items", "after": ["turns"], "forEach": items}]
    )
    retry = {"maxAttempts": 3, "initialDelay": "300ms", "jitter": 0}
    error = {"reason": "NonZeroExit", "message": "again", "exitCode": 1}
    site.workflow("stubborn", [pod_node("never", error=error, retry=retry, onError="continue")])
    two = pod_node("two", "one", outputs={"x": 5})
    site.workflow("child", [pod_node("one", runs="300ms"), two], outputs={"x": "${nodes.two.outputs.x}"})
    calls = {"name": "calls", "workflow": {"name": "child"}}
    site.workflow("parent", [calls, pod_node("after", "calls")], outputs={"x": "${nodes.calls.outputs.x}"})
    for name in NAMES:
        site.execution(name, name.rpartition("-")[0])


PODS = 3 + 5 + 5 + 3 + 3


def _check(site: Site, record: Any) -> None:
    for execution in site.objects("wfe"):
        name = execution["metadata"]["name"]
        assert execution["status"]["phase"] == "Succeeded", execution["status"]
        check_run(site, name, record)
    assert site.status("fan-0")["outputs"] == {"n": 7}
    assert site.status("parent-0")["outputs"] == {"x": 5}
    assert sum(map(len, record.uids().values())) == PODS


@patient
@pytest.mark.parametrize(
    ("faults", "deaths"), [(0.1, 0.0), (0.0, 0.06), (0.05, 0.04)], ids=["lost", "deaths", "both"]
)
def test_requests_that_get_lost_and_deaths_change_nothing(
    site: Site, tmp_path: Path, faults: float, deaths: float
):
    """Whatever request or answer is lost, and at whatever write the process dies: the same end as without faults."""
    _some_runs(site)
    dice = random.Random(f"{faults}/{deaths}")
    lives, met = 0, 0

    async def live() -> None:
        nonlocal lives, met
        over = asyncio.ensure_future(_all_over(site))
        while not over.done():
            risk = deaths if lives < LIVES else 0.0
            way = Way(from_kubeconfig(site.kubeconfig), dice=dice, faults=faults, deaths=risk)
            async with way as client:
                await _one_life(client, site.namespace, client.died, lambda: asyncio.shield(over))
            lives, met = lives + 1, met + client.met
        over.result()

    with recording(site, tmp_path) as record:
        asyncio.run(live())
        _check(site, record)
    assert not faults or met > 4, "the faults did not fire"
    assert not deaths or lives > 1, "nobody died"


@patient
def test_cut_connections_change_nothing(site: Site, tmp_path: Path):
    """Every connection is cut at random moments, for a while or a moment, in the middle of requests: the same end."""
    _some_runs(site)
    dice = random.Random(7)
    cuts = 0

    async def cut(gate: Gate, over: asyncio.Future[None]) -> None:
        nonlocal cuts
        while not over.done():
            await asyncio.wait([over], timeout=dice.uniform(0.05, 0.8))
            gate.shut()
            cuts += 1
            await asyncio.wait([over], timeout=dice.choice((0.0, 0.1, 1.0)))
            gate.open()

    async def live() -> None:
        over = asyncio.ensure_future(_all_over(site))
        server = from_kubeconfig(site.kubeconfig).server
        async with Gate(server) as gate:
            cutting = asyncio.ensure_future(cut(gate, over))
            async with Client(gate.credentials(site, tmp_path)) as client:
                await _one_life(client, site.namespace, asyncio.Event(), lambda: asyncio.shield(over))
            await cutting

    with recording(site, tmp_path) as record:
        asyncio.run(live())
        _check(site, record)
    assert cuts > 5
