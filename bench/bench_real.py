"""A real node: from the creation of an execution until its first container runs, beside the same pod created bare, in turn.
Then how soon a `python` node and the operator work in their containers, what the operator uses, and the size of the images.

make image && python bench/bench_real.py        (as root on Debian)
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import uniform
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # tests.cluster, which is no part of the package

from bench.containers import MIB, operators, python_start  # noqa: E402
from tests.cluster.clusters import apply_ours  # noqa: E402
from tests.cluster.plane import ControlPlane  # noqa: E402
from tests.cluster.real import ARCHIVES, OPERATOR, RUNNER, lacking, real_node  # noqa: E402
from tests.support.operators import API, Operator, Site, execution_of  # noqa: E402
from tests.support.waiting import until  # noqa: E402

from fairlead.kube.client import EXECUTIONS, PODS, WORKFLOWS, Client, from_kubeconfig  # noqa: E402
from fairlead.kube.pods.views import Pod  # noqa: E402
from fairlead.kube.watching import Change, Watch  # noqa: E402

NAMESPACE = "bench"
ROUNDS = 15


class Running:
    """When the container of each pod was first seen to run, or to have run."""

    def __init__(self, client: Client) -> None:
        self.at: dict[str, float] = {}
        self._news = asyncio.Event()
        self.watch = Watch(client, PODS, Pod, self._heard, selector="", namespace=NAMESPACE)

    def _heard(self, change: Change[Pod]) -> None:
        state = change.view.container("node").state
        if (state.running or state.terminated) and change.view.metadata.name not in self.at:
            self.at[change.view.metadata.name] = time.monotonic()
            self._news.set()

    async def next(self, known: set[str]) -> tuple[str, float]:
        """The next pod that is not known yet, and when it was seen to run."""
        while not (found := self.at.keys() - known):
            self._news.clear()
            await self._news.wait()
        name = found.pop()
        return name, self.at[name]


async def measured(client: Client) -> None:
    """Both ways in turn."""
    nodes = [{"name": "one", "run": {"sh": "true"}}]
    flow = {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "one"}, "spec": {"nodes": nodes}}
    await client.create(WORKFLOWS, NAMESPACE, flow)
    running = Running(client)
    work = asyncio.create_task(running.watch.run())
    await running.watch.synced()
    try:
        bare_pod: dict[str, Any] = {}

        async def by_us(number: int) -> None:
            await client.create(EXECUTIONS, NAMESPACE, execution_of(f"run-{number}", "one"))

        async def bare(number: int) -> None:
            name = f"bare-{number}"
            await client.create(PODS, NAMESPACE, {**bare_pod, "metadata": {"name": name}})

        async def timed(start: Callable[[int], Awaitable[None]], number: int) -> tuple[str, float]:
            known, begun = set(running.at), time.monotonic()
            await start(number)
            name, at = await running.next(known)
            await asyncio.sleep(
                uniform(1.0, 2.0)
            )  # the kubelet looks once a second: not always at the same moment
            return name, at - begun

        first, _ = await timed(by_us, -1)
        made = json.loads(await client.get(PODS, NAMESPACE, first))
        spec = {key: value for key, value in made["spec"].items() if key != "nodeName"}
        bare_pod |= {"apiVersion": "v1", "kind": "Pod", "spec": spec}
        ours: list[float] = []
        theirs: list[float] = []
        for number in range(ROUNDS):
            theirs.append((await timed(bare, number))[1])
            ours.append((await timed(by_us, number))[1])
        for name, of in (("p50", statistics.median), ("mean", statistics.fmean)):
            alone, with_us = 1000 * of(theirs), 1000 * of(ours)
            print(
                f"created to running, {ROUNDS} in turn, {name}: the pod bare {alone:.0f} ms, by an execution {with_us:.0f} ms, "
                f"{with_us - alone:+.0f} ms (target 100)"
            )
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def main() -> None:
    """Measure on a real node of this machine."""
    why = lacking() or (
        ""
        if all(one.exists() for one in ARCHIVES.values())
        else "images are not built; `make image` does that"
    )
    if why:
        print(f"not measured: {why}")
        return
    with (
        tempfile.TemporaryDirectory(prefix="fairlead-real-") as folder,
        ControlPlane(Path(folder)) as plane,
        real_node(plane.kubeconfig, Path(folder) / "node") as node,
    ):
        for image, archive in ARCHIVES.items():
            target = " (target 75)" if image == RUNNER else ""
            print(f"{image}: {archive.stat().st_size / MIB:.0f} MiB compressed{target}")
            node.load(archive)
        apply_ours(plane.kubeconfig)
        plane.kubectl("create", "namespace", NAMESPACE)
        site = Site(plane.kubeconfig, NAMESPACE)
        until(lambda: site.object("serviceaccount", "default"), "there is a service account")
        operator = Operator(
            plane.kubeconfig, NAMESPACE, Path(folder) / "operator.log", "--runner-image", RUNNER
        )
        operator.start()
        try:
            operator.until_leading()

            async def work() -> None:
                async with Client(from_kubeconfig(plane.kubeconfig)) as client:
                    await measured(client)

            asyncio.run(work())
            python_start(site)
        finally:
            operator.stop()
        operators(plane, node, {"image": OPERATOR, "runnerImage": RUNNER})


if __name__ == "__main__":
    main()
