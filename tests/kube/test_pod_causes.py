"""Why a pod stands where it stands: each row of the table, decoded from what a real API server sends."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fairlead.kube.pods import causes
from fairlead.kube.pods.causes import Ended, Held, InLog, Lost, Nothing, Running, Verdict, gone, verdict
from fairlead.kube.pods.views import Pod

RESULT = '{"outputs": {"n": 1}}'
LATER = "2026-11-21T12:00:00Z"


def pod(
    state: dict[str, Any] | None = None,
    phase: str = "Running",
    *,
    conditions: tuple[tuple[str, str, str], ...] = (),
    deleting: bool = False,
    node: str = "node-1",
    **status: Any,
) -> Pod:
    """A pod as the watch sends it; `conditions` are type, status and reason."""
    metadata = {
        "name": "p",
        "namespace": "default",
        "uid": "u",
        "resourceVersion": "1",
        "managedFields": [{"manager": "kubelet"}],
    }
    if deleting:
        metadata["deletionTimestamp"] = LATER
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "node"}]},
        "status": {
            "phase": phase,
            "conditions": [
                {"type": kind, "status": value, "reason": reason, "message": "the scheduler's words"}
                for kind, value, reason in conditions
            ],
            "containerStatuses": [{"name": "node", "state": state}] if state else [],
            **status,
        },
    }
    return msgspec.json.decode(json.dumps(body), type=Pod)


def ended(exit_code: int = 0, message: str = "", reason: str = "Completed") -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "message": message, "reason": reason, "finishedAt": LATER}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def disrupted(reason: str) -> tuple[tuple[str, str, str], ...]:
    return (("DisruptionTarget", "True", reason),)


def of(found: Pod, *, with_runner: bool = True) -> Verdict:
    return verdict(found, with_runner=with_runner)


def error_of(found: Verdict) -> str:
    assert isinstance(found, Ended)
    assert found.result.error is not None
    return found.result.error.reason


@pytest.mark.parametrize(
    "around",
    [
        {},
        {"deleting": True},
        {"conditions": disrupted("EvictionByEvictionAPI")},
        {"reason": "Evicted"},
    ],
)
def test_a_reported_result_counts_whatever_else_the_pod_says(around: dict[str, Any]):
    """The work was done: a drain that came later takes nothing back."""
    found = of(pod(ended(message=RESULT), "Succeeded", **around))

    assert isinstance(found, Ended)
    assert {"n": 1} == found.result.outputs


def test_a_result_in_the_log_has_to_be_read_first():
    """The verdict says where it stands."""
    message = json.dumps({"log": {"lines": 3, "bytes": 9000, "sha256": "ab"}})

    assert isinstance(of(pod(ended(message=message), "Succeeded")), InLog)


def test_exit_code_0_without_a_result_is_no_success():
    """A runner that says nothing has not succeeded, whatever its exit code."""
    found = of(pod(ended(0), "Succeeded"))

    assert isinstance(found, Lost)
    assert "RunnerFailed" == found.reason


def test_out_of_memory_is_the_nodes_own_failure():
    """It spends an attempt: the next delivery would need as much."""
    assert "OutOfMemory" == error_of(of(pod(ended(137, reason="OOMKilled"), "Failed")))


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("PreemptionByScheduler", "Preempted"),
        ("EvictionByEvictionAPI", "Evicted"),
        ("DeletionByTaintManager", "Tainted"),
        ("TerminationByKubelet", "Evicted"),
        ("DeletionByPodGC", "NodeLost"),
        ("SomethingNew", "Evicted"),
    ],
)
@pytest.mark.parametrize("with_runner", [True, False])
def test_a_disruption_is_a_loss_with_its_cause(reason: str, expected: str, with_runner: bool):
    """Infrastructure is no failure of the node; exit code 143 of a user's image in a drained pod neither."""
    found = of(
        pod(ended(143, reason="Error"), "Failed", conditions=disrupted(reason)), with_runner=with_runner
    )

    assert isinstance(found, Lost)
    assert expected == found.reason


def test_a_pod_that_failed_before_its_container_started_is_lost():
    """Evicted, or refused by the kubelet: nothing of the node has run."""
    evicted = of(pod(None, "Failed", reason="Evicted", message="The node was low on resource: memory."))
    refused = of(pod(None, "Failed", reason="OutOfcpu"))

    assert isinstance(evicted, Lost)
    assert ("Evicted", True) == (evicted.reason, "memory" in evicted.message)
    assert isinstance(refused, Lost)
    assert "OutOfcpu" in refused.message


def test_a_pod_that_is_being_deleted_has_not_ended():
    """Its container may run up to its grace: wait, visibly."""
    found = of(pod({"running": {"startedAt": LATER}}, deleting=True))

    assert isinstance(found, Held)
    assert "PodDeleting" == found.reason


def test_a_node_that_does_not_answer_is_shown():
    """The control plane marks the pods of a silent node not ready, while the kubelet's last words were that they are."""
    status = [{"name": "node", "ready": True, "state": {"running": {}}}]
    found = of(pod(None, conditions=(("Ready", "False", ""),), containerStatuses=status))

    assert isinstance(found, Held)
    assert "NodeLost" == found.reason


def test_a_pod_that_no_kubelet_ever_saw_is_gone_once_it_is_deleted():
    """Nobody else will say that it ended."""
    assert isinstance(of(pod(None, "Pending", deleting=True, node="")), Lost)


def test_the_pod_collector_proves_the_end():
    """A pod of a node that is gone keeps its phase Running for ever; DeletionByPodGC says that it has ended."""
    found = of(pod({"running": {}}, deleting=True, conditions=disrupted("DeletionByPodGC")))

    assert isinstance(found, Lost)
    assert "NodeLost" == found.reason


def test_a_user_who_deletes_the_pod_causes_a_loss():
    """A container that was ended by a deletion has not failed by itself; a result it gave before counts."""
    found = of(pod(ended(137, reason="Error"), "Failed", deleting=True))

    assert isinstance(found, Lost)
    assert "PodDeleted" == found.reason


@pytest.mark.parametrize(
    ("deleting", "stopped", "lost"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_failure_of_what_was_told_to_end_is_none_of_its_own(deleting: bool, stopped: bool, lost: bool):
    """The runner says that it was stopped before the node failed: if the pod is going, that is why; a failure before counts."""
    result = {
        "error": {"reason": "Signalled", "message": "ended by SIGTERM", "exitCode": 143},
        "stopped": stopped,
    }
    found = of(pod(ended(143, message=json.dumps(result)), "Failed", deleting=deleting))

    assert isinstance(found, Lost if lost else Ended)


def test_success_counts_even_if_the_node_was_told_to_end():
    """What was done is done, whatever happens to the pod."""
    message = json.dumps({"outputs": {"n": 1}, "stopped": True})
    found = of(pod(ended(0, message=message), "Succeeded", deleting=True))

    assert isinstance(found, Ended)


def test_a_pod_that_vanished_is_lost_with_what_was_last_seen():
    """The cause that the last look showed is the cause."""
    preempted = gone(pod({"running": {}}, conditions=disrupted("PreemptionByScheduler")))
    deleted = gone(pod({"running": {}}))
    unseen = gone(None)

    assert isinstance(preempted, Lost)
    assert "Preempted" == preempted.reason
    assert deleted == unseen
    assert isinstance(unseen, Lost)
    assert "PodDeleted" == unseen.reason


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("ErrImagePull", "ImagePullFailed"),
        ("ImagePullBackOff", "ImagePullFailed"),
        ("CreateContainerConfigError", "SecretMissing"),
        ("CreateContainerError", "ContainerWaiting"),
    ],
)
def test_what_may_pass_is_waited_for_and_shown(reason: str, expected: str):
    """A pull may succeed, a Secret may come: the kubelet tries again, and so do we not."""
    found = of(pod(waiting(reason, "the kubelet's words"), "Pending"))

    assert isinstance(found, Held)
    assert expected == found.reason
    assert "the kubelet's words" in found.message


def test_an_image_that_cannot_be_named_fails_at_once():
    """No waiting mends it."""
    assert "ImagePullFailed" == error_of(of(pod(waiting("InvalidImageName"), "Pending")))


def test_a_command_that_is_not_there_is_the_nodes_failure():
    """The runtime could not start the container."""
    found = of(pod(ended(128, "exec: no such file", "StartError"), "Failed"), with_runner=False)

    assert "CommandNotFound" == error_of(found)


def test_an_unschedulable_pod_shows_the_schedulers_words():
    """It waits, visibly."""
    found = of(pod(None, "Pending", conditions=(("PodScheduled", "False", "Unschedulable"),), node=""))

    assert isinstance(found, Held)
    assert ("Unschedulable", "the scheduler's words") == (found.reason, found.message)


def test_a_pod_on_its_way_says_nothing():
    """Every pod is created and pulled; a running one says since when."""
    assert isinstance(of(pod(waiting("ContainerCreating"), "Pending")), Nothing)
    assert isinstance(of(pod(None, "Pending")), Nothing)
    assert Running(1_795_262_400_000_000) == of(pod({"running": {"startedAt": LATER}}))


def test_a_users_image_is_judged_by_its_exit_code():
    """It has no runner; its termination message are its outputs."""
    done = of(pod(ended(0, '{"n": 2}'), "Succeeded"), with_runner=False)
    failed = of(pod(ended(5, "bad order"), "Failed"), with_runner=False)

    assert isinstance(done, Ended)
    assert {"n": 2} == done.result.outputs
    assert "NonZeroExit" == error_of(failed)


def test_every_disruption_that_kubernetes_names_is_in_the_table():
    """The reasons of the condition DisruptionTarget as the API documents them."""
    documented = {
        "PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC", "TerminationByKubelet",
    }  # fmt: skip

    assert documented == set(causes.DISRUPTIONS)
