"""What the events of node instances do to the state."""

from __future__ import annotations

from fairlead.engine.folding.connections import settle, settle_dead
from fairlead.engine.folding.inlining import finished, variables_at
from fairlead.engine.folding.keeping import end_loop, retry_loop, start_loop
from fairlead.engine.folding.loops import collected_outputs
from fairlead.engine.folding.moves import end_node, move_node, node_at, pausable, uncount
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of, prefix_of
from fairlead.model.reasons import FINISHED_FAILED, MAX_NODES
from fairlead.model.state import NodeState, State


def ready(state: State, event: e.NodeReady) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.path = event.path
    node.held, node.since = event.reason, event.at
    state.ready[key] = event.reason


def wait_started(state: State, event: e.WaitStarted) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.path, node.held = event.path, ""
    node.started_at = node.since = event.at
    times = [time for time in (event.due, event.expires) if time is not None]
    state.waiting[key] = node.due = min(times, default=0)
    if event.due is not None and event.paused:
        pausable(state, f"wait/{key}", event, event.due)
    elif event.due is not None:
        state.timers.set(f"wait/{key}", event.due)
    if event.expires is not None:
        state.timers.set(f"expiry/{key}", event.expires)


def wait_ended(state: State, event: e.WaitWoken | e.WaitExpired) -> None:
    key = key_of(event.node)
    move_node(state, key, node_at(state, key), event)


def cache_lookup(state: State, event: e.CacheLookup) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.path, node.held, node.since = event.path, "", event.at
    node.lookup, node.cache_key = event.seq, event.key
    state.waiting[key] = node.due = event.due
    state.timers.set(f"lookup/{key}", event.due)


def cache_missed(state: State, event: e.CacheMissed) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.held, node.since = MAX_NODES, event.at  # until it is scheduled, in this very turn if there is room
    state.ready[key] = MAX_NODES


def scheduled(state: State, event: e.NodeScheduled) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    state.active[key] = event.attempt
    if event.attempt > node.attempt:
        node.attempt_started = False
        node.losses = 0
        if event.attempt == node.attempts_before + 1:
            state.counters.first_attempts += 1
        else:
            state.counters.retries += 1
    node.attempt, node.delivery, node.path = event.attempt, event.delivery, event.path
    node.held, node.lost, node.handle = "", False, ""
    if event.values is not None:
        node.values = event.values
        state.counters.stored += event.stored
    node.scheduled_at = event.at
    if event.start_deadline is not None:
        state.timers.set(f"attempt/{key}", event.start_deadline)


def node_started(state: State, event: e.NodeStarted | e.DeliveryStarted) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    if isinstance(event, e.NodeStarted) and event.body:
        _body_started(state, key, node, event)
        return
    node.attempt_started, node.handle = True, event.handle
    node.held = node.note = ""
    if not node.started_at:
        node.started_at = event.at
    state.timers.clear(f"attempt/{key}")
    if event.deadline is not None:
        state.timers.set(f"attempt/{key}", event.deadline)


def delivery_held(state: State, event: e.DeliveryHeld) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.held, node.note, node.since = event.reason, event.message, event.at


def _body_started(state: State, key: str, node: NodeState, event: e.NodeStarted) -> None:
    if event.attempt > node.attempts_before + 1:
        state.counters.retries += 1
    else:
        state.counters.first_attempts += 1
        node.started_at = event.at
    node.path, node.attempt, node.held = event.path, event.attempt, ""
    start_loop(state, key, node, goes_on=event.goes_on)
    if event.deadline is not None:
        pausable(state, f"body/{key}", event, event.deadline)


def retrying(state: State, event: e.NodeRetrying) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.error, node.due, node.stop, node.since = event.error, event.due, "", event.at
    retry_loop(state, key, node)
    state.waiting[key] = event.due
    pausable(state, f"retry/{key}", event, event.due)


def lost(state: State, event: e.NodeLost) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.due, node.lost, node.since = event.due, True, event.at
    node.losses += event.counted
    state.waiting[key] = event.due
    pausable(state, f"retry/{key}", event, event.due)


def node_timed_out(state: State, event: e.NodeTimedOut) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.stop, node.limit = event.reason, event.limit
    state.timers.clear(f"attempt/{key}")
    state.paused_timers.clear(f"body/{key}")


def stopping(state: State, event: e.NodeStopping) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.stop = event.reason
    state.timers.clear(f"attempt/{key}")
    state.paused_timers.clear(f"body/{key}")


def dead_lettered(state: State, event: e.DeadLettered) -> None:
    key = key_of(event.node)
    move_node(state, key, node_at(state, key), event)


def fallback(state: State, event: e.NodeFallback) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    node.path, node.error, node.stop = event.path, event.error, ""
    node.fallback = event.fallback
    end_loop(state, key, node, keep=True)
    stand_in = key_of(event.fallback)
    earlier = state.nodes.get(stand_in)
    attempts, inside = 0, None
    if earlier is not None:
        uncount(state, earlier)
        attempts, inside = earlier.attempt, earlier.inside
    else:
        state.counters.total += 1
        if "/" in key:
            prefix = prefix_of(key)
            state.members[prefix].append(stand_in)
            attempts = state.scopes[prefix].attempts
    state.nodes[stand_in] = NodeState(
        stands_for=key,
        path=event.path,
        arrivals=[event.path],
        attempt=attempts,
        attempts_before=attempts,
        inside=inside,
    )


def node_completed(state: State, event: e.NodeCompleted) -> None:
    key = key_of(event.node)
    prefix = prefix_of(key)
    node = node_at(state, key)
    given = event.outputs
    if event.collected is not None:
        given = collected_outputs(state.loops[key], event.node, event.collected)
    end_node(state, key, node, event)
    node.path, node.port, node.given = event.path, event.port, given or None
    state.counters.stored += event.stored
    node.error = None
    if event.via:
        node.via = event.via
    if event.cached_from:
        node.cached = s.Cached(execution=event.cached_from, at=event.cached_at)
    if event.variables:
        variables_at(state, prefix).update(event.variables)
    if event.result == "failed":
        node.handled = FINISHED_FAILED
    if event.result is not None:
        finished(state, event, event.result)
    settle(state, key, prefix, event)


def node_failed(state: State, event: e.NodeFailed) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    end_node(state, key, node, event)
    node.path, node.error, node.handled, node.port = event.path, event.error, event.handled, event.port
    if not event.handled and not node.stands_for:
        failure = s.Failure(error=event.error, node=event.node, path=event.path, attempt=event.attempt)
        if "/" in key:
            scope = state.scope_of(key)
            scope.failure = scope.failure or failure
        elif state.stage == s.FORWARD and state.failure is None:
            state.failure = failure
        elif state.stage == s.FINALLY and state.finally_failure is None:
            state.finally_failure = failure
    settle(state, key, prefix_of(key), event)


def node_skipped(state: State, event: e.NodeSkipped) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    end_node(state, key, node, event)
    node.path, node.handled = event.path, event.reason
    settle(state, key, prefix_of(key), event)


def node_cancelled(state: State, event: e.NodeCancelled) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    end_node(state, key, node, event)
    node.path = event.path
    settle_dead(state, prefix_of(key), event.dead)


def late_result(state: State, event: e.LateResult) -> None:
    node_at(state, key_of(event.node)).late = event.delivery
