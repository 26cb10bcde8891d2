"""The home on a bad way to the API server: requests and answers get lost, connections are cut, the process dies at any write."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.kube_faults import Gate
from tests.support.kube_lives import all_over, lives_of, one_life
from tests.support.operators import Site, pod_node
from tests.support.recorded import check_run, recording

from fairlead.kube.client import Client, from_kubeconfig

patient = pytest.mark.timeout(240, func_only=True)

NAMES = ("line-0", "fan-0", "rounds-0", "stubborn-0", "parent-0")


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
    with recording(site, tmp_path) as record:
        lives, met = asyncio.run(lives_of(site, dice, all_over(site), faults=faults, deaths=deaths))
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
        over = asyncio.ensure_future(all_over(site))
        server = from_kubeconfig(site.kubeconfig).server
        async with Gate(server) as gate:
            cutting = asyncio.ensure_future(cut(gate, over))
            async with Client(gate.credentials(site, tmp_path)) as client:
                await one_life(client, site.namespace, asyncio.Event(), lambda: asyncio.shield(over))
            await cutting

    with recording(site, tmp_path) as record:
        asyncio.run(live())
        _check(site, record)
    assert cuts > 5
