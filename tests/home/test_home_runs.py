"""Runs on a real API server, by the operator's own process, with pods that KWOK plays."""

from __future__ import annotations

from tests.support.operators import Site, pod_node
from tests.support.waiting import until


def test_a_chain_of_pods_runs_and_leaves_nothing_held(served: Site):
    """A run ends with its outputs in the status; its pods are marked done, and nothing has a finalizer of ours."""
    served.workflow(
        "chain",
        [pod_node("a", outputs={"n": 20}), pod_node("b", "a", outputs={"n": 22})],
        outputs={"sum": "${nodes.a.outputs.n + nodes.b.outputs.n}"},
    )
    served.execution("chain-1", "chain")
    status = served.ended("chain-1", "Succeeded")
    assert status["outputs"] == {"sum": 42}
    until(lambda: not served.object("wfe", "chain-1")["metadata"].get("finalizers"), "it is let go")
    pods = served.pods("chain-1")
    assert [pod["metadata"]["labels"]["fairlead.dev/done"] for pod in pods] == ["true", "true"]
    assert not any(pod["metadata"].get("finalizers") for pod in pods)


def test_a_container_that_runs_is_seen_to_run(served: Site):
    """A node that takes a while is in the log as started before it ends, with the uid of its pod."""
    served.workflow("slow", [pod_node("a", runs="1s")])
    served.execution("slow-1", "slow")
    served.ended("slow-1", "Succeeded")
    [started] = [event for event in served.log("slow-1") if event["type"] == "NodeStarted"]
    [pod] = served.pods("slow-1")
    assert started["handle"] == pod["metadata"]["uid"]
