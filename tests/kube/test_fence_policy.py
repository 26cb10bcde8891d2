"""The fence in the API server (protocol.md 3): what an operator creates carries the epoch of the Lease, or is not created."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.cluster.clusters import FREE, SYSTEM, fence_in_force
from tests.kube.test_kube_children import SPEC, registry_of, started_by
from tests.support.fences import fenced, managed, set_epoch
from tests.support.kube import config_map, execution
from tests.support.kube_home import KubernetesHome, Reign
from tests.support.pod_scenes import Forgetful, Scene
from tests.support.stores import a_run
from tests.support.waiting import until, until_async

from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, LEASES, Client, Fenced, from_kubeconfig
from fairlead.kube.client.errors import Request, error_of
from fairlead.kube.lease import Leadership, Times
from fairlead.kube.log import head_name
from fairlead.kube.pods.causes import Held
from fairlead.kube.pods.manifests import pod_name
from fairlead.kube.pods.refusals import refusal_of
from fairlead.kube.premises.policies import FENCE, Policies
from fairlead.model.commands import Wish


def _log(home: KubernetesHome) -> None:
    """A head."""
    uid = home.born()
    home.run(home.raw_log.append(uid, 0, a_run(1)))


def _value(home: KubernetesHome) -> None:
    uid = home.born()
    home.run(home.raw_blobs.keep(uid, {"sha256:0": b"value"}))


def _child(home: KubernetesHome) -> None:
    home.run(registry_of(home).create(started_by("uid-of-a-parent", wait=False), SPEC, {}, Wish()))


def _entry(home: KubernetesHome) -> None:
    home.run(home.raw_cache.put("key", b"entry", None, 0))


CREATES: dict[str, Callable[[KubernetesHome], None]] = {
    "head": _log,
    "value": _value,
    "child": _child,
    "cache entry": _entry,
}


def ours(home: KubernetesHome) -> list[str]:
    """Everything in the namespace that has our label."""
    selector = {"labelSelector": "fairlead.dev/managed=true"}
    lists = [
        json.loads(home.run(home.client.get(kind, home.namespace, params=selector)))
        for kind in (CONFIG_MAPS, EXECUTIONS)
    ]
    return [one["metadata"]["name"] for each in lists for one in each["items"]]


@pytest.mark.parametrize("creates", CREATES.values(), ids=CREATES)
def test_an_old_epoch_creates_nothing(home, cluster, creates):
    """Denied as fenced, which is no verdict about the object; nothing is there. In the epoch of the Lease it is created."""
    told: list[bool] = []
    home.client.when_fenced = lambda: told.append(True)
    with fenced(cluster, home.namespace, 7):
        home.reign.number = 6
        with pytest.raises(
            Fenced, match="the epoch is 6; expected 7 of Lease fairlead: another operator leads"
        ):
            creates(home)
        assert ([], [True]) == (ours(home), told)

        home.reign.number = 7
        creates(home)
        assert 1 == len(ours(home))


def test_a_dry_run_that_asks_for_the_fence_tells_nothing_of_the_lease(home, cluster):
    """It is denied as it should be, once a minute: nobody looks whether another leads. A write that is denied says so."""
    told: list[bool] = []
    home.client.when_fenced = lambda: told.append(True)
    policies = Policies(home.client, home.namespace)
    with fenced(cluster, home.namespace, 7):
        home.run(policies.look())
        assert (policies.in_force[FENCE], told) == (True, [])
        with pytest.raises(Fenced):
            _entry(home)
        assert told == [True]


def test_without_a_lease_nothing_of_ours_is_created(home, cluster):
    """Nobody leads, so nobody may."""
    with fenced(cluster, home.namespace), pytest.raises(Fenced, match="no params found"):
        _entry(home)


def test_what_is_not_ours_is_not_looked_at(home, cluster):
    """Objects without the label, whoever makes them; nor is what is written later, which the version guards."""
    uid = home.born()
    home.run(home.raw_log.append(uid, 0, a_run(1)))
    with fenced(cluster, home.namespace, 2):
        home.run(home.client.create(CONFIG_MAPS, home.namespace, config_map("anything")))
        home.run(home.client.create(EXECUTIONS, home.namespace, json.loads(execution("by-hand"))))
        home.run(home.raw_log.append(uid, 1, a_run(1, 1)))

    assert head_name(home.places.of(uid)) in ours(home)


def test_a_change_of_leaders_is_known_at_once(home, cluster):
    """From one create to the next: the old leader is out, the new one in."""
    with fenced(cluster, home.namespace, 1):
        home.run(home.client.create(CONFIG_MAPS, home.namespace, managed("one", 1)))
        set_epoch(cluster, home.namespace, 2)
        with pytest.raises(Fenced):
            home.run(home.client.create(CONFIG_MAPS, home.namespace, managed("two", 1)))
        home.run(home.client.create(CONFIG_MAPS, home.namespace, managed("three", 2)))

    assert ["one", "three"] == sorted(ours(home))


@pytest.mark.parametrize("code", [403, 422])
@pytest.mark.parametrize(
    "policy, ours",
    [
        ("fence.fairlead.dev", True),
        ("fence.team.release.fairlead.dev", True),
        ("records.fairlead.dev", False),
        ("fence.example.com", False),
        ("a.fence.fairlead.dev", False),
        ("fence.fairlead.dev.example.com", False),
    ],
)
def test_a_denial_by_our_fence_is_known_by_its_name(code, policy, ours):
    """Whatever the install calls it and whichever code the server chooses; others are what they are."""
    said = (
        f"pods \"x\" is forbidden: ValidatingAdmissionPolicy '{policy}' with binding 'b' denied request: no"
    )
    body = json.dumps({"kind": "Status", "message": said, "reason": "Invalid", "code": code})
    error = error_of(Request("create", "/api/v1/pods"), code, {}, body.encode())

    assert ours == isinstance(error, Fenced)
    if ours:
        with pytest.raises(Fenced):
            refusal_of(error)
    else:
        assert isinstance(refusal_of(error), Held)


def test_a_pod_of_an_old_leader_is_never_made(cluster, namespace):
    """The runner says nothing about the attempt, and creates the pod once it has the epoch of the Lease."""

    async def scene() -> None:
        async with Forgetful(from_kubeconfig(cluster.kubeconfig)) as client:
            denied = asyncio.Event()
            client.when_fenced = denied.set
            made = Scene(client, namespace, Reign(1))
            made.uid = await made.execution()
            effect = made.effect()
            async with made.runner:
                made.runner.start(made.uid, effect)
                await asyncio.wait_for(denied.wait(), 30)
                assert await made.found(effect) is None
                made.reign.number = 2
                assert pod_name(effect.id) == (await made.pod(effect)).metadata.name
                assert made.reports.empty()

    with fenced(cluster, namespace, 2):
        asyncio.run(scene())


def test_whoever_is_fenced_off_looks_at_the_lease_at_once(cluster, namespace):
    """Long before the next renewal: a leader whose Lease was taken stops, one that still has it goes on."""
    slow = Times(duration=60.0, renew=50.0, retry=40.0)

    async def scene() -> None:
        async with Client(from_kubeconfig(cluster.kubeconfig)) as client:
            leader = Leadership(client, namespace, "fairlead", "one", times=slow)
            client.when_fenced = leader.doubt
            begun = asyncio.Event()

            async def lead() -> None:
                begun.set()
                await asyncio.Event().wait()

            work = asyncio.ensure_future(leader.run(lead))
            await asyncio.wait_for(begun.wait(), 30)
            epoch = leader.epoch()
            with pytest.raises(Fenced):
                await client.create(CONFIG_MAPS, namespace, managed("early", epoch - 1))
            renewed = await _version_after(client, namespace, epoch)
            assert leader.leading

            await _take_over(client, namespace, renewed, epoch + 1)
            await _until_fenced(client, namespace, epoch)
            await until_async(lambda: _true(not leader.leading), "the leader has stopped", 20)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    with fenced(cluster, namespace):
        asyncio.run(scene())


async def _true(it: bool) -> bool | None:
    return it or None


async def _lease(client: Client, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await client.get(LEASES, namespace, "fairlead"))
    return found


async def _version_after(client: Client, namespace: str, epoch: int) -> str:
    """The version of the Lease once it was renewed after it was taken."""

    async def renewed() -> str | None:
        lease = await _lease(client, namespace)
        spec = lease["spec"]
        again = spec["renewTime"] != spec["acquireTime"] and spec["leaseTransitions"] == epoch
        return str(lease["metadata"]["resourceVersion"]) if again else None

    return await until_async(renewed, "the Lease is renewed", 20)


async def _take_over(client: Client, namespace: str, version: str, epoch: int) -> None:
    spec = {"holderIdentity": "two", "leaseTransitions": epoch}
    await client.patch(
        LEASES, namespace, "fairlead", {"metadata": {"resourceVersion": version}, "spec": spec}
    )


async def _until_fenced(client: Client, namespace: str, epoch: int) -> None:
    """Create with an epoch until it is an old one."""
    for number in range(1000):
        try:
            await client.create(CONFIG_MAPS, namespace, managed(f"late-{number}", epoch))
        except Fenced:
            return
    raise AssertionError(f"epoch {epoch} still passes")


def test_the_shipped_binding_is_for_the_whole_cluster(plane):
    """But for namespaces that say that another install looks after them."""
    free = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "another", "labels": FREE}}
    plane.kubectl("create", "-f", "-", text=json.dumps(free))

    said: list[str] = []

    def create(name: str, epoch: int, namespace: str = "default") -> bool:
        try:
            plane.kubectl("-n", namespace, "create", "-f", "-", text=json.dumps(managed(name, epoch)))
        except subprocess.CalledProcessError as error:
            said.append("".join(error.__notes__))
            return False
        return True

    numbers = iter(range(10_000))
    with fence_in_force(plane.kubeconfig):
        until(lambda: not create(f"early-{next(numbers)}", 1), "the fence is in force")
        assert create("here", 1, "another")

        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "fairlead", "namespace": SYSTEM},
            "spec": {"leaseTransitions": 1},
        }
        plane.kubectl("create", "-f", "-", text=json.dumps(lease))
        until(lambda: create("mine", 1), "the Lease is known")
        assert not create("old", 0)
    assert said == [one for one in said if "ValidatingAdmissionPolicy 'fence." in one]
    until(lambda: create(f"late-{next(numbers)}", 0), "the fence is not in force any more")
