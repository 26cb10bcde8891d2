"""What happens, counted as the home tells it.

Rules of this file
- Everything is in a registry of its own.
- What is told of is on hot paths: the instrument of a set of labels is looked up in a dict, not made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from fairlead.apps.metrics import catalogue
from fairlead.apps.metrics.catalogue import Metric
from fairlead.kube.observing import NO_ANSWER, Observer

NONE = "none"
"""The code of a request that got no answer."""
T = TypeVar("T")


class _Bound(dict[tuple[str, ...], T], Generic[T]):
    """The instruments of a metric by the values of its labels."""

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make

    def __missing__(self, values: tuple[str, ...]) -> T:
        made = self[values] = self._make(*values)
        return made


class Recorder(Observer):
    """The counters and histograms of one process, with those of the process itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._started = self._counter(catalogue.EXECUTIONS_STARTED)
        self._ended = _Bound(self._counter(catalogue.EXECUTIONS_ENDED).labels)
        self._lasted = _Bound(self._histogram(catalogue.EXECUTION_DURATION).labels)
        self._nodes = _Bound(self._counter(catalogue.NODES_ENDED).labels)
        self._took = _Bound(self._histogram(catalogue.NODE_DURATION).labels)
        self._failures = _Bound(self._counter(catalogue.NODE_FAILURES).labels)
        self._retries = _Bound(self._counter(catalogue.NODE_RETRIES).labels)
        self._lost = _Bound(self._counter(catalogue.DELIVERIES_LOST).labels)
        self._reactions = self._histogram(catalogue.REACTION)
        self._requests = _Bound(self._counter(catalogue.API_REQUESTS).labels)
        self._answers = _Bound(self._histogram(catalogue.API_DURATION).labels)
        self._lists = _Bound(self._counter(catalogue.WATCH_LISTS).labels)
        self._streams = _Bound(self._counter(catalogue.WATCH_STREAMS).labels)
        self._appends = self._counter(catalogue.LOG_APPENDS)
        self._events = self._counter(catalogue.LOG_EVENTS)
        self._bytes = self._counter(catalogue.LOG_BYTES)
        self._commits = self._histogram(catalogue.LOG_DURATION)
        self._lags = self._histogram(catalogue.LOOP_LAG)

    # --- what the home tells ---

    def answered(self, verb: str, resource: str, code: int, seconds: float) -> None:
        self._requests[verb, resource, NONE if code == NO_ANSWER else str(code)].inc()
        if verb != "watch":
            self._answers[verb, resource].observe(seconds)

    def listed(self, resource: str) -> None:
        self._lists[resource,].inc()

    def streamed(self, resource: str) -> None:
        self._streams[resource,].inc()

    def appended(self, events: int, size: int, seconds: float) -> None:
        self._appends.inc()
        self._events.inc(events)
        self._bytes.inc(size)
        self._commits.observe(seconds)

    def reacted(self, seconds: float) -> None:
        self._reactions.observe(seconds)

    def node_ended(self, kind: str, outcome: str, seconds: float | None) -> None:
        self._nodes[kind, outcome].inc()
        if seconds is not None:
            self._took[kind,].observe(seconds)

    def node_failed(self, reason: str) -> None:
        self._failures[reason,].inc()

    def node_retried(self, kind: str) -> None:
        self._retries[kind,].inc()

    def delivery_lost(self, reason: str) -> None:
        self._lost[reason,].inc()

    def execution_started(self) -> None:
        self._started.inc()

    def execution_ended(self, phase: str, seconds: float | None) -> None:
        self._ended[phase,].inc()
        if seconds is not None:
            self._lasted[phase,].observe(seconds)

    # --- what the process sees itself ---

    def lagged(self, seconds: float) -> None:
        """The event loop woke up so much later than it wished."""
        self._lags.observe(seconds)

    # --- inside ---

    def _counter(self, metric: Metric) -> Counter:
        assert metric.kind == catalogue.COUNTER
        return Counter(metric.name, metric.said, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        assert metric.kind == catalogue.HISTOGRAM
        return Histogram(
            metric.name, metric.said, metric.labels, registry=self.registry, buckets=metric.buckets
        )
