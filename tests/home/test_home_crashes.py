"""The operator dies at random moments, again and again: what it runs loses nothing and doubles nothing."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.support.operators import PATIENCE, Operator, Site, pod_node
from tests.support.recorded import PodRecord, check_run, recording
from tests.support.waiting import until

from fairlead.model import events as e

KILLS = 5
SEED = 20251
RUNS = {"line": 2, "fan": 1, "rounds": 1, "stubborn": 1, "parent": 2}
"""How many executions of each Workflow."""
PODS = 2 * 4 + 7 + (2 + 3) + 3 + 2 * (1 + 2)
"""How many pods they need."""


def _workflows(site: Site) -> None:
    site.workflow(
        "line", [pod_node("a"), pod_node("b", "a", runs="1s"), pod_node("c", "b"), pod_node("d", "c")]
    )
    fan = [pod_node(f"f{number}", "first", runs=f"{number * 300}ms") for number in range(1, 6)]
    last = pod_node("last", *(node["name"] for node in fan), outputs={"n": 7})
    site.workflow("fan", [pod_node("first"), *fan, last], outputs={"n": "${nodes.last.outputs.n}"})
    site.workflow(
        "rounds",
        [
            {
                "name": "turns",
                "while": {"condition": "pass.index < 2", "nodes": [pod_node("turn", runs="500ms")]},
            },
            {
                "name": "items",
                "after": ["turns"],
                "forEach": {"items": [1, 2, 3], "maxParallel": 2, "nodes": [pod_node("item")]},
            },
        ],
    )
    retry = {"maxAttempts": 3, "initialDelay": "500ms", "jitter": 0}
    error = {"reason": "NonZeroExit", "message": "again", "exitCode": 1}
    site.workflow("stubborn", [pod_node("never", error=error, retry=retry, onError="continue")])
    site.workflow(
        "child",
        [pod_node("one", runs="500ms"), pod_node("two", "one", outputs={"x": 5})],
        outputs={"x": "${nodes.two.outputs.x}"},
    )
    site.workflow(
        "parent",
        [{"name": "calls", "workflow": {"name": "child"}}, pod_node("after", "calls")],
        outputs={"x": "${nodes.calls.outputs.x}"},
    )


def _mow(operator: Operator, record: PodRecord, dice: random.Random) -> None:
    """Kill the operator at moments that follow its own work: so many pods further, or while it takes over."""
    for kill in range(1, KILLS + 1):
        seen = len(record.uids())
        wanted = min(PODS, seen + dice.choice((0, 1, 2, 4)))
        led = operator.said('"event": "leads"')
        if dice.random() < 0.3:
            until(partial(_more, led, lambda: operator.said('"event": "leads"')), "it leads", PATIENCE)
        else:
            operator.until_leading_again()
            until(
                partial(_more, wanted - 1, lambda: len(record.uids())),
                f"{wanted} pods, kill {kill}",
                PATIENCE,
            )
        operator.kill()
        operator.start()


@pytest.mark.timeout(300, func_only=True)
def test_an_operator_that_is_killed_again_and_again_loses_nothing(site: Site, tmp_path: Path):
    """Chains, a fan-out, loops, retries and children end as without crashes: one pod per delivery, each end counted once."""
    operator = Operator(site.kubeconfig, site.namespace, tmp_path / "operator.log", identity="one")
    _workflows(site)
    names = [f"{name}-{number}" for name, count in RUNS.items() for number in range(count)]
    with recording(site, tmp_path) as record:
        operator.start()
        try:
            for name in names:
                site.execution(name, name.rpartition("-")[0])
            _mow(operator, record, random.Random(SEED))
            for name in names:
                site.ended(name, "Succeeded")
            events = {name: check_run(site, name, record) for name in names}
            for child in site.objects("wfe"):
                if child["metadata"]["name"] not in names:
                    check_run(site, child["metadata"]["name"], record)
        finally:
            operator.stop()
    assert site.status("fan-0")["outputs"] == {"n": 7}
    assert site.status("parent-1")["outputs"] == {"x": 5}
    assert len([one for one in events["stubborn-0"] if isinstance(one, e.NodeRetrying)]) == 2
    assert len([uid for uids in record.uids().values() for uid in uids]) == PODS


@pytest.mark.timeout(120, func_only=True)
def test_an_operator_that_is_ended_gives_its_lease_back(site: Site, tmp_path: Path):
    """After SIGTERM it exits with 0; another one leads at once, without waiting for the Lease to run out, and goes on."""
    first = Operator(site.kubeconfig, site.namespace, tmp_path / "first.log", identity="first")
    second = Operator(site.kubeconfig, site.namespace, tmp_path / "second.log", identity="second")
    site.workflow("slow", [pod_node("a", runs="2s"), pod_node("b", "a")])
    first.start()
    try:
        first.until_leading()
        site.execution("slow-1", "slow")
        site.until("slow-1", lambda status: status["phase"] == "Running", "it runs")
        first.signal(signal.SIGTERM)
        assert first.stop() == 0, first.log.read_text(encoding="utf-8")[-3000:]
        assert not site.object("lease", "fairlead")["spec"]["holderIdentity"]
        second.start()
        second.until_leading()
        site.ended("slow-1", "Succeeded")
        check_run(site, "slow-1")
    finally:
        first.stop()
        second.stop()
    assert "Traceback" not in first.log.read_text(encoding="utf-8")


def _more(than: int, count: Callable[[], int]) -> bool:
    return count() > than
