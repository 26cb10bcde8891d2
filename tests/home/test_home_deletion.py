"""Deletion of executions on a cluster: it ends what runs, lets go of everything, and leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.clusters import Cluster
from tests.support.operators import PATIENCE, Operator, Site, pod_node
from tests.support.waiting import until

slow = pytest.mark.timeout(240, func_only=True)
"""What is awaited has deadlines of its own."""


@pytest.fixture(scope="module")
def long_ones(served: Site) -> Site:
    """A namespace with a workflow whose pod runs for ever, and a parent of it."""
    served.workflow("long", [pod_node("sleep", runs="1h"), pod_node("next", "sleep")])
    served.workflow("parent", [{"name": "call", "workflow": {"name": "long"}}])
    return served


def _left(site: Site, uid: str) -> list[str]:
    """What is there of an execution."""
    selector = f"fairlead.dev/execution-uid={uid}"
    return [
        f"{found['kind']}/{found['metadata']['name']}" for found in site.objects("pods,configmaps", selector)
    ]


def _uid(site: Site, name: str) -> str:
    return str(site.object("wfe", name)["metadata"]["uid"])


@slow
@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_a_live_execution_is_deleted_with_all_it_has(long_ones: Site, cascade: str):
    """Its pods are ended and let go, its log goes with it; so too where the log is deleted first (foreground)."""
    name = f"gone-{cascade}"
    long_ones.execution(name, "long")
    long_ones.pod(name, "sleep")
    uid = _uid(long_ones, name)
    long_ones.kubectl("delete", "wfe", name, f"--cascade={cascade}", "--timeout=60s")
    assert long_ones.object("wfe", name) == {}
    until(lambda: not _left(long_ones, uid), "nothing of it is left", PATIENCE)


@slow
def test_an_execution_that_never_began_is_deleted(long_ones: Site):
    """One that waits for its workflow holds nothing."""
    long_ones.execution("waiting", "nobody-has-it")
    long_ones.until("waiting", lambda status: status.get("phase") == "Pending", "it waits")
    long_ones.kubectl("delete", "wfe", "waiting", "--timeout=60s")


@slow
def test_the_same_name_at_once_is_a_new_run(long_ones: Site):
    """Another uid, another log from its first event, another pod; nothing of the old one is left."""
    long_ones.execution("same", "long")
    old_pod, old = long_ones.pod("same", "sleep"), _uid(long_ones, "same")
    long_ones.kubectl("delete", "wfe", "same", "--timeout=60s")
    long_ones.execution("same", "long")
    assert (new := _uid(long_ones, "same")) != old
    pod = long_ones.pod("same", "sleep")
    assert pod["metadata"]["uid"] != old_pod["metadata"]["uid"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == new
    first = long_ones.log("same")[0]
    assert (first["seq"], first["type"], first["uid"]) == (1, "ExecutionCreated", new)
    until(lambda: not _left(long_ones, old), "nothing of the old one is left", PATIENCE)
    long_ones.kubectl("delete", "wfe", "same", "--timeout=60s")


@slow
def test_a_parent_takes_its_children_along(long_ones: Site):
    """They are deleted as the parent is, with their pods."""
    long_ones.execution("family", "parent")
    uid = _uid(long_ones, "family")

    def children() -> list[dict[str, Any]]:
        return long_ones.objects("wfe", f"fairlead.dev/root={uid}")

    [child] = until(children, "it has a child", PATIENCE)
    long_ones.pod(child["metadata"]["name"], "sleep")
    long_ones.kubectl("delete", "wfe", "family", "--timeout=60s")
    until(lambda: not children(), "the child is gone", PATIENCE)
    until(lambda: not _left(long_ones, child["metadata"]["uid"]), "nothing of the child is left", PATIENCE)
    assert _left(long_ones, uid) == []


@slow
def test_a_child_that_is_deleted_is_lost(long_ones: Site):
    """The node that waits for it fails with ChildLost, and says which."""
    long_ones.execution("orphaned", "parent")
    uid = _uid(long_ones, "orphaned")
    [child] = until(lambda: long_ones.objects("wfe", f"fairlead.dev/root={uid}"), "it has a child", PATIENCE)
    long_ones.pod(child["metadata"]["name"], "sleep")
    long_ones.kubectl("delete", "wfe", child["metadata"]["name"], "--timeout=60s")
    error = long_ones.ended("orphaned", "Failed")["error"]
    assert (error["node"], error["reason"]) == ("call", "ChildLost")


@slow
def test_a_pod_that_is_deleted_is_delivered_again(long_ones: Site):
    """Somebody deletes the pod of a run: the delivery is lost with its reason, no attempt is spent, the next pod comes."""
    long_ones.execution("robbed", "long")
    pod = long_ones.pod("robbed", "sleep")
    long_ones.kubectl("delete", "pod", pod["metadata"]["name"], "--timeout=60s")

    def next_one() -> list[dict[str, Any]]:
        pods = long_ones.pods("robbed")
        return [one for one in pods if one["metadata"]["uid"] != pod["metadata"]["uid"]]

    [after] = until(next_one, "it is delivered again", PATIENCE)
    assert after["metadata"]["labels"]["fairlead.dev/attempt"] == "1"
    [lost] = [event for event in long_ones.log("robbed") if event["type"] == "NodeLost"]
    assert (lost["reason"], lost["delivery"]) == ("PodDeleted", 1)
    long_ones.kubectl("delete", "wfe", "robbed", "--timeout=60s")


@pytest.mark.timeout(180, func_only=True)
def test_a_namespace_is_deleted_under_live_runs(cluster: Cluster, site: Site, tmp_path):
    """It goes, though pods and executions had finalizers of ours; with the operator away it waits, and goes when one is back."""
    lease = ("--lease-namespace", "default", "--lease", site.namespace)
    operator = Operator(
        cluster.kubeconfig, site.namespace, tmp_path / "operator.log", *lease, identity="the-only-one"
    )
    operator.start()
    try:
        operator.until_leading()
        site.workflow("long", [pod_node("sleep", runs="1h")])
        site.workflow("parent", [{"name": "call", "workflow": {"name": "long"}}])
        site.execution("one", "long")
        site.execution("two", "parent")
        site.pod("one", "sleep")
        until(lambda: len(site.objects("pods")) == 2, "both run", PATIENCE)
        operator.kill()
        cluster.kubectl("delete", "namespace", site.namespace, "--wait=false")
        until(
            lambda: all("deletionTimestamp" in pod["metadata"] for pod in site.objects("pods")),
            "they go",
            PATIENCE,
        )
        operator.start()
        cluster.kubectl("wait", "namespace", site.namespace, "--for=delete", "--timeout=90s")
    finally:
        operator.stop()
        cluster.kubectl("delete", "lease", "-n", "default", site.namespace, "--ignore-not-found")
