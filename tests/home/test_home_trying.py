"""`kopf run -m fairlead.apps.operator`: the operator inside Kopf's own command, with its probes and metrics."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from tests.cluster.clusters import Cluster
from tests.cluster.processes import free_ports
from tests.support.operators import Operator, Site, pod_node
from tests.support.scraped import scrape


class Tried(Operator):
    """A process of `kopf run`."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path) -> None:
        super().__init__(kubeconfig, namespace, log)
        [self.port] = free_ports(1)
        self._command = [
            *(sys.executable, "-m", "kopf", "run", "--namespace", namespace),
            *("--module", "fairlead.apps.operator"),
        ]
        self._environment = {
            "KUBECONFIG": str(kubeconfig),
            "FAIRLEAD_NAMESPACE": namespace,
            "FAIRLEAD_RUNNER_IMAGE": "runner:test",
            "FAIRLEAD_PROBES": str(self.port),
        }


def test_it_runs_and_is_measured(cluster: Cluster, site: Site, tmp_path: Path):
    """A workflow runs, and the port answers as that of `fairlead operator` does."""
    operator = Tried(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    operator.start()
    try:
        operator.until_leading()
        site.workflow("one", [pod_node("a")])
        site.execution("one-1", "one")
        site.ended("one-1", "Succeeded")
        found = scrape(operator.port)[0]
        assert found.value("fairlead_leader") == 1
        assert found.value("fairlead_executions_ended_total", phase="Succeeded") == 1
        for path in ("healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/{path}", timeout=10) as reply:
                assert reply.status == 200
    finally:
        assert operator.stop() == 0, operator.log.read_text(encoding="utf-8")[-3000:]
