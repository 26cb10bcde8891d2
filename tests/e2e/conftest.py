"""A control plane with a real node, and an operator in a namespace of it: pods run, as containers, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.cluster.binaries import NotBuilt
from tests.cluster.clusters import Cluster, apply_ours
from tests.cluster.plane import ControlPlane
from tests.cluster.real import ARCHIVES, OPERATOR, RUNNER, RealNode, lacking, real_node
from tests.support.leavings import leavings, networks
from tests.support.operators import Operator, Site
from tests.support.waiting import until

NAMESPACE = "real"


@dataclass(frozen=True)
class RealCluster:
    """A cluster whose only node is real."""

    cluster: Cluster
    node: RealNode


@pytest.fixture(scope="session")
def real_cluster() -> Iterator[RealCluster]:
    """With the images that are built, and nothing of ours installed. The node leaves nothing behind on this machine."""
    why = lacking()
    if why:
        pytest.skip(why)
    # Paths of sockets are short: not in pytest's own folder.
    with TemporaryDirectory(prefix="fairlead-real-") as name:
        folder = Path(name) / "node"
        try:
            with ControlPlane(Path(name)) as plane, real_node(plane.kubeconfig, folder) as node:
                before = networks()
                for archive in ARCHIVES.values():
                    if archive.exists():
                        node.load(archive)
                yield RealCluster(Cluster("a real node", plane.kubeconfig, plane.audit_log), node)
                node.stop()
                assert not leavings(folder) | (networks() - before)
        except NotBuilt as reason:
            pytest.skip(str(reason))


@pytest.fixture(scope="session")
def real(real_cluster: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A namespace of it that an operator serves, which is a process of this machine."""
    cluster = real_cluster.cluster
    apply_ours(cluster.kubeconfig)
    cluster.kubectl("create", "namespace", NAMESPACE)
    site = Site(cluster.kubeconfig, NAMESPACE)
    until(lambda: site.object("serviceaccount", "default"), "there is a service account")
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    operator = Operator(cluster.kubeconfig, NAMESPACE, log, "--runner-image", RUNNER)
    operator.start()
    try:
        operator.until_leading()
        yield site
        site.kubectl("delete", "wfe", "--all", "--timeout=60s")
    finally:
        operator.stop()


@pytest.fixture(scope="session")
def runner(real_cluster: RealCluster) -> str:
    """The runner image, which is on the real node."""
    return _loaded(RUNNER)


@pytest.fixture(scope="session")
def operator_image(real_cluster: RealCluster) -> str:
    """The operator's image, which is on the real node."""
    return _loaded(OPERATOR)


def _loaded(image: str) -> str:
    if not ARCHIVES[image].exists():
        pytest.skip(f"{image} is not built; `make image` does that")
    return image
