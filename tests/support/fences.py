"""The fence in force for one namespace: the shipped binding, with a Lease of the namespace's own."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from tests.cluster.clusters import BINDINGS, Cluster
from tests.support.waiting import until

from fairlead.kube import names

LEASE = "fairlead"


@contextmanager
def fenced(cluster: Cluster, namespace: str, epoch: int | None = None, lease: str = LEASE) -> Iterator[None]:
    """Inside, what has our label needs the epoch of that Lease, which is made with `epoch` if one is given."""
    binding = binding_for(namespace, lease)
    cluster.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(binding))
    try:
        until(lambda: _denies(cluster, namespace), f"the fence of {namespace} is in force")
        if epoch is not None:
            set_epoch(cluster, namespace, epoch, lease)
        yield
    finally:
        cluster.kubectl("delete", "validatingadmissionpolicybinding", binding["metadata"]["name"])


def binding_for(namespace: str, lease: str) -> dict[str, Any]:
    """The binding of charts/fairlead, for a namespace and a Lease in it."""
    shipped = yaml.safe_load((BINDINGS / "fence.yaml").read_text(encoding="utf-8"))
    binding: dict[str, Any] = copy.deepcopy(shipped)
    binding["metadata"]["name"] = f"{namespace}.{shipped['metadata']['name']}"
    binding["spec"]["paramRef"] |= {"name": lease, "namespace": namespace}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding["spec"]["matchResources"] = {"namespaceSelector": selector}
    return binding


def set_epoch(cluster: Cluster, namespace: str, epoch: int, lease: str = LEASE) -> None:
    """Another operator leads, in that epoch; the fence knows it when this returns."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lease, "namespace": namespace},
        "spec": {"leaseTransitions": epoch, "holderIdentity": f"operator-{epoch}"},
    }
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(body))
    until(lambda: _passes(cluster, namespace, epoch), f"epoch {epoch} passes the fence of {namespace}")


def managed(name: str, epoch: int | str) -> dict[str, Any]:
    """A ConfigMap with our label."""
    labels = {names.MANAGED: "true", names.EPOCH: str(epoch)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


def _denies(cluster: Cluster, namespace: str) -> bool:
    """Whether an epoch that nobody has is denied."""
    words = ("-n", namespace, "create", "--dry-run=server", "-f", "-")
    try:
        cluster.kubectl(*words, text=json.dumps(managed("tried", "none")))
    except subprocess.CalledProcessError as error:
        return "ValidatingAdmissionPolicy 'fence." in "".join(error.__notes__)
    return False


def _passes(cluster: Cluster, namespace: str, epoch: int) -> bool:
    """Whether the API server's own view of the Lease has an epoch."""
    words = ("-n", namespace, "create", "--dry-run=server", "-f", "-")
    try:
        return bool(cluster.kubectl(*words, text=json.dumps(managed("tried", epoch))))
    except subprocess.CalledProcessError:
        return False
