"""The local home: durable engine nodes per second, the cost of a node that runs, and the start of a small run.

- durable engine nodes: through actor, SQLite log and status (target 2,000 nodes/s);
- a chain of `sh: "true"` nodes: the share of the wall time that its processes exist (target 90 %), beside the same processes
  started one after the other by a plain loop in the same run;
- `fairlead --help` (target 0.25 s) and `fairlead run` of three `set` nodes (target 1 s), beside a bare `python -c pass`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fairlead.local import home as local_home
from fairlead.local import hosting
from fairlead.local.store import Store
from fairlead.local.subprocesses import Ended, RunnerEvent, Started
from fairlead.model.manifests import WorkflowSpec, parse_spec
from fairlead.runtime.collector import tune_collector

THREE = "\n".join(
    ["apiVersion: fairlead.dev/v1alpha1", "kind: Workflow", "metadata: {name: three}", "spec:", "  nodes:"]
    + [
        f"  - {{name: n{i}, {'after: [n' + str(i - 1) + '], ' if i else ''}set: {{x: {i}}}}}"
        for i in range(3)
    ]
)


def chain(count: int, kind: dict[str, Any]) -> WorkflowSpec:
    """One node after the other."""
    nodes = [{"name": f"n{i}", **kind, **({"after": [f"n{i - 1}"]} if i else {})} for i in range(count)]
    return parse_spec(WorkflowSpec, {"nodes": nodes})


class TimedHosting(hosting.Hosting):
    """Sums for how many microseconds processes existed, one at a time."""

    busy = 0
    _since = 0

    def _reported(self, event: RunnerEvent) -> None:
        if isinstance(event, Started):
            self._since = event.at
        elif isinstance(event, Ended):
            TimedHosting.busy += event.at - self._since
        super()._reported(event)


def run(spec: WorkflowSpec, folder: Path, name: str) -> tuple[float, float]:
    """Wall seconds of a run, and seconds in which a process existed."""
    TimedHosting.busy = 0
    with Store(folder / "store.db") as store, patch.object(local_home, "Hosting", TimedHosting):
        home = local_home.LocalHome(store)
        home.create(manifest=spec, workflow_name="bench", name=name, inputs={})
        begin = time.perf_counter()
        state = asyncio.run(home.run(name))
        took = time.perf_counter() - begin
    assert state.phase == "Succeeded", state.failure
    return took, TimedHosting.busy / 1e6


def plain_loop(count: int) -> float:
    """Seconds to start the runner's interpreter `count` times and wait for it."""
    begin = time.perf_counter()
    for _ in range(count):
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
    return time.perf_counter() - begin


def wall(command: list[str], rounds: int = 5) -> float:
    """Median wall seconds of a command."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def commands(folder: Path) -> None:
    """The command line's own start."""
    fairlead = str(Path(sys.executable).parent / "fairlead")
    bare = wall([sys.executable, "-c", "pass"])
    help_ = wall([fairlead, "--help"])
    manifest = folder / "three.yaml"
    manifest.write_text(THREE)
    three = wall([fairlead, "run", str(manifest), "--store", str(folder / "cli.db")])
    print(f"fairlead --help       {help_:.3f} s  x{help_ / bare:.1f} of a bare python (target 0.25 s)")
    print(f"run of 3 set nodes    {three:.3f} s  x{three / bare:.1f} of a bare python (target 1 s)")


def main() -> int:
    """Measure all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=1_000)
    options = parser.parse_args()
    tune_collector()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took, _ = run(chain(options.nodes, {"set": {"x": "${1 + 1}"}}), folder, "durable")
        print(f"durable engine nodes  {options.nodes / took:,.0f} nodes/s (target 2,000)")
        took, busy = run(chain(options.processes, {"run": {"sh": "true"}}), folder, "chain")
        bare = plain_loop(options.processes)
        print(
            f"chain of sh nodes     {took / options.processes * 1e3:.1f} ms/node, {100 * busy / took:.1f} % of the wall time in"
            f" processes (target 90), x{took / bare:.2f} of bare interpreters"
        )
        commands(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
