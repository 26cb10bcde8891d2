"""List and watch on a real API server: nothing is missed, whatever breaks (reliability anchors F3 to F6, F18;
protocol.md 8, 11).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import urllib.request
from collections.abc import AsyncIterator

import pytest
from tests.support.kube import config_map
from tests.support.kube_faults import Gate

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, PODS, Client, from_kubeconfig
from fairlead.kube.pods.views import Pod
from fairlead.kube.watching import Change, Kind, Watch

DEADLINE = 45.0


class Seen:
    """What a watch told, and a way to wait for it."""

    def __init__(self) -> None:
        self.changes: list[Change[Pod]] = []
        self._arrived = asyncio.Event()

    def __call__(self, change):
        self.changes.append(change)
        self._arrived.set()

    def appeared(self):
        return [kind for kind, _ in self.told()].count("appeared")

    def told(self):
        return [(change.kind.value, change.view.metadata.name) for change in self.changes]

    async def until(self, *expected, times=0):
        """Wait until these are among the changes, and something has appeared so often."""
        async with asyncio.timeout(DEADLINE):
            while not set(expected) <= set(self.told()) or self.appeared() < times:
                self._arrived.clear()
                await self._arrived.wait()


@contextlib.asynccontextmanager
async def watching(client, namespace, **words) -> AsyncIterator[tuple[Watch[Pod], Seen]]:
    """A watch on pods that are ours, synced."""
    seen = Seen()
    watch = Watch(client, PODS, Pod, seen, selector=SELECTOR, namespace=namespace, **words)
    task = asyncio.ensure_future(watch.run())
    try:
        await asyncio.wait_for(watch.synced(), DEADLINE)
        yield watch, seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


SELECTOR = f"{names.MANAGED}=true"


def pod(name, **labels):
    """A pod that nobody schedules."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {names.MANAGED: "true", **labels}},
        "spec": {
            "schedulerName": "nobody",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "none"}],
        },
    }


async def delete(client, namespace, name):
    await client.delete(PODS, namespace, name)


@pytest.fixture
def run(plane):
    """Run work that is given a client of a control plane for this module alone, and a namespace in it."""

    def start(work, kubeconfig=None):
        namespace = f"watched-{secrets.token_hex(4)}"
        plane.kubectl("create", "namespace", namespace)
        plane.kubectl("-n", namespace, "create", "serviceaccount", "default")

        async def body():
            async with Client(from_kubeconfig(kubeconfig or plane.kubeconfig)) as client:
                return await work(client, namespace)

        return asyncio.run(body())

    return start


def test_what_appears_changes_and_goes_is_told_in_order(run):
    """One pod's life; what is not ours is not seen."""

    async def work(client, namespace):
        await client.create(PODS, namespace, pod("before"))
        async with watching(client, namespace) as (watch, seen):
            await client.create(PODS, namespace, pod("a"))
            await client.create(PODS, namespace, pod("foreign", **{names.MANAGED: "false"}))
            await client.patch(PODS, namespace, "a", {"metadata": {"labels": {"fairlead.dev/done": "no"}}})
            await delete(client, namespace, "a")
            await seen.until(("gone", "a"))
            assert 1 == watch.lists
            assert ["before"] == [view.metadata.name for view in watch.all()]
            return seen.told()

    told = run(work)

    assert ("appeared", "before") == told[0]
    assert ["appeared", "changed", "gone"] == list(dict.fromkeys(kind for kind, name in told if name == "a"))
    assert "foreign" not in {name for _, name in told}


def test_a_pod_is_seen_with_the_fields_that_we_use(run):
    """Labels, owner, conditions, how a container ended."""
    status = {
        "phase": "Failed",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
        "containerStatuses": [
            {
                "name": "main",
                "image": "x",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "so big"}},
            }
        ],
    }

    async def work(client, namespace):
        await client.create(PODS, namespace, pod("a", **{names.EXECUTION_UID: "u", names.SHARD: "07"}))
        await client.patch(PODS, namespace, "a", {"status": status}, subresource="status")
        async with watching(client, namespace) as (watch, _):
            [view] = watch.all()
            return view

    view = run(work)
    [container] = view.status.container_statuses

    assert ("u", "07", "07") == (view.metadata.labels.execution_uid, view.metadata.labels.shard, view.shard)
    assert ("Failed", "EvictionByEvictionAPI") == (
        view.status.phase,
        view.condition("DisruptionTarget").reason,
    )
    assert (137, "OOMKilled", "so big") == (
        container.state.terminated.exit_code,
        container.state.terminated.reason,
        container.state.terminated.message,
    )


def test_what_leaves_the_selection_is_told_as_gone(run):
    """The server sends its old form: whoever acts on it looks again, live (protocol.md 8)."""

    async def work(client, namespace):
        await client.create(PODS, namespace, pod("a"))
        async with watching(client, namespace) as (_, seen):
            await client.patch(PODS, namespace, "a", {"metadata": {"labels": {names.MANAGED: "no"}}})
            await seen.until(("gone", "a"))
            await client.get(PODS, namespace, "a")
            await client.patch(PODS, namespace, "a", {"metadata": {"labels": {names.MANAGED: "true"}}})
            await seen.until(times=2)

    run(work)


def test_a_restart_of_the_api_server_loses_nothing(run, plane):
    """What appeared, changed and went while it was away or while the stream was broken is told, each once."""

    async def work(client, namespace):
        for name in ("stays", "goes"):
            await client.create(PODS, namespace, pod(name))
        async with watching(client, namespace) as (watch, seen):
            plane.processes["kube-apiserver"].kill()
            plane.processes["kube-apiserver"].start()
            await asyncio.to_thread(plane.wait_until_ready)
            await client.create(PODS, namespace, pod("new"), seconds=40)
            await client.delete(PODS, namespace, "goes")
            await seen.until(("appeared", "new"), ("gone", "goes"))
            assert {"stays", "new"} == {view.metadata.name for view in watch.all()}
            return seen.told()

    told = run(work)

    assert 1 == told.count(("appeared", "new")) == told.count(("appeared", "stays"))
    assert 1 == told.count(("gone", "goes"))


def test_what_vanished_while_nobody_watched_is_told_by_the_list(run, plane, tmp_path):
    """A stream that is cut, deletions behind its back, and a place that the server has forgotten: the list tells."""

    async def work(client, namespace):
        async with Gate(plane.server) as gate, Client(gate.credentials(plane, tmp_path)) as gated:
            for name in ("stays", "goes"):
                await client.create(PODS, namespace, pod(name))
            async with watching(gated, namespace) as (watch, seen):
                gate.shut()
                await client.delete(PODS, namespace, "goes")
                await client.create(PODS, namespace, pod("new"))
                watch._version = "1"  # long compacted
                plane.processes["kube-apiserver"].kill()  # empties the watch cache, which would remember
                plane.processes["kube-apiserver"].start()
                await asyncio.to_thread(plane.wait_until_ready)
                await asyncio.to_thread(_compact, plane)
                gate.open()
                await seen.until(("gone", "goes"), ("appeared", "new"))
                return watch.lists, {view.metadata.name for view in watch.all()}

    lists, there = run(work)

    assert 2 <= lists
    assert {"stays", "new"} == there


def test_silence_is_noticed(run, plane, tmp_path):
    """A stream that is open and says nothing any more is taken up again, from where it was."""

    async def work(client, namespace):
        async with (
            Gate(plane.server) as gate,
            Client(gate.credentials(plane, tmp_path)) as gated,
            watching(gated, namespace, silence=1.0) as (watch, seen),
        ):
            gate.mute()
            await client.create(PODS, namespace, pod("a"))
            streams = watch.streams
            gate.hear_new_ones()
            await seen.until(("appeared", "a"))
            return watch.streams - streams

    assert 1 <= run(work)


def test_shards_are_taken_and_given_up(run):
    """Only pods of our shards are watched; taking one lists what is there, giving one up is no end of its pods."""

    async def work(client, namespace):
        for name, shard in (("one", "01"), ("two", "02"), ("three", "03")):
            await client.create(PODS, namespace, pod(name, **{names.SHARD: shard}))
        async with watching(client, namespace, shards={1, 2}) as (watch, seen):
            assert {"one", "two"} == {view.metadata.name for view in watch.all()}
            await watch.take({2, 3})
            assert {"two", "three"} == {view.metadata.name for view in watch.all()}
            await watch.take(())
            assert 0 == len(watch)
            await watch.take({1})
            assert ["one"] == [view.metadata.name for view in watch.all()]
            return seen.told()

    assert Kind.GONE.value not in {kind for kind, _ in run(work)}


def test_a_refresh_waits_for_a_list_that_is_as_new_as_the_store(run):
    """What was created before the refresh is known after it."""

    async def work(client, namespace):
        async with watching(client, namespace) as (watch, _):
            for number in range(5):
                await client.create(PODS, namespace, pod(f"p{number}"))
                await watch.refresh()
                assert number + 1 == len(watch)
            return watch.lists

    assert 6 == run(work)


def test_many_objects_come_in_pages(run):
    """More than a page holds, each once."""
    count = 1100

    async def work(client, namespace):
        limit = asyncio.Semaphore(32)

        async def one(number):
            async with limit:
                await client.create(CONFIG_MAPS, namespace, _labelled(f"c{number}"))

        await asyncio.gather(*(one(number) for number in range(count)))
        seen = Seen()
        watch = Watch(client, CONFIG_MAPS, Pod, seen, selector=SELECTOR, namespace=namespace)
        task = asyncio.ensure_future(watch.run())
        await asyncio.wait_for(watch.synced(), DEADLINE)
        task.cancel()
        return seen.told()

    assert sorted(("appeared", f"c{number}") for number in range(count)) == sorted(run(work))


def test_a_listener_with_a_bug_does_not_end_the_watch(run):
    """It is logged, and the objects that follow are told as ever."""

    async def work(client, namespace):
        seen, bugs = Seen(), [ZeroDivisionError("a bug")]

        def listener(change):
            seen(change)
            if change.view.metadata.name == "a" and bugs:
                raise bugs.pop()

        watch = Watch(client, PODS, Pod, listener, selector=SELECTOR, namespace=namespace)
        task = asyncio.ensure_future(watch.run())
        await asyncio.wait_for(watch.synced(), DEADLINE)
        await client.create(PODS, namespace, pod("a"))
        await seen.until(("appeared", "a"))
        await client.create(PODS, namespace, pod("b"))
        await seen.until(("appeared", "b"))
        task.cancel()
        return watch.lists

    assert 1 == run(work)


def _labelled(name):
    body = config_map(name)
    body["metadata"]["labels"] = {names.MANAGED: "true"}
    return body


def _compact(plane):
    """Make etcd forget everything but the present."""
    address = plane.etcd_address

    def ask(path, body):
        request = urllib.request.Request(f"{address}/v3/kv/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    revision = ask("range", {"key": "AA=="})["header"]["revision"]
    ask("compaction", {"revision": revision, "physical": True})
