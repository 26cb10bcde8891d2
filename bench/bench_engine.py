"""The engine alone: no-op nodes per second on one core, and how the cost grows with the graph.

Prints, for graphs of 1,000 to 100,000 nodes, the rate and the cost per node as a ratio to that at 1,000 in the same run, and the
peak memory of the whole process. Targets (quality.md): at least 15,000 nodes/s, at most 1.2 times the cost, under 600 MiB.
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from typing import Any

from fairlead.engine.engine import Engine
from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model.events import encode
from fairlead.model.manifests import WorkflowSpec, parse_spec
from fairlead.runtime.collector import tune_collector

SIZES = (1_000, 10_000, 100_000)


def chain(count: int) -> dict[str, Any]:
    """One node after the other."""
    nodes: list[dict[str, Any]] = [{"name": "n0", "log": {"message": "begin"}}]
    nodes += [{"name": f"n{i}", "after": [f"n{i - 1}"], "log": {"message": "on"}} for i in range(1, count)]
    return {"nodes": nodes}


def fan(count: int) -> dict[str, Any]:
    """One node, then all the others side by side, then a join of them."""
    nodes: list[dict[str, Any]] = [{"name": "n0", "log": {"message": "begin"}}]
    nodes += [{"name": f"n{i}", "after": ["n0"], "log": {"message": "on"}} for i in range(1, count - 1)]
    nodes.append({"name": "join", "after": [f"n{i}" for i in range(1, count - 1)], "log": {"message": "end"}})
    return {"nodes": nodes}


def chains(count: int) -> dict[str, Any]:
    """Chains of ten side by side."""
    nodes: list[dict[str, Any]] = []
    for i in range(count):
        after = {"after": [f"n{i - 1}"]} if i % 10 else {}
        nodes.append({"name": f"n{i}", **after, "log": {"message": "on"}})
    return {"nodes": nodes}


def run(spec: WorkflowSpec, count: int, *, stored: bool) -> float:
    """CPU seconds from the first command to the last event; with `stored` every event is encoded as for a log."""
    graph = compile_workflow(spec, "bench")
    gc.collect()
    begin = time.process_time()
    engine = Engine(graph)
    events = engine.decide(c.Create(name="bench", uid="u", digest="d", runtime="bench"), 1)
    now = 1
    while True:
        if stored:
            for event in events:
                encode(event)
        if not engine.unfinished:
            break
        now += 1
        events = engine.decide_more(now)
    took = time.process_time() - begin
    assert engine.state.phase == "Succeeded", engine.state.phase
    assert engine.state.counters.done == count
    return took


def main() -> int:
    """Measure all shapes and sizes."""
    tune_collector()
    worst_rate, worst_ratio = float("inf"), 0.0
    for shape in (chain, fan, chains):
        base = 0.0
        for size in SIZES:
            spec = parse_spec(WorkflowSpec, shape(size))
            rounds = max(1, 30_000 // size)
            cost = statistics.median(run(spec, size, stored=True) / size for _ in range(rounds))
            base = base or cost
            rate, ratio = 1 / cost, cost / base
            worst_rate, worst_ratio = min(worst_rate, rate), max(worst_ratio, ratio)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{shape.__name__:7} {size:>7} nodes  {rate:>9,.0f} nodes/s  {cost * 1e6:6.1f} us/node"
                f"  x{ratio:4.2f} of 1,000  peak {peak:,.0f} MiB"
            )
    print(f"worst: {worst_rate:,.0f} nodes/s (target 15,000), x{worst_ratio:.2f} (target 1.2)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
