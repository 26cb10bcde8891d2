"""No operator: what is deleted meanwhile waits, and goes soon after one is back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.operators import Operator, Site, pod_node
from tests.support.playing import AGES, delivered
from tests.support.waiting import until

SOON = 30.0
"""Seconds after which nothing is held any more, once an operator is back (protocol.md 7)."""


@pytest.mark.timeout(240, func_only=True)
def test_what_is_deleted_without_an_operator_goes_when_one_is_back(site: Site, tmp_path: Path):
    """An execution first, then the whole namespace, with pods that run and pods that wait."""
    lease = ("--lease-namespace", "default", "--lease", site.namespace)
    operator = Operator(site.kubeconfig, site.namespace, tmp_path / "operator.log", *lease, identity="one")
    site.workflow("long", [pod_node("a", runs=AGES), pod_node("b", nowhere=True)])
    operator.start()
    try:
        operator.until_leading()
        for name in ("long-1", "long-2", "long-3"):
            site.execution(name, "long")
        for name in ("long-1", "long-2", "long-3"):
            delivered(site, name, "a")
        operator.kill()
        site.kubectl("delete", "wfe", "long-1", "--wait=false")
        site.kubectl("delete", "wfe", "long-2", "--wait=false", "--cascade=foreground")
        operator.start()
        operator.until_leading_again()
        until(lambda: len(site.objects("wfe")) == 1, "what was deleted is gone", SOON)
        until(lambda: len(site.objects("pods")) == 2, "its pods are gone", SOON)
        operator.kill()
        site.kubectl("delete", "namespace", site.namespace, "--wait=false")
        # Since Kubernetes 1.33 the pods of a namespace go first, and all else when the last of them is gone.
        until(lambda: all("deletionTimestamp" in pod["metadata"] for pod in site.objects("pods")), "pods go")
        operator.start()
        operator.until_leading_again()
        until(lambda: not site.object("namespace", site.namespace), "the namespace is gone", SOON)
    finally:
        operator.stop()
        site.kubectl("delete", "lease", site.namespace, "--namespace", "default", "--ignore-not-found")
