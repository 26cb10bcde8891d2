"""Workflows that start others on a cluster: executions of their own, which end, fail and hold still with their parent."""

from __future__ import annotations

from typing import Any

from tests.support.operators import Site, pod_node
from tests.support.waiting import until

BROKEN = {"reason": "NonZeroExit", "message": "exit code 3", "exitCode": 3}


def _child(name: str, workflow: str, *after: str, **call: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "workflow": {"name": workflow, **call}}
    return {**found, **({"after": list(after)} if after else {})}


def _children(site: Site, name: str) -> list[dict[str, Any]]:
    uid = site.object("wfe", name)["metadata"]["uid"]
    return site.objects("wfe", f"fairlead.dev/root={uid}")


def _only_child(site: Site, name: str) -> str:
    [child] = until(lambda: _children(site, name), f"{name} has a child")
    return str(child["metadata"]["name"])


def test_a_child_gives_its_outputs_and_one_runs_inline(served: Site):
    """A child is an execution with the parent as owner; inline, the same workflow is a body of this one; one is let go."""
    served.workflow("sum", [pod_node("add", outputs={"n": 42})], outputs={"n": "${nodes.add.outputs.n}"})
    served.workflow(
        "caller",
        [_child("far", "sum"), _child("near", "sum", "far", inline=True), _child("freed", "sum", "near", wait=False)],
        outputs={"far": "${nodes.far.outputs.n}", "near": "${nodes.near.outputs.n}"},
    )  # fmt: skip
    served.execution("caller-1", "caller")
    assert served.ended("caller-1", "Succeeded")["outputs"] == {"far": 42, "near": 42}

    parent = served.object("wfe", "caller-1")["metadata"]["uid"]
    children = _children(served, "caller-1")
    owned = [[owner["uid"] for owner in one["metadata"].get("ownerReferences", [])] for one in children]
    assert sorted(owned) == [[], [parent]]
    for child in children:
        assert served.ended(child["metadata"]["name"], "Succeeded")["outputs"] == {"n": 42}
    assert len(served.pods("caller-1")) == 1
    until(
        lambda: not any(one["metadata"].get("finalizers") for one in _children(served, "caller-1")), "let go"
    )


def test_the_failure_of_a_child(served: Site):
    """The node fails with ChildFailed and the child's own error as its cause."""
    served.workflow("broken", [pod_node("bad", error=BROKEN)])
    served.workflow("unlucky", [_child("call", "broken")])
    served.execution("unlucky-1", "unlucky")
    error = served.ended("unlucky-1", "Failed")["error"]
    assert (error["node"], error["reason"]) == ("call", "ChildFailed")
    assert error["causes"][0]["reason"] == "NonZeroExit"


def test_a_child_that_cannot_run(served: Site):
    """A workflow that is not there fails the node, with its name."""
    served.workflow("lost", [_child("call", "nobody-wrote-it")])
    served.execution("lost-1", "lost")
    error = served.ended("lost-1", "Failed")["error"]
    assert error["reason"] == "WorkflowNotFound"
    assert "nobody-wrote-it" in error["message"]


def test_suspend_and_resume_are_carried_down(served: Site):
    """A child holds still with its parent: what runs in it ends, nothing new starts; resumed, both go on."""
    served.workflow("steps", [pod_node("one", runs="2s"), pod_node("two", "one")])
    served.workflow("holder", [_child("call", "steps")])
    served.execution("holder-1", "holder")
    child = _only_child(served, "holder-1")
    served.until(child, lambda status: status.get("progress", {}).get("running"), "the child runs a pod")
    served.patch("holder-1", {"suspend": True})
    held = served.until(
        child, lambda status: status["phase"] == "Suspended" and status["progress"]["done"] == 1, "it holds still"
    )  # fmt: skip
    assert [(wait["kind"], wait.get("node")) for wait in held["waitingFor"]] == [
        ("suspend", None),
        ("suspend", "two"),
    ]
    assert served.status("holder-1")["phase"] == "Suspended"
    served.patch("holder-1", {"suspend": False})
    served.ended("holder-1", "Succeeded")
    served.ended(child, "Succeeded")


def test_cancel_is_carried_down(served: Site):
    """Both end as Cancelled, and the pod of the child is deleted."""
    served.workflow("endless", [pod_node("sleep", runs="1h")])
    served.workflow("stopper", [_child("call", "endless")])
    served.execution("stopper-1", "stopper")
    child = _only_child(served, "stopper-1")
    served.until(child, lambda status: status.get("progress", {}).get("running"), "the child runs a pod")
    served.patch("stopper-1", {"cancel": {"reason": "enough"}})
    assert "enough" in served.ended("stopper-1", "Cancelled")["conditions"][0]["message"]
    served.ended(child, "Cancelled")
    until(lambda: not served.pods(child), "its pod is gone")


def test_a_child_of_a_frozen_parent_can_be_deleted(served: Site):
    """Its parent's log is gone, and nobody will ever take its end in: deleted, it goes all the same; so does the parent."""
    served.workflow("brief", [pod_node("one", runs="3s")])
    served.workflow("frozen", [_child("call", "brief")])
    served.execution("frozen-1", "frozen")
    child = _only_child(served, "frozen-1")
    uid = served.object("wfe", "frozen-1")["metadata"]["uid"]
    [head] = served.objects("configmaps", f"fairlead.dev/execution-uid={uid},fairlead.dev/log=head")
    served.kubectl("delete", "configmap", head["metadata"]["name"])
    served.until("frozen-1", lambda status: status["conditions"][0]["reason"] == "LogMissing", "it is frozen")
    served.ended(child, "Succeeded")
    served.kubectl("delete", "wfe", child, "--timeout=40s")
    served.kubectl("delete", "wfe", "frozen-1", "--timeout=40s")
