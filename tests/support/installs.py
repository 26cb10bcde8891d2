"""An install of the chart on a cluster whose nodes are played: what its pods would run, runs here, as their service account.

Helm installs; KWOK plays the pods, so that the Deployment has its replicas; the operator itself is a process of this machine
that has the command, the arguments, the environment and the identity of such a pod, and its token.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.clusters import ROOT, Cluster
from tests.cluster.processes import free_ports
from tests.support.charts import RELEASE, Helm, Manifest
from tests.support.operators import COMMAND, Operator, Site

VALUES: dict[str, Any] = {
    "crds": {"install": False},  # the shared cluster has them
    "podAnnotations": {"fairlead.dev/kwok-runs": "24h"},
}
_CLUSTER_SCOPED = (
    "validatingadmissionpolicybinding",
    "validatingadmissionpolicy",
    "clusterrolebinding",
    "clusterrole",
)
Used = dict[tuple[str, str], set[str]]
"""Verbs by API group and resource (`pods/log`)."""


class InstalledOperator(Operator):
    """The operator that a pod would run; its port is one that is free, since here all pods share the machine's."""

    def __init__(self, kubeconfig: Path, pod: Manifest, namespace: str, name: str, log: Path) -> None:
        super().__init__(kubeconfig, namespace, log)
        container = pod["spec"]["containers"][0]
        self._environment = {one["name"]: one.get("value", name) for one in container["env"]}
        [port] = free_ports(1)
        words = words_of(container, POD_NAME=name)
        words = [f"--probes={port}" if word.startswith("--probes=") else word for word in words]
        self.port = port
        self._command = [sys.executable, "-c", COMMAND, *words, "--kubeconfig", str(kubeconfig)]


class Install:
    """A release of the chart in a namespace."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, values: dict[str, Any]) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.folder = folder
        self.helm = Helm(folder, cluster.kubeconfig)
        self.helm.install(namespace, {**VALUES, **values})
        self.site = Site(cluster.kubeconfig, namespace)

    def kubeconfig_of(self, account: str = RELEASE) -> Path:
        """A kubeconfig with a token of a service account of the namespace."""
        return token_kubeconfig(self.cluster, self.namespace, account, self.folder / f"kubeconfig-{account}")

    def operator(self, name: str) -> InstalledOperator:
        """What a pod of the Deployment would run under that name."""
        pod = self.site.object("deployment", RELEASE)["spec"]["template"]
        log = self.folder / f"{name}.log"
        return InstalledOperator(self.kubeconfig_of(), pod, self.namespace, name, log)

    def used(self, account: str = RELEASE) -> tuple[Used, list[str]]:
        """What a service account has asked for, and what of it was forbidden, by the audit log."""
        return used_by(self.cluster, f"system:serviceaccount:{self.namespace}:{account}")


@contextmanager
def installed(cluster: Cluster, namespace: str, folder: Path, **values: Any) -> Iterator[Install]:
    """An install, of which nothing cluster-scoped stays; its namespace is the caller's."""
    try:
        yield Install(cluster, namespace, folder, values)
    finally:
        for kind in _CLUSTER_SCOPED:
            names = cluster.kubectl("get", kind, "-o", "name").split()
            own = [name for name in names if name.endswith(f".{namespace}.{RELEASE}.fairlead.dev")]
            if own:
                cluster.kubectl("delete", "--wait=false", "--ignore-not-found", *own)


def words_of(container: Manifest, **environment: str) -> list[str]:
    """The words that a container gives to its image, which is `fairlead`, with $(NAMES) filled in as a kubelet does."""
    assert "command" not in container
    words: list[str] = container["args"]
    for name, value in environment.items():
        words = [word.replace(f"$({name})", value) for word in words]
    return words


def run_container(container: Manifest, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    """Run what a container would to its end, as the identity of a kubeconfig."""
    path = os.pathsep.join(str(ROOT / part) for part in ("operator", "runner_image"))
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words_of(container), "--kubeconfig", str(kubeconfig)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def token_kubeconfig(cluster: Cluster, namespace: str, account: str, file: Path) -> Path:
    """Write a kubeconfig with a token of a service account."""
    token = cluster.kubectl("-n", namespace, "create", "token", account).strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    config["users"] = [{"name": account, "user": {"token": token}}]
    about = {"cluster": config["clusters"][0]["name"], "user": account, "namespace": namespace}
    config["contexts"] = [{"name": "own", "context": about}]
    config["current-context"] = "own"
    file.write_text(json.dumps(config), encoding="utf-8")
    return file


def used_by(cluster: Cluster, user: str) -> tuple[Used, list[str]]:
    """What a user has asked the API server for, and what of it was forbidden. Needs a cluster with an audit log."""
    assert cluster.audit_log is not None
    used: Used = defaultdict(set)
    refused = []
    with cluster.audit_log.open(encoding="utf-8") as lines:
        for line in lines:
            if user not in line or not line.endswith("\n"):
                continue
            event = json.loads(line)
            about = event.get("objectRef", {})
            if event["user"]["username"] != user or "resource" not in about:
                continue
            resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
            used[about.get("apiGroup", ""), resource].add(event["verb"])
            if event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
                refused.append(f"{event['verb']} {event['requestURI']}")
    return dict(used), refused


def granted(rules: list[dict[str, Any]]) -> Used:
    """What the rules of a role allow."""
    found: Used = defaultdict(set)
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found[group, resource] |= set(rule["verbs"])
    return dict(found)
