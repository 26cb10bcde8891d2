"""What metrics cost where it counts: each request, each commit, each scrape. Ratios are to the observer that does not care.

Every line is the best of five rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fairlead.apps.metrics.recording import Recorder
from fairlead.apps.metrics.scraping import HomeGauges, text_of
from fairlead.engine.graph import compile_workflow
from fairlead.kube.client.resources import PODS, target_of
from fairlead.kube.home.measuring import Meter, census
from fairlead.kube.observing import Observer
from fairlead.model import events as e
from fairlead.model.manifests import WorkflowSpec, parse_spec
from fairlead.model.state import State

ROUNDS, TIMES = 5, 50_000
LIVE = 10_000
NODES = [{"name": "a", "run": {"sh": "true"}}]


def cost(work: Callable[[], Any], times: int = TIMES) -> float:
    """Nanoseconds of one call."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter_ns() - begun) / times)
    return best


def request_of(observer: Observer) -> Callable[[], None]:
    """What the client does after each try."""
    path = PODS.path("team", "a-pod")

    def work() -> None:
        resource = target_of(path).resource
        observer.answered("patch", resource, 200, 0.004)

    return work


def commit_of(observer: Observer) -> Callable[[], None]:
    """What is told of a commit with the end of one pod node: the append, its events, the reaction."""
    meter = Meter(observer, compile_workflow(parse_spec(WorkflowSpec, {"nodes": NODES}), "flow"))
    state = State(phase="Running", epoch_at=1)
    events = [
        e.NodeStarted(node="a", path="0", attempt=1, at=1),
        e.NodeCompleted(node="a", path="0", attempt=1, port="done", at=5_000_000),
    ]

    def work() -> None:
        observer.appended(2, 300, 0.006)
        meter.heard(events, state)
        observer.reacted(0.012)

    return work


class Home:
    """A leader with many executions in hand."""

    creations_waiting = deliveries = 0
    leading = ready = True
    epoch = 1

    def __init__(self) -> None:
        self.quiet_for = {"pods": 1.0, "configmaps": 1.0}
        self.in_force = {"records": True, "fence": True}
        actor = SimpleNamespace(state=State(phase="Running"))
        run: Any = SimpleNamespace(actor=actor, execution=None, shown=None, ended=False, deleted=False)
        self._runs = [run] * LIVE

    @property
    def census(self) -> Any:
        return census(self._runs)


def filled() -> Recorder:
    """A recorder with as many series as an operator that has seen everything."""
    recorder = Recorder()
    for verb in ("get", "list", "create", "update", "patch", "delete"):
        for resource in ("pods", "configmaps", "leases", "workflowexecutions", "workflowexecutions/status"):
            for code in (200, 404, 409):
                recorder.answered(verb, resource, code, 0.004)
    for kind in (
        "run",
        "http",
        "notify",
        "resource",
        "workflow",
        "while",
        "forEach",
        "parallel",
        "wait",
        "set",
    ):
        for outcome in ("Succeeded", "Failed", "Skipped", "Cancelled"):
            recorder.node_ended(kind, outcome, 1.0)
    for phase in ("Succeeded", "Failed", "Cancelled"):
        recorder.execution_ended(phase, 1.0)
    recorder.registry.register(HomeGauges(Home(), "0"))
    return recorder


def main() -> None:
    """Print a line for each."""
    for title, of in (("request", request_of), ("commit of a node's end", commit_of)):
        bare, measured = cost(of(Observer())), cost(of(Recorder()))
        print(f"{title:24s} {measured:8,.0f} ns   x{measured / bare:.1f} of an observer that does not care")
    recorder = filled()
    scrape = cost(lambda: text_of(recorder.registry), 20)
    size = len(text_of(recorder.registry))
    print(f"{'scrape':24s} {scrape / 1e6:8.1f} ms   {size / 1024:.0f} KiB, {LIVE:,} executions in hand")


if __name__ == "__main__":
    main()
