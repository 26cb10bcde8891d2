"""The cluster that tests stand on: it plays pods, writes down every request, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.keeper import shared
from tests.support.waiting import until

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "played",
        "annotations": {"fairlead.dev/kwok-exit": "3", "fairlead.dev/kwok-message": '{"a": 1}'},
    },
    "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]},
}


def test_a_pod_is_played_to_its_end(cluster, namespace):
    """A pod is scheduled and ends with the exit code and the termination message that its annotations ask for."""
    until(
        lambda: cluster.kubectl("-n", namespace, "get", "serviceaccount", "-o", "name"), "a service account"
    )
    cluster.kubectl("-n", namespace, "create", "-f", "-", text=json.dumps(POD))

    def ended():
        pod = json.loads(cluster.kubectl("-n", namespace, "get", "pod", "played", "-o", "json"))
        return pod["status"] if pod["status"].get("phase") == "Failed" else None

    terminated = until(ended, "the end of the pod")["containerStatuses"][0]["state"]["terminated"]

    assert (3, '{"a": 1}') == (terminated["exitCode"], terminated["message"])


def test_the_kinds_of_fairlead_are_there(cluster):
    """The CRDs of this checkout are established."""
    names = cluster.kubectl("get", "crd", "-o", "name").split()

    assert "customresourcedefinition.apiextensions.k8s.io/workflowexecutions.fairlead.dev" in names


def test_every_request_is_written_down(cluster, namespace):
    """The audit log of our own control plane says verb and resource of each request, so that writes can be counted."""
    cluster.kubectl("-n", namespace, "create", "configmap", "counted")

    def written():
        lines = cluster.audit_log.read_text(encoding="utf-8").splitlines()[:-1]
        return any(
            line["verb"] == "create" and line["objectRef"].get("namespace") == namespace
            for line in map(json.loads, lines)
            if line.get("objectRef", {}).get("resource") == "configmaps"
            if line["objectRef"].get("name") == "counted"
        )

    assert cluster.audit_log is None or until(written, "the request in the audit log")


def test_a_session_that_is_killed_leaves_no_cluster_behind(tmp_path):
    """When the process that the keeper was told of is gone, the control plane ends and its folder is removed."""
    session = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with session:
        started = shared(tmp_path, session.pid)
        again = shared(tmp_path, session.pid)
        folder = started.kubeconfig.parent
        assert folder.exists()
        session.kill()

    until(lambda: not folder.exists(), "the folder of the cluster is gone")

    assert started == again
    assert not _processes_of(folder)


def test_programs_are_named_by_what_pins_them(monkeypatch, tmp_path):
    """Another version of any module is another folder of the cache, wherever the user's cache is."""
    before = binaries.folder()
    modules = tmp_path / "go"
    modules.mkdir()
    (modules / "go.mod").write_text("require k8s.io/kubernetes v1.99.0 // indirect\n")
    monkeypatch.setattr(binaries, "MODULES", modules)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert binaries.folder().parent == tmp_path / "fairlead" / "cluster"
    assert binaries.folder().name.startswith("v1.99.0-")
    assert before.name != binaries.folder().name


def _processes_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found
