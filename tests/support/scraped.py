"""What Prometheus would make of a scrape: read by the parser of its own client."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
"""What the names of samples have after the name of their family."""


class Scrape:
    """The samples of one scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {
            family.name: family for family in text_string_to_metric_families(text)
        }
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """A sample; nothing of it is 0."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str, **labels: str) -> float:
        """The sum over what is not named."""
        wanted = labels.items()
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)


def scrape(port: int, headers: Mapping[str, str] | None = None) -> tuple[Scrape, str]:
    """What a port answers at /metrics, and its content type."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=dict(headers or {}))
    with urllib.request.urlopen(request, timeout=10) as answer:
        return Scrape(answer.read().decode()), answer.headers["Content-Type"]
