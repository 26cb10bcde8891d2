"""What each kind of request of ours costs the API server and etcd, in CPU, beside the creation of a bare pod, in turn.

Where everything shares two cores this bounds how many nodes a second there can be, so that it decides how we ask: an append is
a strategic merge patch and not a merge patch, and the patch that lets a pod go empties managedFields.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # tests.cluster, which is no part of the package

from bench.processes import cpu_of  # noqa: E402
from tests.cluster.clusters import apply_ours  # noqa: E402
from tests.cluster.plane import ALONE, ControlPlane  # noqa: E402
from tests.support.operators import execution_of  # noqa: E402

from fairlead.kube import names  # noqa: E402
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, PODS, Client, Resource, from_kubeconfig  # noqa: E402
from fairlead.kube.client.client import MERGE, STRATEGIC  # noqa: E402

OBJECTS, AT_ONCE = 300, 16
BATCH = '{"id":"0123456789abcdef","events":[' + ",".join(['{"type":"NodeCompleted","node":"n"}'] * 12) + "]}"
"""Half a KB, with as many quotes as an append has."""
HEADS = {"2 KB": 4, "15 KB": 30, "30 KB": 60}
"""Batches in a head."""
EMPTIED: dict[str, Any] = {"managedFields": [{}]}

Request = Callable[[int], Awaitable[object]]


class Costs:
    """CPU of the control plane for each kind of request."""

    def __init__(self, plane: ControlPlane) -> None:
        self._pids = [plane.processes[name].pid for name in ("kube-apiserver", "etcd")]
        self._bare = 0.0

    def _used(self) -> float:
        return sum([cpu_of(pid) for pid in self._pids])

    async def of(self, what: str, request: Request) -> None:
        """Send one for each object, and print what it took."""
        todo = list(range(OBJECTS))

        async def work() -> None:
            while todo:
                await request(todo.pop())

        await asyncio.sleep(1)
        before = self._used()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        await asyncio.sleep(0.2)
        each = (self._used() - before) / OBJECTS * 1000
        self._bare = self._bare or each
        print(f"{what:44} {each:5.2f} ms  x{each / self._bare:.2f} of a bare pod's creation")


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    """A pod that nobody schedules."""
    container = {"name": "node", "image": "x", "env": [{"name": "FAIRLEAD_NODE", "value": "x" * 600}]}
    spec = {"restartPolicy": "Never", "nodeSelector": {"type": "nobody"}, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def head(batches: int, name: str) -> dict[str, Any]:
    """A head with so many batches."""
    data = {f"b{number}": BATCH for number in range(batches)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {names.LOG: "head"}},
        "data": data,
    }


def creating(
    client: Client, resource: Resource, body: Callable[[str], dict[str, Any]], group: str
) -> Request:
    """Creates the objects of a group."""
    return lambda number: client.create(resource, "default", body(f"{group}-{number}"))


def patching(client: Client, resource: Resource, group: str, body: dict[str, Any], **how: Any) -> Request:
    """Patches them."""
    return lambda number: client.patch(resource, "default", f"{group}-{number}", body, **how)


async def pods(client: Client, costs: Costs) -> None:
    """Creation, and letting go with managedFields and without."""
    held = partial(pod, finalizers=[names.RESULT_FINALIZER])
    freed = {"labels": {names.DONE: "true"}, "$deleteFromPrimitiveList/finalizers": [names.RESULT_FINALIZER]}
    await costs.of("a bare pod is created", creating(client, PODS, pod, "bare"))
    for group, title, extra in (("kept", "", {}), ("emptied", ", managedFields emptied", EMPTIED)):
        await costs.of("a pod that is held is created", creating(client, PODS, held, group))
        body = {"metadata": {**freed, **extra}}
        await costs.of(f"it is let go{title}", patching(client, PODS, group, body, kind=STRATEGIC))


async def heads(client: Client, costs: Costs) -> None:
    """Appends to heads of several sizes, by both kinds of patch."""
    for size, batches in HEADS.items():
        group = f"head-{batches}"
        await costs.of(
            f"a head of {size} is created", creating(client, CONFIG_MAPS, partial(head, batches), group)
        )
        for turn, (title, how) in enumerate(
            (("first", MERGE), ("merge", MERGE), ("strategic merge", STRATEGIC))
        ):
            body = {"metadata": EMPTIED, "data": {f"n{turn}": BATCH}}
            await costs.of(
                f"an append to it, {title} patch", patching(client, CONFIG_MAPS, group, body, kind=how)
            )


async def executions(client: Client, costs: Costs) -> None:
    """Creation, finalizer, status."""
    await costs.of(
        "an execution is created", creating(client, EXECUTIONS, partial(execution_of, workflow="flow"), "one")
    )
    for title, body, how in (
        ("its finalizer comes", {"metadata": {"finalizers": [names.EXECUTION_FINALIZER]}}, {}),
        (
            "its status is written",
            {"status": {"phase": "Running", "log": {"sequence": 3}}},
            {"subresource": "status"},
        ),
        ("its status goes on", {"status": {"log": {"sequence": 9}}}, {"subresource": "status"}),
        ("its finalizer goes", {"metadata": {"finalizers": None}}, {}),
    ):
        await costs.of(title, patching(client, EXECUTIONS, "one", body, **how))


async def main(plane: ControlPlane) -> None:
    """All of it."""
    costs = Costs(plane)
    async with Client(from_kubeconfig(plane.kubeconfig)) as client:
        accounts = "/api/v1/namespaces/default/serviceaccounts"  # no controller makes the one that pods want
        await client.request("POST", accounts, body={"metadata": {"name": "default"}})
        await pods(client, costs)
        await heads(client, costs)
        await executions(client, costs)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder), ALONE) as plane:
        apply_ours(plane.kubeconfig)
        asyncio.run(main(plane))
