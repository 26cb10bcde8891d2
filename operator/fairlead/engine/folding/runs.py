"""What the events of the run as a whole do to the state."""

from __future__ import annotations

from fairlead.engine.folding.keeping import end_loop, forget_all
from fairlead.engine.folding.moves import move_run, pausable, reset
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.state import State
from fairlead.model.times import format_duration


def created(state: State, event: e.ExecutionCreated) -> None:
    move_run(state, event)
    state.name, state.uid, state.workflow = event.name, event.uid, event.workflow
    state.generation, state.digest, state.runtime = event.generation, event.digest, event.runtime
    state.inputs, state.priority, state.redrive = event.inputs, event.priority, event.redrive
    state.timeout = event.timeout
    state.parent, state.origin = event.parent, event.origin
    state.created_at = event.at


def started(state: State, event: e.ExecutionStarted) -> None:
    move_run(state, event)
    state.started_at = state.epoch_at = event.at
    state.checkpoint_at = event.at
    state.variables = dict(event.variables)
    state.scopes[""] = s.ScopeState(total=event.nodes)
    state.counters.total = event.nodes
    if event.deadline is not None:
        pausable(state, "execution", event, event.deadline)


def suspended(state: State, event: e.ExecutionSuspended) -> None:
    move_run(state, event)
    state.suspended_at = event.at
    state.suspend_seen = True
    if event.until is not None:
        state.timers.set("suspend", event.until)


def resumed(state: State, event: e.ExecutionResumed) -> None:
    move_run(state, event)
    state.suspended_total += event.at - state.suspended_at
    state.suspended_at = 0
    state.suspend_seen = event.reason != "Requested"
    state.timers.clear("suspend")


def withdrawn(state: State, event: e.WishWithdrawn) -> None:
    if event.wish == "suspend":
        state.suspend_seen = False
    else:
        state.cancel_void = False


def cancel_requested(state: State, event: e.CancelRequested) -> None:
    state.cancel = True
    state.cancel_reason = event.reason
    state.cancel_force = event.force


def timed_out_run(state: State, event: e.ExecutionTimedOut) -> None:
    state.paused_timers.clear("execution")
    state.timed_out = True
    limit = format_duration(event.timeout)
    over = state.failure is not None or state.finish is not None or state.cancel  # what came first decides
    if state.stage == s.FORWARD and not over:
        error = e.Error(reason="ExecutionTimeout", message=f"the run took longer than its timeout of {limit}")
        state.failure = s.Failure(error=error)
    elif state.stage == s.FINALLY and state.finally_failure is None:
        error = e.Error(
            reason="FinallyFailed", message=f"finally took longer than its finallyTimeout of {limit}"
        )
        state.finally_failure = s.Failure(error=error)


def outcome(state: State, event: e.OutcomeDecided) -> None:
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
        pausable(state, "execution", event, event.deadline)


def close(state: State, event: e.Event) -> None:
    move_run(state, event)
    state.stage = s.ENDED
    state.finished_at = event.at
    state.work = []
    state.timers = s.Timers()
    state.paused_timers = s.Timers()


def completed(state: State, event: e.ExecutionCompleted) -> None:
    close(state, event)
    state.outputs, state.result, state.reason = event.outputs, event.result, event.reason
    forget_all(state)


def failed(state: State, event: e.ExecutionFailed) -> None:
    close(state, event)
    state.failure = s.Failure(error=event.error, node=event.node, path=event.path, attempt=event.attempt)
    state.result = event.result
    state.outputs = {}


def cancelled(state: State, event: e.ExecutionCancelled) -> None:
    close(state, event)
    state.reason = event.reason
    state.outputs = {}


def redriven(state: State, event: e.Redriven) -> None:
    move_run(state, event)
    state.redrive, state.epoch = event.redrive, event.epoch
    state.stage = s.FORWARD
    state.finished_at = 0
    state.epoch_at = event.at
    state.failure = state.finish = state.finally_failure = None
    state.outcome = ""
    state.result = state.reason = None
    state.timed_out = False
    state.cancel_void = state.cancel or state.cancel_void or event.cancel
    state.cancel = state.cancel_force = False
    state.cancel_reason = ""
    counters = state.counters
    counters.retries = counters.first_attempts = 0
    counters.progress_mark = 0
    state.scopes.pop(s.FINALLY, None)
    counters.total -= len(event.finally_nodes)
    for name in event.finally_nodes:
        end_loop(state, name, state.nodes[name], keep=False)
        reset(state, event, e.ResetNode(node=name))
        state.nodes[name].child = None  # in `finally` each epoch has children of its own
    state.scopes[""].ended -= len(event.reset)
    for region in state.regions_at("").values():
        region.taken = {}
    for item in event.reset:
        reset(state, event, item)
    if event.deadline is not None:
        pausable(state, "execution", event, event.deadline)


def redrive_refused(state: State, event: e.RedriveRefused) -> None:
    state.redrive = event.redrive


def checkpoint(state: State, event: e.CheckpointTaken) -> None:
    state.checkpoint = event.seq
    state.checkpoint_at = event.at
    state.counters.since_checkpoint = 0


def paused(state: State, event: e.TurnPaused) -> None:
    state.work, state.paused, state.part = event.work, event.seq, event.part


def progress(state: State, event: e.ProgressUpdated) -> None:
    state.counters.progress_mark = event.percent // 10
