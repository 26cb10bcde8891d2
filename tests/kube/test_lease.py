"""Leadership by Lease on a real API server: one leader at a time, epochs that only grow, a paused leader that changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.kube_faults import Fault, FaultyClient, Gate
from tests.support.kube_home import Reign
from tests.support.waiting import until

from fairlead.kube.client import EXECUTIONS, LEASES, Ambiguous, Client, from_kubeconfig
from fairlead.kube.fence import NotLeader
from fairlead.kube.lease import Leadership, Times
from fairlead.kube.log import KubernetesLog, head_name
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.model.errors import NotFound

ROOT = Path(__file__).resolve().parents[2]
QUICK = Times(duration=2.0, renew=1.2, retry=0.2)
DEADLINE = 30.0


@pytest.fixture
def run(cluster, namespace):
    """Run work that is given a client and the namespace."""

    def start(work):
        async def body():
            async with Client(from_kubeconfig(cluster.kubeconfig)) as client:
                return await asyncio.wait_for(work(client, namespace), 2 * DEADLINE)

        return asyncio.run(body())

    return start


def leader(client, namespace, identity, **words):
    return Leadership(client, namespace, "operator", identity, times=QUICK, **words)


class Reigns:
    """Who leads, in which epoch, one after the other."""

    def __init__(self):
        self.epochs = []
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def of(self, leadership):
        async def lead():
            self.epochs.append((leadership.writer.partition("_")[0], leadership.epoch()))
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()

        return lead


@contextlib.asynccontextmanager
async def running(leadership, reigns):
    """A candidate at work; it stops in good order."""
    task = asyncio.ensure_future(leadership.run(reigns.of(leadership)))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def spec_of(client, namespace):
    return json.loads(await client.get(LEASES, namespace, "operator"))["spec"]


def test_one_leads_and_the_other_waits(run):
    """The first to come makes the Lease; the second gets it when the first stops, in the next epoch, without waiting for
    its end.
    """

    async def work(client, namespace):
        reigns, first, second = Reigns(), leader(client, namespace, "a"), leader(client, namespace, "b")
        async with running(first, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            reigns.begun.clear()
            with pytest.raises(NotLeader):
                second.epoch()
            other = asyncio.ensure_future(second.run(reigns.of(second)))
            held = await spec_of(client, namespace)
        with pytest.raises(NotLeader):
            first.epoch()
        await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        return held, reigns.epochs, await spec_of(client, namespace)

    held, epochs, left = run(work)

    assert ("a", 1, 2) == (
        held["holderIdentity"].partition("_")[0],
        held["leaseTransitions"],
        held["leaseDurationSeconds"],
    )
    assert [("a", 1), ("b", 2)] == epochs
    assert ("", 2) == (left["holderIdentity"], left["leaseTransitions"])


def test_a_lease_is_renewed_as_long_as_it_is_held(run):
    """Well beyond its duration it still has the same holder and epoch."""

    async def work(client, namespace):
        reigns, first = Reigns(), leader(client, namespace, "a")
        async with running(first, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            begun = await spec_of(client, namespace)
            async with asyncio.timeout(DEADLINE):
                while (now := await spec_of(client, namespace))["renewTime"][:19] <= _later(begun):
                    assert first.leading
                    await asyncio.sleep(QUICK.retry)
            return reigns.epochs, begun["acquireTime"] == now["acquireTime"]

    assert ([("a", 1)], True) == run(work)


def _later(spec):
    """Three seconds after it was acquired."""
    return (datetime.fromisoformat(spec["acquireTime"]) + timedelta(seconds=3)).isoformat()[:19]


def test_a_dead_leader_is_replaced_when_its_time_is_over(run):
    """Nobody gives the Lease back; the standby takes it when it has not changed for its duration."""

    async def work(client, namespace):
        reigns, first, second = Reigns(), leader(client, namespace, "a"), leader(client, namespace, "b")
        assert await first._try(5)  # and never renews
        async with running(second, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            assert not first.leading
            return reigns.epochs

    assert [("b", 2)] == run(work)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_restart_under_the_same_identity(run, exclusive):
    """Takes its Lease at once, in the next epoch, if nobody else can run under that identity; else it waits like anybody."""

    async def work(client, namespace):
        before = leader(client, namespace, "a")
        assert await before._try(5)
        after = leader(client, namespace, "a", exclusive=exclusive)
        return await after._try(5), (await spec_of(client, namespace))["leaseTransitions"]

    assert ((True, 2) if exclusive else (False, 1)) == run(work)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_takeover_without_an_answer_is_tried_again_at_once(run, cluster, fault):
    """If it was done, the Lease has our own name, and nobody waits for us to expire; the epoch is above the unanswered one."""

    async def work(client, namespace):
        async with FaultyClient(from_kubeconfig(cluster.kubeconfig)) as faulty:
            faults = iter([fault])
            faulty.fate = lambda *_: next(faults, Fault.NONE)
            candidate = leader(faulty, namespace, "a")
            with pytest.raises(Ambiguous):
                await candidate._try(5)
            assert await candidate._try(5)
            return candidate.epoch(), (await spec_of(client, namespace))["leaseTransitions"]

    epoch, stored = run(work)

    assert epoch == stored
    assert (1 if fault is Fault.LOST else 2) == epoch


def test_renewals_do_not_get_in_the_way_of_a_higher_epoch(run):
    """Both write the Lease of one holder, one after the other."""

    async def work(client, namespace):
        reigns, first = Reigns(), leader(client, namespace, "a")
        async with running(first, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            for epoch in range(10, 60):
                await first.rise_above(epoch)
            return first.epoch(), reigns.epochs

    assert (60, [("a", 1)]) == run(work)


def test_a_leader_that_cannot_renew_stops_before_anybody_takes_over(run, cluster, tmp_path):
    """The fence closes, and the work is cancelled; when the way is free again it leads in a new epoch."""

    async def work(client, namespace):
        server = json.loads(cluster.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"][
            "server"
        ]
        async with Gate(server) as gate, Client(gate.credentials(cluster, tmp_path)) as gated:
            reigns, first = Reigns(), leader(gated, namespace, "a")
            async with running(first, reigns):
                await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
                gate.shut()
                await asyncio.wait_for(reigns.ended.wait(), DEADLINE)
                still = (await spec_of(client, namespace))["holderIdentity"]
                closed = not first.leading
                reigns.begun.clear()
                gate.open()
                await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
                return still == first.writer, closed, reigns.epochs

    assert (True, True, [("a", 1), ("a", 2)]) == run(work)


def test_a_stolen_lease_ends_the_reign(run):
    """Somebody writes another holder: we stop at once, and take it back only when it has expired."""

    async def work(client, namespace):
        reigns, first = Reigns(), leader(client, namespace, "a")
        async with running(first, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            await client.patch(
                LEASES, namespace, "operator", {"spec": {"holderIdentity": "thief", "leaseTransitions": 9}}
            )
            await asyncio.wait_for(reigns.ended.wait(), DEADLINE)
            reigns.begun.clear()
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            return reigns.epochs

    assert [("a", 1), ("a", 10)] == run(work)


def test_a_deleted_lease_does_not_bring_an_epoch_back(run):
    """Who holds it writes it again as it was; who comes new rises above what the heads show."""

    async def work(client, namespace):
        reigns, first = Reigns(), leader(client, namespace, "a")
        async with running(first, reigns):
            await asyncio.wait_for(reigns.begun.wait(), DEADLINE)
            await client.delete(LEASES, namespace, "operator")
            again = await _made_again(client, namespace)
            assert (first.writer, 1) == (again["holderIdentity"], again["leaseTransitions"])
        await client.delete(LEASES, namespace, "operator")
        stranger = leader(client, namespace, "b")
        assert await stranger._try(5)
        fresh = stranger.epoch()
        await stranger.rise_above(41)
        await stranger.rise_above(7)
        return reigns.epochs, fresh, stranger.epoch(), (await spec_of(client, namespace))["leaseTransitions"]

    assert ([("a", 1)], 1, 42, 42) == run(work)


async def _made_again(client, namespace):
    async with asyncio.timeout(DEADLINE):
        while True:
            with contextlib.suppress(NotFound):
                return await spec_of(client, namespace)


def test_work_that_was_told_it_does_not_lead_ends_the_reign(run):
    """A head with a later epoch than ours is such a word; the Lease is asked for again."""

    async def work(client, namespace):
        first, epochs = leader(client, namespace, "a"), []

        async def lead():
            epochs.append(first.epoch())
            if len(epochs) == 1:
                raise NotLeader("a head has a later epoch")

        await asyncio.wait_for(first.run(lead), DEADLINE)
        return epochs

    assert 2 == len(run(work))


def test_an_epoch_that_a_head_shows_is_passed_at_once(run):
    """A Lease that began anew counts from 1; who meets a head of before it loses one reign, and not one for each epoch."""

    async def work(client, namespace):
        first, epochs = leader(client, namespace, "a"), []

        async def lead():
            epochs.append(first.epoch())
            if epochs[-1] <= 40:
                raise NotLeader("a head has a later epoch", 40)

        await asyncio.wait_for(first.run(lead), DEADLINE)
        return epochs

    assert [1, 41] == run(work)


PROGRAM = """
import asyncio, sys
from fairlead.kube.client import Client, from_kubeconfig
from fairlead.kube.lease import Leadership, Times
from fairlead.kube.log import KubernetesLog, head_name
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.model.errors import NotFound
from fairlead.kube.log import KubernetesLog
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.model.errors import Conflict
from fairlead.model.events import NodeCompleted

async def main(kubeconfig, namespace, name, uid, identity):
    async with Client(from_kubeconfig(kubeconfig)) as client:
        leadership = Leadership(client, namespace, "operator", identity, times=Times(2.0, 1.2, 0.2))
        places = Places()
        places.tell(uid, Place(namespace, name, uid))

        async def lead():
            log = KubernetesLog(client, places, leadership)
            await log.claim(uid)
            last = len(await log.read(uid))
            print("leads", leadership.epoch(), flush=True)
            while True:
                event = NodeCompleted(seq=last + 1, node="n", path="0", port="success", message=identity)
                await log.append(uid, last, [event])
                last += 1

        await leadership.run(lead)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_leader_that_was_paused_changes_nothing(run, cluster, namespace):
    """SIGSTOP until another leads, then SIGCONT: from the other's claim on every event is the other's."""

    async def born(client, namespace):
        body = {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "WorkflowExecution",
            "metadata": {"name": "e"},
            "spec": {"workflow": {"name": "flow"}},
        }

        return (await client.create(EXECUTIONS, namespace, body)).uid

    uid = run(born)

    def operator(identity):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(cluster.kubeconfig), namespace, "e", uid, identity],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
        )

    def batches():
        """Writer and number of events of each batch, in order."""
        name = head_name(Place(namespace, "e", uid))
        found = json.loads(cluster.kubectl("-n", namespace, "get", "configmap", name, "-o", "json"))["data"]
        return json.loads(found["head"])

    first, second = operator("a"), None
    try:
        assert "leads 1" == _told(first)
        second = operator("b")
        until(lambda: batches()["lastSeq"] > 3, "events of the first")
        first.send_signal(signal.SIGSTOP)
        assert "leads 2" == _told(second)
        taken = batches()["lastSeq"]
        first.send_signal(signal.SIGCONT)
        until(lambda: batches()["lastSeq"] > taken + 10, "events of the second")
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.communicate()

    async def read(client, namespace):

        places = Places()
        places.tell(uid, Place(namespace, "e", uid))
        events: list[Any] = list(await KubernetesLog(client, places, Reign(99)).read(uid))
        return [event.message for event in events]

    writers = run(read)

    assert {"a", "b"} == set(writers)
    assert ["a", "b"] == list(dict.fromkeys(writers))
    assert writers == sorted(writers), "an event of the first after one of the second"


def _told(process):
    """The next line about leading; log lines come between."""
    return next(line.strip() for line in process.stdout if line.startswith("leads"))
