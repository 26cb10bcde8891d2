"""Why a pod ended without its work being done: what is lost is delivered again and spends no attempt, what failed has failed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.operators import Site, pod_node
from tests.support.playing import AGES, delivered, ends, loses_its_node
from tests.support.recorded import check_run, whole_log

from fairlead.model import events as e

patient = pytest.mark.timeout(120, func_only=True)
DISRUPTIONS = {
    "EvictionByEvictionAPI": "Evicted",
    "TerminationByKubelet": "Evicted",
    "PreemptionByScheduler": "Preempted",
    "DeletionByTaintManager": "Tainted",
    "DeletionByPodGC": "NodeLost",
}
"""Reasons of the condition DisruptionTarget, and what they are called in the log."""


def _lost(site: Site, name: str) -> list[tuple[str, int, int, str]]:
    events = whole_log(site, name)
    return [
        (one.node, one.attempt, one.delivery, one.reason) for one in events if isinstance(one, e.NodeLost)
    ]


def _failure(site: Site, name: str, node: str) -> Any:
    [failed] = [one for one in whole_log(site, name) if isinstance(one, e.NodeFailed) and one.node == node]
    return failed


def _waits_for(reason: str) -> Any:
    return lambda status: any(reason in str(wait) for wait in status.get("waitingFor", []))


@patient
def test_a_pod_that_somebody_deletes_is_delivered_again(served: Site):
    """Its node waits for the container's end, then gets a second delivery of the same attempt."""
    served.workflow("deleted", [pod_node("a", runs=AGES)])
    served.execution("deleted-1", "deleted")
    pod = delivered(served, "deleted-1", "a")
    served.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
    ends(served, delivered(served, "deleted-1", "a", delivery=2))
    served.ended("deleted-1", "Succeeded")
    assert _lost(served, "deleted-1") == [("a", 1, 1, "PodDeleted")]
    check_run(served, "deleted-1", losses=1)


@patient
def test_disruptions_are_told_apart_and_spend_no_attempt(served: Site):
    """Eviction, preemption, taint, a node's shutdown and the pod collector each have their reason in the log."""
    nodes = {f"n{number}": reason for number, reason in enumerate(DISRUPTIONS)}
    served.workflow("disrupted", [pod_node(name, runs=AGES) for name in nodes])
    served.execution("disrupted-1", "disrupted")
    for name, condition in nodes.items():
        ends(served, delivered(served, "disrupted-1", name), 137, "", condition=condition)
    for name in nodes:
        ends(served, delivered(served, "disrupted-1", name, delivery=2))
    served.ended("disrupted-1", "Succeeded")
    found = {
        node: (attempt, delivery, reason) for node, attempt, delivery, reason in _lost(served, "disrupted-1")
    }
    assert found == {name: (1, 1, DISRUPTIONS[reason]) for name, reason in nodes.items()}
    check_run(served, "disrupted-1", losses=len(nodes))


@patient
def test_a_container_without_memory_fails_its_attempt(served: Site):
    """OOM is the node's own doing: the attempt is spent, and the next one may have more luck."""
    served.workflow("hungry", [pod_node("a", runs=AGES, retry={"maxAttempts": 2, "initialDelay": "100ms"})])
    served.execution("hungry-1", "hungry")
    ends(served, delivered(served, "hungry-1", "a"), 137, "", reason="OOMKilled")
    ends(served, delivered(served, "hungry-1", "a", attempt=2))
    served.ended("hungry-1", "Succeeded")
    [retrying] = [one for one in whole_log(served, "hungry-1") if isinstance(one, e.NodeRetrying)]
    assert retrying.error.reason == "OutOfMemory"
    check_run(served, "hungry-1")


@patient
def test_a_container_that_ends_without_a_result_has_not_succeeded(served: Site):
    """Exit code 0 alone is no success: it is delivered again, and after `maxDeliveries` the node is dead-lettered."""
    served.workflow("mute", [pod_node("a", runs=AGES, maxDeliveries=2)])
    served.execution("mute-1", "mute")
    for delivery in (1, 2):
        ends(served, delivered(served, "mute-1", "a", delivery), 0, "")
    served.ended("mute-1", "Failed")
    assert [reason for *_, reason in _lost(served, "mute-1")] == ["RunnerFailed"]
    assert len([one for one in whole_log(served, "mute-1") if isinstance(one, e.DeadLettered)]) == 1
    assert _failure(served, "mute-1", "a").error.reason == "NodeLost"
    check_run(served, "mute-1", losses=1)


@patient
def test_a_lost_node_is_waited_for_until_its_pod_is_proved_gone(served: Site):
    """An unreachable node is no end: the run says that it waits; when the pod collector gives the pod up, it goes on."""
    served.workflow("unreached", [pod_node("a", runs=AGES)])
    served.execution("unreached-1", "unreached")
    pod = delivered(served, "unreached-1", "a")
    loses_its_node(served, pod, ("DisruptionTarget", "DeletionByTaintManager"))
    served.until("unreached-1", _waits_for("NodeLost"), "it says that its node does not answer")
    assert not _lost(served, "unreached-1")
    loses_its_node(served, pod, ("DisruptionTarget", "DeletionByPodGC"))
    ends(served, delivered(served, "unreached-1", "a", delivery=2))
    served.ended("unreached-1", "Succeeded")
    assert [reason for *_, reason in _lost(served, "unreached-1")] == ["NodeLost"]


@patient
def test_a_node_may_ask_not_to_wait_for_a_lost_node(served: Site):
    """With `onNodeLost: redeliver` the work is delivered again while the old pod may still run; that one is ended."""
    served.workflow("impatient", [pod_node("a", runs=AGES, onNodeLost="redeliver")])
    served.execution("impatient-1", "impatient")
    loses_its_node(
        served, delivered(served, "impatient-1", "a"), ("DisruptionTarget", "DeletionByTaintManager")
    )
    ends(served, delivered(served, "impatient-1", "a", delivery=2))
    served.ended("impatient-1", "Succeeded")
    check_run(served, "impatient-1", losses=1)


@patient
def test_a_pod_that_fits_nowhere_is_waited_for_until_its_start_timeout(served: Site):
    """The status says Unschedulable; when `startTimeout` has passed, the node fails and its pod goes."""
    served.workflow("homeless", [pod_node("a", nowhere=True, startTimeout="8s")])
    served.execution("homeless-1", "homeless")
    served.until("homeless-1", _waits_for("Unschedulable"), "it says that no node fits")
    served.ended("homeless-1", "Failed")
    assert _failure(served, "homeless-1", "a").error.reason == "StartTimeout"
    check_run(served, "homeless-1")


@patient
def test_a_container_that_runs_too_long_is_killed(served: Site):
    """After `timeout` the pod is deleted; the attempt ends when its container has, with reason Timeout."""
    served.workflow("late", [pod_node("a", runs=AGES, timeout="1s")])
    served.execution("late-1", "late")
    served.ended("late-1", "Failed")
    assert _failure(served, "late-1", "a").error.reason == "Timeout"
    check_run(served, "late-1")


@patient
def test_a_run_that_takes_too_long_ends_its_pods(served: Site):
    """The run's own `timeout` ends it whatever runs in it, and nothing of it goes on or is held."""
    served.workflow("overdue", [pod_node("a", runs=AGES), pod_node("b", nowhere=True)], timeout="3s")
    served.execution("overdue-1", "overdue")
    assert served.ended("overdue-1", "Failed")["error"]["reason"] == "ExecutionTimeout"
    check_run(served, "overdue-1")
