"""What is shown of an execution: `status` as api.md has it, the same in every home, and figures about it.

Rules of this file
- A projection and nothing else: it is made from the state alone, may be lost, and decides nothing.
- Pure: `now` is an argument. Times are RFC 3339.
- A status has at most 64 KiB whatever the state: values up to 4 KiB each and 32 KiB in all (semantics 37), 50 paths and 50
  things waited for within 10 KiB each, texts cut. `more` counts what was left out of each.
- What is not known is left out; what is known to be nothing (no output, no path) is there and empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from fairlead.engine.conditions import conditions
from fairlead.engine.graph import Graph
from fairlead.engine.waiting import waiting_for
from fairlead.model import state as s
from fairlead.model.events import Error
from fairlead.model.ids import key_of
from fairlead.model.state import PathState, State
from fairlead.model.times import SECOND, format_time

PATHS_SHOWN = 50
VALUE_SHOWN = 4 * 1024
ALL_SHOWN = 32 * 1024
ENTRIES_SHOWN = 10 * 1024
"""Bytes that the paths may take, and as many what is waited for."""
TEXT_SHOWN = 1024
"""Bytes of a message, as JSON, in the error and the conditions; in an entry of a list a quarter of it."""
CAUSES_SHOWN = 4
"""Causes of an error, in all levels together."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures about a run, durations in microseconds; `mean_node_time` is None until a node of a runner has ended.

    `queue_depth` counts what is ready and does not run: held instances, and attempts that are scheduled and have not started.
    """

    total_time: int
    mean_node_time: int | None
    queue_depth: int


def status(graph: Graph, state: State, now: int, *, generation: int = 1) -> Json:
    """The `status` of a WorkflowExecution; `generation` is that of the spec which the state has taken up."""
    room = _Room()
    outputs, variables = room.shown(state.outputs), room.shown(state.variables)
    paths = _fitting(islice(_paths(graph, state), PATHS_SHOWN))
    waiting = _fitting(waiting_for(graph, state))
    found: Json = {
        "phase": state.phase or s.PENDING,
        "conditions": [
            {
                **condition,
                "reason": cut(condition["reason"], TEXT_SHOWN // 4),
                "message": cut(condition["message"], TEXT_SHOWN),
            }
            for condition in conditions(state, generation)
        ],
        "progress": progress(state, now),
        "paths": paths,
        "waitingFor": waiting,
        "variables": variables,
        "outputs": outputs,
    }
    result = state.result if state.result is not None or state.finish is None else state.finish.result
    if result is not None:
        found["result"] = cut(result, TEXT_SHOWN)
    if state.failure is not None:
        failure = state.failure
        found["error"] = _error(
            failure.error, failure.node, failure.path, failure.attempt, most=TEXT_SHOWN, causes=[CAUSES_SHOWN]
        )
    left_out = {
        "paths": max(0, len(state.paths) - len(state.ended_paths) - len(paths)),
        "waitingFor": max(0, _waits(state) - len(waiting)),
        "variables": len(state.variables) - len(variables),
        "outputs": len(state.outputs) - len(outputs),
    }
    if any(left_out.values()):
        found["more"] = {name: count for name, count in left_out.items() if count}
    found["observedGeneration"] = generation
    for name, at in (
        ("createdAt", state.created_at),
        ("startedAt", state.started_at),
        ("finishedAt", state.finished_at),
    ):
        if at:
            found[name] = format_time(at)
    found["log"] = {"sequence": state.seq, "segments": 0}
    if state.checkpoint:
        found["log"]["checkpoint"] = state.checkpoint
    found["workflow"] = _pinned(state)
    return found


def metrics(state: State, now: int) -> Metrics:
    """Total time so far (suspensions included), mean time of a node, and how many wait for a place."""
    end = state.finished_at or max(now, state.at)
    counters = state.counters
    mean = counters.node_time // counters.timed_nodes if counters.timed_nodes else None
    unstarted = sum(1 for key in state.active if state.node(key).status == s.SCHEDULED)
    return Metrics(
        total_time=end - state.started_at if state.started_at else 0,
        mean_node_time=mean,
        queue_depth=len(state.ready) + unstarted,
    )


def progress(state: State, now: int) -> Json:
    """Counts of instances, percent ended, and an estimate of the seconds left where there is anything to go by."""
    counters = state.counters
    ended = counters.done + counters.failed + counters.skipped
    found: Json = {
        "total": counters.total,
        "done": counters.done,
        "running": sum(
            1 for key in (*state.active, *state.children) if state.node(key).status != s.SCHEDULED
        ),
        "failed": counters.failed,
        "skipped": counters.skipped,
        "percent": 100 if state.ended else 100 * ended // max(counters.total, 1),
    }
    left = None if state.ended or state.suspended_at else _seconds_left(state, max(now, state.at), ended)
    if left is not None:
        found["secondsLeft"] = left
    return found


def _seconds_left(state: State, now: int, ended: int) -> int | None:
    """The mean time of the instances that ended, for each that has not, shared among those that run side by side now.

    Instances of the engine and skipped ones take no time, and as many of the rest are taken to be such.
    """
    counters = state.counters
    if not counters.timed_nodes or not ended:
        return None
    mean = counters.node_time / counters.timed_nodes
    share = min(1.0, counters.timed_nodes / ended)
    work = (counters.total - ended) * share * mean
    for key in state.active:
        node = state.node(key)
        if node.started_at:
            work -= min(mean, now - node.started_at)
    return max(0, -int(-work // (SECOND * max(1, len(state.active)))))


def _paths(graph: Graph, state: State) -> Iterator[Json]:
    """Paths at work in the order in which they began, then the ended ones, the latest first."""
    at_work: dict[str, str] = {}
    for key in (*state.ready, *state.waiting, *state.active, *state.children):
        at_work.setdefault(state.node(key).path, key)
    for path, found in state.paths.items():
        if found.status == s.ACTIVE:
            yield _active_path(graph, state, path, found, at_work.get(path))
    for path in reversed(state.ended_paths):
        ended = state.paths.get(path)
        if ended is not None and ended.status != s.ACTIVE:
            yield _path(state, path, ended, ended.status, ended.node)


def _active_path(graph: Graph, state: State, path: str, found: PathState, key: str | None) -> Json:
    if key is None:
        return _path(state, path, found, "Waiting", _join_ahead(graph, state, path, found))
    return _path(
        state, path, found, "Running" if key in state.active or key in state.children else "Waiting", key
    )


def _join_ahead(graph: Graph, state: State, path: str, found: PathState) -> str:
    """The node whose join a path has arrived at, else the last one it was at."""
    key = key_of(found.node)
    prefix = key[: key.rfind("/") + 1]
    try:
        edges = graph.find(key).outgoing
    except KeyError:
        return found.node
    for edge in edges:
        target = state.nodes.get(prefix + edge.target)
        if target is not None and target.status == s.PENDING and path in (target.arrivals or ()):
            return prefix + edge.target
    return found.node


def _path(state: State, path: str, found: PathState, status_: str, node: str) -> Json:
    entry: Json = {"id": path, "status": status_}
    if node:
        entry["node"] = state.instance(key_of(node))
    entry["startedAt"] = format_time(found.started_at)
    if found.finished_at:
        entry["finishedAt"] = format_time(found.finished_at)
    if found.error is not None:
        entry["error"] = _error(found.error, entry.get("node", ""), path, most=TEXT_SHOWN // 4, causes=[0])
    return entry


def _error(
    error: Error, node: str = "", path: str = "", attempt: int = 0, *, most: int, causes: list[int]
) -> Json:
    """An error with messages of at most `most` bytes; `causes[0]` is how many more causes may be shown, and counts down."""
    found: Json = {}
    if node:
        found["node"] = node
    if path:
        found["path"] = path
    if attempt:
        found["attempt"] = attempt
    found["reason"] = cut(error.reason, most)
    if error.message:
        found["message"] = cut(error.message, most)
    if error.exit_code is not None:
        found["exitCode"] = error.exit_code
    shown: list[Json] = []
    for cause in error.causes:
        if causes[0] > 0:
            causes[0] -= 1
            shown.append(_error(cause, most=most, causes=causes))
    if shown:
        found["causes"] = shown
    return found


def cut(text: str, most: int) -> str:
    """A text of at most `most` bytes as JSON; one that is cut ends with an ellipsis."""
    if len(text) * 6 <= most or len(msgspec.json.encode(text)) <= most:
        return text
    low, high = 0, min(len(text), most)
    while low < high:
        middle = (low + high + 1) // 2
        if len(msgspec.json.encode(text[:middle])) + len("…".encode()) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "…"


def _fitting(entries: Iterable[Json]) -> list[Json]:
    """The first entries, as far as they fit."""
    shown: list[Json] = []
    left = ENTRIES_SHOWN
    for entry in entries:
        if "message" in entry:
            entry = {**entry, "message": cut(entry["message"], TEXT_SHOWN // 4)}  # noqa: PLW2901
        left -= len(msgspec.json.encode(entry)) + 1
        if left < 0:
            break
        shown.append(entry)
    return shown


def _waits(state: State) -> int:
    """How many things the run waits for."""
    if state.ended:
        return 0
    unstarted = sum(1 for key in state.active if state.node(key).status == s.SCHEDULED)
    return bool(state.suspended_at) + len(state.waiting) + len(state.ready) + unstarted


def _pinned(state: State) -> Json:
    found: Json = {}
    if state.workflow:
        found["name"] = state.workflow
    if state.generation:
        found["generation"] = state.generation
    return {**found, "digest": state.digest}


class _Room:
    """The 32 KiB that values may take in a status; what does not fit is shown by digest and size."""

    def __init__(self) -> None:
        self._left = ALL_SHOWN

    def shown(self, values: Json) -> Json:
        """The values of a mapping in its order, as far as there is room even for their names."""
        found: Json = {}
        for name, value in values.items():
            form = msgspec.json.encode(value, order="sorted")
            size, key = len(form), len(msgspec.json.encode(name)) + 2
            if size > VALUE_SHOWN or size + key > self._left:
                value = {"digest": "sha256:" + hashlib.sha256(form).hexdigest(), "size": size}  # noqa: PLW2901
                size = len(msgspec.json.encode(value))
            if size + key > self._left:
                break
            self._left -= size + key
            found[name] = value
        return found
