"""An operator's own process where the fence is in force (protocol.md 3): all that it makes has the epoch of its Lease."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.clusters import Cluster
from tests.support.fences import fenced, set_epoch
from tests.support.operators import Operator, Site, pod_node
from tests.support.waiting import until

slow = pytest.mark.timeout(300, func_only=True)
"""An operator starts, perhaps twice, and waits until a Lease has expired."""


@slow
def test_an_operator_works_behind_the_fence(cluster: Cluster, site: Site, tmp_path: Path):
    """Heads, pinned definitions, pods, children and cache entries pass, in each epoch that it leads in, and in none before."""
    site.workflow("child", [{**pod_node("x"), "cache": {"key": "k"}}])
    site.workflow("parent", [pod_node("a"), {"name": "b", "after": ["a"], "workflow": {"name": "child"}}])
    operator = Operator(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    with fenced(cluster, site.namespace):
        operator.start()
        try:
            operator.until_leading()
            site.execution("first", "parent")
            site.ended("first", "Succeeded")
            operator.kill()
            operator.start()
            operator.until_leading(2)
            site.execution("second", "parent")
            site.ended("second", "Succeeded")
            epochs = {
                one["metadata"]["labels"]["fairlead.dev/epoch"]
                for kind in ("pod", "configmap", "wfe")
                for one in site.objects(kind, "fairlead.dev/managed=true")
            }
            assert {"1", "2"} == epochs
        finally:
            operator.stop()


@slow
def test_an_operator_whose_lease_was_taken_makes_nothing_more(cluster: Cluster, site: Site, tmp_path: Path):
    """It is fenced off, sees at once that it does not lead, and leaves what is there to who does."""
    site.workflow("one", [pod_node("a")])
    operator = Operator(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    with fenced(cluster, site.namespace):
        operator.start()
        try:
            operator.until_leading()
            set_epoch(cluster, site.namespace, 7)
            site.execution("first", "one")
            until(lambda: operator.said("leads no more"), "it stops to lead")
            assert not site.objects("pod") and not site.objects("configmap", "fairlead.dev/managed=true")
        finally:
            operator.stop()
