"""Loops on the engine alone: the cost of an item beside that of a plain node of the same graph size, and of passes.

Targets (issue 4): forEach of 10,000 `set` items within 1.3 times the cost of 10,000 plain nodes, nested 100 x 100 the same; a
while of 10,000 passes is linear, and so is a loopback. The baselines are measured in the same run; the status must stay under
64 KiB.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from fairlead.engine.engine import Engine
from fairlead.engine.graph import compile_workflow
from fairlead.engine.summary import status
from fairlead.local.store import Store
from fairlead.model import commands as c
from fairlead.model import state as states
from fairlead.model.events import encode
from fairlead.model.manifests import WorkflowSpec, parse_spec
from fairlead.runtime.collector import tune_collector

ITEMS = 10_000
ROUNDS = 7
BODY = [{"name": "n", "set": {"x": "${1 + 1}"}}]


def plain(count: int) -> dict[str, Any]:
    """Nodes side by side."""
    return {"nodes": [{"name": f"n{i}", "set": {"x": "${1 + 1}"}} for i in range(count)]}


def items(count: int) -> dict[str, Any]:
    """One forEach; items may not write the same variable side by side, so one at a time is not asked for."""
    each = {"items": list(range(count)), "nodes": BODY, "outputs": {}}
    return {"nodes": [{"name": "c", "forEach": each}]}


def nested(count: int) -> dict[str, Any]:
    """A forEach in a forEach."""
    side = round(count**0.5)
    inner = {"items": list(range(side)), "nodes": BODY}
    return {
        "nodes": [
            {"name": "c", "forEach": {"items": list(range(side)), "nodes": [{"name": "d", "forEach": inner}]}}
        ]
    }


def passes(count: int) -> dict[str, Any]:
    """A while."""
    loop = {"condition": f"pass.index < {count}", "maxIterations": count, "nodes": BODY}
    return {"nodes": [{"name": "c", "while": loop}]}


def repeats(count: int) -> dict[str, Any]:
    """A loopback over a fork, a join and a connection out, so that a pass leaves joined paths and late arrivals behind."""
    nodes = [
        {"name": "a", "set": {"n": "${pass.index}"}},
        {"name": "l", "set": {"x": 1}},
        {"name": "r", "set": {"y": 1}},
        {"name": "b", "set": {"z": 1}},
        {"name": "out", "log": {"message": "once"}},
    ]
    edges = [{"from": "a", "to": "l"}, {"from": "a", "to": "r"}, {"from": "l", "to": "b"}]
    back = {"from": "b", "to": "a", "when": f"pass.index < {count}", "loopback": {"maxIterations": count}}
    return {
        "nodes": nodes,
        "connections": [*edges, {"from": "r", "to": "b"}, {"from": "r", "to": "out"}, back],
    }


def run(spec: WorkflowSpec) -> float:
    """CPU seconds of a run, every event encoded as for a log."""
    graph = compile_workflow(spec, "bench")
    begin = time.process_time()
    engine = Engine(graph)
    events = engine.decide(c.Create(name="bench", uid="u", digest="d", runtime="bench"), 1)
    size = 0
    while True:
        for event in events:
            encode(event)
        size = max(size, len(json.dumps(status(graph, engine.state, 1))))
        if not engine.unfinished:
            break
        events = engine.decide_more(1)
    took = time.process_time() - begin
    assert engine.state.phase == "Succeeded", engine.state.failure
    assert size < 64 * 1024, f"status of {size} bytes"
    return took


def _log_bytes(path: Path) -> int:
    """What the log takes, packed and not."""
    with closing(sqlite3.connect(path)) as connection:
        return sum(
            connection.execute(
                f"SELECT coalesce(sum(length(data) + length(chain)), 0) FROM {table}"
            ).fetchone()[0]
            for table in ("events", "segments")
        )


def grown(count: int) -> tuple[int, float]:
    """Bytes of the state near the end of a while of `count` passes, and bytes of its log in a store for each pass."""
    engine = Engine(compile_workflow(parse_spec(WorkflowSpec, passes(count)), "bench"))
    events = engine.decide(c.Create(name="bench", uid="u", digest="d", runtime="bench"), 1)
    size, after = 0, 0
    with tempfile.TemporaryDirectory() as name, Store(Path(name) / "store.db") as store:
        while True:
            asyncio.run(store.append("u", after, events))
            after = events[-1].seq
            if not engine.unfinished:
                break
            size = len(states.encode(engine.state))
            events = engine.decide_more(1)
        stored = _log_bytes(Path(name) / "store.db")
    return size, stored / count


def main() -> int:
    """Measure all shapes."""
    tune_collector()
    shapes = (plain, items, nested, passes, repeats)
    specs = [parse_spec(WorkflowSpec, shape(ITEMS)) for shape in shapes]
    # In turn, and compared within a round: the machine is not the same from one minute to the next.
    rounds = [[run(spec) / ITEMS for spec in specs] for _ in range(ROUNDS)]
    for number, shape in enumerate(shapes):
        cost = statistics.median(each[number] for each in rounds)
        ratio = statistics.median(each[number] / each[0] for each in rounds)
        print(f"{shape.__name__:7} {cost * 1e6:6.1f} us each  x{ratio:.2f} of a plain node")
    for shape, what in ((passes, "a pass"), (repeats, "a loopback's pass")):
        costs = [
            statistics.median(run(parse_spec(WorkflowSpec, shape(count))) for _ in range(3)) / count
            for count in (ITEMS // 10, ITEMS)
        ]
        print(f"{what} of 10,000 costs x{costs[1] / costs[0]:.2f} of one of 1,000")
    for count in (ITEMS // 10, ITEMS):
        state, log = grown(count)
        print(f"a while of {count:>6} passes: state {state:,} bytes, log {log:,.0f} bytes a pass")
    return 0


if __name__ == "__main__":
    sys.exit(main())
