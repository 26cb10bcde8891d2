"""Why an execution is not moving: `status.waitingFor`.

    kind       name                     what it waits for
    suspend                             the whole run, for `resume` or the end of `suspendTimeout`
    timer      retry, redelivery        an instance between two attempts, or between two deliveries of a lost one
    timer      wait                     a wait node
    cache                               the cache's answer
    start                               an attempt that is scheduled and has not started
    pod        the reason               an attempt that cannot start, or whose end is not known: a quota, an image, a lost node
    maxNodes                            an instance held by `concurrency.maxNodes`
    suspend                             an instance held by the suspension
    child      the child                a workflow node whose child is being started, or has not ended

Rules of this file
- Pure: times come from the state. A timer that stands still while the run is suspended has no `until` then.
- What moves first comes first; at most MOST are shown, the log has all.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from fairlead.engine.graph import Graph
from fairlead.model import reasons, shown
from fairlead.model import state as s
from fairlead.model.state import NodeState, State
from fairlead.model.times import format_time

MOST = 50


def waiting_for(graph: Graph, state: State) -> list[dict[str, Any]]:
    """What the run waits for, the soonest first."""
    if state.ended:
        return []
    return list(islice(_all(graph, state), MOST))


def _all(graph: Graph, state: State) -> Iterator[dict[str, Any]]:
    if state.suspended_at:
        yield _suspension(state)
    for key in sorted(state.waiting, key=state.waiting.__getitem__):
        yield _timer(graph, state, key)
    for key in state.active:
        node = state.node(key)
        if node.held:
            yield _delivery(state, key, node)
        elif node.status == s.SCHEDULED:
            yield _start(state, key, node)
    for key in state.children:
        yield _child(state, key)
    for key, reason in state.ready.items():
        yield _held(graph, state, key, reason)


def _suspension(state: State) -> dict[str, Any]:
    until = state.timers.due.get("suspend")
    how = f"by itself at {format_time(until)}, or by resume" if until else "when it is resumed"
    if state.held:
        how = "when the execution that started it does"
    return _entry(shown.SUSPEND, since=state.suspended_at, until=until, message=f"the run goes on {how}")


def _timer(graph: Graph, state: State, key: str) -> dict[str, Any]:
    node = state.node(key)
    if node.status == s.WAITING:
        return _wait(state, key, node)
    if node.status == s.LOOKING_UP:
        message = f"it asks the cache for {node.cache_key!r:.80}, and runs if there is no answer"
        return _entry(shown.CACHE, state.instance(key), since=node.since, until=node.due, message=message)
    until = _due(state, f"retry/{key}")
    when = f"at {format_time(until)}" if until else "after the run is resumed"
    if node.status == s.LOST:
        message = f"delivery {node.delivery} of attempt {node.attempt} was lost; it is delivered again {when}"
        name = "redelivery"
    else:
        policy = graph.find(key).retry
        spent = node.attempt - node.attempts_before
        of = f" of {policy.max_attempts}" if policy is not None else ""
        why = f" with {node.error.reason}" if node.error is not None else ""
        message = f"attempt {spent}{of} failed{why}; the next starts {when}"
        name = "retry"
    return _entry(shown.TIMER, state.instance(key), name, since=node.since, until=until, message=message)


def _wait(state: State, key: str, node: NodeState) -> dict[str, Any]:
    name = f"wait/{key}"
    due = _due(state, name) or state.timers.due.get(name)
    expires = state.timers.due.get(f"expiry/{key}")
    times = [time for time in (due, expires) if time is not None]
    until = min(times, default=None)
    when = f"until {format_time(due)}" if due is not None else "as long as the run is suspended, and then on"
    given_up = f", and is given up at {format_time(expires)}" if expires is not None else ""
    message = f"it waits {when}{given_up}"
    return _entry(shown.TIMER, state.instance(key), "wait", since=node.since, until=until, message=message)


def _due(state: State, timer: str) -> int | None:
    """When a timer that pauses with the run fires, in wall time; None while it stands still."""
    due = state.paused_timers.due.get(timer)
    return None if due is None or state.suspended_at else due + state.suspended_total


def _start(state: State, key: str, node: NodeState) -> dict[str, Any]:
    until = state.timers.due.get(f"attempt/{key}")
    message = f"attempt {node.attempt} is scheduled and has not started"
    return _entry(shown.START, state.instance(key), since=node.scheduled_at, until=until, message=message)


def _delivery(state: State, key: str, node: NodeState) -> dict[str, Any]:
    until = state.timers.due.get(f"attempt/{key}")
    message = f"{node.held}: {node.note}" if node.note else node.held
    return _entry(shown.POD, state.instance(key), node.held, since=node.since, until=until, message=message)


def _child(state: State, key: str) -> dict[str, Any]:
    node = state.node(key)
    child = node.child
    assert child is not None
    what = f"execution {child.name} of workflow {child.workflow}"
    if node.status == s.STOPPING:
        message = f"{what} is being ended ({node.stop})"
    elif node.status == s.SCHEDULED:
        message = f"{what} is being started"
    else:
        message = f"it waits for the end of {what}"
    until = _due(state, f"body/{key}")
    return _entry(
        shown.CHILD, state.instance(key), child.name, since=node.scheduled_at, until=until, message=message
    )


def _held(graph: Graph, state: State, key: str, reason: str) -> dict[str, Any]:
    since = state.node(key).since
    if reason == reasons.MAX_NODES:
        message = f"it is held: as many nodes run as concurrency.maxNodes allows ({graph.max_nodes})"
        return _entry(shown.MAX_NODES, state.instance(key), since=since, message=message)
    message = "it is ready and starts when the run is resumed"
    return _entry(shown.SUSPEND, state.instance(key), since=since, message=message)


def _entry(
    kind: str, node: str = "", name: str = "", *, since: int = 0, until: int | None = None, message: str
) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": kind}
    if node:
        entry["node"] = node
    if name:
        entry["name"] = name
    if since:
        entry["since"] = format_time(since)
    if until:
        entry["until"] = format_time(until)
    entry["message"] = message
    return entry
