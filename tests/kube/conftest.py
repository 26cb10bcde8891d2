"""What the tests of the Kubernetes adapters share: a home on a namespace of its own, and faults on the way to the API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.kube_home import KubernetesHome
from tests.support.workflows import Flows


@pytest.fixture
def home(cluster, namespace) -> Iterator[KubernetesHome]:
    """The ports on a namespace of its own, epoch 1."""
    opened = KubernetesHome(cluster.kubeconfig, namespace)
    yield opened
    opened.close()


@pytest.fixture
def flows(home) -> Iterator[Flows]:
    """Workflows that somebody looks after."""
    made = Flows(home)
    yield made
    made.close()
