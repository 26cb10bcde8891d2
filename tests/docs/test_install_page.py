"""docs/install.md typed into an empty cluster: Helm, upgrade and rollback under a run, kustomize; in the end nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from tests.cluster import binaries
from tests.cluster.clusters import SYSTEM, Cluster
from tests.cluster.plane import ControlPlane
from tests.cluster.played import played_nodes
from tests.docs.doc_pages import DOCS, ROOT, Command, Page, agrees
from tests.support.charts import RELEASE
from tests.support.cli import Cli
from tests.support.installs import InstalledOperator, token_kubeconfig
from tests.support.operators import Site, pod_node
from tests.support.waiting import until

PAGE = Page(DOCS / "install.md")
PLAYED = r"podAnnotations.fairlead\.dev/kwok-runs=24h"
"""The nodes are played: this says that the pods of the Deployment do not end."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that has heard nothing of us, with nodes."""
    try:
        with (
            ControlPlane(tmp_path / "plane") as plane,
            played_nodes(plane.kubeconfig, tmp_path / "plane", remove=False),
        ):
            yield Cluster("a control plane of its own", plane.kubeconfig)
    except binaries.NotBuilt as reason:
        pytest.skip(str(reason))


class Reader:
    """Who types the page, in a copy of what the repository has."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.cli = Cli(folder)
        self.site = Site(cluster.kubeconfig, SYSTEM)
        self._operators = 0
        for part in ("charts", "deploy"):
            shutil.copytree(ROOT / part, folder / part)
        for name, text in PAGE.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        programs = {path.parent for path in binaries.programs("kubectl", "helm").values()}
        self.cli.env["PATH"] = os.pathsep.join([*map(str, programs), self.cli.env["PATH"]])
        self.cli.env |= {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(folder)}
        self._ahead = iter(PAGE.commands)

    def types_until(self, words: str) -> None:
        """Type what comes next, up to the command that begins so."""
        for command in self._ahead:
            self._type(command)
            if command.line.startswith(words):
                return
        raise AssertionError(f"the page has no further command that begins with {words}")

    def _type(self, command: Command) -> None:
        line = command.line
        if line.startswith("helm install"):
            line = f"{line} --set-string '{PLAYED}'"
        done = subprocess.run(
            line,
            shell=True,
            cwd=self.cli.folder,
            env=self.cli.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        said = done.stdout if done.stdout.endswith("\n") or not done.stdout else done.stdout + "\n"
        assert (command.code, True) == (done.returncode, agrees(command.output, said)), (
            f"$ {line}\n{said}\n{self._left() if done.returncode else ''}"
        )

    def _left(self) -> str:
        """What is there of ours, and whether it is going."""
        words = ("get", "crd,ns", "-o", "jsonpath={range .items[*]}{.metadata.name} {.status}{'\\n'}{end}")
        return self.cluster.kubectl(*words)

    @contextmanager
    def operator(self) -> Iterator[InstalledOperator]:
        """What the pod of the Deployment runs, as its service account."""
        self._operators += 1
        name = f"fairlead-{self._operators}"
        pod = self.site.object("deployment", RELEASE)["spec"]["template"]
        own = token_kubeconfig(self.cluster, SYSTEM, RELEASE, self.cli.folder / f"kubeconfig-{name}")
        operator = InstalledOperator(own, pod, SYSTEM, name, self.cli.folder / f"{name}.log")
        operator.start()
        try:
            operator.until_leading()
            yield operator
        finally:
            operator.stop()


@contextmanager
def touched(cluster: Cluster) -> Iterator[None]:
    """What the page tells those to do whose API server takes minutes over a CRD, wherever one says that of itself."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(1.0):
            for crd in json.loads(cluster.kubectl("get", "crd", "-o", "json"))["items"]:
                said = [
                    one["message"]
                    for one in crd["status"].get("conditions", ())
                    if one["type"] == "Terminating"
                ]
                if any("storage is (re)initializing" in message for message in said):
                    name = crd["metadata"]["name"]
                    with suppress(subprocess.CalledProcessError):  # it has gone meanwhile
                        cluster.kubectl(
                            "annotate", "--overwrite", "crd", name, f"again={time.monotonic_ns()}"
                        )

    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_the_page_works(empty: Cluster, tmp_path: Path):
    """Its commands do what they say; a run outlives upgrade and rollback in one pod; uninstalled, everything can be deleted."""
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(empty, folder)
    site = reader.site
    reader.types_until("kubectl -n fairlead-system rollout status")
    with reader.operator():
        reader.types_until("fairlead -n fairlead-system submit")
        site.workflow("long", [pod_node("long", runs="1h"), pod_node("after", "long")])
        site.execution("long-1", "long")
        pod = site.pod("long-1", "long")
        reader.types_until("helm upgrade")
        assert site.object("deployment", RELEASE)["spec"]["replicas"] == 3
    with reader.operator():
        reader.types_until("helm rollback")
        assert site.object("deployment", RELEASE)["spec"]["replicas"] == 2
        assert site.until("long-1", lambda status: status["phase"] == "Running", "it goes on")
        assert [pod["metadata"]["uid"]] == [one["metadata"]["uid"] for one in site.pods("long-1")]
        again = site.object("pod", pod["metadata"]["name"])
        assert "deletionTimestamp" not in again["metadata"]
        site.kubectl("patch", "wfe", "long-1", "--type=merge", "-p", '{"spec": {"suspend": true}}')
        site.until("long-1", lambda status: status["phase"] == "Suspended", "it is suspended")
    reader.types_until("helm uninstall")
    assert site.object("deployment", RELEASE) == {}
    assert site.object("wfe", "first")["status"]["phase"] == "Succeeded"
    reader.types_until("kubectl apply --server-side")
    container = site.object("deployment", RELEASE)["spec"]["template"]["spec"]["containers"][0]
    values = yaml.safe_load((ROOT / "charts" / "fairlead" / "Chart.yaml").read_text(encoding="utf-8"))
    assert container["image"] == f"registry.example/fairlead:{values['appVersion']}"
    assert [one["value"] for one in container["env"] if "value" in one] == [
        f"registry.example/fairlead-runner:{values['appVersion']}"
    ]
    assert site.object("wfe", "long-1")["metadata"]["finalizers"]
    reader.types_until("fairlead release")
    until(lambda: "finalizers" not in site.object("wfe", "long-1")["metadata"], "nothing is held")
    with touched(empty):
        reader.types_until("kubectl get clusterrole")
