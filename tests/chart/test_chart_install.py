"""Installs of the chart on a cluster: they come up, ignore each other, can be upgraded, and leave nothing held."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cluster.clusters import SYSTEM, Cluster, fresh_namespace
from tests.cluster.plane import ALONE, ControlPlane
from tests.support.charts import CHART, RELEASE, Helm, Manifest
from tests.support.installs import installed, run_container, token_kubeconfig
from tests.support.operators import UNSEEN, Site, pod_node
from tests.support.waiting import until

LONG = pytest.mark.timeout(400, func_only=True)
"""Helm, the Deployment and operators one after the other."""


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    """A second namespace."""
    with fresh_namespace(cluster) as name:
        yield name


def _available(site: Site) -> bool:
    return bool(site.object("deployment", RELEASE).get("status", {}).get("availableReplicas") == 2)


@LONG
def test_an_install_comes_up_and_goes_on_by_helm(cluster: Cluster, namespace: str, tmp_path: Path):
    """The Deployment has its replicas; the operator of its pod leads, answers probes, runs a workflow; an upgrade is taken."""
    with installed(cluster, namespace, tmp_path) as install:
        site = install.site
        until(lambda: _available(site), "both replicas are available")
        budget = site.object("poddisruptionbudget", RELEASE)
        assert until(lambda: site.object("pdb", RELEASE).get("status"), "the budget is counted"), budget
        operator = install.operator("fairlead-0")
        operator.start()
        try:
            operator.until_leading()
            for path in ("healthz", "readyz"):
                with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/{path}", timeout=10) as reply:
                    assert reply.status == 200
            assert site.object("lease", RELEASE)["spec"]["holderIdentity"].startswith("fairlead-0_")
            site.workflow(
                "hello", [pod_node("one", outputs={"x": 1})], outputs={"x": "${nodes.one.outputs.x}"}
            )
            site.execution("hello-1", "hello")
            assert site.ended("hello-1", "Succeeded")["outputs"] == {"x": 1}
            [pod] = site.pods("hello-1")
            assert pod["spec"]["containers"][0]["image"].startswith("fairlead-runner:")
            install.helm.ok(
                *("upgrade", RELEASE, str(CHART), "--namespace", namespace, "--reuse-values"),
                *("--set", "replicas=3"),
            )
            assert site.object("deployment", RELEASE)["spec"]["replicas"] == 3
        finally:
            operator.stop()


@LONG
def test_two_installs_ignore_each_other(cluster: Cluster, namespace: str, other: str, tmp_path: Path):
    """Each runs what is in its own namespace, may not read the other's, and neither fences nor denies the other."""
    with ExitStack() as stack:
        installs = []
        for number, place in enumerate((namespace, other)):
            folder = tmp_path / str(number)
            folder.mkdir()
            installs.append(stack.enter_context(installed(cluster, place, folder)))
        first, second = installs
        alone = first.operator("same-name")
        alone.start()
        stack.callback(alone.stop)
        alone.until_leading()
        for install in installs:
            install.site.workflow("hello", [pod_node("one")])
            install.site.execution("hello-1", "hello")
        first.site.ended("hello-1", "Succeeded")
        assert second.site.status("hello-1") == UNSEEN

        beside = second.operator("same-name")
        beside.start()
        stack.callback(beside.stop)
        beside.until_leading()
        second.site.ended("hello-1", "Succeeded")
        for install, foreign in ((first, other), (second, namespace)):
            mine = Cluster("", install.kubeconfig_of())
            for kind in ("pods", "configmaps", "workflowexecutions", "leases"):
                assert _is_refused(mine, "-n", foreign, "get", kind)
            assert _is_refused(mine, "get", "secrets")
        assert alone.said('"event": "leads"') == beside.said('"event": "leads"') == 1


def _is_refused(cluster: Cluster, *words: str) -> bool:
    try:
        cluster.kubectl(*words)
    except subprocess.CalledProcessError as error:
        return "forbidden" in "".join(error.__notes__).lower()
    return False


@LONG
def test_uninstalling_leaves_nothing_held(cluster: Cluster, namespace: str, tmp_path: Path):
    """While an operator leads the Job lets go of nothing and is tried again; then it does, with rights of its own, and all goes.

    No node takes the Job's pod here: its container runs on this machine, as its service account.
    """
    nowhere = {"nodeSelector": {"type": "nobody"}}
    with installed(cluster, namespace, tmp_path, **nowhere) as install:
        site = install.site
        operator = install.operator("fairlead-0")
        operator.start()
        try:
            operator.until_leading()
            site.workflow("long", [pod_node("long", runs="1h")])
            site.execution("long-1", "long")
            pod = site.pod("long-1", "long")
            assert pod["metadata"]["finalizers"]
            uninstall = threading.Thread(
                target=install.helm.ok, args=("uninstall", RELEASE, "--namespace", namespace)
            )
            uninstall.start()
            job = until(lambda: site.object("job", f"{RELEASE}-release"), "the Job is there")
            assert site.object("deployment", RELEASE) == {}
            [container] = job["spec"]["template"]["spec"]["containers"]
            account = job["spec"]["template"]["spec"]["serviceAccountName"]
            own = token_kubeconfig(cluster, namespace, account, tmp_path / "kubeconfig-release")
            early = run_container(container, own)
            assert early.returncode != 0
            assert "fairlead-0" in early.stderr
            assert site.object("wfe", "long-1")["metadata"]["finalizers"]
        finally:
            operator.stop()
        # Its rights went before it did: it could not give its Lease back, which has to expire.
        said = until(lambda: _released(container, own), "the Job has released what was held")
        assert said == "released 1 pod and 1 execution\n"
        [pod_of_job] = until(
            lambda: site.objects("pods", f"job-name={RELEASE}-release"), "the Job has its pod"
        )
        site.play(pod_of_job, {"terminated": {"exitCode": 0, "reason": "Completed"}}, "Succeeded")
        uninstall.join(60)
        assert not uninstall.is_alive()
        if cluster.audit_log is not None:
            used, refused = install.used(account)
            assert refused == []
            assert used["", "pods"] <= {"get", "list", "patch"}
    for kind in ("job", "serviceaccount", "role", "rolebinding", "deployment", "service", "networkpolicy"):
        names = [one["metadata"]["name"] for one in site.objects(kind)]
        assert [name for name in names if name.startswith(RELEASE)] == []
    cluster.kubectl("delete", "namespace", namespace, "--timeout=60s")


def _released(container: Manifest, own: Path) -> str:
    """What the container of the Job said if it ended well."""
    done = run_container(container, own)
    return done.stdout if done.returncode == 0 else ""


@LONG
def test_an_install_for_all_namespaces(tmp_path: Path):
    """From nothing, CRDs included: it runs what is in any namespace under its ClusterRole, fenced, and is denied nothing."""
    with ControlPlane(tmp_path / "plane", ALONE) as plane:
        cluster = Cluster("a control plane of its own", plane.kubeconfig, plane.audit_log)
        places = [SYSTEM, "shop", "bank"]
        for place in places:
            cluster.kubectl("create", "namespace", place)
            cluster.kubectl("-n", place, "create", "serviceaccount", "default")  # nobody else does here
        values = {"clusterWide": True, "crds": {"install": True}}
        with installed(cluster, SYSTEM, tmp_path, **values) as install:
            cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
            operator = install.operator("fairlead-0")
            operator.start()
            try:
                operator.until_leading()
                for place in places:
                    site = Site(cluster.kubeconfig, place)
                    site.workflow("hello", [pod_node("one")])
                    site.execution("hello-1", "hello")
                    site.end_pod(site.pod("hello-1", "one"), outputs={})
                    site.ended("hello-1", "Succeeded")
            finally:
                operator.stop()
            used, refused = install.used()
            assert refused == []
            assert {("", "pods"), ("fairlead.dev", "workflowexecutions/status")} <= set(used)


def test_an_upgrade_reaches_the_crds_and_uninstalling_keeps_them(tmp_path: Path):
    """Helm creates them, writes a newer chart's over them, and leaves them where they are, with all executions, in the end."""
    chart = tmp_path / "fairlead"
    shutil.copytree(CHART, chart)
    with ControlPlane(tmp_path / "plane", ALONE) as plane:
        helm = Helm(tmp_path, plane.kubeconfig, chart)
        helm.install("default", {})
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        name = "workflowexecutions.fairlead.dev"
        file = chart / "files" / "crds" / "fairlead.dev_workflowexecutions.yaml"
        file.write_text(file.read_text("utf-8").replace("- wfe\n", "- wfe\n    - newer\n"), encoding="utf-8")
        helm.install("default", {})
        crd = json.loads(plane.kubectl("get", "crd", name, "-o", "json"))
        assert "newer" in crd["spec"]["names"]["shortNames"]
        execution = {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "WorkflowExecution",
            "metadata": {"name": "kept"},
        }
        plane.kubectl(
            "create", "-f", "-", text=json.dumps({**execution, "spec": {"workflow": {"name": "x"}}})
        )
        helm.ok("uninstall", RELEASE, "--namespace", "default", "--no-hooks")
        assert plane.kubectl("get", "wfe", "-o", "name").split() == ["workflowexecution.fairlead.dev/kept"]
        left = plane.kubectl(
            "get", "validatingadmissionpolicy,clusterrole,deployment", "-A", "-o", "name"
        ).split()
        ours = [one for one in left if one.endswith(".fairlead.dev")]
        assert ours == [
            "validatingadmissionpolicy.admissionregistration.k8s.io/fence.default.fairlead.fairlead.dev"
        ]
        helm.install("default", {})  # what was kept is taken back


def test_crds_of_another_release_are_not_taken_over(cluster: Cluster, namespace: str, tmp_path: Path):
    """Helm refuses and names them; `crds.install: false` is the way."""
    helm = Helm(tmp_path, cluster.kubeconfig)
    done = helm("install", RELEASE, str(CHART), "--namespace", namespace)
    assert done.returncode != 0
    assert "CustomResourceDefinition" in done.stderr
    helm.install(namespace, {"crds": {"install": False}, "policies": {"enabled": False}})
    helm.ok("uninstall", RELEASE, "--namespace", namespace, "--no-hooks")
