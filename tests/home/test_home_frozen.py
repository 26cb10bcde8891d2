"""A run whose log is gone starts nothing, also nothing of what it had asked for before."""

from __future__ import annotations

import json

import pytest
from tests.support.operators import Site, pod_node
from tests.support.waiting import until

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "none"},
    "spec": {"hard": {"pods": "0"}},
}


@pytest.mark.timeout(240, func_only=True)
def test_what_waited_for_room_is_not_started_any_more(served: Site):
    """A quota holds its pod, the log is deleted, the quota goes: no pod comes; deleted, the run goes."""
    served.workflow("held", [pod_node("one")])
    pause = {"name": "pause", "wait": {"for": "10s"}}  # longer than until the held pod is tried again
    served.workflow("later", [pause, pod_node("one", "pause")])
    served.apply(QUOTA)
    until(lambda: served.object("resourcequota", "none").get("status", {}).get("hard"), "it is in force")
    served.execution("held-1", "held")
    served.until("held-1", lambda status: "QuotaExceeded" in json.dumps(status), "its pod is held")
    uid = served.object("wfe", "held-1")["metadata"]["uid"]
    [head] = served.objects("configmaps", f"fairlead.dev/execution-uid={uid},fairlead.dev/log=head")
    served.kubectl("delete", "configmap", head["metadata"]["name"])
    served.until("held-1", lambda status: status["conditions"][0]["reason"] == "LogMissing", "it is frozen")
    served.kubectl("delete", "resourcequota", "none")
    served.execution("later-1", "later")
    served.ended("later-1", "Succeeded")
    assert served.pods("held-1") == []
    served.kubectl("delete", "wfe", "held-1", "--timeout=50s")
