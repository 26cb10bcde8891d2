"""The instruments: what the home tells is what a scrape says, and a meter tells what commits mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.scraped import Scrape

from fairlead.apps.metrics.catalogue import COUNTER, GAUGE, HISTOGRAM, METRICS
from fairlead.apps.metrics.recording import Recorder
from fairlead.apps.metrics.scraping import HomeGauges, text_of
from fairlead.engine.graph import compile_workflow
from fairlead.kube.client.resources import EXECUTIONS, PODS, WORKFLOWS, target_of
from fairlead.kube.home.measuring import Census, Meter, census
from fairlead.kube.observing import NO_ANSWER, Observer
from fairlead.model import events as e
from fairlead.model.events import Error
from fairlead.model.manifests import WorkflowSpec, parse_spec
from fairlead.model.state import NodeState, State

SECONDS = 1_000_000


@dataclass
class Standing:
    """A home as it may be found."""

    census: Census = field(default_factory=lambda: Census({"Running": 3}, {"LogDamaged": 1}))
    creations_waiting: int = 7
    deliveries: int = 9
    quiet_for: dict[str, float] = field(default_factory=lambda: {"pods": 1.5})
    leading: bool = True
    ready: bool = False
    epoch: int = 12
    in_force: dict[str, bool] = field(default_factory=lambda: {"records": True, "fence": False})


class Told(Observer):
    """An observer that remembers what it was told of nodes and executions."""

    def __init__(self) -> None:
        self.facts: list[tuple[Any, ...]] = []

    def node_ended(self, kind: str, outcome: str, seconds: float | None) -> None:
        self.facts.append((kind, outcome, seconds))

    def node_failed(self, reason: str) -> None:
        self.facts.append(("failed", reason))

    def node_retried(self, kind: str) -> None:
        self.facts.append(("retried", kind))

    def delivery_lost(self, reason: str) -> None:
        self.facts.append(("lost", reason))

    def execution_started(self) -> None:
        self.facts.append(("started",))

    def execution_ended(self, phase: str, seconds: float | None) -> None:
        self.facts.append(("ended", phase, seconds))


def scraped(recorder: Recorder, home: Standing | None = None) -> Scrape:
    """What a scrape says."""
    recorder.registry.register(HomeGauges(home or Standing(), "1.2.3"))
    return Scrape(text_of(recorder.registry).decode())


def meter(told: Told) -> Meter:
    """A meter of a run of two nodes, one with a body."""
    body = [{"name": "item", "run": {"sh": "true"}}]
    nodes = [{"name": "a", "run": {"sh": "true"}}, {"name": "all", "forEach": {"items": [1], "nodes": body}}]
    return Meter(told, compile_workflow(parse_spec(WorkflowSpec, {"nodes": nodes}), "flow"))


# ------------------------------------------------------------------------------------------------------------- the catalogue
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_and_labels_follow_the_rules(metric):
    """A prefix, base units, `_total` for counters alone; few labels, none of which names a thing that users make."""
    assert re.fullmatch(r"fairlead_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == COUNTER)
    assert (metric.kind == HISTOGRAM) == bool(metric.buckets)
    assert metric.kind in {COUNTER, GAUGE, HISTOGRAM}
    if metric.kind == HISTOGRAM:
        assert metric.name.endswith("_seconds")
    assert not re.search(r"_(milli|micro|ms|minutes|hours|kib|mib|kilo)", metric.name)
    known = {"phase", "reason", "kind", "outcome", "verb", "resource", "code", "policy", "version"}
    assert set(metric.labels) <= known
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.said.endswith(".")


def test_names_are_told_apart():
    """No two metrics have one name."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)


# -------------------------------------------------------------------------------------------------------------- the recorder
def test_what_is_told_is_what_is_scraped():
    """Every call of the observer moves its counter and its histogram, and no other."""
    recorder = Recorder()
    recorder.answered("create", "pods", 201, 0.004)
    recorder.answered("create", "pods", NO_ANSWER, 10.5)
    recorder.answered("watch", "pods", 200, 0.01)
    recorder.listed("pods")
    recorder.streamed("pods")
    recorder.appended(3, 500, 0.02)
    recorder.reacted(0.012)
    recorder.node_ended("run", "Succeeded", 4.0)
    recorder.node_ended("set", "Succeeded", None)
    recorder.node_failed("Timeout")
    recorder.node_retried("run")
    recorder.delivery_lost("NodeLost")
    recorder.execution_started()
    recorder.execution_ended("Failed", 61.0)
    recorder.execution_ended("Cancelled", None)
    recorder.lagged(0.3)

    found = scraped(recorder)

    assert found.value("fairlead_api_requests_total", verb="create", resource="pods", code="201") == 1
    assert found.value("fairlead_api_requests_total", verb="create", resource="pods", code="none") == 1
    assert found.value("fairlead_api_requests_total", verb="watch", resource="pods", code="200") == 1
    duration = "fairlead_api_request_duration_seconds"
    assert found.value(f"{duration}_count", verb="create", resource="pods") == 2
    assert found.value(f"{duration}_bucket", verb="create", resource="pods", le="0.005") == 1
    assert found.value(f"{duration}_bucket", verb="create", resource="pods", le="10.0") == 1
    assert found.value(f"{duration}_bucket", verb="create", resource="pods", le="+Inf") == 2
    assert found.total(f"{duration}_count", verb="watch") == 0
    assert found.value("fairlead_watch_lists_total", resource="pods") == 1
    assert found.value("fairlead_watch_streams_total", resource="pods") == 1
    assert found.value("fairlead_log_appends_total") == 1
    assert found.value("fairlead_log_appended_events_total") == 3
    assert found.value("fairlead_log_appended_bytes_total") == 500
    assert found.value("fairlead_log_append_duration_seconds_sum") == 0.02
    assert found.value("fairlead_reaction_duration_seconds_bucket", le="0.015") == 1
    assert found.value("fairlead_reaction_duration_seconds_bucket", le="0.01") == 0
    assert found.value("fairlead_nodes_ended_total", kind="run", outcome="Succeeded") == 1
    assert found.value("fairlead_nodes_ended_total", kind="set", outcome="Succeeded") == 1
    assert found.total("fairlead_node_duration_seconds_count") == 1
    assert found.value("fairlead_node_failures_total", reason="Timeout") == 1
    assert found.value("fairlead_node_retries_total", kind="run") == 1
    assert found.value("fairlead_deliveries_lost_total", reason="NodeLost") == 1
    assert found.value("fairlead_executions_started_total") == 1
    assert found.value("fairlead_executions_ended_total", phase="Failed") == 1
    assert found.value("fairlead_executions_ended_total", phase="Cancelled") == 1
    assert found.value("fairlead_execution_duration_seconds_sum", phase="Failed") == 61
    assert found.value("fairlead_execution_duration_seconds_count", phase="Cancelled") == 0
    assert found.value("fairlead_event_loop_lag_seconds_bucket", le="0.2") == 0
    assert found.value("fairlead_event_loop_lag_seconds_bucket", le="0.5") == 1


def test_gauges_say_what_is_so_now():
    """Gauges are read at the scrape: a phase that nobody has is 0, and what has changed since is seen."""
    recorder, home = Recorder(), Standing()
    first = scraped(recorder, home)
    home.census, home.leading = Census({"Suspended": 1}, {}), False
    second = Scrape(text_of(recorder.registry).decode())

    assert [first.value("fairlead_executions", phase=phase) for phase in ("Pending", "Running")] == [0, 3]
    assert ("fairlead_executions", frozenset({("phase", "Pending")})) in first.samples
    assert first.value("fairlead_executions_held", reason="LogDamaged") == 1
    assert first.value("fairlead_pod_creations_waiting") == 7
    assert first.value("fairlead_deliveries") == 9
    assert first.value("fairlead_watch_age_seconds", resource="pods") == 1.5
    assert (first.value("fairlead_leader"), first.value("fairlead_ready")) == (1, 0)
    assert first.value("fairlead_leader_epoch") == 12
    assert first.value("fairlead_build_info", version="1.2.3") == 1
    assert second.value("fairlead_executions", phase="Running") == second.value("fairlead_leader") == 0
    assert second.total("fairlead_executions_held") == 0


def test_registries_share_nothing():
    """Two recorders count apart, and nothing is in the registry that all of a process share."""
    one, other = Recorder(), Recorder()
    one.execution_started()

    assert scraped(other).value("fairlead_executions_started_total") == 0
    assert scraped(one).value("fairlead_executions_started_total") == 1
    assert not [name for name in scraped(Recorder()).families if name.endswith("_created")]


# ----------------------------------------------------------------------------------------------------------------- the meter
def test_a_node_is_timed_from_its_first_start_to_its_end():
    """Retries and losses are told as they come; the duration has all attempts; reasons that a script made up are Other."""
    told = Told()
    about: dict[str, Any] = {"node": "a", "path": "0"}
    meter(told).heard(
        [
            e.ExecutionStarted(nodes=2, at=SECONDS),
            e.NodeScheduled(attempt=1, at=SECONDS, **about),
            e.NodeStarted(attempt=1, at=2 * SECONDS, **about),
            e.NodeLost(attempt=1, delivery=1, reason="NodeLost", due=0, at=3 * SECONDS, **about),
            e.NodeRetrying(attempt=1, error=Error("Mine"), delay=0, due=0, at=4 * SECONDS, **about),
            e.NodeStarted(attempt=2, at=5 * SECONDS, **about),
            e.NodeFailed(attempt=2, error=Error("NonZeroExit"), at=7 * SECONDS, **about),
            e.NodeSkipped(node="all", reason="DeadPath", at=7 * SECONDS),
            e.ExecutionFailed(error=Error("NonZeroExit"), at=9 * SECONDS),
        ],
        State(phase="Failed", epoch_at=SECONDS),
    )

    assert told.facts == [
        ("started",),
        ("lost", "NodeLost"),
        ("failed", "Other"),
        ("retried", "run"),
        ("run", "Failed", 5.0),
        ("failed", "NonZeroExit"),
        ("forEach", "Skipped", None),
        ("ended", "Failed", 8.0),
    ]


def test_a_node_that_falls_back_has_failed():
    """The failure is told once, when the fallback takes over."""
    told = Told()
    meter(told).heard(
        [e.NodeFallback(node="a", path="0", fallback="all", error=Error("Timeout"), at=SECONDS)], State()
    )

    assert told.facts == [("failed", "Timeout")]


def test_what_an_earlier_process_started_is_timed_too():
    """Starts are taken from the state of a log that was taken up, also of an instance in a body."""
    told = Told()
    measured = meter(told)
    measured.take_up(
        State(
            nodes={
                "all[0]/item": NodeState(status="Running", started_at=SECONDS),
                "a": NodeState(status="Succeeded", started_at=1),
            }
        )
    )
    measured.heard(
        [
            e.NodeCompleted(node="all[0]/item", path="0", port="done", at=3 * SECONDS),
            e.NodeCompleted(node="a", path="0", port="done", at=3 * SECONDS),
            e.ExecutionCancelled(at=4 * SECONDS),
        ],
        State(phase="Cancelled"),
    )

    assert told.facts == [("run", "Succeeded", 2.0), ("run", "Succeeded", None), ("ended", "Cancelled", None)]


def test_a_census_counts_what_lives():
    """By phase of the log, or of the status while there is no actor; what has ended or is deleted is not in it."""

    def run(phase: str = "", *, actor: bool = True, shown: Any = None, **more: Any) -> Any:
        what = SimpleNamespace(state=SimpleNamespace(phase=phase)) if actor else None
        seen = SimpleNamespace(status=SimpleNamespace(phase=phase))
        about = {"actor": what, "execution": seen, "shown": shown, "ended": False, "deleted": False}
        return SimpleNamespace(**{**about, **more})

    found = census(
        [
            run("Running"),
            run("Suspended"),
            run(""),
            run("Running", actor=False, shown=("LogDamaged", "…")),
            run("Running", shown=("ClusterUnavailable", "over by now")),
            run("", actor=False, shown=("Made-up", "…"), execution=None),
            run("Succeeded"),
            run("Running", ended=True, actor=False),
            run("Running", deleted=True),
        ]
    )

    assert found == Census({"Running": 3, "Suspended": 1, "Pending": 2}, {"LogDamaged": 1, "Other": 1})


# ----------------------------------------------------------------------------------------------------------------- the labels
@pytest.mark.parametrize(
    "path, expected",
    [
        (PODS.path("team"), ("pods", True)),
        (PODS.path(None), ("pods", True)),
        (PODS.path("team", "p"), ("pods", False)),
        (PODS.path("team", "p", "log"), ("pods/log", False)),
        (EXECUTIONS.path("team", "run", "status"), ("workflowexecutions/status", False)),
        (WORKFLOWS.path(None), ("workflows", True)),
        (WORKFLOWS.root, ("", False)),
        ("/api/v1/namespaces", ("namespaces", True)),
        ("/api/v1/namespaces/team", ("namespaces", False)),
        ("/version", ("", False)),
        ("/", ("", False)),
    ],
)
def test_a_path_says_what_it_is_about(path, expected):
    """The kind and the subresource of a request, and never a name."""
    target = target_of(path)
    assert (target.resource, target.everything) == expected
