"""Statuses and logs that somebody changed: what was shown is shown again, what was recorded is frozen and named."""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.support.operators import Site, pod_node
from tests.support.waiting import until

slow = pytest.mark.timeout(240, func_only=True)
"""What is awaited has deadlines of its own."""


@pytest.fixture
def live(served: Site, request: pytest.FixtureRequest):
    """A run whose pod is there and does not end by itself; afterwards it can be deleted."""
    name = request.node.name.replace("_", "-").lower()[:60].rstrip("-")
    served.workflow("live", [pod_node("one", nowhere=True), pod_node("two", "one")])
    served.execution(name, "live")
    served.pod(name, "one")
    served.until(name, lambda status: status.get("log", {}).get("sequence"), "it is shown")
    yield name
    served.kubectl("delete", "wfe", name, "--timeout=50s", "--ignore-not-found")


def _head(site: Site, name: str) -> str:
    uid = site.object("wfe", name)["metadata"]["uid"]
    [head] = site.objects("configmaps", f"fairlead.dev/execution-uid={uid},fairlead.dev/log=head")
    return str(head["metadata"]["name"])


def _frozen(site: Site, name: str, reason: str) -> str:
    """Wait until a run is frozen; its sentence. Its pod is left as it is, and a result of it starts nothing."""
    status = site.until(
        name, lambda found: found["conditions"][0]["reason"] == reason, f"{name} says {reason}"
    )
    assert {one["type"]: one["status"] for one in status["conditions"]}["Stalled"] == "True"
    pod = site.pod(name, "one")
    assert "deletionTimestamp" not in pod["metadata"]
    site.end_pod(pod, outputs={})
    site.workflow("beside", [pod_node("x")])
    site.execution(f"{name}-beside", "beside")
    site.ended(f"{name}-beside", "Succeeded")
    assert [pod["metadata"]["labels"]["fairlead.dev/node"] for pod in site.pods(name)] == ["one"]
    until(lambda: "LogFrozen" in site.kubectl("describe", "wfe", name), "describe says so")
    return str(status["conditions"][0]["message"])


@slow
def test_a_status_that_somebody_wrote(served: Site, live: str):
    """It is written over: nothing is decided by it."""
    words = ("patch", "wfe", live, "--subresource=status", "--type=merge", "-p")
    served.kubectl(*words, json.dumps({"status": {"phase": "Succeeded", "progress": {"percent": 100}}}))
    served.until(live, lambda status: status["phase"] == "Running", "it is shown as it is")
    served.kubectl(*words, json.dumps({"status": None}))
    served.until(live, lambda status: status.get("phase") == "Running", "it is shown again")
    served.kubectl(*words, json.dumps({"status": {"log": {"sequence": 9999}}}))
    served.until(live, lambda status: status["log"]["sequence"] < 9999, "its end of the log is shown")
    served.end_pod(served.pod(live, "one"), outputs={})
    served.ended(live, "Succeeded")


@slow
def test_an_editor_may_not_write_it(served: Site, live: str):
    """The policy keeps status and log to the operator, for everybody without the right to write records."""
    served.kubectl("create", "rolebinding", "editor", "--clusterrole=admin", "--user=somebody")
    head = _head(served, live)
    for words in (
        ("patch", "configmap", head, "--type=merge", "-p", '{"data": {"head": "x"}}'),
        (
            "patch",
            "wfe",
            live,
            "--subresource=status",
            "--type=merge",
            "-p",
            '{"status": {"phase": "Failed"}}',
        ),
    ):
        with pytest.raises(subprocess.CalledProcessError):
            served.kubectl(*words, "--as", "somebody")
    served.end_pod(served.pod(live, "one"), outputs={})
    served.ended(live, "Succeeded")


@slow
def test_a_log_that_was_changed(served: Site, live: str):
    """The run is frozen, and the status names the event."""
    head = _head(served, live)
    data = served.object("configmap", head)["data"]
    first = next(key for key in sorted(data) if key.startswith("b"))
    changed = data[first].replace("ExecutionStarted", "ExecutionStopped")
    assert changed != data[first]
    served.kubectl("patch", "configmap", head, "--type=merge", "-p", json.dumps({"data": {first: changed}}))
    assert "event" in _frozen(served, live, "LogDamaged")


@slow
def test_a_head_that_makes_no_sense(served: Site, live: str):
    """The same where nothing of it can be read."""
    head = _head(served, live)
    served.kubectl("patch", "configmap", head, "--type=merge", "-p", json.dumps({"data": {"head": "{"}}))
    assert "unreadable" in _frozen(served, live, "LogDamaged")


@slow
def test_a_log_that_was_deleted(served: Site, live: str):
    """The run is frozen as LogMissing; no new log is begun."""
    head = _head(served, live)
    served.kubectl("delete", "configmap", head)
    assert head in _frozen(served, live, "LogMissing")
    assert served.object("configmap", head) == {}


@slow
def test_a_log_that_was_mended(served: Site, live: str):
    """Put back as it was, the run goes on by itself."""
    head = _head(served, live)
    data = served.object("configmap", head)["data"]
    served.kubectl("patch", "configmap", head, "--type=merge", "-p", json.dumps({"data": {"head": "{"}}))
    served.until(live, lambda found: found["conditions"][0]["reason"] == "LogDamaged", "it is frozen")
    served.kubectl(
        "patch", "configmap", head, "--type=merge", "-p", json.dumps({"data": {"head": data["head"]}})
    )
    served.end_pod(served.pod(live, "one"), outputs={})
    served.ended(live, "Succeeded")
