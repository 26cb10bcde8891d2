"""The chart where the admission plugin OwnerReferencesPermissionEnforcement is on, as in OpenShift (protocol.md 18)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cluster.clusters import Cluster, apply_ours
from tests.cluster.plane import ControlPlane
from tests.cluster.played import played_nodes
from tests.support.charts import RELEASE
from tests.support.installs import installed
from tests.support.operators import Site, pod_node
from tests.support.policies import refused_with
from tests.support.waiting import until

PLUGIN = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
NAMESPACE = "shop"


def _is_enforced(site: Site) -> bool:
    """Whether the operator's account may not block the deletion of an owner, which it needs a right for that it does not have."""
    owner = site.object("wfe", "order-1")["metadata"]
    reference = {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "WorkflowExecution",
        "name": owner["name"],
        "uid": owner["uid"],
        "blockOwnerDeletion": True,
    }
    about = {"name": "blocks", "ownerReferences": [reference]}
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
    account = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
    words = ("create", "--dry-run=server", "--as", account, "-f", "-")
    return refused_with("cannot set blockOwnerDeletion", lambda: site.kubectl(*words, text=text))


def _left(site: Site) -> list[str]:
    """Executions, and what belongs to some."""
    theirs = [
        one for kind in ("pods", "configmaps") for one in site.objects(kind, "fairlead.dev/execution-uid")
    ]
    return [one["metadata"]["name"] for one in (*site.objects("wfe"), *theirs)]


@pytest.mark.timeout(400, func_only=True)
def test_runs_come_and_go_where_owner_references_are_enforced(tmp_path: Path):
    """Attempts, a child and large values, from submission to end; deleted, nothing is left of it; nothing was forbidden."""
    with (
        ControlPlane(tmp_path / "plane", flags=[PLUGIN]) as plane,
        played_nodes(plane.kubeconfig, tmp_path / "plane", remove=False),
    ):
        cluster = Cluster("a control plane of its own", plane.kubeconfig, plane.audit_log)
        apply_ours(cluster.kubeconfig)
        cluster.add_namespace(NAMESPACE)
        with installed(cluster, NAMESPACE, tmp_path) as install:
            operator, site = install.operator("fairlead-0"), install.site
            operator.start()
            try:
                operator.until_leading()
                site.workflow("kid", [pod_node("one", outputs={"x": 5})])
                fails = pod_node("b", "a", error={"reason": "NonZeroExit", "exitCode": 1}, onError="continue")
                call = {"name": "c", "workflow": {"name": "kid"}, "after": ["b"]}
                site.workflow(
                    "order", [pod_node("a"), fails, call, pod_node("d", "c")], inputs={"type": "object"}
                )
                site.execution("order-1", "order", inputs={"text": "x" * 200_000})
                site.ended("order-1", "Succeeded")
                assert len(site.objects("pods", "fairlead.dev/execution-uid")) == 4
                assert len(_left(site)) > 6  # heads and large values among them
                assert _is_enforced(site)
                site.kubectl("delete", "wfe", "--all", "--timeout=60s")
                until(lambda: not _left(site), "nothing is left")
            finally:
                operator.stop()
            _, refused = install.used()
            assert refused == []
