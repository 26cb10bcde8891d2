"""Every metric of the operator but those of its process: the documentation's table and the instruments are both made from it.

Rules of this file
- Names begin with `fairlead_` and end with their unit (seconds, bytes), those of counters with `_total`.
- Label values come from closed lists. No name or uid of an execution, no namespace, no text of a person is ever one.
- What is counted starts from nothing with each process: the sum over all replicas counts, and only a leader counts.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

REQUESTS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Requests of an API server: some milliseconds, ten seconds at most."""
REACTIONS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""With bounds at the goals: 15 ms for half of them, 60 ms for 99 of 100."""
LAGS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""20 ms is what one step may take, 200 ms is trouble."""
NODES = (
    0.1,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    14400.0,
    43200.0,
    86400.0,
)
"""A tenth of a second to a day."""
EXECUTIONS = (
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    14400.0,
    43200.0,
    86400.0,
    259200.0,
    604800.0,
)
"""A second to a week."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `buckets` are the upper bounds of a histogram, in the metric's unit."""

    name: str
    kind: str
    said: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


LIVE_EXECUTIONS = Metric(
    "fairlead_executions", GAUGE, "Executions in hand that have not ended, by phase.", ("phase",)
)
HELD_EXECUTIONS = Metric(
    "fairlead_executions_held",
    GAUGE,
    "Executions that cannot begin or go on, by the reason that their status shows.",
    ("reason",),
)
EXECUTIONS_STARTED = Metric("fairlead_executions_started_total", COUNTER, "Executions that began.")
EXECUTIONS_ENDED = Metric(
    "fairlead_executions_ended_total",
    COUNTER,
    "Executions that ended, by phase; one that is redriven ends again.",
    ("phase",),
)
EXECUTION_DURATION = Metric(
    "fairlead_execution_duration_seconds",
    HISTOGRAM,
    "From the start of an execution, or its last redrive, to its end, by phase.",
    ("phase",),
    EXECUTIONS,
)
NODES_ENDED = Metric(
    "fairlead_nodes_ended_total",
    COUNTER,
    "Instances of nodes that ended, by kind and by how: Succeeded, Failed, Skipped, Cancelled.",
    ("kind", "outcome"),
)
NODE_DURATION = Metric(
    "fairlead_node_duration_seconds",
    HISTOGRAM,
    "From the start of an instance's first attempt to its end, as the log has them, by kind; what never started has none, and "
    "what started and ended within one commit took no time.",
    ("kind",),
    NODES,
)
NODE_FAILURES = Metric(
    "fairlead_node_failures_total",
    COUNTER,
    "Attempts and nodes that failed, by reason; Other is one that a script made up.",
    ("reason",),
)
NODE_RETRIES = Metric(
    "fairlead_node_retries_total", COUNTER, "Attempts that another follows, by kind.", ("kind",)
)
DELIVERIES_LOST = Metric(
    "fairlead_deliveries_lost_total",
    COUNTER,
    "Deliveries of attempts that vanished without a result, by reason.",
    ("reason",),
)
DELIVERIES = Metric(
    "fairlead_deliveries", GAUGE, "Deliveries looked after: asked for, and their end not in the log."
)
CREATIONS_WAITING = Metric(
    "fairlead_pod_creations_waiting", GAUGE, "Pods that wait for their turn to be created."
)
REACTION = Metric(
    "fairlead_reaction_duration_seconds",
    HISTOGRAM,
    "From the first sight of a pod that has ended to the commit of what came of it.",
    (),
    REACTIONS,
)
API_REQUESTS = Metric(
    "fairlead_api_requests_total",
    COUNTER,
    "Tries of requests of the Kubernetes API, by verb, kind of object (or discovery) and HTTP code (or none).",
    ("verb", "resource", "code"),
)
API_DURATION = Metric(
    "fairlead_api_request_duration_seconds",
    HISTOGRAM,
    "How long requests of the Kubernetes API took, watches left out, by verb and kind of object.",
    ("verb", "resource"),
    REQUESTS,
)
WATCH_AGE = Metric(
    "fairlead_watch_age_seconds",
    GAUGE,
    "Since the API server was last heard of, by what is watched; it says something every minute.",
    ("resource",),
)
WATCH_LISTS = Metric(
    "fairlead_watch_lists_total",
    COUNTER,
    "Times that a watch listed everything: at first, every ten minutes, and after what it missed.",
    ("resource",),
)
WATCH_STREAMS = Metric("fairlead_watch_streams_total", COUNTER, "Streams that a watch began.", ("resource",))
LOG_APPENDS = Metric("fairlead_log_appends_total", COUNTER, "Commits to the logs of executions.")
LOG_EVENTS = Metric("fairlead_log_appended_events_total", COUNTER, "Events in those commits.")
LOG_BYTES = Metric("fairlead_log_appended_bytes_total", COUNTER, "Bytes of those events.")
LOG_DURATION = Metric(
    "fairlead_log_append_duration_seconds",
    HISTOGRAM,
    "How long commits took, with all that they had to wait for.",
    (),
    REQUESTS,
)
LOOP_LAG = Metric(
    "fairlead_event_loop_lag_seconds",
    HISTOGRAM,
    "How much later than it wished the event loop woke up, twice a second.",
    (),
    LAGS,
)
LEADER = Metric("fairlead_leader", GAUGE, "1 for the replica that holds the Lease, else 0.")
READY = Metric(
    "fairlead_ready", GAUGE, "1 for one that leads with all in hand, or stands by and knows the pods, else 0."
)
EPOCH = Metric(
    "fairlead_leader_epoch", GAUGE, "The epoch in which this replica leads or led last; 0 if it never did."
)
POLICY = Metric(
    "fairlead_policy_in_force",
    GAUGE,
    "1 for an admission policy of the chart that was found in force at the last look, 0 for one that was not, by policy: records "
    "guards logs and statuses, fence keeps a leader that was paused from starting anything.",
    ("policy",),
)
BUILD = Metric("fairlead_build_info", GAUGE, "1, with the version as a label.", ("version",))

METRICS = (
    LIVE_EXECUTIONS,
    HELD_EXECUTIONS,
    EXECUTIONS_STARTED,
    EXECUTIONS_ENDED,
    EXECUTION_DURATION,
    NODES_ENDED,
    NODE_DURATION,
    NODE_FAILURES,
    NODE_RETRIES,
    DELIVERIES_LOST,
    DELIVERIES,
    CREATIONS_WAITING,
    REACTION,
    API_REQUESTS,
    API_DURATION,
    WATCH_AGE,
    WATCH_LISTS,
    WATCH_STREAMS,
    LOG_APPENDS,
    LOG_EVENTS,
    LOG_BYTES,
    LOG_DURATION,
    LOOP_LAG,
    LEADER,
    READY,
    EPOCH,
    POLICY,
    BUILD,
)
