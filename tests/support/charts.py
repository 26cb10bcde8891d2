"""The chart, as Helm renders and installs it; `python -m tests.support.charts FILE` writes what deploy/ applies."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import binaries
from tests.cluster.clusters import ROOT, SYSTEM

CHART = ROOT / "charts" / "fairlead"
RELEASE = "fairlead"
Manifest = dict[str, Any]

EVERYTHING: dict[str, Any] = {
    "imagePullSecrets": [{"name": "pull"}],
    "serviceAccount": {"annotations": {"example.com/who": "x"}},
    "podLabels": {"team": "a"},
    "podAnnotations": {"example.com/why": "x"},
    "nodeSelector": {"type": "played"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "service": {"annotations": {"example.com/what": "x"}},
    "networkPolicy": {
        "apiServerAddresses": ["10.0.0.1/32"],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
    "monitoring": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
}
"""Values with which every part of the chart is there."""


class Helm:
    """Helm with a home of its own, on a cluster if one is named."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None, chart: Path = CHART) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig
        self.chart = chart

    def __call__(self, *words: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `values` are given in a file."""
        given: list[str] = []
        if values is not None:
            file = self._folder / "values.json"
            file.write_text(json.dumps(values), encoding="utf-8")
            given = ["--values", str(file)]
        cluster = ["--kubeconfig", str(self._kubeconfig)] if self._kubeconfig is not None else []
        return subprocess.run(
            [str(binaries.programs("helm")["helm"]), *words, *given, *cluster],
            cwd=self._folder,
            env={"HOME": str(self._folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, *words: str, values: dict[str, Any] | None = None) -> str:
        """Run a command that has to succeed; what it printed."""
        done = self(*words, values=values)
        assert done.returncode == 0, f"helm {' '.join(words)} gave {done.returncode}:\n{done.stderr}"
        return done.stdout

    def text(self, *words: str, namespace: str = SYSTEM, values: dict[str, Any] | None = None) -> str:
        """What `helm template` prints."""
        return self.ok("template", RELEASE, str(self.chart), "--namespace", namespace, *words, values=values)

    def manifests(
        self, *words: str, namespace: str = SYSTEM, values: dict[str, Any] | None = None
    ) -> list[Manifest]:
        """The same, read."""
        text = self.text(*words, namespace=namespace, values=values)
        return [one for one in yaml.safe_load_all(text) if one]

    def install(self, namespace: str, values: dict[str, Any], release: str = RELEASE) -> None:
        """Install or upgrade a release."""
        self.ok("upgrade", "--install", release, str(self.chart), "--namespace", namespace, values=values)


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of a kind."""
    return [one for one in manifests if one["kind"] == kind]


def the(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The only one of a kind, or of a kind and name."""
    found = [one for one in of_kind(manifests, kind) if name is None or one["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of kind {kind} and name {name}"
    return found[0]


def plain(folder: Path) -> str:
    """What the chart gives with its own values, without hooks: they are Helm's alone."""
    head = "# Written by `make deploy` from charts/fairlead with its own values; do not edit.\n"
    return head + Helm(folder).text("--no-hooks")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        Path(sys.argv[1]).write_text(plain(Path(home)), encoding="utf-8")
