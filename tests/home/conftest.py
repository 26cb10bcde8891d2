"""What the tests of the cluster home share: a namespace with an operator, for a module or for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster.clusters import Cluster
from tests.support.operators import Site, serving


@pytest.fixture(scope="module")
def served(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A namespace that one operator serves for all tests of a module."""
    with serving(cluster, "served", tmp_path_factory.mktemp("operator")) as site:
        yield site


@pytest.fixture
def site(cluster: Cluster, namespace: str) -> Site:
    """A namespace for one test alone, without an operator."""
    return Site(cluster.kubeconfig, namespace)
