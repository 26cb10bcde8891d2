"""Two operators, one leader: a standby takes over, and a leader that was only asleep changes nothing when it wakes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.cluster.clusters import Cluster
from tests.support.fences import fenced
from tests.support.operators import PATIENCE, Operator, Site, pod_node
from tests.support.recorded import check_run, recording
from tests.support.waiting import until


def _epochs(site: Site, name: str) -> list[int]:
    """The epochs of the batches in a log, in their order."""
    uid = site.object("wfe", name)["metadata"]["uid"]
    [head] = site.objects("configmaps", f"fairlead.dev/execution-uid={uid},fairlead.dev/log in (head,closed)")
    batches = sorted((int(key[1:]), text) for key, text in head["data"].items() if key[1:].isdigit())
    return [json.loads(text)["epoch"] for _, text in batches]


@pytest.mark.timeout(240, func_only=True)
def test_a_leader_that_sleeps_or_dies_is_replaced_and_a_sleeper_changes_nothing(
    cluster: Cluster, site: Site, tmp_path: Path
):
    """With the fence in force: the standby goes on with the runs; who wakes stands by, until the other is killed."""
    one = Operator(site.kubeconfig, site.namespace, tmp_path / "one.log", identity="one")
    two = Operator(site.kubeconfig, site.namespace, tmp_path / "two.log", identity="two")
    fan = [pod_node(f"f{number:02d}", "first", runs=f"{number * 400}ms") for number in range(12)]
    site.workflow("fan", [pod_node("first"), *fan, pod_node("last", *(node["name"] for node in fan))])
    with fenced(cluster, site.namespace), recording(site, tmp_path) as record:
        one.start()
        try:
            one.until_leading()
            two.start()
            site.execution("fan-1", "fan")
            until(lambda: len(record.uids()) >= 3, "pods are being created", PATIENCE)
            one.signal(signal.SIGSTOP)
            two.until_leading()
            one.signal(signal.SIGCONT)
            until(lambda: one.said("leads no more"), "the sleeper knows that it leads no more", PATIENCE)
            site.ended("fan-1", "Succeeded")
            check_run(site, "fan-1", record)
            epochs = _epochs(site, "fan-1")
            assert epochs == sorted(epochs) and len(set(epochs)) == 2, epochs
            site.execution("fan-2", "fan")
            until(lambda: len(record.uids()) >= len(fan) + 5, "the second run goes on", PATIENCE)
            two.kill()
            one.until_leading(2)
            site.ended("fan-2", "Succeeded")
            check_run(site, "fan-2", record)
        finally:
            one.signal(signal.SIGCONT)
            one.stop()
            two.stop()
    assert "Traceback" not in one.log.read_text(encoding="utf-8")
