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
def fenced(cluster: Cluster, namespace: str, lease: str = LEASE) -> Iterator[None]:
    """From when it is in force until the end of the block, what has our label needs the epoch of that Lease."""
    binding = binding_for(namespace, lease)
    cluster.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(binding))
    try:
        until(lambda: _denies(cluster, namespace), f"the fence of {namespace} is in force")
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
    """Another operator leads, in that epoch."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": lease, "namespace": namespace},
        "spec": {"leaseTransitions": epoch, "holderIdentity": f"operator-{epoch}"},
    }
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=json.dumps(body))


def managed(name: str, epoch: int | str) -> dict[str, Any]:
    """A ConfigMap with our label."""
    labels = {names.MANAGED: "true", names.EPOCH: str(epoch)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}


def _denies(cluster: Cluster, namespace: str) -> bool:
    """Whether an epoch that nobody has is denied."""
    words = ("-n", namespace, "create", "--dry-run=server", "-f", "-")
    try:
        cluster.kubectl(*words, text=json.dumps(managed("tried", "nobody's")))
    except subprocess.CalledProcessError as error:
        return "ValidatingAdmissionPolicy 'fence." in "".join(error.__notes__)
    return False


def knows_epoch(cluster: Cluster, namespace: str, epoch: int) -> None:
    """Wait until the API server's own view of the Lease has an epoch."""
    words = ("-n", namespace, "create", "--dry-run=server", "-f", "-")

    def passes() -> bool:
        try:
            return bool(cluster.kubectl(*words, text=json.dumps(managed("tried", epoch))))
        except subprocess.CalledProcessError:
            return False

    until(passes, f"epoch {epoch} passes the fence of {namespace}")
