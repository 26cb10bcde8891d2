"""The metrics of a real operator: what Prometheus reads after runs that went well, failed, wait and are held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.processes import free_ports
from tests.support.operators import Operator, Site, pod_node, serving
from tests.support.scraped import SUFFIXES, Scrape, scrape
from tests.support.waiting import until

from fairlead.apps.metrics.catalogue import METRICS
from fairlead.model.manifests import NODE_KINDS
from fairlead.model.reasons import MEANINGS

MADE_UP = "ScriptsOwnReason"
CANARY = "canary-4f1c"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def watched(served_with_probes: tuple[Site, int]) -> Scrape:
    """A scrape after one run that succeeded, one that failed, one that is suspended and one that cannot begin."""
    site, port = served_with_probes
    site.workflow(
        f"good-{CANARY}",
        [
            pod_node("first", outputs={"said": CANARY}),
            {"name": "quick", "set": {"n": 1}, "after": ["first"]},
            {
                "name": "each",
                "forEach": {"items": [1, 2, 3], "nodes": [pod_node("item")]},
                "after": ["quick"],
            },
            {"name": "pause", "wait": {"for": "1s"}, "after": ["each"]},
        ],
        variables={"n": 0},
    )
    site.execution(f"good-run-{CANARY}", f"good-{CANARY}")
    site.workflow(
        "bad",
        [
            pod_node(
                "breaks",
                error={"reason": MADE_UP, "message": CANARY},
                retry={"maxAttempts": 2, "initialDelay": "100ms"},
            ),
            pod_node("never", "breaks"),
        ],
    )
    site.execution("bad-run", "bad")
    site.execution("lonely", "nobody-wrote-it")
    site.execution("still", "bad", suspend=True)
    site.ended(f"good-run-{CANARY}", "Succeeded")
    site.ended("bad-run", "Failed")
    site.until("lonely", lambda status: status.get("waitingFor"), "lonely says why it waits")
    site.until("still", lambda status: status.get("phase") == "Suspended", "still is suspended")
    # Those that have ended are in hand until they are let go.
    until(lambda: scrape(port)[0].value("fairlead_deliveries") == 0, "nothing is at work", PATIENCE)
    return scrape(port)[0]


@pytest.fixture(scope="module")
def served_with_probes(cluster, tmp_path_factory) -> Iterator[tuple[Site, int]]:
    """A namespace of an operator that answers on a port."""
    [port] = free_ports(1)
    folder = tmp_path_factory.mktemp("operator")
    with serving(cluster, f"measured-{CANARY}", folder, "--probes", str(port)) as site:
        yield site, port


def test_all_that_is_promised_is_there(watched: Scrape):
    """Each metric of the catalogue has its type, its text and its labels; nothing else is there but the process's own."""
    for metric in METRICS:
        family = watched.families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.said)
        names = {sample.name for sample in family.samples}
        assert names <= {family.name + suffix for suffix in SUFFIXES[metric.kind]}
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)
    ours = {metric.name.removesuffix("_total") for metric in METRICS}
    assert {name for name in watched.families if name not in ours} == {
        "process_cpu_seconds",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }


def test_executions_are_counted(watched: Scrape):
    """Phases of what ended, with durations; what lives by phase; what is held by reason."""
    assert watched.value("fairlead_executions_ended_total", phase="Succeeded") == 1
    assert watched.value("fairlead_executions_ended_total", phase="Failed") == 1
    assert watched.value("fairlead_executions_started_total") == 3
    assert watched.value("fairlead_execution_duration_seconds_count", phase="Succeeded") == 1
    assert watched.value("fairlead_execution_duration_seconds_sum", phase="Succeeded") > 1
    assert {
        phase: watched.value("fairlead_executions", phase=phase)
        for phase in ("Pending", "Running", "Suspended")
    } == {
        "Pending": 1,
        "Running": 0,
        "Suspended": 1,
    }
    assert watched.value("fairlead_executions_held", reason="WorkflowNotFound") == 1


def test_nodes_are_counted(watched: Scrape):
    """Kind and outcome of each instance, durations of those that started, failures by known reasons alone."""
    ended = {
        (kind, outcome): watched.value("fairlead_nodes_ended_total", kind=kind, outcome=outcome)
        for kind, outcome in (
            ("run", "Succeeded"),
            ("run", "Failed"),
            ("run", "Skipped"),
            ("set", "Succeeded"),
            ("forEach", "Succeeded"),
            ("wait", "Succeeded"),
        )
    }

    assert ended == {
        ("run", "Succeeded"): 4,
        ("run", "Failed"): 1,
        ("run", "Skipped"): 1,
        ("set", "Succeeded"): 1,
        ("forEach", "Succeeded"): 1,
        ("wait", "Succeeded"): 1,
    }
    assert watched.value("fairlead_node_duration_seconds_count", kind="run") == 5
    assert watched.value("fairlead_node_duration_seconds_count", kind="set") == 0
    assert watched.value("fairlead_node_duration_seconds_sum", kind="wait") >= 1
    assert watched.value("fairlead_node_retries_total", kind="run") == 1
    assert watched.value("fairlead_node_failures_total", reason="Other") == 2
    assert watched.value("fairlead_reaction_duration_seconds_count") == 6


def test_requests_commits_and_watches_are_counted(watched: Scrape):
    """Pods were created once for each delivery, with times for each request; logs grew; the API server is heard; one leads."""
    assert watched.value("fairlead_api_requests_total", verb="create", resource="pods", code="201") == 6
    asked = watched.total("fairlead_api_requests_total", verb="create", resource="pods")
    assert (
        watched.value("fairlead_api_request_duration_seconds_count", verb="create", resource="pods") == asked
    )
    assert watched.total("fairlead_api_requests_total", verb="list", resource="workflowexecutions") >= 1
    assert watched.total("fairlead_api_requests_total", verb="watch", resource="workflowexecutions") >= 1
    assert watched.total("fairlead_api_requests_total", verb="watch", resource="pods", code="200") >= 1
    assert watched.total("fairlead_api_request_duration_seconds_count", verb="watch") == 0
    assert watched.total("fairlead_api_requests_total", resource="leases", verb="create", code="201") == 1
    appends = watched.value("fairlead_log_appends_total")
    assert 0 < appends == watched.value("fairlead_log_append_duration_seconds_count")
    assert watched.value("fairlead_log_appended_events_total") > appends
    assert watched.value("fairlead_log_appended_bytes_total") > 100 * appends
    for what in ("pods", "configmaps"):
        assert 0 <= watched.value("fairlead_watch_age_seconds", resource=what) < 90
        assert watched.value("fairlead_watch_lists_total", resource=what) >= 1
        assert watched.value("fairlead_watch_streams_total", resource=what) >= 1
    assert watched.value("fairlead_leader") == watched.value("fairlead_ready") == 1
    assert watched.value("fairlead_leader_epoch") >= 1
    assert watched.value("fairlead_event_loop_lag_seconds_count") >= 1
    assert watched.value("fairlead_pod_creations_waiting") == 0


def test_labels_are_of_closed_lists(watched: Scrape):
    """No label value, and no other text, has anything that a person or a script wrote, nor a uid or a namespace."""
    assert CANARY not in watched.text
    assert MADE_UP not in watched.text
    for name, labels in watched.samples:
        has = dict(labels)
        assert has.get("kind", "run") in NODE_KINDS, name
        assert has.get("reason", "Other") in {*MEANINGS, "Other"}, name
        assert has.get("phase", "Failed") in {
            "Pending",
            "Running",
            "Suspended",
            "Succeeded",
            "Failed",
            "Cancelled",
        }
        assert has.get("outcome", "Failed") in {"Succeeded", "Failed", "Skipped", "Cancelled"}
        assert has.get("verb", "get") in {"get", "list", "watch", "create", "update", "patch", "delete"}
        assert has.get("resource", "pods").partition("/")[0] in {
            "configmaps",
            "discovery",
            "events",
            "leases",
            "pods",
            "workflowexecutions",
            "workflows",
        }


def test_how_it_is_served(served_with_probes: tuple[Site, int]):
    """The text format of Prometheus, whatever else a scraper would take; other paths of the port stay what they are."""
    _, port = served_with_probes
    open_metrics = {
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    }
    for headers in ({}, open_metrics):
        found, kind = scrape(port, headers)
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        assert found.value("fairlead_leader") == 1


def test_a_taken_port_is_refused(served_with_probes: tuple[Site, int], tmp_path: Path):
    """A second operator on the same port ends at once, and names the port and the setting: one that nobody can watch is none."""
    site, port = served_with_probes
    second = Operator(site.kubeconfig, site.namespace, tmp_path / "second.log", "--probes", str(port))
    second.start()
    assert second.process is not None
    try:
        assert second.process.wait(PATIENCE) == 5
    finally:
        second.stop()
    log = second.log.read_text(encoding="utf-8")
    assert f"port {port} for probes and metrics cannot be opened" in log
    assert "--probes" in log
    assert "Traceback" not in log
