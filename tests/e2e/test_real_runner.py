"""The runner image on a real kubelet: large results, secrets, what a pod may do, its logs, and a node that is drained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.real import NAME
from tests.support.cli import Cli
from tests.support.operators import Site, run_node
from tests.support.waiting import until

pytestmark = [pytest.mark.xdist_group("real-node"), pytest.mark.usefixtures("runner")]

CANARY = "canary-5e1f0d"
UNTIL_TOLD = "import os, time\nwhile not os.path.exists('/tmp/off'):\n    time.sleep(0.1)\n"
"""The beginning of a script that goes on when `_tell` says so."""


def _python(name: str, script: str, *after: str, **more: Any) -> dict[str, Any]:
    return run_node(name, {"python": script, **more.pop("run", {})}, *after, **more)


def _run(site: Site, name: str, *nodes: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Run nodes to their end; the status."""
    site.workflow(name, list(nodes), **spec)
    site.execution(f"{name}-1", name)
    return site.ended(f"{name}-1")


def _names(site: Site, execution: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in site.pods(execution)]


def _runs(site: Site, pod: str) -> bool:
    return bool(site.object("pod", pod).get("status", {}).get("phase") == "Running")


def _tell(site: Site, pod: str) -> None:
    """Let the script of a pod go on."""
    site.kubectl("exec", pod, "--", "touch", "/tmp/off")


def test_outputs_that_no_termination_message_holds(real: Site):
    """100 KB come by log lines, whole, and the next node has them."""
    first = _python("first", "outputs['text'] = 'x' * 100_000")
    second = _python(
        "second",
        "outputs['size'] = len(inputs['text'])",
        "first",
        **{"with": {"text": "${nodes.first.outputs.text}"}},
    )
    status = _run(real, "large", first, second, outputs={"size": "${nodes.second.outputs.size}"})
    assert (status["phase"], status.get("outputs")) == ("Succeeded", {"size": 100_000}), json.dumps(status)


def test_outputs_that_are_too_large(real: Site):
    """Two MiB are refused by the runner, with the size and the limit."""
    status = _run(real, "huge", _python("one", "outputs['text'] = 'x' * 2_097_152"))
    condition = status["conditions"][0]
    assert (status["phase"], condition["reason"]) == ("Failed", "OutputTooLarge")
    assert "1 MiB" in condition["message"] or "1048576" in condition["message"], condition["message"]


def test_a_failure_is_told_with_its_last_words(real: Site):
    """What a script raises is in the status."""
    status = _run(real, "raises", _python("one", "raise ValueError('no such ship')"))
    assert status["phase"] == "Failed"
    assert "no such ship" in status["conditions"][0]["message"]


def test_secrets_come_as_variables_and_files_and_nowhere_else(real: Site):
    """The node has them; no status, event, log of ours or object but the Secret does."""
    real.kubectl("create", "secret", "generic", "harbour", f"--from-literal=token={CANARY}")
    script = (
        "import os\n"
        "outputs['variable'] = len(os.environ['TOKEN'])\n"
        "outputs['file'] = len(open('/etc/harbour/token').read())\n"
    )
    run = {
        "envFrom": [{"secret": "harbour", "keys": {"TOKEN": "token"}}],
        "files": [{"secret": "harbour", "path": "/etc/harbour"}],
    }
    status = _run(real, "secret", _python("one", script, run=run), outputs={"sizes": "${nodes.one.outputs}"})
    assert status["phase"] == "Succeeded", json.dumps(status)
    assert status["outputs"] == {"sizes": {"variable": len(CANARY), "file": len(CANARY)}}
    for kind in ("wfe", "fwf", "configmaps", "pods", "events"):
        assert CANARY not in real.kubectl("get", kind, "-o", "yaml")


def test_a_pod_may_do_next_to_nothing(real: Site):
    """It is nobody, writes to /tmp alone, and has no token of the cluster."""
    script = (
        "import os, pathlib\n"
        "outputs['user'] = os.getuid()\n"
        "outputs['token'] = pathlib.Path('/var/run/secrets/kubernetes.io').exists()\n"
        "pathlib.Path('/tmp/x').write_text('x')\n"
        "try:\n"
        "    pathlib.Path('/opt/x').write_text('x')\n"
        "    outputs['root'] = 'writable'\n"
        "except OSError as error:\n"
        "    outputs['root'] = error.strerror\n"
    )
    status = _run(real, "nobody", _python("one", script), outputs={"found": "${nodes.one.outputs}"})
    assert status["phase"] == "Succeeded", json.dumps(status)
    assert status["outputs"]["found"] == {"user": 65532, "token": False, "root": "Read-only file system"}


def test_logs_while_it_runs_and_after(real: Site, tmp_path: Path):
    """`fairlead logs` shows what is printed, before the end and after it."""
    cli = Cli(tmp_path)
    cli.env["KUBECONFIG"] = str(real.kubeconfig)
    real.workflow("talk", [_python("one", f"print('casting off', flush=True)\n{UNTIL_TOLD}", timeout="60s")])
    real.execution("talk-1", "talk")
    until(lambda: "casting off" in cli("logs", "talk-1", "-n", real.namespace).stdout, "it is shown", 60)
    _tell(real, real.pod("talk-1", "one")["metadata"]["name"])
    real.ended("talk-1", "Succeeded")
    assert "casting off" in cli.ok("logs", "talk-1", "-n", real.namespace)


def test_a_node_that_is_drained(real: Site):
    """Its pod is evicted, the work is delivered again when there is room, and no attempt is spent."""
    script = f"{UNTIL_TOLD}outputs['attempt'] = int(os.environ['FAIRLEAD_ATTEMPT'])"
    real.workflow("drained", [_python("one", script)], outputs={"attempt": "${nodes.one.outputs.attempt}"})
    real.execution("drained-1", "drained")
    first = real.pod("drained-1", "one")["metadata"]["name"]
    until(lambda: _runs(real, first), "it runs", 60)
    selector = f"fairlead.dev/execution-uid={real.object('wfe', 'drained-1')['metadata']['uid']}"
    real.kubectl("cordon", NAME)
    try:
        words = ("--delete-emptydir-data", "--force", "--ignore-daemonsets", "--pod-selector", selector)
        real.kubectl("drain", NAME, *words, "--timeout=60s")
        real.until("drained-1", lambda status: "Unschedulable" in json.dumps(status), "it waits for room")
    finally:
        real.kubectl("uncordon", NAME)
    second = until(
        lambda: [pod for pod in _names(real, "drained-1") if pod != first and _runs(real, pod)],
        "it runs again",
        60,
    )
    _tell(real, *second)
    status = real.ended("drained-1", "Succeeded")
    assert status["outputs"] == {"attempt": 1}
