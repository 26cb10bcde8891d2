"""Pause, resume, cancel and redrive as patches of the spec, and what the status and `kubectl describe` say meanwhile."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import Any

import pytest
from tests.support.operators import Site, pod_node
from tests.support.waiting import until

BROKEN = {"reason": "NonZeroExit", "message": "exit code 3", "exitCode": 3}


def _conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def _described(site: Site, name: str, *words: str) -> str:
    """What kubectl describe says of an execution, once it has all of some words."""

    def found() -> str:
        text = site.kubectl("describe", "wfe", name)
        return text if all(word in text for word in words) else ""

    return until(found, f"describe of {name} says {words}")


def test_a_pause_and_what_is_shown_meanwhile(served: Site):
    """What runs ends and is kept, nothing new starts; the status follows the generation, and says what is waited for."""
    served.workflow("pause", [pod_node("one", nowhere=True), pod_node("two", "one")], variables={"v": 7})
    served.execution("pause-1", "pause")
    pod = served.pod("pause-1", "one")
    status = served.until("pause-1", lambda found: found.get("progress", {}).get("total"), "it is shown")
    assert _conditions(status) == {
        "Ready": ("False", "Running"),
        "Reconciling": ("True", "Running"),
        "Stalled": ("False", "Running"),
        "Succeeded": ("Unknown", "Running"),
    }
    assert (status["observedGeneration"], status["variables"]) == (1, {"v": 7})
    assert status["workflow"]["name"] == "pause" and status["workflow"]["digest"].startswith("sha256:")
    held = served.until(
        "pause-1", lambda found: found["waitingFor"][0]["kind"] == "pod", "it says why it waits"
    )
    assert (held["waitingFor"][0]["node"], held["waitingFor"][0]["name"]) == ("one", "Unschedulable")

    served.patch("pause-1", {"suspend": True})
    status = served.until("pause-1", lambda found: found["phase"] == "Suspended", "it is suspended")
    assert status["observedGeneration"] == 2
    assert {one["observedGeneration"] for one in status["conditions"]} == {2}
    served.end_pod(pod, outputs={"n": 1})
    status = served.until("pause-1", lambda found: found["progress"]["done"] == 1, "its result is kept")
    assert [(wait["kind"], wait.get("node", "")) for wait in status["waitingFor"]] == [
        ("suspend", ""),
        ("suspend", "two"),
    ]
    assert [(path["id"], path["node"], path["status"]) for path in status["paths"]] == [
        ("0", "two", "Waiting")
    ]

    served.patch("pause-1", {"suspend": False})
    status = served.ended("pause-1", "Succeeded")
    assert status["observedGeneration"] == 3
    assert _conditions(status)["Ready"] == ("True", "Succeeded")
    assert status["log"]["sequence"] == served.log("pause-1")[-1]["seq"]
    served.kubectl("wait", "wfe/pause-1", "--for=condition=Ready", "--timeout=10s")
    said = (
        "Unschedulable",
        *(f"Execution{what}" for what in ("Started", "Suspended", "Resumed", "Completed")),
    )
    _described(served, "pause-1", *said)


def test_a_pause_that_ends_by_itself(served: Site):
    """Born suspended, it starts nothing until `suspendTimeout` is over; a later `suspend: false` changes nothing."""
    served.workflow("nap", [pod_node("one")])
    served.execution("nap-1", "nap", suspend=True, suspendTimeout="1s")
    served.ended("nap-1", "Succeeded")
    log = [event["type"] for event in served.log("nap-1")]
    assert log.index("ExecutionSuspended") < log.index("ExecutionResumed") < log.index("NodeScheduled")
    served.patch("nap-1", {"suspend": False})
    served.until("nap-1", lambda status: status["observedGeneration"] == 2, "it has seen the patch")
    assert served.status("nap-1")["phase"] == "Succeeded"


def test_a_cancel_is_latched_and_finally_runs(served: Site):
    """The pod is deleted, `finally` runs, and a spec that drops `cancel` again changes nothing; forced, finally is left out."""
    last = {"finally": [pod_node("sweep")]}
    served.workflow("stop", [pod_node("long", runs="1h"), pod_node("next", "long")], **last)
    for name, force in (("stop-1", False), ("stop-2", True)):
        served.execution(name, "stop")
        served.pod(name, "long")
        served.patch(name, {"cancel": {"reason": "changed my mind", "force": force}})
    served.patch("stop-1", {"cancel": None})
    for name, swept in (("stop-1", 1), ("stop-2", 0)):
        status = served.ended(name, "Cancelled")
        assert _conditions(status)["Stalled"][0] == "True"
        assert "changed my mind" in status["conditions"][0]["message"]
        completed = [event["node"] for event in served.log(name) if event["type"] == "NodeCompleted"]
        assert completed == ["sweep"] * swept
        until(partial(_is_free, served, name), "it is let go")
    _described(served, "stop-1", "CancelRequested", "ExecutionCancelled")


def test_a_redrive_runs_what_failed_once_more(served: Site):
    """Raised, it opens the ended run again: what succeeded is kept, what failed gets a further attempt, the log goes on."""
    served.workflow(
        "again",
        [pod_node("good", outputs={"n": 1}), pod_node("bad", "good", nowhere=True), pod_node("after", "bad")],
        outputs={"n": "${nodes.bad.outputs.n}"},
    )
    served.execution("again-1", "again")
    served.end_pod(served.pod("again-1", "bad"), error=BROKEN)
    status = served.ended("again-1", "Failed")
    assert (status["error"]["reason"], status["error"]["exitCode"]) == ("NonZeroExit", 3)
    assert _conditions(status)["Stalled"] == ("True", "NonZeroExit")
    until(lambda: not served.object("wfe", "again-1")["metadata"].get("finalizers"), "it is let go")

    served.patch("again-1", {"redrive": 1})
    second = served.pod("again-1", "bad", attempt=2)
    assert not _is_free(served, "again-1"), "it has started something, and is held as it was before"
    served.end_pod(second, outputs={"n": 2})
    assert served.ended("again-1", "Succeeded")["outputs"] == {"n": 2}
    log = served.log("again-1")
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    scheduled = [(event["node"], event["attempt"]) for event in log if event["type"] == "NodeScheduled"]
    assert scheduled == [("good", 1), ("bad", 1), ("bad", 2), ("after", 1)]
    until(lambda: not served.object("wfe", "again-1")["metadata"].get("finalizers"), "it is let go again")
    _described(served, "again-1", "NodeFailed", "ExecutionFailed", "Redriven", "ExecutionCompleted")


def test_a_cancelled_run_is_redriven_at_once(served: Site):
    """`redrive` beside a `cancel` that is still there voids it, also when it comes while the run is being let go."""
    served.workflow("revived", [pod_node("long", nowhere=True)])
    served.execution("revived-1", "revived")
    served.pod("revived-1", "long")
    served.patch("revived-1", {"cancel": {"reason": "no"}})
    served.ended("revived-1", "Cancelled")
    served.patch("revived-1", {"redrive": 1})
    served.end_pod(served.pod("revived-1", "long", attempt=2), outputs={})
    served.until("revived-1", lambda status: status["phase"] == "Succeeded", "it has succeeded")


def test_what_may_not_change_is_refused(served: Site):
    """inputs, workflow and definition are the CRD's to keep: the patch is denied with a sentence, the run goes on."""
    served.workflow("fixed", [pod_node("one")])
    served.execution("fixed-1", "fixed", inputs={"a": 1})
    for spec in ({"inputs": {"a": 2}}, {"inputs": None}, {"workflow": {"name": "other"}}):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            served.patch("fixed-1", spec)
        assert "cannot be changed; create another WorkflowExecution" in "".join(refused.value.__notes__)
    served.ended("fixed-1", "Succeeded")


def _is_free(site: Site, name: str) -> bool:
    """Whether nothing of ours holds an execution."""
    return not site.object("wfe", name)["metadata"].get("finalizers")
