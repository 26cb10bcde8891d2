"""The API server and its store go away and come back: the operator stays, and notices what happened behind its back."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.plane import ControlPlane
from tests.support.operators import PATIENCE, Operator, Site, pod_node
from tests.support.playing import ends
from tests.support.recorded import check_run
from tests.support.waiting import until

NAMESPACE = "outages"
GONE = json.dumps({"metadata": {"finalizers": None}})


def _pod(site: Site, execution: str, node: str, delivery: int = 1) -> dict[str, Any]:
    """The pod of a delivery, once it is there."""
    wanted = f"/{node}/1/{delivery}"

    def there() -> dict[str, Any] | None:
        for pod in site.pods(execution):
            if pod["metadata"]["annotations"]["fairlead.dev/identity"].endswith(wanted):
                return pod
        return None

    return until(there, f"{wanted} of {execution} is there", PATIENCE) or {}


@pytest.fixture
def site(plane: ControlPlane) -> Site:
    """A namespace in which pods can be created; nobody plays them."""
    plane.kubectl("create", "namespace", NAMESPACE)
    plane.kubectl("--namespace", NAMESPACE, "create", "serviceaccount", "default")
    return Site(plane.kubeconfig, NAMESPACE)


@pytest.mark.timeout(240, func_only=True)
def test_outages_and_gaps_lose_nothing(plane: ControlPlane, site: Site, tmp_path: Path):
    """Ends and deletions that no watch has shown are found; after a crash of server and store everything goes on."""
    operator = Operator(plane.kubeconfig, NAMESPACE, tmp_path / "operator.log")
    site.workflow("three", [pod_node("a"), pod_node("b"), pod_node("c"), pod_node("last", "a", "b", "c")])
    operator.start()
    try:
        operator.until_leading()
        site.execution("three-1", "three")
        pods = {node: _pod(site, "three-1", node) for node in "abc"}

        operator.signal(signal.SIGSTOP)
        plane.processes["kube-apiserver"].kill()  # its cache of what a watch may still want goes with it
        plane.processes["kube-apiserver"].start()
        plane.wait_until_ready()
        ends(site, pods["a"])
        vanishing = pods["b"]["metadata"]["name"]
        site.kubectl("patch", "pod", vanishing, "--type", "merge", "-p", GONE)
        site.kubectl("delete", "pod", vanishing, "--now")
        plane.compact()
        operator.signal(signal.SIGCONT)
        _pod(site, "three-1", "b", delivery=2)

        for name in ("kube-apiserver", "etcd"):
            plane.processes[name].kill()
        for name in ("etcd", "kube-apiserver"):
            plane.processes[name].start()
        plane.wait_until_ready()
        ends(site, pods["c"])
        ends(site, _pod(site, "three-1", "b", delivery=2))
        ends(site, _pod(site, "three-1", "last"))
        site.ended("three-1", "Succeeded")
        check_run(site, "three-1", losses=1)

        site.execution("three-2", "three")  # the feed lives again, too
        site.until("three-2", lambda status: status["phase"] == "Running", "new executions are taken in")
        assert operator.process is not None and operator.process.poll() is None
    finally:
        operator.signal(signal.SIGCONT)
        operator.stop()
