"""An operator that meets runs of a newer release, as after a rollback of the chart, and that release when it is back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.cluster.clusters import ROOT, Cluster
from tests.support.operators import Operator, Site, pod_node
from tests.support.waiting import until


def _newer(folder: Path) -> Path:
    """The sources of a release that has an event type in place of one of ours; it is otherwise the same."""
    code = shutil.copytree(
        ROOT / "operator", folder / "operator", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "runner_image", folder / "runner_image")
    for module in code.rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        if (changed := re.sub(r"\bNodeScheduled\b", "NodePlanned", text)) != text:
            module.write_text(changed, encoding="utf-8")
    return folder


@pytest.mark.timeout(300, func_only=True)
def test_a_run_of_a_newer_release_waits_for_it(cluster: Cluster, site: Site, tmp_path: Path):
    """It is frozen with a reason, its parent waits, others go on; when that release is back it ends as it should."""
    newer = Operator(cluster.kubeconfig, site.namespace, tmp_path / "newer.log", source=_newer(tmp_path))
    older = Operator(cluster.kubeconfig, site.namespace, tmp_path / "older.log")
    try:
        newer.start()
        newer.until_leading()
        site.workflow("kid", [pod_node("one", nowhere=True), pod_node("two", "one")])
        site.workflow("whole", [{"name": "call", "workflow": {"name": "kid"}}])
        site.workflow("beside", [pod_node("x")])
        site.execution("whole-1", "whole")
        kid = str(until(lambda: _child(site, "whole-1"), "the child is there"))
        before = site.pod(kid, "one")
        newer.stop()

        older.start()
        older.until_leading()
        status = site.until(
            kid, lambda found: found["conditions"][0]["reason"] == "NewerRelease", "it is frozen"
        )
        said = str(status["conditions"][0]["message"])
        assert ("NodePlanned" in said, "upgrade again" in said) == (True, True)
        site.execution("beside-1", "beside")
        site.ended("beside-1", "Succeeded")
        assert site.status("whole-1")["phase"] == "Running"
        site.end_pod(before, outputs={})
        assert "fairlead.dev/done" not in site.pod(kid, "one")["metadata"]["labels"]
        older.stop()

        newer.start()
        newer.until_leading_again()
        site.ended("whole-1", "Succeeded")
        uids = [pod["metadata"]["uid"] for pod in site.pods(kid)]
        assert (len(uids), before["metadata"]["uid"] in uids) == (2, True)
    finally:
        newer.stop()
        older.stop()


def _child(site: Site, parent: str) -> str:
    """The execution that another has started; empty as long as there is none."""
    names = [each["metadata"]["name"] for each in site.objects("wfe")]
    return next((name for name in names if name != parent), "")
