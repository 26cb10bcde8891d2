"""Why a pod stands where it stands: the table from what Kubernetes shows to what the engine is told (protocol 4, 12).

    what is seen                                             verdict
    the runner's result in the termination message           Ended, with it, whatever else the pod says
    the same, in the log                                     InLog: to be read, then Ended
    container OOMKilled, no result                           Ended, OutOfMemory: the node's own doing
    DisruptionTarget (eviction, drain, preemption, taint…)   Lost, with the cause
    pod failed before its container started (Evicted, OutOf…) Lost
    container ended without a result                         Lost: the runner was killed
    pod gone                                                 Lost, PodDeleted
    image cannot be named                                    Ended, ImagePullFailed
    being deleted, container not ended                       Held: the kubelet has still to say how it ended
    image pull, missing Secret, unschedulable                Held, with the reason
    container ready, pod not                                 Held, NodeLost: the node does not answer
    container runs                                           Running

Rules of this file
- Success is only ever a reported result. A pod that has a deletion timestamp has not ended.
- Lost spends no attempt. The order of the table is the order of the questions.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from fairlead.kube.pods.results import LoggedResult, NoResult, Result, of_image, of_runner
from fairlead.kube.pods.views import Condition, Pod, Terminated
from fairlead.model import reasons
from fairlead.model.events import Error

CONTAINER = "node"
"""The name of the one container of every pod."""


class Ended(msgspec.Struct, frozen=True):
    """The attempt has ended with a result."""

    result: Result


class InLog(msgspec.Struct, frozen=True):
    """The attempt has ended; its result stands in the container's log."""

    where: LoggedResult


class Lost(msgspec.Struct, frozen=True):
    """The delivery is gone without a result."""

    reason: str
    message: str


class Held(msgspec.Struct, frozen=True):
    """It does not run, and this is why."""

    reason: str
    message: str


class Running(msgspec.Struct, frozen=True):
    """The container runs, since `at` (microseconds) by the kubelet's clock."""

    at: int | None


class Nothing(msgspec.Struct, frozen=True):
    """Nothing worth telling: it was created and is on its way."""


Verdict = Ended | InLog | Lost | Held | Running | Nothing

DISRUPTIONS = {
    "PreemptionByScheduler": (reasons.PREEMPTED, "a pod of higher priority took its place"),
    "EvictionByEvictionAPI": (reasons.EVICTED, "it was evicted, as a drain of its node does"),
    "DeletionByTaintManager": (reasons.TAINTED, "its node has a taint that it does not tolerate"),
    "TerminationByKubelet": (reasons.EVICTED, "its node ran out of a resource or was shut down"),
    "DeletionByPodGC": (reasons.NODE_LOST, "its node is gone"),
}
"""Reasons of the condition DisruptionTarget, what we call them and what a person is told."""

UNUSABLE_IMAGE = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Waiting reasons that no waiting mends."""
IMAGE_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
CONFIGURATION = frozenset({"CreateContainerConfigError"})
QUIET = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Waiting reasons that every pod passes through."""


def verdict(pod: Pod, *, with_runner: bool) -> Verdict:
    """What a pod that exists says of its delivery; `with_runner` unless the container is the user's own image."""
    container = pod.container(CONTAINER)
    state = container.state
    if state.terminated is not None:
        return _of_end(pod, state.terminated, with_runner=with_runner)
    if pod.status.phase == "Failed" or _collected(pod):
        return _of_loss(pod)
    if pod.metadata.deletion_timestamp is not None:
        if not pod.spec.node_name:
            return _of_loss(pod)  # no kubelet has ever seen it: nobody else will say that it ended
        return Held(
            reasons.POD_DELETING, "the pod is being deleted; how its container ended is still awaited"
        )
    if state.running is not None:
        if container.ready and _is(pod.condition("Ready"), "False"):
            return Held(
                reasons.NODE_LOST,
                f"its node {pod.spec.node_name} does not answer; whether it still runs is not known",
            )
        return Running(_time(state.running.started_at))
    if state.waiting is not None and state.waiting.reason not in QUIET:
        return _of_waiting(state.waiting.reason, state.waiting.message)
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and _is(scheduled, "False"):
        return Held(reasons.UNSCHEDULABLE, _short(scheduled.message) or "no node fits the pod")
    return Nothing()


def gone(last: Pod | None) -> Verdict:
    """What the absence of a pod says that was created before, given how it was last seen."""
    if last is not None and last.condition("DisruptionTarget") is not None:
        return _of_loss(last)
    return Lost(reasons.POD_DELETED, "its pod was deleted before it had reported a result")


def _of_end(pod: Pod, end: Terminated, *, with_runner: bool) -> Verdict:
    problem = ""
    if with_runner:
        try:
            result = of_runner(end.message)
            if result.error is not None and result.stopped and _is_ended_by_others(pod):
                return _of_loss(pod)
            return InLog(result.log) if result.log is not None else Ended(result)
        except NoResult as wrong:
            problem = str(wrong)
    elif end.exit_code == 0:
        return Ended(of_image(0, end.message))
    if end.reason == "OOMKilled":
        message = "the container used more memory than its limit allows"
        error = Error(reason=reasons.OUT_OF_MEMORY, message=message, exit_code=end.exit_code)
        return Ended(Result(error=error))
    if end.reason in ("StartError", "ContainerCannotRun"):
        error = Error(
            reason=reasons.COMMAND_NOT_FOUND,
            message=_short(end.message) or "the container cannot be started",
            exit_code=end.exit_code,
        )
        return Ended(Result(error=error))
    if _is_ended_by_others(pod):
        return _of_loss(pod)
    if not with_runner:
        return Ended(of_image(end.exit_code, end.message))
    return Lost(reasons.RUNNER_FAILED, f"the container ended with exit code {end.exit_code} and {problem}")


def _is_ended_by_others(pod: Pod) -> bool:
    """Whether a failure of its container may be no failure of its own."""
    disrupted = _disruption(pod) is not None or pod.status.reason == "Evicted"
    return disrupted or pod.metadata.deletion_timestamp is not None


def _of_loss(pod: Pod) -> Lost:
    found = _disruption(pod)
    if found is not None:
        return found
    if pod.status.reason == "Evicted":
        return Lost(reasons.EVICTED, _short(pod.status.message) or "its node ran out of a resource")
    if pod.metadata.deletion_timestamp is not None:
        return Lost(reasons.POD_DELETED, "its pod was deleted before it had reported a result")
    why = pod.status.reason or "no reason given"
    return Lost(
        reasons.NODE_LOST,
        f"its pod failed before it had reported a result: {why} {_short(pod.status.message)}".strip(),
    )


def _disruption(pod: Pod) -> Lost | None:
    condition = pod.condition("DisruptionTarget")
    if condition is None or not _is(condition, "True"):
        return None
    reason, what = DISRUPTIONS.get(condition.reason, (reasons.EVICTED, "it was disrupted"))
    return Lost(reason, f"{what}: {_short(condition.message) or condition.reason}")


def _collected(pod: Pod) -> bool:
    """Whether the pod garbage collector has given it up: then it has ended, whatever its phase says (protocol 12)."""
    condition = pod.condition("DisruptionTarget")
    return condition is not None and _is(condition, "True") and condition.reason == "DeletionByPodGC"


def _is(condition: Condition | None, status: str) -> bool:
    return condition is not None and condition.status == status


def _of_waiting(reason: str, message: str) -> Verdict:
    said = f"{reason}: {_short(message)}" if message else reason
    if reason in UNUSABLE_IMAGE:
        return Ended(Result(error=Error(reason=reasons.IMAGE_PULL_FAILED, message=said)))
    if reason in IMAGE_PULL:
        return Held(reasons.IMAGE_PULL_FAILED, said)
    if reason in CONFIGURATION:
        return Held(reasons.SECRET_MISSING, said)
    return Held(reasons.CONTAINER_WAITING, said)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."


def _time(text: str | None) -> int | None:
    if not text:
        return None
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
