"""What Helm makes of the chart, and which values it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster.clusters import ROOT, SYSTEM, Cluster
from tests.support.charts import CHART, EVERYTHING, Helm, of_kind, plain, the
from tests.support.installs import words_of

SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "clusterWide": {"clusterWide": True},
    "everything": EVERYTHING,
    "everything, clusterWide": {**EVERYTHING, "clusterWide": True},
    "nothing": {
        "replicas": 1,
        **{
            name: {"enabled": False}
            for name in ("policies", "service", "networkPolicy", "disruptionBudget", "releaseOnUninstall")
        },
        "crds": {"install": False},
        "rbac": {"create": False, "aggregate": False},
        "serviceAccount": {"create": False},
    },
}
FOREIGN = "monitoring.coreos.com/"
"""API groups that a cluster of tests does not serve: the Prometheus operator's."""
sets = pytest.mark.parametrize("values", SETS.values(), ids=list(SETS))


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Helm, with a home of its own."""
    return Helm(tmp_path)


@sets
def test_helm_lints_it(helm: Helm, values: dict[str, Any]):
    """No finding, also none that Helm only warns of."""
    helm.ok("lint", str(helm.chart), "--strict", values=values)


@sets
def test_an_api_server_takes_it(cluster: Cluster, namespace: str, helm: Helm, values: dict[str, Any]):
    """Every manifest passes the validation of a real API server, with no unknown field."""
    manifests = helm.manifests(namespace=namespace, values=values)
    ours = [one for one in manifests if not one["apiVersion"].startswith(FOREIGN)]
    words = (
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    )
    said = cluster.kubectl(*words, text=yaml.safe_dump_all(ours))
    assert len(said.splitlines()) == len(ours)


def test_the_operator_of_a_namespace(helm: Helm):
    """Namespaced by default: two replicas under their own names, with Roles alone; a Lease of its own."""
    manifests = helm.manifests(namespace="shop")
    deployment = the(manifests, "Deployment")
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]

    assert deployment["spec"]["replicas"] == 2
    assert words_of(container, POD_NAME="p-1") == [
        "operator",
        *(
            "--namespace=shop",
            "--lease=fairlead",
            "--lease-namespace=shop",
            "--identity=p-1",
            "--probes=8080",
        ),
    ]
    [name] = [one for one in container["env"] if one["name"] == "POD_NAME"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert (
        container["livenessProbe"]["httpGet"]["path"],
        container["readinessProbe"]["httpGet"]["path"],
    ) == (
        "/healthz",
        "/readyz",
    )
    assert the(manifests, "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert of_kind(manifests, "ClusterRoleBinding") == []
    assert {one["metadata"]["namespace"] for one in of_kind(manifests, "Role")} == {"shop"}


def test_the_operator_of_a_cluster(helm: Helm):
    """Everywhere: the same rules in a ClusterRole; the Lease stays a matter of the release's namespace."""
    here, everywhere = helm.manifests(), helm.manifests(values={"clusterWide": True})
    name = f"operator.{SYSTEM}.fairlead.fairlead.dev"

    assert the(everywhere, "ClusterRole", name)["rules"] == the(here, "Role", "fairlead")["rules"]
    assert (
        the(everywhere, "ClusterRoleBinding", name)["subjects"]
        == the(here, "RoleBinding", "fairlead")["subjects"]
    )
    assert the(everywhere, "Role", "fairlead-lease") == the(here, "Role", "fairlead-lease")
    [container] = the(everywhere, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert words_of(container)[:2] == ["operator", "--all-namespaces"]


@sets
def test_pods_are_restricted(cluster: Cluster, namespace: str, helm: Helm, values: dict[str, Any]):
    """Pod Security `restricted` takes every pod of the chart, and nobody writes to its root."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    manifests = helm.manifests(namespace=namespace, values={**values, "priorityClassName": ""})
    templates = [one["spec"]["template"] for one in manifests if one["kind"] in {"Deployment", "Job"}]
    for number, template in enumerate(templates):
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
        spec = {**template["spec"], "serviceAccountName": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"tried-{number}"}, "spec": spec}
        cluster.kubectl(
            *("-n", namespace, "create", "--dry-run=server", "-f", "-"),
            text=json.dumps(pod),
        )


def test_images(helm: Helm):
    """A tag or the chart's own version; a digest wins over both."""
    digest = f"sha256:{'a' * 64}"

    def images(**values: Any) -> tuple[str, str]:
        [container] = the(helm.manifests(values=values), "Deployment")["spec"]["template"]["spec"][
            "containers"
        ]
        [runner] = [one["value"] for one in container["env"] if one["name"] == "FAIRLEAD_RUNNER_IMAGE"]
        return container["image"], runner

    version = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    assert images() == (f"fairlead:{version}", f"fairlead-runner:{version}")
    named = {"repository": "reg.example:5000/a/b", "tag": "7"}
    assert images(image=named, runnerImage={**named, "digest": digest}) == (
        "reg.example:5000/a/b:7",
        f"reg.example:5000/a/b@{digest}",
    )


def test_the_version_of_the_chart_is_that_of_the_program():
    """Chart.yaml and pyproject.toml say the same."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    found = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert found is not None
    assert chart["version"] == chart["appVersion"] == found[1]


def test_metrics_for_prometheus(helm: Helm):
    """A ServiceMonitor of the Service, the alerts as they stand in the chart, and the dashboard letter by letter."""
    manifests = helm.manifests(values=EVERYTHING)
    service, monitor = the(manifests, "Service"), the(manifests, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["endpoints"]] == [
        one["name"] for one in service["spec"]["ports"]
    ]
    alerts, shown = (CHART / "files" / name for name in ("alerts.yaml", "dashboard.json"))
    assert the(manifests, "PrometheusRule")["spec"] == yaml.safe_load(alerts.read_text(encoding="utf-8"))
    dashboard = the(manifests, "ConfigMap", "fairlead-dashboard")["data"]["fairlead.json"]
    assert json.loads(dashboard) == json.loads(shown.read_text(encoding="utf-8"))


def test_a_monitor_without_a_service_is_refused(helm: Helm):
    """It would find nothing."""
    values = {"service": {"enabled": False}, "monitoring": {"serviceMonitor": {"enabled": True}}}
    done = helm("template", "x", str(helm.chart), values=values)
    assert done.returncode != 0
    assert "monitoring.serviceMonitor.enabled needs service.enabled" in done.stderr


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"replica": 3}, "'replica'"),
        ({"replicas": "3"}, "/replicas"),
        ({"replicas": 0}, "/replicas"),
        ({"clusterWide": "yes"}, "/clusterWide"),
        ({"image": {"repository": "a b"}}, "/image/repository"),
        ({"image": {"repository": "a:1"}}, "/image/repository"),
        ({"image": {"digest": "sha256:1"}}, "/image/digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"runnerImage": {"pullPolicy": "Always"}}, "'pullPolicy'"),
        ({"lease": {"name": "Fair Lead"}}, "/lease/name"),
        ({"port": 80}, "/port"),
        ({"port": 70_000}, "/port"),
        ({"resources": {"limits": {"memory": "lots"}}}, "/resources/limits/memory"),
        ({"imagePullSecrets": ["pull"]}, "/imagePullSecrets/0"),
        ({"networkPolicy": {"apiServerAddresses": ["api.example"]}}, "/networkPolicy/apiServerAddresses/0"),
        ({"networkPolicy": {"apiServerPorts": []}}, "/networkPolicy/apiServerPorts"),
        ({"monitoring": {"serviceMonitor": {"interval": "often"}}}, "/monitoring/serviceMonitor/interval"),
        ({"podLabels": {"a": 1}}, "/podLabels/a"),
        ({"nodeSelector": ["a"]}, "/nodeSelector"),
        ({"crds": {"enabled": True}}, "'enabled'"),
        ({"terminationGracePeriodSeconds": -1}, "/terminationGracePeriodSeconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_values_are_refused(helm: Helm, values: dict[str, Any], field: str):
    """By the schema, which names the field."""
    done = helm("template", "x", str(helm.chart), values=values)
    assert done.returncode != 0
    assert field in done.stderr


def _keys(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict) or not value:
        return {path}
    return set().union(*(_keys(inner, f"{path}.{key}") for key, inner in value.items()))


def _known(schema: dict[str, Any], path: str = "") -> set[str]:
    properties = schema.get("properties")
    if not properties:
        return {path}
    return set().union(*(_known(inner, f"{path}.{key}") for key, inner in properties.items()))


def test_every_value_is_in_the_schema_and_has_a_word():
    """values.yaml has all that the schema allows, beside what belongs to Kubernetes; a comment stands above each value."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    own = {
        key.partition(".labels.")[0] + (".labels" if ".labels." in key else "")
        for key in _keys(yaml.safe_load(text))
    }
    own = {re.sub(r"^(\.resources\.(?:requests|limits)).*", r"\1", key) for key in own}
    assert own == _known(schema) - {".global", ".resources.claims"}

    lines = text.splitlines()
    bare = []
    for number, line in enumerate(lines):
        above = lines[number - 1].strip()
        top = re.fullmatch(r"\w+:.*\S", line) and not line.endswith(":")
        if top and not above.startswith("#") and not re.fullmatch(r"\w+: .*", above):
            bare.append(line)
    assert bare == []


def test_what_kubectl_applies_is_what_the_chart_gives(tmp_path: Path):
    """deploy/ is the chart with its own values; `make deploy` writes it anew."""
    written = (ROOT / "deploy" / "fairlead.yaml").read_text(encoding="utf-8")
    assert written == plain(tmp_path)
    kustomization = yaml.safe_load((ROOT / "deploy" / "kustomization.yaml").read_text(encoding="utf-8"))
    assert sorted(kustomization["resources"]) == ["fairlead.yaml", "namespace.yaml"]
    namespace = yaml.safe_load((ROOT / "deploy" / "namespace.yaml").read_text(encoding="utf-8"))
    assert namespace["metadata"]["name"] == SYSTEM


def test_kubectl_applies_it(cluster: Cluster):
    """`kubectl apply -k deploy` as a person types it, tried on a real API server."""
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "deploy" / "namespace.yaml"))
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k", str(ROOT / "deploy"))
    said = cluster.kubectl(*words).splitlines()
    assert len(said) == 1 + len(
        list(yaml.safe_load_all((ROOT / "deploy" / "fairlead.yaml").read_text("utf-8")))
    )
