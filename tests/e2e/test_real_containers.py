"""Containers that really run, on a real kubelet: their results, their failures by cause, and what is left of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cluster.real import BUSYBOX, SELECTOR
from tests.support.operators import Site, run_node
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("real-node")


def container(name: str, script: str, *after: str, **more: Any) -> dict[str, Any]:
    """A node that runs a shell script in busybox on the real node."""
    run = {
        "image": BUSYBOX,
        "command": ["/bin/sh", "-c", script],
        "pod": {"nodeSelector": dict(SELECTOR)},
        **more.pop("run", {}),
    }
    return run_node(name, run, *after, **more)


def failure(site: Site, name: str) -> dict[str, Any]:
    """Wait until a run has failed; the condition that says why."""
    status = site.ended(name, "Failed")
    condition: dict[str, Any] = status["conditions"][0]
    return condition


def test_inputs_come_in_and_outputs_come_out(real: Site):
    """Inputs are a file, outputs the termination message, and the next node reads them; nothing is held afterwards."""
    first = container("first", 'echo "{\\"n\\": 20}" > $FAIRLEAD_OUTPUTS')
    second = container(
        "second",
        'n=$(busybox sed "s/[^0-9]//g" $FAIRLEAD_INPUTS); echo "{\\"n\\": $((n + 22))}" > $FAIRLEAD_OUTPUTS',
        "first",
        **{"with": {"n": "${nodes.first.outputs.n}"}},
    )
    real.workflow("sum", [first, second], outputs={"n": "${nodes.second.outputs.n}"})
    real.execution("sum-1", "sum")
    assert real.ended("sum-1", "Succeeded")["outputs"] == {"n": 42}
    until(lambda: not real.object("wfe", "sum-1")["metadata"].get("finalizers"), "it is let go")
    pods = real.pods("sum-1")
    assert {pod["spec"]["nodeName"] for pod in pods} == {"real-0"}
    assert {pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in pods} == {0}


def test_what_a_container_says_is_its_log(real: Site):
    """`kubectl logs` shows it, after its end too."""
    real.workflow("talks", [container("one", "echo it works")])
    real.execution("talks-1", "talks")
    real.ended("talks-1", "Succeeded")
    [pod] = real.pods("talks-1")
    assert real.kubectl("logs", pod["metadata"]["name"]) == "it works\n"


def test_an_exit_code_is_a_failure_of_the_node(real: Site):
    """With the code, and with as many attempts as its retry says."""
    retry = {"maxAttempts": 2, "initialDelay": "100ms"}
    real.workflow("exits", [container("one", "exit 7", retry=retry)])
    real.execution("exits-1", "exits")
    said = failure(real, "exits-1")
    assert said["reason"] == "NonZeroExit"
    assert "7" in said["message"]
    assert len(real.pods("exits-1")) == 2


def test_a_container_that_takes_too_much_memory(real: Site):
    """The kernel ends it, which is told apart from an exit code."""
    hungry = "busybox dd if=/dev/zero of=/dev/null bs=200M count=1"
    run = {"resources": {"memory": "16Mi", "limits": {"memory": "16Mi"}}}
    real.workflow("hungry", [container("one", hungry, run=run)])
    real.execution("hungry-1", "hungry")
    assert failure(real, "hungry-1")["reason"] == "OutOfMemory"


def test_a_timeout_ends_the_container(real: Site):
    """The node fails with Timeout, and its pod runs no more."""
    real.workflow("sleeps", [container("one", "sleep 600", timeout="3s")])
    real.execution("sleeps-1", "sleeps")
    assert failure(real, "sleeps-1")["reason"] == "Timeout"
    until(lambda: _running(real, "sleeps-1") == [], "its container has ended")


def test_a_cancel_ends_the_container(real: Site):
    """So does a cancel of the run."""
    real.workflow("waits", [container("one", "sleep 600")])
    real.execution("waits-1", "waits")
    until(lambda: _running(real, "waits-1"), "its container runs", 60)
    real.patch("waits-1", {"cancel": {"reason": "enough"}})
    real.ended("waits-1", "Cancelled")
    until(lambda: _running(real, "waits-1") == [], "its container has ended")


def test_an_image_that_does_not_exist(real: Site):
    """The status says so within seconds, while it is tried again; the run can be cancelled."""
    real.workflow("nowhere", [container("one", "true", run={"image": "localhost/nowhere:1"})])
    real.execution("nowhere-1", "nowhere")
    real.until("nowhere-1", lambda status: "localhost/nowhere:1" in json.dumps(status), "it says which image")
    real.patch("nowhere-1", {"cancel": {}})
    real.ended("nowhere-1")


def _running(site: Site, name: str) -> list[str]:
    """The pods of a run whose container runs."""
    return [
        pod["metadata"]["name"]
        for pod in site.pods(name)
        if any("running" in one["state"] for one in pod["status"].get("containerStatuses", ()))
    ]
