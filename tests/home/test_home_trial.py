"""`kopf run -m fairlead.apps.operator`: the operator inside Kopf's own command, to try it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.clusters import ROOT
from tests.support.operators import PATIENCE, Site, pod_node
from tests.support.waiting import until


def _of_namespace(site: Site, folder: Path) -> Path:
    """The kubeconfig, with the namespace as that of its context: there the Lease is."""
    config: dict[str, Any] = json.loads(site.kubectl("config", "view", "--raw", "-o", "json"))
    for context in config["contexts"]:
        context["context"]["namespace"] = site.namespace
    file = folder / "kubeconfig"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


@pytest.mark.timeout(240, func_only=True)
def test_kopfs_own_command_runs_it(site: Site, tmp_path: Path):
    """It says what it is for, judges a Workflow, runs an execution to its end, and gives its Lease back when it is ended."""
    log = tmp_path / "kopf.log"
    path = os.pathsep.join(str(ROOT / part) for part in ("operator", "runner_image"))
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "KUBECONFIG": str(_of_namespace(site, tmp_path)),
        "FAIRLEAD_NAMESPACE": site.namespace,
        "FAIRLEAD_RUNNER_IMAGE": "runner:test",
    }
    command = [sys.executable, "-m", "kopf", "run", "-m", "fairlead.apps.operator", "-n", site.namespace]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
    try:
        site.workflow("tried", [pod_node("one"), pod_node("two", "one")])
        site.execution("tried-1", "tried")
        site.ended("tried-1", "Succeeded")
        until(lambda: site.object("workflow", "tried").get("status"), "the Workflow is judged", PATIENCE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text(encoding="utf-8")[-3000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    said = log.read_text(encoding="utf-8")
    assert "for trying it, with one replica" in said
    assert not site.object("lease", "fairlead")["spec"].get("holderIdentity"), said[-3000:]
