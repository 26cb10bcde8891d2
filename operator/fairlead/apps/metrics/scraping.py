"""What is so at the moment of a scrape, the text of all metrics, and the lag of the event loop.

Rules of this file
- Gauges are read when somebody asks: they cost nothing meanwhile, and cannot be stale.
- A phase of a live execution that none has is 0, not missing: a sum over replicas needs no care.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from fairlead.apps.metrics import catalogue
from fairlead.apps.metrics.catalogue import Metric
from fairlead.apps.metrics.recording import Recorder
from fairlead.kube.home.measuring import LIVE, Census

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
EVERY = 0.5
"""Seconds between two looks at the lag."""


class Home(Protocol):
    """What is asked of the home."""

    @property
    def census(self) -> Census:
        """The executions in hand."""

    @property
    def creations_waiting(self) -> int:
        """Pods that wait to be created."""

    @property
    def deliveries(self) -> int:
        """Deliveries that are looked after."""

    @property
    def quiet_for(self) -> Mapping[str, float]:
        """Seconds since the API server was last heard of, by what is watched."""

    @property
    def leading(self) -> bool:
        """Whether it holds the Lease."""

    @property
    def ready(self) -> bool:
        """Whether it leads with all in hand, or stands by."""

    @property
    def epoch(self) -> int:
        """The epoch that it leads in, or led in last."""

    @property
    def in_force(self) -> Mapping[str, bool]:
        """Which policies are in force, as far as that is known."""


class HomeGauges(Collector):
    """The gauges of a home."""

    def __init__(self, home: Home, version: str) -> None:
        self._home = home
        self._version = version

    def describe(self) -> Iterable[Family]:
        """What there is, for the registry to check its names."""
        return [_gauge(metric) for metric in catalogue.METRICS if metric.kind == catalogue.GAUGE]

    def collect(self) -> Iterator[Family]:
        """What is so now."""
        home = self._home
        census = home.census
        yield _gauge(catalogue.LIVE_EXECUTIONS, {(phase,): census.phases.get(phase, 0) for phase in LIVE})
        yield _gauge(catalogue.HELD_EXECUTIONS, {(reason,): count for reason, count in census.held.items()})
        yield _gauge(catalogue.CREATIONS_WAITING, {(): home.creations_waiting})
        yield _gauge(catalogue.DELIVERIES, {(): home.deliveries})
        yield _gauge(catalogue.WATCH_AGE, {(what,): age for what, age in home.quiet_for.items()})
        yield _gauge(catalogue.LEADER, {(): home.leading})
        yield _gauge(catalogue.READY, {(): home.ready})
        yield _gauge(catalogue.EPOCH, {(): home.epoch})
        yield _gauge(catalogue.POLICY, {(policy,): is_so for policy, is_so in home.in_force.items()})
        yield _gauge(catalogue.BUILD, {(self._version,): 1})


class _WithoutBirths(Collector):
    """A registry without the time at which each instrument was made: a third of all series, and nobody asks for them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Family]:
        """All of it but those."""
        for family in self._registry.collect():
            if family.type != catalogue.GAUGE:
                family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family


def text_of(registry: CollectorRegistry) -> bytes:
    """All metrics in the text format of Prometheus (CONTENT_TYPE)."""
    return generate_latest(_WithoutBirths(registry))


@asynccontextmanager
async def lag_watched(recorder: Recorder) -> AsyncIterator[None]:
    """Meanwhile it is looked from time to time how late the loop is."""
    looking = asyncio.create_task(_look_at_lag(recorder))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look_at_lag(recorder: Recorder) -> None:
    loop = asyncio.get_running_loop()
    while True:
        wished = loop.time() + EVERY
        await asyncio.sleep(EVERY)
        recorder.lagged(max(0.0, loop.time() - wished))


def _gauge(metric: Metric, values: Mapping[tuple[str, ...], float] | None = None) -> GaugeMetricFamily:
    assert metric.kind == catalogue.GAUGE
    family = GaugeMetricFamily(metric.name, metric.said, labels=metric.labels)
    for labels, value in (values or {}).items():
        family.add_metric(labels, float(value))
    return family
