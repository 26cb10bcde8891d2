"""What the tests of the cluster home share: a namespace with an operator, for a module or for one test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from tests.cluster.clusters import Cluster
from tests.support.operators import Operator, Site


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A namespace that one operator serves for all tests of a module."""
    name = f"served-{secrets.token_hex(5)}"
    cluster.kubectl("create", "namespace", name)
    operator = Operator(cluster.kubeconfig, name, tmp_path_factory.mktemp("operator") / "operator.log")
    operator.start()
    try:
        operator.until_leading()
        yield Site(cluster.kubeconfig, name)
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        operator.stop()


@pytest.fixture
def site(cluster: Cluster, namespace: str) -> Site:
    """A namespace for one test alone, without an operator."""
    return Site(cluster.kubeconfig, namespace)
