"""Which cluster is used: one that the user names for tests, else kind where Docker answers, else a control plane of our own.

- `FAIRLEAD_TEST_KUBECONFIG` names the kubeconfig of a cluster that is meant for tests: nodes, CRDs and namespaces are added to
  it. KUBECONFIG itself is never used: tests must not surprise the cluster that somebody works with.
- kind is used if its program is on PATH and Docker answers; its real node is cordoned, so that KWOK plays the pods there too.
- Everywhere the CRDs of crds/ and the policies of charts/fairlead/policies are applied before anybody uses the cluster. The fence
  is in force only where somebody plays (`make cluster`): it denies everything to those who have no Lease, as most tests. A
  namespace of a test says that it is none of that operator's (FREE), so that tests may run in such a cluster too.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.kubectl import kubectl
from tests.cluster.plane import ControlPlane
from tests.cluster.played import played_nodes

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "charts" / "fairlead" / "policies"
BINDINGS = POLICIES / "bindings"
SYSTEM = "fairlead-system"
"""The namespace of the Lease that the shipped binding names."""
FREE = {"fairlead.dev/fence": "other"}
"""Labels of a namespace that the shipped fence does not look at."""
NAMED = "FAIRLEAD_TEST_KUBECONFIG"
_DOCKER_PATIENCE = 15.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers; `audit_log` is there only for a control plane of our own."""

    origin: str
    kubeconfig: Path
    audit_log: Path | None = None

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Run kubectl as administrator; what it printed. Raises CalledProcessError."""
        return kubectl(self.kubeconfig, *words, text=text)

    def add_namespace(self, name: str) -> None:
        """Make a namespace that the shipped fence does not look at."""
        about = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": FREE}}
        self.kubectl("create", "-f", "-", text=json.dumps(about))


@contextmanager
def fresh_namespace(cluster: Cluster, prefix: str = "test") -> Iterator[str]:
    """A namespace of its own, which goes afterwards; nobody waits for that."""
    name = f"{prefix}-{secrets.token_hex(5)}"
    cluster.add_namespace(name)
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@contextmanager
def opened(folder: Path) -> Iterator[Cluster]:
    """A cluster that keeps its files in `folder` and is gone afterwards. Raises NotBuilt, NotReady, CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        named = os.environ.get(NAMED)
        if named:
            cluster = Cluster(f"the cluster of {NAMED}={named}", Path(named).expanduser())
        elif _docker_answers() and shutil.which("kind"):
            cluster = stack.enter_context(_kind(folder))
        else:
            plane = stack.enter_context(ControlPlane(folder))
            cluster = Cluster("a control plane built from Go modules", plane.kubeconfig, plane.audit_log)
        stack.enter_context(played_nodes(cluster.kubeconfig, folder, remove=bool(named)))
        apply_ours(cluster.kubeconfig)
        yield cluster


def apply_ours(kubeconfig: Path) -> None:
    """The CRDs and the policies."""
    for part in (ROOT / "crds", POLICIES):
        kubectl(kubeconfig, "apply", "--server-side", "-f", str(part))
    kubectl(kubeconfig, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


@contextmanager
def fence_in_force(kubeconfig: Path) -> Iterator[None]:
    """As an install has it: what has our label is created by the holder of the Lease in SYSTEM alone."""
    namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    kubectl(kubeconfig, "apply", "--server-side", "-f", "-", text=namespace)
    kubectl(kubeconfig, "apply", "--server-side", "-f", str(BINDINGS))
    try:
        yield
    finally:
        kubectl(kubeconfig, "delete", "-f", str(BINDINGS), "--ignore-not-found")


@contextmanager
def _kind(folder: Path) -> Iterator[Cluster]:
    name, kubeconfig = f"fairlead-{secrets.token_hex(3)}", folder / "kubeconfig"
    create = ["kind", "create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig), "--wait", "120s"]
    try:
        subprocess.run(create, check=True, capture_output=True)
        nodes = kubectl(kubeconfig, "get", "node", "-o", "name").split()
        kubectl(kubeconfig, "cordon", *nodes)
        yield Cluster("kind", kubeconfig)
    finally:
        subprocess.run(["kind", "delete", "cluster", "--name", name], check=False, capture_output=True)


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=_DOCKER_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
