"""Two operators that were told different Leases, in one namespace: the second says so wherever one looks, and does not lead."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.cluster.clusters import Cluster
from tests.cluster.processes import free_ports
from tests.support.operators import Operator, Site, pod_node
from tests.support.waiting import until


def _standing(port: int) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, "nobody answers"


@pytest.mark.timeout(240, func_only=True)
def test_a_second_operator_with_another_lease_does_not_lead(cluster: Cluster, site: Site, tmp_path: Path):
    """Its log and /readyz name who leads and by which Lease; the run stays with the first, and is taken up when that has gone."""
    [port] = free_ports(1)
    first = Operator(cluster.kubeconfig, site.namespace, tmp_path / "first.log")
    words = ("--lease", "other", "--probes", str(port))
    second = Operator(cluster.kubeconfig, site.namespace, tmp_path / "second.log", *words, identity="second")
    try:
        first.start()
        first.until_leading()
        site.workflow("two", [pod_node("one", nowhere=True), pod_node("two", "one")])
        site.execution("two-1", "two")
        pod = site.pod("two-1", "one")
        second.start()
        until(lambda: second.said("another operator leads here"), "the second says so")
        code, said = _standing(port)
        assert (code, f"by the Lease {site.namespace}/fairlead" in said) == (503, True), said
        assert not site.object("lease", "other").get("spec", {}).get("holderIdentity")
        first.stop()

        second.until_leading()
        site.end_pod(pod, outputs={})
        site.ended("two-1", "Succeeded")
        assert [event["type"] for event in site.log("two-1")].count("NodeLost") == 0
        until(lambda: _standing(port)[0] == 200, "it is ready")
    finally:
        first.stop()
        second.stop()
