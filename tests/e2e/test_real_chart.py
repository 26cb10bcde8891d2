"""The chart with the images of `make image` on a real node: what `helm install` gives is an operator that works."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from tests.cluster.clusters import ROOT, Cluster
from tests.cluster.real import RealNode
from tests.e2e.conftest import RealCluster
from tests.support.charts import RELEASE, Helm
from tests.support.cli import Cli
from tests.support.installs import used_by
from tests.support.operators import Site, run_node
from tests.support.waiting import until

pytestmark = [pytest.mark.xdist_group("real-node")]

OPERATORS = "app.kubernetes.io/component=operator"
SHOP = "shop"
PATIENCE = 90.0


class Installed:
    """A release on the real node."""

    def __init__(self, cluster: Cluster, node: RealNode, helm: Helm) -> None:
        self.cluster, self.node, self.helm = cluster, node, helm
        self.site = Site(cluster.kubeconfig, SHOP)

    def operators(self) -> dict[str, dict[str, Any]]:
        """The pods of the Deployment that are to stay, by name."""
        pods = self.site.objects("pods", OPERATORS)
        return {pod["metadata"]["name"]: pod for pod in pods if "deletionTimestamp" not in pod["metadata"]}

    def leader(self) -> str:
        """The name of the pod that holds the Lease; empty if nobody does."""
        holder = self.site.object("lease", RELEASE).get("spec", {}).get("holderIdentity") or ""
        return str(holder.rpartition("_")[0])

    def until_both_ready(self) -> dict[str, dict[str, Any]]:
        """Wait until both replicas are ready and one leads; the pods."""

        def ready() -> bool:
            deployment = self.site.object("deployment", RELEASE).get("status", {})
            return deployment.get("readyReplicas") == 2 and self.leader() in self.operators()

        try:
            until(ready, "both are ready and one leads", PATIENCE)
        except AssertionError as late:
            said = self.site.kubectl("logs", "-l", OPERATORS, "--prefix", "--tail=5")
            raise AssertionError(f"{late}; the operators said:\n{said}") from None
        return self.operators()

    def pid(self, pod: dict[str, Any]) -> int:
        """The process of an operator's container, as this machine sees it."""
        return self.node.pid(pod["status"]["containerStatuses"][0]["containerID"])


@pytest.fixture(scope="module")
def installed(
    real_cluster: RealCluster, operator_image: str, runner: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The chart as a user installs it, with nothing but its images said: CRDs, policies, two replicas."""
    cluster = real_cluster.cluster
    helm = Helm(tmp_path_factory.mktemp("helm"), cluster.kubeconfig)
    images = {
        name: {"repository": image.rpartition(":")[0]}
        for name, image in (("image", operator_image), ("runnerImage", runner))
    }
    words = (
        "--namespace",
        SHOP,
        "--create-namespace",
        "--take-ownership",
    )  # of CRDs that another test applied
    helm.ok("install", RELEASE, str(helm.chart), *words, values=images)
    try:
        yield Installed(cluster, real_cluster.node, helm)
    finally:
        helm("uninstall", RELEASE, "--namespace", SHOP, "--ignore-not-found")


def _script(name: str, script: str) -> dict[str, Any]:
    return run_node(name, {"python": script})


def _runs(site: Site, pod: dict[str, Any]) -> bool:
    return bool(site.object("pod", pod["metadata"]["name"]).get("status", {}).get("phase") == "Running")


def test_it_comes_up_and_runs_an_example(installed: Installed, runner: str, tmp_path: Path):
    """Both replicas are ready and one leads; a run ends well, in pods of the runner image; `fairlead get` shows it."""
    installed.until_both_ready()
    site = installed.site
    manifest = ROOT / "examples" / "order.yaml"
    for document in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
        site.apply(document)
    site.execution("order-1", "order", inputs={"items": [{"sku": "a", "qty": 2, "price": 3.5}]})
    status = site.ended("order-1", "Succeeded")
    assert {pod["spec"]["containers"][0]["image"] for pod in site.pods("order-1")} == {runner}
    cli = Cli(tmp_path)
    cli.env["KUBECONFIG"] = str(installed.cluster.kubeconfig)
    shown = json.loads(cli.ok("get", "order-1", "-n", SHOP, "-o", "json"))
    assert (shown["status"]["phase"], shown["status"].get("outputs")) == ("Succeeded", status.get("outputs"))


def test_its_containers_have_no_rights_on_the_node(installed: Installed):
    """By the kernel: nobody, no capability and no way to one, filtered system calls, a root that cannot be written to."""
    for pod in installed.until_both_ready().values():
        process = Path("/proc") / str(installed.pid(pod))
        lines = (process / "status").read_text(encoding="ascii").splitlines()
        said = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        assert set(said["Uid"] + said["Gid"]) == {"65532"}
        assert {int(said[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
        assert (said["NoNewPrivs"], said["Seccomp"]) == (["1"], ["2"])
        mounts = [line.split() for line in (process / "mountinfo").read_text(encoding="utf-8").splitlines()]
        [root] = [words[5] for words in mounts if words[4] == "/"]
        assert "ro" in root.split(",")


def test_probes_answer_and_say_who_leads(installed: Installed):
    """On the address of each pod, as a kubelet and Prometheus ask."""
    pods = installed.until_both_ready()
    for name, pod in pods.items():
        answers = {}
        for path in ("healthz", "readyz", "metrics"):
            with urlopen(f"http://{pod['status']['podIP']}:8080/{path}", timeout=10) as answer:
                answers[path] = answer.read().decode()
        assert answers["healthz"].startswith("ok")
        assert answers["readyz"].startswith("ok: leads" if name == installed.leader() else "ok: stands by")
        leading = "fairlead_leader 1.0" if name == installed.leader() else "fairlead_leader 0.0"
        assert leading in answers["metrics"].splitlines(), answers["metrics"]


@pytest.mark.parametrize("way", ["deleted", "killed"])
def test_a_run_goes_on_when_its_leader_goes(installed: Installed, way: str):
    """Somebody leads again, the run in the middle ends, its attempt is the first one, and two replicas are ready again."""
    pods, site = installed.until_both_ready(), installed.site
    name = f"goes-on-{way}"
    wait = "import os, time\nwhile not os.path.exists('/tmp/off'):\n    time.sleep(0.1)\n"
    site.workflow(name, [_script("one", wait), run_node("two", {"sh": "true"}, "one")])
    site.execution(name, name)
    pod = site.pod(name, "one")
    until(lambda: _runs(site, pod), "the first node runs", PATIENCE)
    leader, epoch = installed.leader(), _epoch(site)
    if way == "deleted":
        site.kubectl("delete", "pod", leader, "--wait=false")
        until(lambda: installed.leader() in pods.keys() - {leader}, "the other one leads", PATIENCE)
    else:
        os.kill(installed.pid(pods[leader]), signal.SIGKILL)
    until(lambda: _epoch(site) > epoch, "somebody leads anew", PATIENCE)
    site.kubectl("exec", pod["metadata"]["name"], "--", "touch", "/tmp/off")
    assert site.ended(name, "Succeeded")
    assert len(site.pods(name)) == 2
    installed.until_both_ready()


def _epoch(site: Site) -> int:
    return int(site.object("lease", RELEASE)["spec"].get("leaseTransitions", 0))


def test_nothing_that_it_asked_for_was_denied(installed: Installed):
    """Its roles are enough for all of the above, by the audit log."""
    installed.until_both_ready()
    used, refused = used_by(installed.cluster, f"system:serviceaccount:{SHOP}:{RELEASE}")
    assert (used.get(("", "pods"), set()) >= {"create", "watch"}, refused) == (True, [])


def test_uninstalling_lets_go_of_a_run_in_the_middle(installed: Installed):
    """The Job of the chart runs in the operator's image; no finalizer stays, nor an operator, and the namespace can go."""
    installed.until_both_ready()
    site = installed.site
    site.workflow("held", [run_node("one", {"sh": "sleep 600"})])
    site.execution("held", "held")
    until(lambda: _runs(site, site.pod("held", "one")), "it runs", PATIENCE)
    assert site.object("wfe", "held")["metadata"]["finalizers"]
    installed.helm.ok("uninstall", RELEASE, "--namespace", SHOP, "--wait", "--timeout", "120s")
    held = [
        f"{kind} {one['metadata']['name']}"
        for kind in ("wfe", "fwf", "pods", "configmaps")
        for one in site.objects(kind)
        if one["metadata"].get("finalizers")
    ]
    assert held == []
    until(lambda: not site.objects("all", f"app.kubernetes.io/instance={RELEASE}"), "the operator is gone")
    site.kubectl("delete", "namespace", SHOP, "--timeout=60s")
