"""`evolve(state, event) -> state`: the fold.

Rules of this file
- It owns the state it is given and changes it in place.
- It takes what the event says: no definition, no expression, no clock. What a connection leads to is in its id.
- Every status moves along `engine.transitions` or not at all: an event that fits no row raises `Bug` before anything changed.
- Its cost follows what the event names, never the size of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fairlead.engine.transitions import EXECUTION, NODE, PATH
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.errors import Bug
from fairlead.model.ids import connection_target, key_of, prefix_of
from fairlead.model.state import NodeState, PathState, State
from fairlead.model.times import format_duration

ENDED_PATHS_KEPT = 50
"""How many ended paths stay in the state for `status.paths`; the log has all."""


def evolve(state: State, event: e.Event) -> State:
    """Fold one event. Raises `Bug` for one that is out of sequence or not a legal move."""
    if event.seq != state.seq + 1:
        raise Bug(f"event {event.seq} cannot follow {state.seq}; expected {state.seq + 1}")
    _HANDLERS[type(event)](state, event)
    state.seq = event.seq
    state.at = event.at
    return state


def fold(events: Iterable[e.Event], state: State | None = None) -> State:
    """The state after all events, from the beginning or from a checkpoint's state."""
    result = State() if state is None else state
    for event in events:
        evolve(result, event)
    return result


def _node(state: State, key: str) -> NodeState:
    """The instance at a key, put there if this is the first that is heard of it."""
    found = state.nodes.get(key)
    if found is None:
        found = state.nodes[key] = NodeState(iteration=state.iterations.get(key, 0))
    return found


# --- moves -----------------------------------------------------------------------------------------------------------


def _move_run(state: State, event: e.Event) -> None:
    name = type(event).__name__
    try:
        state.phase = EXECUTION[state.phase][name]
    except KeyError:
        raise Bug(f"{name} is no move of an execution that is {state.phase or 'new'} (event {event.seq})") from None


def _move_node(state: State, key: str, node: NodeState, event: e.Event) -> None:
    name = type(event).__name__
    try:
        after = NODE[node.status][name]
    except KeyError:
        raise Bug(f"{name} is no move of node {key!r} that is {node.status} (event {event.seq})") from None
    before = node.status
    node.status = after
    if before == s.READY:
        state.ready.pop(key, None)
    elif before in s.HOLDS_SLOT and after not in s.HOLDS_SLOT:
        state.active.pop(key, None)
        state.timers.clear(f"attempt/{key}")
    elif before in (s.RETRYING, s.LOST):
        state.waiting.pop(key, None)
        state.paused_timers.clear(f"retry/{key}")


def _move_path(state: State, path: str, event: e.Event) -> PathState:
    name = type(event).__name__
    found = state.paths.get(path)
    try:
        after = PATH[found.status if found else ""][name]
    except KeyError:
        raise Bug(f"{name} is no move of path {path!r} (event {event.seq})") from None
    if found is None:
        found = state.paths[path] = PathState(started_at=event.at)
    found.status = after
    if after != s.ACTIVE:
        found.finished_at = event.at
        state.ended_paths.append(path)
        if len(state.ended_paths) > ENDED_PATHS_KEPT:
            gone = state.ended_paths.pop(0)
            ended = state.paths.get(gone)
            if ended is not None and ended.status != s.ACTIVE:
                del state.paths[gone]
    return found


def _open_path(state: State, path: str, node: str, event: e.Event) -> None:
    _move_path(state, path, event).node = node
    parent, _, last = path.rpartition(".")
    state.path_children[parent] = max(state.path_children.get(parent, 0), int(last) + 1)


def _pausable(state: State, name: str, event: e.Event, due: int) -> None:
    """A timer that stands still while the run is suspended; `due` is in wall time as if it never were."""
    state.paused_timers.set(name, state.active_time(event.at) + due - event.at)


def _settle(state: State, key: str, path: str, taken: list[str], dead: list[str]) -> None:
    """Count the connections of an ended node at their targets; the only taken one carries its path along."""
    prefix = prefix_of(key) if "/" in key else ""
    for connection in taken:
        target = _node(state, prefix + connection_target(connection))
        target.taken += 1
        if len(taken) == 1 and target.status == s.PENDING:
            target.arrive(path)
    for connection in dead:
        _node(state, prefix + connection_target(connection)).dead += 1


def _end_node(state: State, key: str, node: NodeState, event: e.Event) -> None:
    """Bookkeeping common to the four ends of an instance."""
    _move_node(state, key, node, event)
    if not node.stands_for:
        state.scope_of(key).ended += 1
    node.finished_at = event.at
    if node.status != s.SKIPPED:
        node.arrivals = None  # a skipped one keeps them: a redrive may open it again
    node.values = None
    node.held = node.stop = ""
    counters = state.counters
    counters.since_checkpoint += 1
    if node.status == s.SUCCEEDED:
        counters.done += 1
    elif node.status == s.FAILED:
        counters.failed += 1
    else:
        counters.skipped += 1
    if node.started_at and node.status in (s.SUCCEEDED, s.FAILED):
        counters.node_time += event.at - node.started_at
        counters.timed_nodes += 1
    path = state.paths.get(node.path)
    if path is not None:
        path.node = key


# --- the execution ---------------------------------------------------------------------------------------------------


def _created(state: State, event: e.ExecutionCreated) -> None:
    _move_run(state, event)
    state.name, state.uid, state.workflow = event.name, event.uid, event.workflow
    state.generation, state.digest, state.runtime = event.generation, event.digest, event.runtime
    state.inputs, state.priority, state.redrive = event.inputs, event.priority, event.redrive
    state.timeout = event.timeout
    state.created_at = event.at


def _started(state: State, event: e.ExecutionStarted) -> None:
    _move_run(state, event)
    state.started_at = state.epoch_at = event.at
    state.checkpoint_at = event.at
    state.variables = dict(event.variables)
    state.scopes[""] = s.ScopeState(total=event.nodes)
    state.counters.total = event.nodes
    if event.deadline is not None:
        _pausable(state, "execution", event, event.deadline)


def _suspended(state: State, event: e.ExecutionSuspended) -> None:
    _move_run(state, event)
    state.suspended_at = event.at
    state.suspend_seen = True
    if event.until is not None:
        state.timers.set("suspend", event.until)


def _resumed(state: State, event: e.ExecutionResumed) -> None:
    _move_run(state, event)
    state.suspended_total += event.at - state.suspended_at
    state.suspended_at = 0
    state.suspend_seen = event.reason != "Requested"
    state.timers.clear("suspend")


def _withdrawn(state: State, event: e.WishWithdrawn) -> None:
    if event.wish == "suspend":
        state.suspend_seen = False
    else:
        state.cancel_void = False


def _cancel_requested(state: State, event: e.CancelRequested) -> None:
    state.cancel = True
    state.cancel_reason = event.reason
    state.cancel_force = event.force


def _timed_out_run(state: State, event: e.ExecutionTimedOut) -> None:
    state.paused_timers.clear("execution")
    state.timed_out = True
    limit = format_duration(event.timeout)
    if state.stage == s.FORWARD and state.failure is None:
        error = e.Error(reason="ExecutionTimeout", message=f"the run took longer than its timeout of {limit}")
        state.failure = s.Failure(error=error)
    elif state.stage == s.FINALLY and state.finally_failure is None:
        error = e.Error(reason="FinallyFailed", message=f"finally took longer than its finallyTimeout of {limit}")
        state.finally_failure = s.Failure(error=error)


def _outcome(state: State, event: e.OutcomeDecided) -> None:
    state.stage = s.FINALLY
    state.outcome = event.phase
    state.outputs = event.outputs
    state.timed_out = False
    if event.error is not None and state.failure is None:
        state.failure = s.Failure(error=event.error)
    state.scopes[s.FINALLY] = s.ScopeState(total=event.nodes)
    state.counters.total += event.nodes
    state.paused_timers.clear("execution")
    if event.deadline is not None:
        _pausable(state, "execution", event, event.deadline)


def _close(state: State, event: e.Event) -> None:
    _move_run(state, event)
    state.stage = s.ENDED
    state.finished_at = event.at
    state.timers = s.Timers()
    state.paused_timers = s.Timers()


def _completed(state: State, event: e.ExecutionCompleted) -> None:
    _close(state, event)
    state.outputs, state.result, state.reason = event.outputs, event.result, event.reason


def _failed(state: State, event: e.ExecutionFailed) -> None:
    _close(state, event)
    state.failure = s.Failure(error=event.error, node=event.node, path=event.path, attempt=event.attempt)
    state.result = event.result
    state.outputs = {}


def _cancelled(state: State, event: e.ExecutionCancelled) -> None:
    _close(state, event)
    state.reason = event.reason
    state.outputs = {}


def _redriven(state: State, event: e.Redriven) -> None:
    _move_run(state, event)
    state.redrive, state.epoch = event.redrive, event.epoch
    state.stage = s.FORWARD
    state.finished_at = 0
    state.epoch_at = event.at
    state.failure = state.finish = state.finally_failure = None
    state.outcome = ""
    state.result = state.reason = None
    state.timed_out = False
    state.cancel_void = state.cancel
    state.cancel = state.cancel_force = False
    state.cancel_reason = ""
    counters = state.counters
    counters.retries = counters.first_attempts = 0
    counters.progress_mark = 0
    state.scopes.pop(s.FINALLY, None)
    counters.total -= len(event.finally_nodes)
    for name in event.finally_nodes:
        _reset(state, event, e.ResetNode(node=name))
    state.scopes[""].ended -= len(event.reset)
    for item in event.reset:
        _reset(state, event, item)
    if event.deadline is not None:
        _pausable(state, "execution", event, event.deadline)


def _uncount(state: State, node: NodeState) -> None:
    """Take an ended instance out of the counters, as it will end once more."""
    counters = state.counters
    if node.status == s.SUCCEEDED:
        counters.done -= 1
    elif node.status == s.FAILED:
        counters.failed -= 1
    else:
        counters.skipped -= 1


def _reset(state: State, event: e.Redriven, item: e.ResetNode) -> None:
    key = key_of(item.node)
    old = state.nodes[key]
    _uncount(state, old)
    _move_node(state, key, old, event)
    state.nodes[key] = NodeState(
        iteration=old.iteration,
        taken=item.taken,
        dead=item.dead,
        arrivals=list(item.arrivals) or None,
        attempt=old.attempt,
        attempts_before=old.attempt,
    )
    for path in item.arrivals:
        found = state.paths.setdefault(path, PathState(status=s.COMPLETED, started_at=event.at))
        if found.status != s.ACTIVE:
            _move_path(state, path, event)
            if path in state.ended_paths:
                state.ended_paths.remove(path)
        found.node, found.finished_at, found.error = key, 0, None


def _redrive_refused(state: State, event: e.RedriveRefused) -> None:
    state.redrive = event.redrive


def _checkpoint(state: State, event: e.CheckpointTaken) -> None:
    state.checkpoint = event.seq
    state.checkpoint_at = event.at
    state.counters.since_checkpoint = 0


def _progress(state: State, event: e.ProgressUpdated) -> None:
    state.counters.progress_mark = event.percent // 10


# --- paths -----------------------------------------------------------------------------------------------------------


def _path_started(state: State, event: e.PathStarted) -> None:
    _open_path(state, event.path, event.node, event)
    target = _node(state, key_of(event.node))
    if target.status == s.PENDING:
        target.arrive(event.path)


def _path_joined(state: State, event: e.PathJoined) -> None:
    for path in event.joined:
        _move_path(state, path, event)
    _open_path(state, event.path, event.node, event)
    _node(state, key_of(event.node)).arrivals = [event.path]


def _path_ended(state: State, event: e.PathCompleted | e.PathCancelled | e.LateArrival) -> None:
    _move_path(state, event.path, event)


def _path_failed(state: State, event: e.PathFailed) -> None:
    _move_path(state, event.path, event).error = event.error


# --- nodes -----------------------------------------------------------------------------------------------------------


def _ready(state: State, event: e.NodeReady) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.path = event.path
    node.held, node.since = event.reason, event.at
    state.ready[key] = event.reason


def _scheduled(state: State, event: e.NodeScheduled) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    state.active[key] = event.attempt
    if event.attempt > node.attempt:
        node.attempt_started = False
        if event.attempt == node.attempts_before + 1:
            state.counters.first_attempts += 1
        else:
            state.counters.retries += 1
    node.attempt, node.delivery, node.path = event.attempt, event.delivery, event.path
    node.held, node.lost = "", False
    if event.values is not None:
        node.values = event.values
    node.scheduled_at = event.at
    if event.start_deadline is not None:
        state.timers.set(f"attempt/{key}", event.start_deadline)


def _node_started(state: State, event: e.NodeStarted | e.DeliveryStarted) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.attempt_started = True
    if not node.started_at:
        node.started_at = event.at
    state.timers.clear(f"attempt/{key}")
    if event.deadline is not None:
        state.timers.set(f"attempt/{key}", event.deadline)


def _retrying(state: State, event: e.NodeRetrying) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.error, node.due, node.stop, node.since = event.error, event.due, "", event.at
    state.waiting[key] = event.due
    _pausable(state, f"retry/{key}", event, event.due)


def _lost(state: State, event: e.NodeLost) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.due, node.lost, node.since = event.due, True, event.at
    state.waiting[key] = event.due
    _pausable(state, f"retry/{key}", event, event.due)


def _node_timed_out(state: State, event: e.NodeTimedOut) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.stop, node.limit = event.reason, event.limit
    state.timers.clear(f"attempt/{key}")


def _stopping(state: State, event: e.NodeStopping) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.stop = event.reason
    state.timers.clear(f"attempt/{key}")


def _dead_lettered(state: State, event: e.DeadLettered) -> None:
    key = key_of(event.node)
    _move_node(state, key, _node(state, key), event)


def _fallback(state: State, event: e.NodeFallback) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _move_node(state, key, node, event)
    node.path, node.error, node.stop = event.path, event.error, ""
    node.fallback = event.fallback
    stand_in = key_of(event.fallback)
    earlier = state.nodes.get(stand_in)
    attempts = 0
    if earlier is None:
        state.counters.total += 1
    else:
        _uncount(state, earlier)
        attempts = earlier.attempt
    state.nodes[stand_in] = NodeState(
        stands_for=key, path=event.path, arrivals=[event.path], attempt=attempts, attempts_before=attempts
    )


def _node_completed(state: State, event: e.NodeCompleted) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _end_node(state, key, node, event)
    node.path, node.port, node.outputs = event.path, event.port, event.outputs
    node.error = None
    if event.via:
        node.via = event.via
    if event.variables:
        state.variables.update(event.variables)
    if event.result is not None and state.finish is None and state.stage == s.FORWARD:
        state.finish = s.Finish(node=event.node, result=event.result, reason=event.reason or "")
        if event.result == "failed" and state.failure is None:
            message = event.reason or f"node {event.node!r} finished the run with result failed"
            error = e.Error(reason="FinishedFailed", message=message)
            state.failure = s.Failure(error=error, node=event.node, path=event.path)
    _settle(state, key, event.path, event.taken, event.dead)


def _node_failed(state: State, event: e.NodeFailed) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _end_node(state, key, node, event)
    node.path, node.error, node.handled, node.port = event.path, event.error, event.handled, event.port
    if not event.handled and not node.stands_for:
        failure = s.Failure(error=event.error, node=event.node, path=event.path, attempt=event.attempt)
        if state.stage == s.FORWARD and state.failure is None:
            state.failure = failure
        elif state.stage == s.FINALLY and state.finally_failure is None:
            state.finally_failure = failure
    _settle(state, key, event.path, event.taken, event.dead)


def _node_skipped(state: State, event: e.NodeSkipped) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _end_node(state, key, node, event)
    node.path, node.handled = event.path, event.reason
    _settle(state, key, event.path, event.taken, event.dead)


def _node_cancelled(state: State, event: e.NodeCancelled) -> None:
    key = key_of(event.node)
    node = _node(state, key)
    _end_node(state, key, node, event)
    node.path = event.path
    _settle(state, key, event.path, [], event.dead)


def _late_result(state: State, event: e.LateResult) -> None:
    _node(state, key_of(event.node)).late = event.delivery


_HANDLERS: dict[type[e.Event], Callable[[State, Any], None]] = {
    e.ExecutionCreated: _created,
    e.ExecutionStarted: _started,
    e.ExecutionSuspended: _suspended,
    e.ExecutionResumed: _resumed,
    e.WishWithdrawn: _withdrawn,
    e.CancelRequested: _cancel_requested,
    e.ExecutionTimedOut: _timed_out_run,
    e.OutcomeDecided: _outcome,
    e.ExecutionCompleted: _completed,
    e.ExecutionFailed: _failed,
    e.ExecutionCancelled: _cancelled,
    e.Redriven: _redriven,
    e.RedriveRefused: _redrive_refused,
    e.CheckpointTaken: _checkpoint,
    e.ProgressUpdated: _progress,
    e.PathStarted: _path_started,
    e.PathJoined: _path_joined,
    e.PathCompleted: _path_ended,
    e.PathFailed: _path_failed,
    e.PathCancelled: _path_ended,
    e.LateArrival: _path_ended,
    e.NodeReady: _ready,
    e.NodeScheduled: _scheduled,
    e.NodeStarted: _node_started,
    e.DeliveryStarted: _node_started,
    e.NodeRetrying: _retrying,
    e.NodeLost: _lost,
    e.NodeTimedOut: _node_timed_out,
    e.NodeStopping: _stopping,
    e.DeadLettered: _dead_lettered,
    e.NodeFallback: _fallback,
    e.NodeCompleted: _node_completed,
    e.NodeFailed: _node_failed,
    e.NodeSkipped: _node_skipped,
    e.NodeCancelled: _node_cancelled,
    e.LateResult: _late_result,
}
