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

from fairlead.engine.folding import children, inlining, loops, nodes, paths, runs
from fairlead.model import events as e
from fairlead.model.errors import Bug
from fairlead.model.state import State


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
        if event.large:
            raise Bug(f"event {event.seq} is as it is stored, without its large values; expected it whole")
        evolve(result, event)
    return result


_HANDLERS: dict[type[e.Event], Callable[[State, Any], None]] = {
    e.ExecutionCreated: runs.created,
    e.ExecutionStarted: runs.started,
    e.ExecutionSuspended: runs.suspended,
    e.ExecutionResumed: runs.resumed,
    e.WishWithdrawn: runs.withdrawn,
    e.CancelRequested: runs.cancel_requested,
    e.ExecutionTimedOut: runs.timed_out_run,
    e.OutcomeDecided: runs.outcome,
    e.ExecutionCompleted: runs.completed,
    e.ExecutionFailed: runs.failed,
    e.ExecutionCancelled: runs.cancelled,
    e.Redriven: runs.redriven,
    e.RedriveRefused: runs.redrive_refused,
    e.CheckpointTaken: runs.checkpoint,
    e.TurnPaused: runs.paused,
    e.ProgressUpdated: runs.progress,
    e.PathStarted: paths.path_started,
    e.PathJoined: paths.path_joined,
    e.PathCompleted: paths.path_ended,
    e.PathFailed: paths.path_failed,
    e.PathCancelled: paths.path_ended,
    e.LateArrival: paths.late_arrival,
    e.NodeReady: nodes.ready,
    e.WaitStarted: nodes.wait_started,
    e.WaitWoken: nodes.wait_ended,
    e.WaitExpired: nodes.wait_ended,
    e.CacheLookup: nodes.cache_lookup,
    e.CacheMissed: nodes.cache_missed,
    e.LoopStarted: loops.loop_started,
    e.LoopIteration: loops.opened,
    e.BranchStarted: loops.opened,
    e.InlineStarted: inlining.inline_started,
    e.BodyStarted: inlining.body_started,
    e.BodyTimedOut: inlining.body_timed_out,
    e.BodyReopened: loops.body_reopened,
    e.BodyEnded: loops.body_ended,
    e.LoopCompleted: loops.loop_completed,
    e.ChildScheduled: children.scheduled,
    e.ChildStarted: children.started,
    e.ChildEnded: children.ended,
    e.NodeScheduled: nodes.scheduled,
    e.NodeStarted: nodes.node_started,
    e.DeliveryStarted: nodes.node_started,
    e.DeliveryHeld: nodes.delivery_held,
    e.NodeRetrying: nodes.retrying,
    e.NodeLost: nodes.lost,
    e.NodeTimedOut: nodes.node_timed_out,
    e.NodeStopping: nodes.stopping,
    e.DeadLettered: nodes.dead_lettered,
    e.NodeFallback: nodes.fallback,
    e.NodeCompleted: nodes.node_completed,
    e.NodeFailed: nodes.node_failed,
    e.NodeSkipped: nodes.node_skipped,
    e.NodeCancelled: nodes.node_cancelled,
    e.LateResult: nodes.late_result,
}
