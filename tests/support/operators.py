"""The operator as a user has it: the real command in a process of its own, on a namespace of a real API server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.clusters import ROOT, Cluster, fresh_namespace
from tests.cluster.kubectl import kubectl
from tests.support.documented import undocumented
from tests.support.waiting import until

from fairlead.model.shown import UNSEEN_STATUS

PATIENCE = 90.0
"""Seconds: several suites share the machine."""
LEADING = "all live executions are in hand"
ENDED = ("Succeeded", "Failed", "Cancelled")
COMMAND = "import sys; from fairlead.apps.cli import main; sys.exit(main())"


class Operator:
    """One process of `fairlead operator`, on one namespace, with its Lease there."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        log: Path,
        *words: str,
        identity: str = "",
        source: Path = ROOT,
    ) -> None:
        """`source` has the code that it runs: another release."""
        self.log = log
        self.namespace = namespace
        self._kubeconfig = kubeconfig
        own = ["--identity", identity] if identity else []
        self._command = [
            *(sys.executable, "-c", COMMAND, "operator", "--kubeconfig", str(kubeconfig)),
            *("--namespace", namespace, "--lease-namespace", namespace, "--runner-image", "runner:test"),
            *(*own, *words),
        ]
        self._environment: dict[str, str] = {}
        self._source = source
        self.process: subprocess.Popen[bytes] | None = None
        self._led = 0

    def start(self) -> None:
        """Have it running; whether it leads is another matter."""
        self._led = self.said(LEADING)
        path = os.pathsep.join(str(self._source / part) for part in ("operator", "runner_image"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**os.environ, **self._environment, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """As kill -9 does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As a kubelet ends it; its exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0 if self.process is None else self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def said(self, words: str) -> int:
        """How often its log has some words."""
        return self.log.read_text(encoding="utf-8").count(words) if self.log.exists() else 0

    def until_leading(self, times: int = 1) -> None:
        """Wait until it has all live executions in hand, for the n-th time."""
        until(
            lambda: self.said(LEADING) >= times or self._has_ended(),
            f"the operator leads:\n{self.log.read_text(encoding='utf-8')[-3000:]}",
            PATIENCE,
        )
        assert not self._has_ended(), self.log.read_text(encoding="utf-8")[-3000:]

    def until_leading_again(self) -> None:
        """Wait until the process that was started last has all live executions in hand."""
        self.until_leading(self._led + 1)

    def _has_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None


@contextmanager
def serving(cluster: Cluster, prefix: str, folder: Path, *words: str) -> Iterator[Site]:
    """A namespace of its own that one operator serves; the operator is there until the namespace has begun to go."""
    with ExitStack() as stack:
        last = stack.enter_context(ExitStack())
        name = stack.enter_context(fresh_namespace(cluster, prefix))
        operator = Operator(cluster.kubeconfig, name, folder / "operator.log", *words)
        last.callback(operator.stop)
        operator.start()
        operator.until_leading()
        yield Site(cluster.kubeconfig, name)


class Site:
    """A namespace as a person works in it, with kubectl."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Run kubectl in the namespace; what it printed. Raises CalledProcessError."""
        return kubectl(self.kubeconfig, "--namespace", self.namespace, *words, text=text)

    def apply(self, manifest: str | dict[str, Any]) -> None:
        """Apply a manifest."""
        text = json.dumps(manifest) if isinstance(manifest, dict) else textwrap.dedent(manifest)
        self.kubectl("apply", "-f", "-", text=text)

    def workflow(self, name: str, nodes: list[dict[str, Any]], **spec: Any) -> None:
        """Apply a Workflow."""
        body = {"nodes": nodes, **spec}
        self.apply({"apiVersion": API, "kind": "Workflow", "metadata": {"name": name}, "spec": body})

    def execution(self, name: str, workflow: str, **spec: Any) -> None:
        """Create a WorkflowExecution."""
        self.apply(execution_of(name, workflow, **spec))

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """An object; empty if it is not there."""
        found = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        value: dict[str, Any] = json.loads(found) if found.strip() else {}
        return value

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Objects of a kind."""
        words = ["-l", selector] if selector else []
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *words, "-o", "json"))["items"]
        return items

    def status(self, name: str) -> dict[str, Any]:
        """The status of an execution; all that it says has to be in docs/reasons.md."""
        found: dict[str, Any] = self.object("wfe", name).get("status", {})
        assert undocumented(found) == [], json.dumps(found)
        return found

    def patch(self, name: str, spec: dict[str, Any]) -> None:
        """Patch the spec of an execution, as people do."""
        self.kubectl("patch", "wfe", name, "--type", "merge", "-p", json.dumps({"spec": spec}))

    def until(self, name: str, holds: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """Wait until an operator has written a status of an execution, and it is as wanted; that status."""
        last: dict[str, Any] = {}

        def found() -> bool:
            nonlocal last
            last = self.status(name)
            return last not in ({}, UNSEEN) and bool(holds(last))

        try:
            until(found, what, PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}; the status of {name} is {json.dumps(last)}") from None
        return last

    def ended(self, name: str, phase: str = "") -> dict[str, Any]:
        """Wait until an execution has ended; its status."""
        status = self.until(name, lambda status: status.get("phase") in ENDED, f"{name} has ended")
        assert not phase or status["phase"] == phase, json.dumps(status)
        return status

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The pods of an execution."""
        uid = self.object("wfe", name)["metadata"]["uid"]
        return self.objects("pods", f"fairlead.dev/execution-uid={uid}")

    def pod(self, name: str, node: str, attempt: int = 1) -> dict[str, Any]:
        """The pod of an attempt of a node, once it is there."""

        def found() -> list[dict[str, Any]]:
            wanted = {"fairlead.dev/node": node, "fairlead.dev/attempt": str(attempt)}
            return [pod for pod in self.pods(name) if wanted.items() <= pod["metadata"]["labels"].items()]

        return until(found, f"attempt {attempt} of {node} has a pod", PATIENCE)[-1]

    def play(self, pod: dict[str, Any], state: dict[str, Any], phase: str) -> None:
        """Be the kubelet of a pod that KWOK does not play: the state of its container, and its phase."""
        container = {
            "name": "node",
            "image": "x",
            "ready": False,
            "restartCount": 0,
            "imageID": "",
            "state": state,
        }
        patch = {"status": {"phase": phase, "containerStatuses": [container]}}
        words = ("--subresource=status", "--type=merge", "-p", json.dumps(patch))
        self.kubectl("patch", "pod", pod["metadata"]["name"], *words)

    def end_pod(self, pod: dict[str, Any], **result: Any) -> None:
        """Have a pod end with a result of the runner: `outputs` or `error`."""
        code = 1 if "error" in result else 0
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": json.dumps(result)}
        self.play(pod, {"terminated": ended}, "Failed" if code else "Succeeded")

    def log(self, name: str) -> list[dict[str, Any]]:
        """The events in the open tail of an execution's head."""
        uid = self.object("wfe", name)["metadata"]["uid"]
        [head] = self.objects(
            "configmaps", f"fairlead.dev/execution-uid={uid},fairlead.dev/log in (head,closed)"
        )
        batches = sorted((int(key[1:]), text) for key, text in head["data"].items() if key[1:].isdigit())
        return [event for _, text in batches for event in json.loads(text)["events"]]


API = "fairlead.dev/v1alpha1"
UNSEEN = UNSEEN_STATUS["WorkflowExecution"]
"""The status of an execution until an operator has written one."""


def execution_of(name: str, workflow: str, **spec: Any) -> dict[str, Any]:
    """The manifest of an execution."""
    body = {"workflow": {"name": workflow}, **spec}
    return {"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": name}, "spec": body}


def pod_node(name: str, *after: str, **more: Any) -> dict[str, Any]:
    """A node that KWOK plays; `outputs`, `error` (a result of the runner), `exit`, `runs` (a duration), `nowhere` say how."""
    annotations: dict[str, str] = {}
    outputs, error = more.pop("outputs", None), more.pop("error", None)
    if outputs is not None:
        annotations["fairlead.dev/kwok-message"] = json.dumps({"outputs": outputs})
    if error is not None:
        annotations["fairlead.dev/kwok-message"] = json.dumps({"error": error})
    for option in ("exit", "runs"):
        if option in more:
            annotations[f"fairlead.dev/kwok-{option}"] = str(more.pop(option))
    pod: dict[str, Any] = {"annotations": annotations} if annotations else {}
    if more.pop("nowhere", False):
        pod["nodeSelector"] = {"type": "nobody"}
    run = {"sh": "true", **({"pod": pod} if pod else {}), **more.pop("run", {})}
    return run_node(name, run, *after, **more)


def run_node(name: str, run: dict[str, Any], *after: str, **more: Any) -> dict[str, Any]:
    """A node of kind `run` that follows others."""
    return {"name": name, "run": run, **({"after": list(after)} if after else {}), **more}
