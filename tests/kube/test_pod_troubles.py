"""The runner port where the API server is slow, refuses or cannot say: nothing is doubled, nothing is held for ever, it shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.cluster.clusters import Cluster
from tests.support.pod_scenes import Forgetful, Play, Scene, played_on
from tests.support.policies import broken_webhook, denying, hanging_webhook, refused_with
from tests.support.waiting import until_async

from fairlead.kube import names
from fairlead.kube.client import PODS, Ambiguous, Resource
from fairlead.kube.pods.manifests import pod_of
from fairlead.model import commands as c
from fairlead.model.effects import StopAttempt
from fairlead.model.errors import Conflict

CALMLY = pytest.mark.timeout(120, func_only=True)


class Slow(Forgetful):
    """A client whose creations of pods wait at a gate, and which somebody else's writes cross so many times."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.gate: asyncio.Event | None = None
        self.under_way = asyncio.Event()
        self.crossed = 0
        self.unanswered = 0
        self.ends: list[tuple[str, bool]] = []
        """Of which execution each pod was whose creation had an answer, and whether it was made."""

    async def create(self, resource: Resource, *words: Any, **more: Any) -> Any:
        """As a slow admission webhook has it."""
        if resource is PODS and self.gate is not None:
            self.under_way.set()
            await self.gate.wait()
        if resource is PODS and self.unanswered:
            self.unanswered -= 1
            raise Ambiguous("the answer was lost")
        if resource is not PODS:
            return await super().create(resource, *words, **more)
        uid = words[1]["metadata"]["labels"][names.EXECUTION_UID]
        try:
            made = await super().create(resource, *words, **more)
        except Ambiguous:
            self.ends.append((uid, False))
            raise
        self.ends.append((uid, True))
        return made

    async def patch(self, *words: Any, **more: Any) -> Any:
        if self.crossed:
            self.crossed -= 1
            raise Conflict("somebody else has written it meanwhile")
        return await super().patch(*words, **more)


@pytest.fixture
def play(cluster: Cluster, namespace: str) -> Callable[[Play], None]:
    """Runs a scene."""
    return played_on(Slow, cluster.kubeconfig, namespace)


def _slow(made: Scene) -> Slow:
    assert isinstance(made.client, Slow)
    return made.client


def _stop(made: Scene, effect: Any) -> None:
    made.runner.stop(made.uid, StopAttempt(id=effect.id, node="a", attempt=1, delivery=1, grace=0))


def test_a_delivery_that_is_stopped_while_its_pod_is_being_made_has_not_ended(play: Callable[[Play], None]):
    """A webhook takes its time: nobody hears of an end before the pod is there and gone, so that no second one runs beside it."""

    async def scene(made: Scene) -> None:
        client, effect = _slow(made), made.effect()
        client.gate = asyncio.Event()
        made.runner.start(made.uid, effect)
        await client.under_way.wait()
        _stop(made, effect)
        for _ in range(3):  # time enough to look for the pod, and to find none
            assert await made.found(effect) is None
        assert made.reports.empty()
        client.gate.set()
        made.runner.seen(await made.until(effect, lambda pod: pod.metadata.deletion_timestamp is not None))
        ended = await made.heard_end()

        assert isinstance(ended, c.AttemptLost)
        assert ended.reason == "PodDeleted"

    play(scene)


def test_a_delivery_that_is_taken_up_to_be_stopped_is_looked_for(play: Callable[[Play], None]):
    """Whoever asked for its pod before has not told, and no watch shows it yet: it has ended when its pod is gone."""

    async def scene(made: Scene) -> None:
        effect, never = made.effect(), made.effect(attempt=2)
        made.runner.start(made.uid, effect)
        pod = await made.pod(effect)
        async with made.another() as later:
            later.take_up(made.uid, effect, None)
            later.stop(made.uid, StopAttempt(id=effect.id, node="a", attempt=1, delivery=1, grace=0))
            later.take_up(made.uid, never, None)
            later.stop(made.uid, StopAttempt(id=never.id, node="a", attempt=2, delivery=1, grace=0))
            told = await made.heard_end()
            assert isinstance(told, c.AttemptEnded)
            assert told.attempt == 2
            going = await made.until(effect, lambda pod: pod.metadata.deletion_timestamp is not None)
            later.seen(going)
            told = await made.heard_end()
            assert isinstance(told, c.AttemptLost)
            assert (told.attempt, going.metadata.uid) == (1, pod.metadata.uid)
            assert await made.found(never) is None

    play(scene)


def test_a_creation_that_takes_long_is_shown(play: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch):
    """The run says that the API server does not answer, and takes that back when it has."""
    monkeypatch.setattr("fairlead.kube.pods.runner.SLOW", 0.1)

    async def scene(made: Scene) -> None:
        client, effect = _slow(made), made.effect()
        client.gate = asyncio.Event()
        made.runner.start(made.uid, effect)
        held = await made.heard()
        assert isinstance(held, c.AttemptHeld)
        assert (held.reason, "webhook" in held.message) == ("ClusterUnavailable", True)
        client.gate.set()
        pod = await made.pod(effect)
        made.runner.seen(pod)
        over = await made.heard()
        assert isinstance(over, c.AttemptHeld)
        assert over.reason in ("", "Unschedulable")  # the scheduler may have had its say by now

    play(scene)


@CALMLY
def test_a_webhook_that_is_broken_is_named(play: Callable[[Play], None], cluster: Cluster, namespace: str):
    """The API server answers 500 because nobody answers it: the run waits, says so, and goes on when the webhook is gone."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        with broken_webhook(cluster, namespace):
            made.runner.start(made.uid, effect)
            held = await made.heard()
            assert isinstance(held, c.AttemptHeld)
            assert (held.reason, "broken.example.com" in held.message) == ("ClusterUnavailable", True)
        await made.pod(effect)

    play(scene)


@CALMLY
def test_a_webhook_that_hangs_keeps_no_other_run_waiting(
    play: Callable[[Play], None], cluster: Cluster, namespace: str
):
    """It hangs for a hundred pods of one run: those of another are made before it has refused the first, and at last all are."""

    async def scene(made: Scene) -> None:
        other, answered = await made.execution("other"), _slow(made).ends
        crowd = [made.effect(attempt=number) for number in range(1, 101)]
        with hanging_webhook(cluster, namespace, {names.EXECUTION_UID: made.uid}):
            for effect in crowd:
                made.runner.start(made.uid, effect)
            await until_async(lambda: _begun(made, 32), "as many as may are asked for")
            for effect in crowd[:50]:
                again = msgspec.structs.replace(effect, id=effect.id.replace(made.uid, other))
                made.runner.start(other, again)
            await until_async(lambda: _answered(answered, other, 50), "those of the other run are made")
            assert {uid for uid, _ in answered} == {other}
        for effect in crowd:
            await made.pod(effect)

    play(scene)


async def _begun(made: Scene, count: int) -> bool | None:
    return made.runner.waiting <= made.runner.deliveries - count or None


async def _answered(answered: list[tuple[str, bool]], uid: str, count: int) -> bool | None:
    return answered.count((uid, True)) == count or None


def test_one_lost_answer_is_not_shown(play: Callable[[Play], None]):
    """It is settled by looking, and a crowd of runs does not write that into its logs."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        _slow(made).unanswered = 1
        made.runner.start(made.uid, effect)
        made.runner.seen(await made.pod(effect))
        _stop(made, effect)
        made.runner.seen(await made.until(effect, lambda pod: pod.metadata.deletion_timestamp is not None))
        heard = [await made.heard()]
        while not isinstance(heard[-1], c.AttemptLost):
            heard.append(await made.heard())

        assert "ClusterUnavailable" not in [one.reason for one in heard if isinstance(one, c.AttemptHeld)]

    play(scene)


def test_a_conflict_is_no_verdict_about_a_pod(play: Callable[[Play], None]):
    """Somebody writes to the pod all the time, and our patch that lets it go is refused: it is sent until the pod is free."""

    async def scene(made: Scene) -> None:
        effect = made.effect(played=True)
        made.runner.start(made.uid, effect)
        pod = await made.until(effect, lambda pod: pod.status.phase == "Succeeded")
        assert made.runner.seen(pod)
        assert isinstance(await made.heard(), c.AttemptEnded)
        _slow(made).crossed = 1
        made.runner.settled(made.uid, lambda *_: False)
        await made.until(effect, lambda pod: not pod.metadata.finalizers)

    play(scene)


@CALMLY
def test_a_policy_that_denies_to_let_a_pod_go_is_outlived(
    play: Callable[[Play], None], cluster: Cluster, namespace: str
):
    """Denied, the finalizer stays; when the policy is gone, so is the finalizer, without anybody's doing."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["UPDATE"]}
    label = f"has(object.metadata.labels) && '{names.DONE}' in object.metadata.labels"

    async def scene(made: Scene) -> None:
        effect = made.effect(played=True)
        made.runner.start(made.uid, effect)
        pod = await made.until(effect, lambda pod: pod.status.phase == "Succeeded")

        def denied() -> bool:
            patch = json.dumps({"metadata": {"labels": {names.DONE: "true"}}})
            words = ("patch", "pod", pod.metadata.name, "--dry-run=server", "-p", patch)
            return refused_with("not on Sundays", lambda: cluster.kubectl("--namespace", namespace, *words))

        assert made.runner.seen(pod)
        assert isinstance(await made.heard(), c.AttemptEnded)
        with denying(cluster, namespace, rule, f"!({label})", denied):
            made.runner.settled(made.uid, lambda *_: False)
            for _ in range(3):
                assert (await made.pod(effect)).metadata.finalizers
        await made.until(effect, lambda pod: not pod.metadata.finalizers)

    play(scene)


@CALMLY
def test_what_cannot_be_read_any_more_ends_with_the_wish_to_end_it(
    play: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
):
    """The result stands in a log that the API server cannot give: shown as long as it is waited for, lost when it is not."""
    monkeypatch.setattr("fairlead.kube.pods.runner.LOG_PATIENCE", 1.0)
    message = json.dumps({"log": {"lines": 3, "bytes": 3000, "sha256": "0" * 64}})
    run = {"sh": "true", "pod": {"annotations": {"fairlead.dev/kwok-message": message}}}

    async def scene(made: Scene) -> None:
        effect = made.effect({"run": run})
        made.runner.start(made.uid, effect)
        made.runner.seen(await made.until(effect, lambda pod: pod.status.phase == "Succeeded"))
        held = await made.heard()
        while not (isinstance(held, c.AttemptHeld) and held.reason == "ClusterUnavailable"):
            held = await made.heard()
        assert "log" in held.message
        _stop(made, effect)
        lost = await made.heard_end()

        assert isinstance(lost, c.AttemptLost)
        assert lost.reason == "RunnerFailed"

    play(scene)


def test_an_error_of_ours_is_shown_and_tried_again(
    play: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
):
    """A delivery that we cannot cope with says so in its run, and is not forgotten."""

    def breaks(*words: Any) -> Any:
        monkeypatch.setattr("fairlead.kube.pods.runner.pod_of", pod_of)
        raise RuntimeError("a mistake")

    monkeypatch.setattr("fairlead.kube.pods.runner.pod_of", breaks)

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        held = await made.heard()
        assert isinstance(held, c.AttemptHeld)
        assert (held.reason, "a mistake" in held.message) == ("InternalError", True)
        await made.pod(effect)

    play(scene)


def test_an_older_view_of_a_pod_changes_nothing(play: Callable[[Play], None]):
    """A list from a cache that lags shows the pod as it was: its end was told, is not told again, and nothing is made anew."""

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        young = await made.pod(effect)
        made.runner.seen(young)
        ended = {"exitCode": 0, "reason": "Completed", "message": '{"outputs":{}}'}
        container = {"name": "node", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
        old = await made.status(
            effect, phase="Succeeded", containerStatuses=[{**container, "state": {"terminated": ended}}]
        )
        made.runner.seen(old)
        assert isinstance(await made.heard_end(), c.AttemptEnded)
        made.runner.seen(young)
        made.runner.settled(made.uid, lambda *_: False)
        made.runner.seen(young)
        await made.until(effect, lambda pod: not pod.metadata.finalizers)
        made.runner.vanished(old)
        made.runner.seen(young)

        assert (await made.pod(effect)).metadata.uid == old.metadata.uid
        assert made.reports.empty()

    play(scene)


def test_finalizers_of_others_stay(play: Callable[[Play], None]):
    """Somebody else holds the pod too, before us and after us in the list: ours alone goes."""

    async def scene(made: Scene) -> None:
        effect = made.effect(played=True)
        made.runner.start(made.uid, effect)
        pod = await made.until(effect, lambda pod: pod.status.phase == "Succeeded")
        held = ["example.com/before", names.RESULT_FINALIZER, "example.com/after"]
        await made.client.patch(PODS, made.namespace, pod.metadata.name, {"metadata": {"finalizers": held}})
        assert made.runner.seen(pod)
        assert isinstance(await made.heard(), c.AttemptEnded)
        made.runner.settled(made.uid, lambda *_: False)
        free = await made.until(effect, lambda pod: names.RESULT_FINALIZER not in pod.metadata.finalizers)

        assert {"example.com/before", "example.com/after"} == set(free.metadata.finalizers)
        nobody = {"metadata": {"finalizers": None}}
        await made.client.patch(PODS, made.namespace, pod.metadata.name, nobody)

    play(scene)


@CALMLY
def test_a_policy_that_denies_a_deletion_is_named(
    play: Callable[[Play], None], cluster: Cluster, namespace: str
):
    """What is to end cannot: the run says so with the policy's words; when the policy is gone, the pod goes."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["DELETE"]}

    async def scene(made: Scene) -> None:
        effect = made.effect()
        made.runner.start(made.uid, effect)
        pod = await made.pod(effect)
        made.runner.seen(pod)

        def denied() -> bool:
            words = ("--namespace", namespace, "delete", "pod", pod.metadata.name, "--dry-run=server")
            return refused_with("not on Sundays", lambda: cluster.kubectl(*words))

        with denying(cluster, namespace, rule, "false", denied):
            _stop(made, effect)
            held = await made.heard()
            while not (isinstance(held, c.AttemptHeld) and held.reason == "PodRefused"):
                held = await made.heard()
            assert "not on Sundays" in held.message
        gone = await made.until(effect, lambda pod: pod.metadata.deletion_timestamp is not None)
        made.runner.seen(gone)
        assert isinstance(await made.heard_end(), c.AttemptLost)

    play(scene)
