"""docs/gitops.md: what it says of our objects, with server-side appliers and an operator; what Flux and Argo CD make of them.

Flux's verdict is that of its own kstatus library, Argo CD's that of the page's script in the Lua interpreter which it uses.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries
from tests.cluster.clusters import Cluster
from tests.docs.doc_pages import DOCS, Page, agrees
from tests.support.charts import Helm
from tests.support.cli import Cli
from tests.support.operators import API, Operator, Site, execution_of, pod_node
from tests.support.waiting import until

PAGE = Page(DOCS / "gitops.md")
FILES = {name: list(yaml.safe_load_all(text)) for name, text in PAGE.files.items()}
SCRIPTS = FILES["argocd-cm.yaml"][0]["data"]
KEY = "resource.customizations.health.fairlead.dev_"

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]


@pytest.fixture(autouse=True, scope="module")
def health_is_built() -> None:
    """It takes some seconds, once on a machine."""
    try:
        binaries.programs("health", "helm")
    except binaries.NotBuilt as reason:
        pytest.skip(str(reason))


class Tool:
    """A GitOps tool: it applies manifests under a name of its own, looks whether they are healthy, and prunes."""

    def __init__(self, site: Site, folder: Path, name: str = "gitops") -> None:
        self.site = site
        self.name = name
        self._folder = folder

    def apply(self, *manifests: dict[str, Any]) -> None:
        """One sync."""
        words = ("apply", "--server-side", "--field-manager", self.name, "-f", "-")
        self.site.kubectl(*words, text=yaml.safe_dump_all(manifests))

    def health(self, kind: str, name: str) -> tuple[str, str]:
        """What kstatus and Argo CD say of an object."""
        found = self.site.object(kind, name)
        script = self._folder / "health.lua"
        script.write_text(SCRIPTS[f"{KEY}{found['kind']}"], encoding="utf-8")
        done = subprocess.run(
            [binaries.programs("health")["health"], script],
            input=json.dumps(found),
            capture_output=True,
            text=True,
            check=True,
        )
        said = json.loads(done.stdout)
        assert said["message"]
        return said["kstatus"], said["argo"]

    def until_health(self, kind: str, name: str, verdict: tuple[str, str]) -> None:
        """Wait until both say that."""
        until(lambda: self.health(kind, name) == verdict, f"{name} is {verdict}")


def workflow_of(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a Workflow."""
    return {"apiVersion": API, "kind": "Workflow", "metadata": {"name": name}, "spec": {"nodes": list(nodes)}}


def test_what_the_page_says_of_our_objects(cluster: Cluster, namespace: str, tmp_path: Path):
    """Health in every state, no drift, a second sync that does nothing, wishes of others, fixed inputs, pruning in the middle."""
    site = Site(cluster.kubeconfig, namespace)
    tool = Tool(site, tmp_path)
    good = [workflow_of("good", pod_node("one", outputs={})), execution_of("good-1", "good")]
    broken = {"reason": "Broken", "message": "it is"}
    bad = [workflow_of("bad", pod_node("one", error=broken, exit=1)), execution_of("bad-1", "bad")]
    long = [workflow_of("long", pod_node("one", runs="1h")), execution_of("long-1", "long")]
    late = execution_of("late-1", "late")
    operator = Operator(cluster.kubeconfig, namespace, tmp_path / "operator.log")
    tool.apply(*good)
    for kind, name in ("workflow", "good"), ("wfe", "good-1"):
        assert tool.health(kind, name) == ("InProgress", "Progressing")
        assert "no operator" in site.object(kind, name)["status"]["conditions"][0]["message"]
    operator.start()
    try:
        operator.until_leading()
        tool.apply(*bad, *long, late)
        tool.until_health("workflow", "good", ("Current", "Healthy"))
        tool.until_health("wfe", "good-1", ("Current", "Healthy"))
        tool.until_health("wfe", "bad-1", ("Failed", "Degraded"))
        pod = site.pod("long-1", "one")
        tool.until_health("wfe", "long-1", ("InProgress", "Progressing"))
        tool.until_health("wfe", "late-1", ("InProgress", "Progressing"))
        tool.apply(workflow_of("wrong", {"name": "one", "after": ["nobody"], "run": {"sh": "true"}}))
        tool.until_health("workflow", "wrong", ("Failed", "Degraded"))

        _nothing_drifts(tool, *good)
        site.patch("bad-1", {"redrive": 1})
        site.until("bad-1", lambda status: status["observedGeneration"] == 2, "the redrive is heard")
        tool.apply(*bad)
        assert site.object("wfe", "bad-1")["spec"]["redrive"] == 1
        tool.until_health("wfe", "bad-1", ("Failed", "Degraded"))

        assert site.object("wfe", "long-1")["metadata"]["finalizers"] == ["fairlead.dev/execution"]
        site.kubectl("delete", "wfe", "long-1", "--timeout=60s")
        assert site.object("wfe", "long-1") == {}
        until(
            lambda: "finalizers" not in site.object("pod", pod["metadata"]["name"]).get("metadata", {}),
            "the pod is held by nobody",
        )
        _types_the_page(cluster, namespace, tmp_path)
        tool.until_health("wfe", "nightly-1", ("InProgress", "Suspended"))
        site.kubectl("delete", "wfe", "nightly-1", "--timeout=60s")
    finally:
        operator.stop()


def _nothing_drifts(tool: Tool, workflow: dict[str, Any], execution: dict[str, Any]) -> None:
    """A sync that brings nothing new changes nothing; one that wants other inputs, or a generated name, is refused."""
    site, name = tool.site, execution["metadata"]["name"]
    before = site.object("wfe", name)
    tool.apply(workflow, execution)
    after = site.object("wfe", name)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["metadata"]["generation"] == 1
    assert set(after["spec"]) == set(execution["spec"])
    assert len(site.pods(name)) == 1
    with pytest.raises(subprocess.CalledProcessError) as refused:
        tool.apply(execution_of(name, workflow["metadata"]["name"], inputs={"x": 1}))
    assert "inputs cannot be changed" in "".join(refused.value.__notes__)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        tool.apply({**execution, "metadata": {"generateName": "good-"}})
    assert "generate" in "".join(refused.value.__notes__)


def _types_the_page(cluster: Cluster, namespace: str, folder: Path) -> None:
    """Its commands, in the namespace of the test."""
    reader = folder / "reader"
    reader.mkdir()
    cli = Cli(reader)
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    cli.env["KUBECONFIG"] = str(cli.write("kubeconfig.yaml", config))
    kubectl = binaries.programs("kubectl")["kubectl"]
    cli.env["PATH"] = f"{kubectl.parent}{os.pathsep}{cli.env['PATH']}"
    for command, code, output in PAGE.run(cli):
        said = output if output.endswith("\n") or not output else f"{output}\n"
        assert (command.code, True) == (code, agrees(command.output, said)), f"$ {command.line}\n{said}"


def test_its_manifests_fit_the_chart(cluster: Cluster, namespace: str, tmp_path: Path):
    """The values that Argo CD and Flux give are values of the chart; the hook is an execution; both kinds have the script."""
    helm = Helm(tmp_path)
    application, release = FILES["application.yaml"][0]["spec"], FILES["helm-release.yaml"][0]["spec"]
    for values in (application["source"]["helm"]["valuesObject"], release["values"]):
        assert helm.manifests(values=values)
    hook = json.dumps(FILES["smoke-test.yaml"][0])
    cluster.kubectl(
        *("-n", namespace, "create", "--dry-run=server", "--validate=strict", "-f", "-"), text=hook
    )
    assert set(SCRIPTS) == {f"{KEY}Workflow", f"{KEY}WorkflowExecution"}
    names = {one["metadata"]["name"] for one in FILES["flux.yaml"] if one["kind"] == "Kustomization"}
    for one in FILES["flux.yaml"]:
        assert {each["name"] for each in one["spec"].get("dependsOn", ())} <= names
