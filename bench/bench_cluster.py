"""The operator on a real API server, beside the bare rate: pods that a plain script creates, scheduled and played by KWOK.

    python bench/bench_cluster.py [rates] [scale] [live]

rates  one fan-out of 500 and 50 chains of 10 beside the bare rate; reaction, CPU and API writes per pod node
scale  a fan-out of 10,000 beside one of 100: cost per node, largest object, memory
live   1,000 live executions: memory, then kill -9 and a restart under the same identity, then a standby that takes over

Bare rates are measured before and after each part, in the same run; their mean is what ratios are of.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # tests.cluster, which is no part of the package

from bench.audit_log import Audit  # noqa: E402
from bench.processes import cpu_of  # noqa: E402
from tests.cluster.clusters import Cluster, opened  # noqa: E402
from tests.support.operators import API, Operator, execution_of, pod_node  # noqa: E402

from fairlead.kube import names  # noqa: E402
from fairlead.kube.client import (  # noqa: E402
    CONFIG_MAPS,
    EXECUTIONS,
    PODS,
    WORKFLOWS,
    Client,
    Resource,
    from_kubeconfig,
)
from fairlead.kube.executions import Execution, executions  # noqa: E402
from fairlead.kube.pods.views import Pod  # noqa: E402
from fairlead.kube.watching import Change, Kind, View, Watch  # noqa: E402
from fairlead.model.errors import NotFound  # noqa: E402
from fairlead.model.state import ENDED_RUN  # noqa: E402

V = TypeVar("V", bound=View)

NAMESPACE = "bench"
BARE, FAN, CHAINS, LONG = 500, 500, 50, 10
WIDE, NARROW = 10_000, 100
LIVE = 1_000
AT_ONCE = 32
_MESSAGE = json.dumps({"outputs": {}})


@dataclass
class Bench:
    """A cluster with a client, and an operator on it."""

    cluster: Cluster
    client: Client
    operator: Operator

    @property
    def pid(self) -> int:
        assert self.operator.process is not None
        return self.operator.process.pid

    def cpu(self) -> float:
        """Seconds of CPU that the operator has used."""
        return cpu_of(self.pid)

    def memory(self, field: str = "VmRSS") -> float:
        """MiB of memory that the operator has, or (VmHWM) has had at most."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    async def put(self, resource: Resource, body: dict[str, Any]) -> None:
        await self.client.create(resource, NAMESPACE, body)

    async def workflow(self, name: str, nodes: list[dict[str, Any]]) -> None:
        body = {"apiVersion": API, "kind": "Workflow", "metadata": {"name": name}, "spec": {"nodes": nodes}}
        await self.put(WORKFLOWS, body)

    async def run(self, workflow: str, names_: list[str], nodes: int) -> tuple[float, float]:
        """Run a Workflow so many times at once; nodes per second, and ms of the operator's CPU per node.

        The time is over when all are shown as ended, the CPU is counted until nothing of them is held any more.
        """
        phases: dict[str, str] = {}
        ended, let_go = set(names_), set(names_)
        free = asyncio.Event()

        def heard(one: Seen) -> bool:
            name = one.metadata.name
            phases[name] = one.status.phase
            if one.status.phase in ENDED_RUN:
                ended.discard(name)
                if not one.held:
                    let_go.discard(name)
            if not let_go:
                free.set()
            return not ended

        async with following(self.client, EXECUTIONS, Seen, "", heard) as over:
            cpu, begun = self.cpu(), time.monotonic()
            await at_once(lambda name: self.put(EXECUTIONS, execution_of(name, workflow)), names_)
            await over.wait()
            seconds = time.monotonic() - begun
            await free.wait()
            used = self.cpu() - cpu
        assert {phases[name] for name in names_} == {"Succeeded"}, phases
        return nodes / seconds, 1000 * used / nodes


class Seen(Execution):
    """An execution as a watch wants it."""

    @property
    def shard(self) -> str:
        """The value of its shard label."""
        return self.metadata.labels.get(names.SHARD, "")


@asynccontextmanager
async def following(
    client: Client, resource: Resource, view: type[V], selector: str, heard: Callable[[V], bool]
) -> AsyncIterator[asyncio.Event]:
    """Hear of every change of some objects; the event is set once `heard` has said that this was all."""
    over = asyncio.Event()

    def listen(change: Change[V]) -> None:
        if heard(change.view):
            over.set()

    watch = Watch(client, resource, view, listen, selector=selector, namespace=NAMESPACE)
    work = asyncio.create_task(watch.run())
    try:
        await watch.synced()
        yield over
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def at_once(work: Callable[[Any], Awaitable[None]], items: Iterable[Any]) -> None:
    """Do something for each, so many at a time."""
    todo = list(items)[::-1]

    async def one() -> None:
        while todo:
            await work(todo.pop())

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def bare_rate(bench: Bench, count: int = BARE) -> float:
    """Pods per second that a script gets created, scheduled and played to their end."""
    mark = f"bare-{time.time_ns()}"
    document = json.dumps({"run": {"sh": "true"}, "padding": "x" * 500})
    container = {
        "name": "node",
        "image": "runner:test",
        "env": [{"name": "FAIRLEAD_NODE", "value": document}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }

    def pod(number: int) -> dict[str, Any]:
        metadata = {"name": f"{mark}-{number}", "labels": {"bare": mark}}
        spec = {"restartPolicy": "Never", "containers": [container]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    ended: set[str] = set()

    def heard(one: Pod) -> bool:
        if one.status.phase == "Succeeded":
            ended.add(one.metadata.uid)
        return len(ended) == count

    async with following(bench.client, PODS, Pod, f"bare={mark}", heard) as over:
        begun = time.monotonic()
        await at_once(lambda number: bench.put(PODS, pod(number)), range(count))
        await over.wait()
        rate = count / (time.monotonic() - begun)
    everything = {"labelSelector": f"bare={mark}"}
    await bench.client.request(
        "DELETE", PODS.path(NAMESPACE), params=everything, body={"gracePeriodSeconds": 0}
    )
    while json.loads(await bench.client.get(PODS, NAMESPACE, params={**everything, "limit": "1"}))["items"]:
        await asyncio.sleep(0.2)
    return rate


# ------------------------------------------------------------------------------------------------------------------ rates
async def rates(bench: Bench) -> None:
    """Rates beside the bare one, reaction, CPU and writes."""
    await bench.workflow("fan", [pod_node(f"n{number}") for number in range(FAN)])
    await bench.workflow("chain", chain(LONG))
    await bench.run("chain", ["warm"], LONG)
    before = await bare_rate(bench)
    audit = Audit(bench.cluster)
    fan, fan_cpu = await bench.run("fan", ["fan-1"], FAN)
    fan_writes = audit.writes()
    chains, chain_cpu = await bench.run("chain", [f"chain-{one}" for one in range(CHAINS)], CHAINS * LONG)
    chain_writes = audit.writes()
    bare = (before + await bare_rate(bench)) / 2
    print(f"bare                    {bare:6.0f} pods/s")
    for name, rate, cpu, writes, nodes in (
        (f"fan-out of {FAN}", fan, fan_cpu, fan_writes, FAN),
        (f"{CHAINS} chains of {LONG}", chains, chain_cpu, chain_writes, CHAINS * LONG),
    ):
        print(
            f"{name:<22} {rate:7.0f} nodes/s  x{rate / bare:.2f} of the bare rate (target 0.6)  "
            f"{cpu:.2f} ms CPU a node (target 3)"
        )
        print(f"    {writes.total() / nodes:.2f} API writes a node (target 4 and a share of batches)")
        print("    " + ", ".join(f"{what} {count / nodes:.2f}" for what, count in writes.most_common()))
    audit.writes()
    await bench.run("chain", ["alone-1"], LONG)
    await bench.run("chain", ["alone-2"], LONG)
    await bench.run("chain", ["alone-3"], LONG)
    gaps = await audit.reactions(bench.client, NAMESPACE, ("alone-1", "alone-2", "alone-3"))
    print(
        f"pod ended to successor's create, one chain alone: p50 {1000 * statistics.median(gaps):.1f} ms (target 15), "
        f"p99 {1000 * max(gaps):.1f} ms (target 60), {len(gaps)} of them"
    )


def chain(length: int) -> list[dict[str, Any]]:
    """Nodes that follow each other."""
    return [pod_node(f"n{one}", *([f"n{one - 1}"] if one else [])) for one in range(length)]


# ------------------------------------------------------------------------------------------------------------------ scale
async def scale(bench: Bench) -> None:
    """A wide fan-out beside a narrow one."""
    for count in (NARROW, WIDE):
        await bench.workflow(f"fan{count}", [pod_node(f"n{number}") for number in range(count)])
    await bench.run(f"fan{NARROW}", ["warm-scale"], NARROW)
    narrow = [await bench.run(f"fan{NARROW}", [f"narrow-{one}"], NARROW) for one in range(3)]
    wide_rate, wide_cpu = await bench.run(f"fan{WIDE}", ["wide-1"], WIDE)
    narrow_cpu = statistics.median(cpu for _, cpu in narrow)
    print(
        f"fan-out of {WIDE:,}: {wide_rate:.0f} nodes/s, {wide_cpu:.2f} ms CPU a node, "
        f"x{wide_cpu / narrow_cpu:.2f} of one of {NARROW} (target 1.2); "
        f"memory at most {bench.memory('VmHWM'):.0f} MiB (target 300)"
    )
    largest = max(
        len(json.dumps(one)) for one in json.loads(await bench.client.get(CONFIG_MAPS, NAMESPACE))["items"]
    )
    async for one in executions(bench.client, NAMESPACE):
        body = await bench.client.get(EXECUTIONS, NAMESPACE, one.metadata.name)
        largest = max(largest, len(body))
    print(f"largest object of a run: {largest / 1024:.0f} KiB (target 512)")


# ------------------------------------------------------------------------------------------------------------------- live
async def live(bench: Bench, folder: Path) -> None:
    """Many live executions; restart and takeover."""
    await bench.workflow(
        "two",
        [pod_node("a", nowhere=True), pod_node("b", "a", nowhere=True), pod_node("c", "b", nowhere=True)],
    )
    begun = time.monotonic()
    await at_once(lambda number: bench.put(EXECUTIONS, execution_of(f"live-{number}", "two")), range(LIVE))
    following = Following(bench.client)
    async with following:
        await following.until("a", LIVE)
        print(
            f"{LIVE:,} live executions: begun in {time.monotonic() - begun:.1f} s, {bench.memory():.0f} MiB (target 300)"
        )
        bench.operator.kill()
        await following.play("a")
        begun = time.monotonic()
        bench.operator.start()
        seconds = await following.until("b", LIVE, begun)
        print(
            f"kill -9, restart under the same identity: next node starts after p50 {seconds[LIVE // 2]:.1f} s, "
            f"p99 {seconds[LIVE * 99 // 100]:.1f} s (target 10)"
        )
        standby = Operator(bench.cluster.kubeconfig, NAMESPACE, folder / "standby.log", identity="standby")
        standby.start()
        await asyncio.sleep(10)  # it lists the pods and waits for its turn
        bench.operator.kill()
        begun = time.monotonic()
        await following.play("b")
        seconds = await following.until("c", LIVE, begun)
        print(
            f"kill -9, a standby takes over: next node starts after p50 {seconds[LIVE // 2]:.1f} s, "
            f"p99 {seconds[LIVE * 99 // 100]:.1f} s (target 25)"
        )
        standby.stop()


class Following:
    """When the pods of a node appeared, by the watch of this process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[str, dict[str, float]] = {}
        self._pods: dict[str, list[Pod]] = {}
        self._nodes: dict[str, str] = {}
        self._watches: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for node in "abc":
            selector = f"{names.NODE}={node}"
            watch = Watch(
                self._client, PODS, Pod, self._listener(node), selector=selector, namespace=NAMESPACE
            )
            self._watches.append(asyncio.create_task(watch.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def _listener(self, node: str) -> Callable[[Change[Pod]], None]:
        def heard(change: Change[Pod]) -> None:
            if change.kind is Kind.APPEARED:
                self._seen.setdefault(node, {})[change.view.metadata.labels.execution_uid] = time.monotonic()
                self._pods.setdefault(node, []).append(change.view)

        return heard

    async def until(self, node: str, count: int, begun: float = 0.0) -> list[float]:
        """Wait for the pods of a node; when each appeared, in seconds since `begun`, in order."""
        while len(self._seen.get(node, ())) < count:
            await asyncio.sleep(0.05)
        return sorted(at - begun for at in self._seen[node].values())

    async def play(self, node: str) -> None:
        """End all pods of a node with success, as a kubelet would."""
        ended = {"terminated": {"exitCode": 0, "reason": "Completed", "message": _MESSAGE}}
        container = {
            "name": "node",
            "image": "runner:test",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": ended,
        }
        status = {"status": {"phase": "Succeeded", "containerStatuses": [container]}}

        async def one(pod: Pod) -> None:
            try:
                await self._client.patch(PODS, NAMESPACE, pod.metadata.name, status, subresource="status")
            except NotFound:
                print(f"the pod {pod.metadata.name} is gone", file=sys.stderr)

        await at_once(one, self._pods[node])


# ------------------------------------------------------------------------------------------------------------------- main
async def measured(cluster: Cluster, folder: Path, parts: list[str]) -> None:
    """Run the parts, each with an operator of its own."""
    async with Client(from_kubeconfig(cluster.kubeconfig)) as client:
        cluster.kubectl("create", "namespace", NAMESPACE)
        for part in parts:
            operator = Operator(cluster.kubeconfig, NAMESPACE, folder / f"{part}.log", identity="bench")
            operator.start()
            try:
                await asyncio.to_thread(operator.until_leading)
                bench = Bench(cluster, client, operator)
                if part == "rates":
                    await rates(bench)
                elif part == "scale":
                    await scale(bench)
                else:
                    await live(bench, folder)
            finally:
                operator.stop()


def main() -> None:
    """Measure what is asked for."""
    parts = [part for part in ("rates", "scale", "live") if part in sys.argv[1:] or len(sys.argv) == 1]
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder, opened(Path(folder)) as cluster:
        asyncio.run(measured(cluster, Path(folder), parts))


if __name__ == "__main__":
    main()
