"""The runner port on a real API server: pods that KWOK plays, and pods that the test plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.cluster.clusters import Cluster
from tests.support.pod_scenes import Forgetful, Play, Scene, played_on
from tests.support.waiting import until_async

from fairlead.kube import names
from fairlead.kube.client import PODS
from fairlead.model import commands as c
from fairlead.model.effects import StopAttempt


@pytest.fixture
def play(cluster: Cluster, namespace: str) -> Callable[[Play], None]:
    """Runs a scene."""
    return played_on(Forgetful, cluster.kubeconfig, namespace)


def test_a_delivery_is_a_pod_that_reports_and_is_let_go(play: Callable[[Play], None]):
    """Created, played to its end, reported with its outputs; let go only once the end is in the log."""

    async def scene(made: Scene) -> None:
        effect = made.effect(played=True)
        made.runner.start(made.uid, effect)
        pod = await made.until(effect, lambda pod: pod.status.phase == "Succeeded")

        assert made.runner.seen(pod)
        report = await made.heard()
        assert isinstance(report, c.AttemptEnded)
        assert {} == report.outputs

        made.runner.settled(made.uid, lambda *_: True)
        await made.runner.idle(made.uid)
        assert (names.RESULT_FINALIZER,) == (await made.pod(effect)).metadata.finalizers
        made.runner.settled(made.uid, lambda *_: False)
        await made.until(effect, lambda pod: not pod.metadata.finalizers)
        assert "true" == (await made.labels(effect))[names.DONE]

    play(scene)


def test_the_same_order_twice_is_one_pod(play: Callable[[Play], None]):
    """Also from another process, which adopts what it finds: the identity agrees, and so does the owner."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        made.runner.start(made.uid, effect)
        first = await made.pod(effect)
        await made.status(effect, phase="Running", containerStatuses=[_container({"running": {}})])
        async with made.another() as after_a_crash:
            after_a_crash.start(made.uid, effect)
            started = await made.heard()

        assert isinstance(started, c.AttemptStarted)
        assert first.metadata.uid == started.handle

    play(scene)


def test_somebody_elses_pod_is_not_taken_for_ours(play: Callable[[Play], None]):
    """A name that is taken is shown, and nothing is concluded from that pod."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        squatter = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": names.record_name("pod", effect.id)},
            "spec": {"containers": [{"name": "node", "image": "x"}], "nodeSelector": {"type": "nobody"}},
        }
        await made.client.create(PODS, made.namespace, squatter)
        made.runner.start(made.uid, effect)
        held = await made.heard()

        assert isinstance(held, c.AttemptHeld)
        assert ("PodRefused", True) == (held.reason, "is not ours" in held.message)

    play(scene)


def test_a_result_counts_from_the_pod_that_was_recorded_alone(play: Callable[[Play], None]):
    """A leader that slept has made another pod for the same delivery: its result is nobody's, and the recorded one is lost."""

    async def scene(made: Scene) -> None:
        effect = made.effect(played=True)
        made.runner.start(made.uid, effect)
        pod = await made.until(effect, lambda pod: pod.status.phase == "Succeeded")
        async with made.another() as later:
            later.take_up(made.uid, msgspec.structs.replace(effect, handle="the uid of another"), pod)
            assert not later.seen(pod)
            lost = await made.heard_end()

        assert isinstance(lost, c.AttemptLost)

    play(scene)


def test_who_does_not_lead_lets_nothing_go(play: Callable[[Play], None]):
    """The fence is asked before a pod is deleted, and before its finalizer goes."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        pod = await made.pod(effect)
        made.reign.number = None
        await made.runner.end(pod)

        left = (await made.pod(effect)).metadata
        held = pod.metadata.uid, pod.metadata.finalizers, None
        assert (left.uid, left.finalizers, left.deletion_timestamp) == held

    play(scene)


def test_a_stopped_delivery_ends_by_the_deletion_of_its_pod(play: Callable[[Play], None]):
    """The pod is deleted by uid; with the kubelet's last word it has ended, and the finalizer has kept it until then."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        await made.pod(effect)
        made.runner.stop(made.uid, StopAttempt(id=effect.id, node="a", attempt=1, delivery=1, grace=0))
        pod = await made.until(effect, lambda pod: pod.metadata.deletion_timestamp is not None)
        made.runner.seen(pod)
        ended = await made.heard_end()

        assert isinstance(ended, c.AttemptLost)
        assert "PodDeleted" == ended.reason
        made.runner.settled(made.uid, lambda *_: False)
        await made.gone(effect)

    play(scene)


def test_a_delivery_that_is_ended_before_its_pod_was_asked_for_has_ended(play: Callable[[Play], None]):
    """Nothing is created for it."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        made.runner.stop(made.uid, StopAttempt(id=effect.id, node="a", attempt=1, delivery=1, grace=0))
        ended = await made.heard_end()

        assert isinstance(ended, c.AttemptEnded)
        assert ended.error is not None
        assert "Cancelled" == ended.error.reason

    play(scene)


def test_a_running_delivery_whose_pod_is_gone_is_lost(play: Callable[[Play], None]):
    """The API server is asked before that is concluded, and a pod that was recorded is never created again."""

    async def scene(made: Scene) -> None:
        made.runner.start(made.uid, made.effect(handle="a-uid-that-is-gone"))
        lost = await made.heard_end()

        assert isinstance(lost, c.AttemptLost)
        assert "PodDeleted" == lost.reason

    play(scene)


def test_a_pod_that_cannot_be_read_is_not_created_again(play: Callable[[Play], None]):
    """It vanished, and the first look at it got no answer: the next look says that it is lost, and there is no second pod."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        pod = await made.pod(effect)
        assert made.runner.seen(pod)
        await made.client.patch(PODS, made.namespace, pod.metadata.name, {"metadata": {"finalizers": None}})
        await made.client.delete(PODS, made.namespace, pod.metadata.name, seconds=30)
        await made.gone(effect)
        made.client.reads_that_fail = 1
        made.runner.vanished(pod)
        lost = await made.heard_end()

        assert isinstance(lost, c.AttemptLost)
        assert 0 == made.client.reads_that_fail
        assert await made.found(effect) is None

    play(scene)


@pytest.mark.parametrize(
    "labels",
    [{names.DONE: "true", names.MANAGED: None}, {names.SHARD: "nowhere"}, {names.EXECUTION_UID: "another"}],
    ids=["done", "shard", "uid"],
)
def test_labels_that_hide_a_pod_from_the_watch_are_set_right(
    play: Callable[[Play], None], labels: dict[str, str | None]
):
    """Somebody marks a pod that runs as done, or as of another shard: it has not ended, and is marked as it was."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        pod = await made.pod(effect)
        assert made.runner.seen(pod)
        patch = {"metadata": {"labels": labels}}
        await made.client.patch(PODS, made.namespace, pod.metadata.name, patch)
        made.runner.vanished(pod)
        again = await made.until(effect, lambda pod: pod.is_watched_for(made.uid))

        assert again.metadata.uid == pod.metadata.uid
        while not made.reports.empty():  # that no node fits it may be told: it is no end
            told = made.reports.get_nowait()
            assert isinstance(told, c.AttemptHeld)
            assert told.reason == "Unschedulable"

    play(scene)


def test_a_quota_holds_the_pod_until_there_is_room(
    play: Callable[[Play], None], cluster: Cluster, namespace: str
):
    """Held with the API server's words, tried again, and created once the quota allows it."""

    async def scene(made: Scene) -> None:
        cluster.kubectl("-n", namespace, "create", "quota", "none", "--hard=pods=0")
        await _in_force(cluster, namespace)
        effect = made.effect()
        made.runner.start(made.uid, effect)
        held = await made.heard()

        assert isinstance(held, c.AttemptHeld)
        assert ("QuotaExceeded", True) == (held.reason, "pods=0" in held.message)
        cluster.kubectl("-n", namespace, "delete", "quota", "none")
        await made.pod(effect)

    play(scene)


def test_a_service_account_that_is_missing_is_waited_for(play: Callable[[Play], None]):
    """The refusal names it."""

    async def scene(made: Scene) -> None:
        run = {"sh": "true", "serviceAccountName": "nobody"}
        made.runner.start(made.uid, made.effect({"run": run}))
        held = await made.heard()

        assert isinstance(held, c.AttemptHeld)
        assert ("PodRefused", True) == (held.reason, '"nobody" not found' in held.message)

    play(scene)


def test_a_pod_that_the_server_finds_invalid_fails_the_attempt(play: Callable[[Play], None]):
    """No waiting mends a value that is no quantity of anything."""

    async def scene(made: Scene) -> None:
        run = {"sh": "true", "pod": {"nodeSelector": {"not a label!": "x"}}}
        made.runner.start(made.uid, made.effect({"run": run}))
        ended = await made.heard_end()

        assert isinstance(ended, c.AttemptEnded)
        assert ended.error is not None
        assert ("PodInvalid", True) == (ended.error.reason, "not a label!" in ended.error.message)

    play(scene)


def test_a_leader_no_more_creates_nothing(play: Callable[[Play], None]):
    """The fence is asked before the request; leading again, it goes on."""

    async def scene(made: Scene) -> None:
        made.reign.number = None
        effect = made.effect()
        made.runner.start(made.uid, effect)
        made.reign.number = 2
        await made.pod(effect)

        assert "2" == (await made.labels(effect))[names.EPOCH]

    play(scene)


def _container(state: dict[str, Any]) -> dict[str, Any]:
    return {"name": "node", "image": "x", "imageID": "", "ready": True, "restartCount": 0, "state": state}


async def _in_force(cluster: Cluster, namespace: str) -> None:
    """The quota controller has looked at the quota."""

    async def looked() -> str | None:
        shown = "jsonpath={.status.hard.pods}"
        return cluster.kubectl("-n", namespace, "get", "quota", "none", "-o", shown) or None

    await until_async(looked, "the quota in force")
