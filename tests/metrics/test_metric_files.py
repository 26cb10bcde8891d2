"""The alerts and the dashboard of the chart speak of metrics that exist, with the labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.scraped import SUFFIXES

from fairlead.apps.metrics.catalogue import METRICS
from fairlead.apps.metrics.recording import Recorder
from fairlead.kube.home.measuring import LIVE
from fairlead.model.reasons import MEANINGS

FILES = Path(__file__).resolve().parents[2] / "charts" / "fairlead" / "files"
RULES = [
    rule
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_A_SCRAPE = {"namespace", "job", "instance"}
"""Labels that Prometheus adds."""
PHASES = {*LIVE, "Succeeded", "Failed", "Cancelled"}

_SELECTED = re.compile(r"\b((?:fairlead|process)_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


def known_samples() -> dict[str, tuple[str, set[str]]]:
    """The type and the labels of each sample that a scrape may have."""
    known = {
        metric.name.removesuffix("_total") + suffix: (
            metric.kind,
            {*metric.labels, *({"le"} if suffix == "_bucket" else ())},
        )
        for metric in METRICS
        for suffix in SUFFIXES[metric.kind]
    }
    for family in Recorder().registry.collect():
        if family.name.startswith("process_"):
            known |= {sample.name: (family.type, set(sample.labels)) for sample in family.samples}
    return known


KNOWN = known_samples()


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, with the name of its alert or panel."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


@pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in expressions()])
def test_an_expression_fits_the_metrics(expression):
    """Names exist, labels are theirs or a scrape's, values are of the closed lists; counters are rated, gauges are not."""
    selected = _SELECTED.findall(expression)
    labels: set[str] = set()
    assert selected
    for name, matchers in selected:
        kind, has = KNOWN[name]
        labels |= has
        rated = re.search(rf"\b(?:rate|increase)\({name}\b", expression) is not None
        assert rated == (kind in {"counter", "histogram"}), f"{name} is a {kind}"
        for label, value in _MATCHER.findall(matchers):
            assert label in has | OF_A_SCRAPE, f"{name} has no label {label}"
            if label in {"reason", "phase"}:
                assert set(value.split("|")) <= set(MEANINGS) | PHASES, value
    for group in _GROUPED.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels | OF_A_SCRAPE, group
    assert expression.count("(") == expression.count(")")
    if "histogram_quantile" in expression:
        assert re.search(r"by \([^)]*\ble\b", expression)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_a_person_needs(rule):
    """A severity, a summary without values, a description; its templates name labels that its expression keeps."""
    assert re.fullmatch(r"Fairlead[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))
    summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
    assert 10 < len(summary) < 80
    assert not summary.endswith(".")
    assert description.endswith(".")
    assert len(description) > 60
    kept = [group.split(",") for group in re.findall(r"\bby \(([^)]*)\)", rule["expr"])]
    labels = (
        {label.strip() for group in kept for label in group}
        if kept
        else {*OF_A_SCRAPE, *labels_of(rule["expr"])}
    )
    if "absent(" in rule["expr"]:
        labels = set()
    assert set(re.findall(r"\$labels\.(\w+)", summary + description)) <= labels - {"le"}


def labels_of(expression: str) -> set[str]:
    """The labels of the metrics of an expression."""
    return {label for name, _ in _SELECTED.findall(expression) for label in KNOWN[name][1]}


def test_alerts_have_names_of_their_own():
    """Two alerts of one name are told apart by nobody."""
    names = [rule["alert"] for rule in RULES]

    assert sorted(set(names)) == sorted(names)


def test_every_metric_is_of_use():
    """Each metric is on the dashboard: what nobody would look at need not be measured."""
    shown = {
        name
        for panel in PANELS
        for target in panel["targets"]
        for name, _ in _SELECTED.findall(target["expr"])
    }
    unseen = [
        metric.name
        for metric in METRICS
        if not any(metric.name.removesuffix("_total") + suffix in shown for suffix in SUFFIXES[metric.kind])
    ]

    assert unseen == []


def test_the_dashboard_stands_by_itself():
    """It asks for the data source, panels have titles, texts and units, no two lie on each other, ids are their own."""
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "namespace", "job"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'namespace=~"$namespace", job=~"$job"' in target["expr"]
            kept = labels_of(target["expr"]) | OF_A_SCRAPE
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept
