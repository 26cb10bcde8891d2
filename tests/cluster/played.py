"""Nodes whose pods KWOK plays: they are scheduled and end as `pod-stages.yaml` says, and no container ever runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.kubectl import kubectl
from tests.cluster.processes import Process, free_ports

HERE = Path(__file__).resolve().parent
NODES = 4
_PLAYED = "fairlead.dev/played"
_ROOM = {"cpu": "1k", "memory": "1Ti", "pods": "5k"}


@contextmanager
def played_nodes(kubeconfig: Path, logs: Path, *, remove: bool) -> Iterator[Process]:
    """KWOK with its nodes; `remove` takes the nodes out of a cluster that goes on to live."""
    [port] = free_ports(1)
    kwok = Process(
        [
            *(binaries.programs("kwok")["kwok"], "--kubeconfig", kubeconfig, "-c", HERE / "pod-stages.yaml"),
            *("--manage-nodes-with-annotation-selector", f"{_PLAYED}=true"),
            *("--server-address", f"127.0.0.1:{port}"),
        ],
        logs / "kwok.log",
    )
    kwok.start()
    try:
        nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(number) for number in range(NODES)]}
        kubectl(kubeconfig, "apply", "-f", "-", text=json.dumps(nodes))
        kubectl(kubeconfig, "wait", "--for=condition=Ready", "node", "-l", "type=played", "--timeout=120s")
        yield kwok
    finally:
        if remove:
            kubectl(kubeconfig, "delete", "node", "-l", "type=played", "--wait=false")
        kwok.stop()


def _node(number: int) -> dict[str, object]:
    name = f"played-{number}"
    labels = {"type": "played", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {_PLAYED: "true"}},
        "status": {"allocatable": _ROOM, "capacity": _ROOM},
    }
