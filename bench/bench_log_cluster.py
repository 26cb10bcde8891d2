"""The log on a real API server: the latency and CPU of an append beside a bare patch of a ConfigMap, in turn, in the same run.

An append carries 4 KB of events; the bare patch the same bytes, sent with aiohttp alone into an object of 16 KB, which is what
a head has on the average. Then many writers at once, and what a watch costs for each pod event.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # tests.cluster, which is no part of the package

from tests.cluster.clusters import apply_ours  # noqa: E402
from tests.cluster.plane import ALONE, ControlPlane  # noqa: E402

from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, Client, from_kubeconfig  # noqa: E402
from fairlead.kube.client.client import MERGE  # noqa: E402
from fairlead.kube.log import KubernetesLog  # noqa: E402
from fairlead.kube.names import (  # noqa: E402
    ATTEMPT,
    EPOCH,
    EXECUTION,
    EXECUTION_UID,
    IDENTITY,
    MANAGED,
    NODE,
    RESULT_FINALIZER,
    SHARD,
    Place,
)
from fairlead.kube.places import Places  # noqa: E402
from fairlead.kube.pods.views import Pod  # noqa: E402
from fairlead.model.events import Event, NodeCompleted  # noqa: E402

APPENDS, WRITERS, EACH, DECODED = 600, 32, 40, 20_000
PAYLOAD = "x" * 480
BATCH = 8
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
UID = "8c5f1a52-7f0b-4d32-9a1d-2f2f7d4a2f12"
POD = {
    "metadata": {
        "name": "fairlead-pod-" + "a" * 26,
        "namespace": "default",
        "uid": "8c5f1a52-7f0b-4d32-9a1d-2f2f7d4a2f11",
        "resourceVersion": "123456",
        "labels": {EXECUTION_UID: UID, SHARD: "07", MANAGED: "true", EPOCH: "1", NODE: "pack", ATTEMPT: "1"},
        "annotations": {IDENTITY: f"{UID}/lines[3]/pack/1/1", EXECUTION: "order-1234"},
        "ownerReferences": [
            {
                "apiVersion": "fairlead.dev/v1alpha1",
                "kind": "WorkflowExecution",
                "name": "order-1234",
                "uid": UID,
            }
        ],
        "finalizers": [RESULT_FINALIZER],
        "managedFields": [{"manager": "kubelet", "fieldsV1": {f"f:{i}": {"f:x": {}} for i in range(60)}}],
    },
    "spec": {"nodeName": "n", "containers": [{"name": "main", "env": [{"name": "A", "value": "b" * 2000}]}]},
    "status": {
        "phase": "Running",
        "conditions": [{"type": kind, "status": "True"} for kind in CONDITIONS],
        "containerStatuses": [
            {"name": "node", "ready": True, "state": {"running": {"startedAt": "2026-11-21T12:00:00Z"}}}
        ],
    },
}


class First:
    """A fence that is always open."""

    writer = "bench"

    def epoch(self) -> int:
        return 1


def batch(after: int) -> list[Event]:
    """About 4 KB of events."""
    return [
        NodeCompleted(seq=seq, node=f"n{seq}", path="0", port="success", outputs={"text": PAYLOAD})
        for seq in range(after + 1, after + BATCH + 1)
    ]


async def born(client: Client, places: Places, name: str) -> str:
    """An execution."""
    body = {
        "apiVersion": EXECUTIONS.api_version,
        "kind": EXECUTIONS.kind,
        "metadata": {"name": name},
        "spec": {"workflow": {"name": "flow"}},
    }
    uid = (await client.create(EXECUTIONS, "default", body)).uid
    places.tell(uid, Place("default", name, uid))
    return uid


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, used = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - wall, time.process_time() - used


def told(what: str, taken: list[tuple[float, float]], beside: float | None = None) -> float:
    """Print a line; the median latency."""
    wall = sorted(one for one, _ in taken)
    median, last = statistics.median(wall), wall[int(len(wall) * 0.99)]
    cpu = statistics.mean(one for _, one in taken)
    ratio = f"  x{median / beside:.2f} of bare" if beside else ""
    print(
        f"{what:22} p50 {median * 1e3:6.2f} ms  p99 {last * 1e3:6.2f} ms  {cpu * 1e6:6.0f} us of CPU{ratio}"
    )
    return median


async def in_turn(client: Client, session: aiohttp.ClientSession, log: KubernetesLog, uid: str) -> None:
    """A bare patch, an append, a bare patch, ..."""
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "bare"},
        "data": {"rest": "y" * 12_000},
    }
    await client.create(CONFIG_MAPS, "default", made)
    text = PAYLOAD * BATCH
    headers = {**await client.credentials.headers(), "Content-Type": MERGE}
    url = client.credentials.server + CONFIG_MAPS.path("default", "bare")

    async def bare() -> None:
        data = msgspec.json.encode({"data": {"key": text + str(time.perf_counter())}})
        async with session.patch(
            url, data=data, headers=headers, ssl=client.credentials.tls or True
        ) as reply:
            await reply.read()

    bares, appends = [], []
    for number in range(APPENDS):
        bares.append(await timed(bare))
        events = batch(number * BATCH)
        appends.append(await timed(partial(log.append, uid, number * BATCH, events)))
    beside = told("bare patch of 4 KB", bares)
    told("append of 4 KB", appends, beside)
    begin = time.perf_counter()
    assert len(await log.read(uid)) == APPENDS * BATCH
    print(
        f"{'read of all events':22} {(time.perf_counter() - begin) * 1e6 / APPENDS / BATCH:6.1f} us an event"
    )


async def at_once(client: Client, log: KubernetesLog, places: Places) -> None:
    """Many executions, each appending what it has."""
    uids = [await born(client, places, f"many-{number}") for number in range(WRITERS)]

    async def write(uid: str) -> None:
        for number in range(EACH):
            await log.append(uid, number * BATCH, batch(number * BATCH))

    async def all_of_them() -> None:
        await asyncio.gather(*(write(uid) for uid in uids))

    wall, used = await timed(all_of_them)
    count = WRITERS * EACH
    print(
        f"{WRITERS} logs at once        {count / wall:,.0f} appends/s  {used / count * 1e6:6.0f} us of CPU an append"
    )


def decoding() -> None:
    """A pod as a watch sends it, and what is kept of it."""
    line, decoder = msgspec.json.encode(POD), msgspec.json.Decoder(Pod)
    begin = time.process_time()
    for _ in range(DECODED):
        decoder.decode(line)
    took = (time.process_time() - begin) / DECODED * 1e6
    tracemalloc.start()
    kept = [decoder.decode(line) for _ in range(DECODED)]
    held = tracemalloc.get_traced_memory()[0] / len(kept) / 1e3
    tracemalloc.stop()
    print(f"a pod of {len(line) / 1e3:.1f} KB     {took:6.1f} us of CPU to decode  {held:.2f} KB in memory")


async def main(kubeconfig: Path) -> None:
    """All of it."""
    places = Places()
    async with Client(from_kubeconfig(kubeconfig)) as client:
        log = KubernetesLog(client, places, First())
        async with aiohttp.ClientSession() as session:
            await in_turn(client, session, log, await born(client, places, "one"))
        await at_once(client, log, places)
    decoding()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder), ALONE) as plane:
        apply_ours(plane.kubeconfig)
        asyncio.run(main(plane.kubeconfig))
