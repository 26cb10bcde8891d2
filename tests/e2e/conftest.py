"""A control plane with a real node, and an operator in a namespace of it: pods run, as containers, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.cluster.binaries import NotBuilt
from tests.cluster.clusters import apply_ours
from tests.cluster.plane import ControlPlane
from tests.cluster.real import lacking, real_node
from tests.support.operators import Operator, Site
from tests.support.waiting import until

NAMESPACE = "real"
RUNNER = f"localhost/fairlead-runner:{version('fairlead')}"
ARCHIVE = Path(__file__).resolve().parents[2] / "dist" / "fairlead-runner.tar"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A namespace that an operator serves, on a cluster whose only node is real."""
    why = lacking()
    if why:
        pytest.skip(why)
    # Paths of sockets are short: not in pytest's own folder.
    with TemporaryDirectory(prefix="fairlead-real-") as folder:
        try:
            with (
                ControlPlane(Path(folder)) as plane,
                real_node(plane.kubeconfig, Path(folder) / "node") as node,
            ):
                if ARCHIVE.exists():
                    node.load(ARCHIVE)
                apply_ours(plane.kubeconfig)
                plane.kubectl("create", "namespace", NAMESPACE)
                site = Site(plane.kubeconfig, NAMESPACE)
                until(lambda: site.object("serviceaccount", "default"), "there is a service account")
                log = tmp_path_factory.mktemp("operator") / "operator.log"
                operator = Operator(plane.kubeconfig, NAMESPACE, log, "--runner-image", RUNNER)
                operator.start()
                try:
                    operator.until_leading()
                    yield site
                    site.kubectl("delete", "wfe", "--all", "--timeout=60s")
                finally:
                    operator.stop()
        except NotBuilt as reason:
            pytest.skip(str(reason))


@pytest.fixture(scope="session")
def runner(real: Site) -> str:
    """The runner image, which is on the real node."""
    if not ARCHIVE.exists():
        pytest.skip("the runner image is not built; `make image` does that")
    return RUNNER
