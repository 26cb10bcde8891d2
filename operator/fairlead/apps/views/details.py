"""One execution for a person to read: where it stands, what it waits for, what failed, what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fairlead.apps.views import words
from fairlead.apps.views.executions import blocked
from fairlead.apps.views.graphs import texts
from fairlead.engine.summary import Metrics
from fairlead.model.times import format_duration, parse_time

Json = dict[str, Any]
Fact = tuple[str, str]

MOST = 10
"""How many things that a run waits for are shown to a person."""


def headline(name: str, status: Json) -> str:
    """What became of a run, in one line."""
    result = f" with result {status['result']}" if "result" in status else ""
    progress = status.get("progress")
    if progress is None:
        return texts.clean(f"{name} {status['phase']}{result}")
    counts = _counts(progress, ("done", "failed", "skipped")) or "none ended"
    took = f" in {words.duration(_took(status))}" if "finishedAt" in status and "startedAt" in status else ""
    return texts.clean(
        f"{name} {status['phase']}{result}{took}: {words.count(progress['total'], 'node')}, {counts}"
    )


def described(
    facts: Sequence[Fact],
    status: Json,
    metrics: Metrics,
    nodes: Sequence[str],
    now: int,
    heading: Callable[[str], str],
) -> Iterator[str]:
    """All of it, section by section; `nodes` is the table of the graph's states."""
    all_facts = [*facts, *_of_status(status, now), *_of_metrics(metrics)]
    width = max(len(name) for name, _ in all_facts) + 2
    for name, value in all_facts:
        yield f"{heading(name + ':')}{' ' * (width - len(name))}{texts.clean(value)}"
    if nodes:
        yield ""
    yield from nodes
    for name, lines in sections(status):
        yield ""
        yield heading(f"{name}:")
        yield from (f"  {line}" for line in lines)


def sections(status: Json) -> Iterator[tuple[str, list[str]]]:
    """Why it has not begun, or what it waits for, what failed, what came out: those that there are."""
    why = blocked(status)
    for name, found in (
        ("Not begun", [why] if why else []),
        ("Waiting for", [] if why else waiting_lines(status)),
        ("Error", error_lines(status)),
        ("Variables", value_lines(status.get("variables", {}))),
        ("Outputs", value_lines(status.get("outputs", {}))),
    ):
        lines = list(found)
        if lines:
            yield name, lines


def figures(metrics: Metrics) -> Json:
    """The figures as JSON, durations in Go form."""
    mean = metrics.mean_node_time
    return {
        "totalTime": format_duration(metrics.total_time),
        "meanNodeTime": None if mean is None else format_duration(mean),
        "queueDepth": metrics.queue_depth,
    }


def _of_status(status: Json, now: int) -> Iterator[Fact]:
    if "result" in status:
        yield "Result", str(status["result"])
    for name, field in (("Started", "startedAt"), ("Finished", "finishedAt")):
        if field in status:
            yield name, f"{status[field]} ({words.age(now - parse_time(status[field]))} ago)"
    progress = status.get("progress")
    if progress is None:
        return
    ended = progress["done"] + progress["failed"] + progress["skipped"]
    counts = _counts(progress, ("done", "running", "failed", "skipped"))
    yield (
        "Progress",
        f"{progress['percent']}%, {ended} of {progress['total']}" + (f": {counts}" if counts else ""),
    )
    if progress.get("secondsLeft"):
        yield "Time left", words.left(progress["secondsLeft"]).removesuffix(" left")


def _of_metrics(metrics: Metrics) -> Iterator[Fact]:
    yield "Total time", words.duration(metrics.total_time)
    mean = metrics.mean_node_time
    yield "Mean node time", "-" if mean is None else words.duration(mean)
    yield "Queue depth", str(metrics.queue_depth)


def _counts(progress: Json, names: Sequence[str]) -> str:
    return ", ".join(f"{progress[name]} {name}" for name in names if progress[name])


def _took(status: Json) -> int:
    return parse_time(status["finishedAt"]) - parse_time(status["startedAt"])


PATHS_HEADER = ("PATH", "STATUS", "NODE", "TIME")


def path_rows(status: Json, now: int) -> list[list[str]]:
    """One row a path, for PATHS_HEADER."""
    rows = []
    for path in status["paths"]:
        end = parse_time(path["finishedAt"]) if "finishedAt" in path else now
        took = words.duration(max(0, end - parse_time(path["startedAt"])))
        rows.append([path["id"], path["status"], path.get("node", "-"), took])
    return rows


def error_lines(status: Json) -> Iterator[str]:
    """What failed, with what it stands for."""
    error = status.get("error")
    if error is None:
        return
    where = f"node {error['node']}" if "node" in error else "the run"
    attempt = f", attempt {error['attempt']}" if error.get("attempt", 1) > 1 else ""
    yield _error(f"{where}{attempt}", error)
    for cause in error.get("causes", ()):
        yield _error("  cause", cause)


def _error(where: str, error: Json) -> str:
    message = f": {error['message']}" if error.get("message") else ""
    return texts.clean(f"{where}: {error['reason']}{message}")


def waiting_lines(status: Json) -> Iterator[str]:
    """What it waits for, the first few."""
    waiting = status.get("waitingFor", ())
    for entry in waiting[:MOST]:
        yield texts.clean(f"{entry.get('node') or entry['kind']}: {entry['message']}")

    if len(waiting) > MOST:
        yield f"and {len(waiting) - MOST} more"


def value_lines(values: Json) -> Iterator[str]:
    """Variables or outputs, one a line."""
    for name, value in values.items():
        yield texts.clean(f"{name}: {json.dumps(value, ensure_ascii=False)}")
