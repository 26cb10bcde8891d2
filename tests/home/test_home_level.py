"""The home acts on what there is, not on what it was told: missed events do no harm, and what has ended is forgotten."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from tests.cluster.processes import free_ports
from tests.support.operators import Site, pod_node
from tests.support.recorded import whole_log
from tests.support.waiting import until_async

from fairlead.apps.operator import probes as probing
from fairlead.apps.operator.hearing import Hearing
from fairlead.kube import names
from fairlead.kube.client import Client, from_kubeconfig
from fairlead.kube.home import KubernetesHome
from fairlead.kube.home.run import Run
from fairlead.kube.lease import Leadership
from fairlead.kube.names import Place
from fairlead.kube.pods.deliveries import Delivery
from fairlead.kube.pods.manifests import PodSettings
from fairlead.kube.premises import Premises
from fairlead.runtime.actor import Actor
from fairlead.runtime.clock import SystemClock

patient = pytest.mark.timeout(180, func_only=True)
RUNS = 12


def _home(client: Client, namespace: str) -> KubernetesHome:
    leadership = Leadership(client, namespace, "fairlead", "one", exclusive=True)
    settings = PodSettings(runner_image="runner:test")
    return KubernetesHome(client, leadership, SystemClock(), settings, namespace=namespace)


class Spoilt(Client):
    """A client whose lists of executions show one of them in a form that makes no sense, while somebody wants that."""

    spoils = False
    spoilt = 0

    async def request(self, method: str, path: str, **words: Any) -> bytes:
        """As a client does."""
        body = await super().request(method, path, **words)
        if not (self.spoils and method == "GET" and path.endswith("/workflowexecutions")):
            return body
        self.spoilt += 1
        found = json.loads(body)
        for item in found["items"]:
            item["status"] = {"phase": 7}
        return json.dumps(found).encode()


def _leads(
    site: Site, work: Callable[[KubernetesHome], Awaitable[None]], client_of: type[Client] = Client
) -> None:
    """Do something beside a home that leads, and that no feed tells of executions and Workflows."""

    async def inside() -> None:
        async with client_of(from_kubeconfig(site.kubeconfig)) as client:
            home = _home(client, site.namespace)
            leading = asyncio.ensure_future(home.run())
            try:
                await until_async(lambda: _holds(lambda: home.leads), "it leads")
                await work(home)
            finally:
                leading.cancel()
                await asyncio.gather(leading, return_exceptions=True)

    asyncio.run(inside())


async def _holds(condition: Callable[[], bool]) -> bool | None:
    return condition() or None


async def _ended(site: Site, *names: str) -> None:
    """Until executions have ended and nobody holds them; the loop of the home goes on meanwhile."""

    async def over() -> bool | None:
        there = await asyncio.to_thread(site.objects, "wfe")
        found = [one for one in there if one["metadata"]["name"] in names]
        done = [one.get("status", {}).get("phase") == "Succeeded" for one in found]
        held = [one["metadata"].get("finalizers") for one in found]
        return (len(done) == len(names) and all(done) and not any(held)) or None

    await until_async(over, f"{names} have ended", 90)


@patient
def test_what_no_event_has_told_of_is_found(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Not one event of executions or Workflows arrives: a look around finds the run, and later the Workflow that it lacked."""
    monkeypatch.setattr("fairlead.kube.home.term.AUDIT", 1.0)
    monkeypatch.setattr("fairlead.kube.home.tending.LATER", 1.0)

    async def scene(home: KubernetesHome) -> None:
        await asyncio.to_thread(site.execution, "silent-1", "silent")

        async def waits() -> bool | None:
            status = await asyncio.to_thread(site.status, "silent-1")
            return "WorkflowNotFound" in json.dumps(status) or None

        await until_async(waits, "it says that there is no such Workflow")
        await asyncio.to_thread(site.workflow, "silent", [pod_node("one")])
        await _ended(site, "silent-1")

    _leads(site, scene)


@patient
def test_what_has_ended_is_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch):
    """After a crowd of runs, one of them deleted, the leader keeps no run, actor, delivery or pod of theirs."""
    monkeypatch.setattr("fairlead.kube.home.term.AUDIT", 1.0)
    site.workflow("brief", [pod_node("one"), pod_node("two", "one")])
    site.workflow("long", [pod_node("one", nowhere=True)])

    async def scene(home: KubernetesHome) -> None:
        names = [f"brief-{number}" for number in range(RUNS)]
        for name in names:
            await asyncio.to_thread(site.execution, name, "brief")
        await asyncio.to_thread(site.execution, "long-1", "long")
        await until_async(lambda: _holds(lambda: home.live > 0), "they are looked after")
        await _ended(site, *names)
        await asyncio.to_thread(site.kubectl, "delete", "wfe", "long-1", "--timeout=60s")
        await until_async(
            lambda: _holds(lambda: home.live == 0 and home.deliveries == 0 and len(home.watch) == 0),
            "all is over",
        )
        await until_async(lambda: _holds(lambda: not _remembered()), f"nothing is kept: {_remembered()}", 20)

    _leads(site, scene)


def _remembered() -> dict[str, int]:
    """How many objects about runs there are."""
    gc.collect()
    kinds = (Run, Actor, Delivery)
    return dict(Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds)))


@patient
def test_one_that_a_list_shows_as_nonsense_is_not_gone(site: Site, monkeypatch: pytest.MonkeyPatch):
    """It is asked for by its name: as long as it is there its pod runs, and it ends as it would have."""
    monkeypatch.setattr("fairlead.kube.home.term.AUDIT", 0.5)
    site.workflow("odd", [pod_node("one", nowhere=True)])
    site.execution("odd-1", "odd")

    async def scene(home: KubernetesHome) -> None:
        pod = await asyncio.to_thread(site.pod, "odd-1", "one")
        client = home._client
        assert isinstance(client, Spoilt)
        client.spoils = True
        await until_async(lambda: _holds(lambda: client.spoilt > 3), "it was listed")
        client.spoils = False
        assert "deletionTimestamp" not in (await asyncio.to_thread(site.pods, "odd-1"))[0]["metadata"]
        await asyncio.to_thread(site.end_pod, pod, outputs={})
        await _ended(site, "odd-1")

    _leads(site, scene, Spoilt)


@patient
def test_records_that_no_log_names_go_while_the_run_lives(site: Site, monkeypatch: pytest.MonkeyPatch):
    """An append that failed has left one behind: it goes when it is old, and what the head names stays."""
    monkeypatch.setattr("fairlead.kube.home.guarding.VOID_AFTER", timedelta(0))
    monkeypatch.setattr("fairlead.kube.log.log.VOID_AFTER", timedelta(0))
    monkeypatch.setattr("fairlead.kube.home.term.SWEEP", 0.5)
    monkeypatch.setattr("fairlead.kube.log.planning.TAIL", 1)
    site.workflow("long", [pod_node("one", nowhere=True)])
    site.execution("long-1", "long")

    async def scene(home: KubernetesHome) -> None:
        pod = await asyncio.to_thread(site.pod, "long-1", "one")
        about = (await asyncio.to_thread(site.object, "wfe", "long-1"))["metadata"]
        place = Place(site.namespace, "long-1", about["uid"])
        metadata = names.metadata(place, "fairlead-segment-of-nobody", "segment", 1)
        void = {"apiVersion": "v1", "kind": "ConfigMap", "immutable": True, "metadata": metadata}
        await asyncio.to_thread(site.apply, void)

        async def gone() -> bool | None:
            found = await asyncio.to_thread(site.object, "configmap", "fairlead-segment-of-nobody")
            return not found or None

        await until_async(gone, "it is swept")
        await asyncio.to_thread(site.end_pod, pod, outputs={})
        await _ended(site, "long-1")
        assert len(await asyncio.to_thread(whole_log, site, "long-1")) > 3

    _leads(site, scene)


def test_a_probe_sees_that_the_operator_is_blind(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Heard of lately it is well; after a silence it is not, whatever else the process can do."""

    async def asked(client: Client, home: KubernetesHome, limit: float) -> int:
        monkeypatch.setattr(probing, "BLIND", limit)
        premises = Premises(client)
        premises.lacks = ""
        [port] = free_ports(1)
        async with (
            probing.probes(home, premises, Hearing(), CollectorRegistry(), port),
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/healthz") as answer,
        ):
            return answer.status

    async def scene() -> list[int]:
        async with Client(from_kubeconfig(site.kubeconfig)) as client:
            home = _home(client, site.namespace)
            return [await asked(client, home, limit) for limit in (180.0, 0.0)]

    assert [200, 503] == asyncio.run(scene())
