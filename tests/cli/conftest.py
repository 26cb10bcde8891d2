"""Every test of the command line has a folder and a store of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.support.cli import Cli
from tests.support.cluster_runs import ClusterRuns


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line in the test's folder."""
    return Cli(tmp_path)


@pytest.fixture
def runs(cluster, namespace, cli: Cli) -> ClusterRuns:
    """Runs in a namespace of the cluster, which is the command line's kube context."""
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    file = cli.write("kubeconfig.yaml", config)
    cli.env["KUBECONFIG"] = str(file)
    return ClusterRuns(file, namespace)
