"""Somebody else's admission policy denies what we say of a run: it runs all the same, and what a person deletes goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cluster.clusters import Cluster
from tests.support.operators import Site, pod_node
from tests.support.policies import denying, refused_with
from tests.support.waiting import until

patient = pytest.mark.timeout(180, func_only=True)
RULE = {
    "apiGroups": ["fairlead.dev"],
    "apiVersions": ["*"],
    "resources": ["workflowexecutions/status"],
    "operations": ["UPDATE"],
}
NO_END = "!has(object.status.phase) || object.status.phase != 'Succeeded'"


def _denied(site: Site, name: str) -> bool:
    patch = json.dumps({"status": {"phase": "Succeeded"}})
    words = ("patch", "wfe", name, "--subresource", "status", "--dry-run=server", "--type", "merge", "-p")
    return refused_with("not on Sundays", lambda: site.kubectl(*words, patch))


@patient
def test_an_end_that_cannot_be_shown_holds_nothing(served: Site, cluster: Cluster):
    """The last status of two runs is denied: one is deleted and goes at once, the other shows its end when it may."""
    served.workflow("unshown", [pod_node("one", nowhere=True)])
    for name in ("unshown-1", "unshown-2"):
        served.execution(name, "unshown")
    pods = [served.pod(name, "one") for name in ("unshown-1", "unshown-2")]
    with denying(cluster, served.namespace, RULE, NO_END, lambda: _denied(served, "unshown-1")):
        for pod in pods:
            served.end_pod(pod, outputs={})
        until(lambda: not _held(served, pods), "the log has the ends, and the pods are let go")
        assert served.status("unshown-1")["phase"] == "Running"
        served.kubectl("delete", "wfe", "unshown-1", "--timeout=30s")
        assert not served.object("wfe", "unshown-1")
    served.ended("unshown-2", "Succeeded")
    until(lambda: not served.object("wfe", "unshown-2")["metadata"].get("finalizers"), "it is let go")


def _held(site: Site, pods: list[dict[str, Any]]) -> list[str]:
    there = [site.object("pod", pod["metadata"]["name"]) for pod in pods]
    return [one["metadata"]["name"] for one in there if one.get("metadata", {}).get("finalizers")]
