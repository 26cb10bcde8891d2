"""Inlined workflows: another workflow's graph as the body of a node, closed to what is around it (semantics 17, 25, 29, 38).

    begin     its inputs are evaluated and checked, and its variables get their first values, once for all attempts
    advance   the graph runs under `NODE/`, then its `finally` under `NODE.finally/`, then the node ends

Rules of this file
- It sees its own inputs, variables, computed fields, defaults and nodes, and nothing of the caller's; its nodes write its own
  variables. Its outputs are the node's. Its timeout is the node's, unless that has one of its own.
- The first `finish` in it ends the node alone: with result failed the node fails, with any other it is done. The result is in the
  log and nowhere else: what a workflow has to say to its caller are its outputs.
- Its `finally` runs once after the graph, whatever happened, also when the node is stopped from outside; not after a forced
  cancel. It is outside the node's timeout. A failure in it makes of a success a failure (FinallyFailed) and changes nothing else.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine import ending, loops, redriving
from fairlead.engine.graph import NodeDef
from fairlead.engine.scope import Scope
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import FINALLY_SUFFIX
from fairlead.model.state import LoopState, NodeState


def begin(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """Start the workflow, or fail the node if the inputs do not fit. Raises ExpressionError and TooLarge."""
    flow, kept = node.inlines, turn.state.kept.get(key)
    assert flow is not None
    if kept is not None and kept.inputs is not None and kept.initial is not None:
        inputs, variables, stored = kept.inputs, kept.initial, 0
    else:
        from fairlead.engine.validation.inputs import fit_inputs  # reading a run needs no validation

        inputs, wrong = fit_inputs(flow.spec.inputs, _given(turn, node, key))
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            message = f"{wrong[0].path}: {wrong[0].message}{more}, by the schema of workflow {flow.name}"
            ending.stand_in_or_fail(turn, key, path, e.Error(reason=reasons.INPUTS_INVALID, message=message))
            return
        variables = _variables(turn, node, key, inputs)
        stored = turn.sizes.inputs(inputs, turn.state.counters.stored)
        stored += turn.sizes.items(variables, turn.state.counters.stored + stored)
    goes_on = kept is not None and kept.variables is not None
    loops.start(turn, node, key, path)
    if not goes_on:
        turn.emit(
            e.InlineStarted,
            node=turn.state.instance(key),
            path=path,
            workflow=flow.name,
            inputs=inputs,
            variables=variables,
            stored=stored,
        )
    turn.work.append(key)


def _given(turn: Turn, node: NodeDef, key: str) -> dict[str, Any]:
    call = node.spec.workflow
    assert call is not None
    template = node.template("workflow.inputs", call.inputs)
    scope = turn.scope(node, key, error=turn.stood_for(key))
    given: dict[str, Any] = template.evaluate(scope, turn.seed(key, "inputs"))
    return given


def _variables(turn: Turn, node: NodeDef, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    flow = node.inlines
    assert flow is not None
    if not flow.variables:
        return {}
    closed = turn.closed(key, inputs, {})
    scope = Scope(
        turn.graph,
        turn.state,
        computed=closed.computed,
        now=turn.now,
        bodies=closed.bodies,
        closed=closed,
    )
    return ending.evaluate_entries(flow.variables, scope, turn.seed(key, "variables"))


def look(turn: Turn, key: str) -> None:
    """Look at a node that runs a workflow inline: go on with it, or end it if it is being ended."""
    node, state = turn.node(key)
    loop = turn.state.loops[key]
    if state.status == s.STOPPING:
        if loop.open:
            turn.work.extend(loop.open)
        elif not _finally_due(turn, node, key, loop):
            loops.stopped(turn, key, node, state, loop)
        elif not turn.state.suspended_at:
            _open_finally(turn, node, key, state, loop)
    elif reason := turn.draining_at(key):
        ending.tell_to_stop(turn, key, state, reason)
        look(turn, key)
    elif not turn.state.suspended_at and not loop.open:
        _advance(turn, node, key, state, loop)


def _advance(turn: Turn, node: NodeDef, key: str, state: NodeState, loop: LoopState) -> None:
    flow = node.inlines
    assert flow is not None
    if loop.again:
        redriving.reopen(turn, key, next(iter(loop.again)))
    elif not loop.opened:
        _open(turn, key, state, f"{turn.state.instance(key)}/", patient=not flow.spec.fail_fast)
    elif _finally_due(turn, node, key, loop):
        _open_finally(turn, node, key, state, loop)
    elif loop.failure is None:
        outputs = loop.results[f"{turn.state.instance(key)}/"]
        ending.complete(turn, key, state.path, port="done", outputs=outputs)
    else:
        ending.attempt_failed(turn, key, state.path, _failure(flow.name, loop.failure))


def _failure(workflow: str, failure: s.Failure) -> e.Error:
    what = failure.error.message or failure.error.reason
    if failure.node.endswith(FINALLY_SUFFIX):
        message = f"finally of workflow {workflow} failed after the rest had succeeded: {what}"
        return e.Error(reason=reasons.FINALLY_FAILED, message=message, causes=[failure.error])
    message = f"workflow {workflow} failed: {what}"
    return e.Error(reason=reasons.BODY_FAILED, message=message, causes=[failure.error])


def _finally_due(turn: Turn, node: NodeDef, key: str, loop: LoopState) -> bool:
    """Whether the graph has run and its `finally` is still to come."""
    flow = node.inlines
    return flow is not None and bool(flow.spec.finally_) and loop.opened == 1 and not turn.forced_at(key)


def _open_finally(turn: Turn, node: NodeDef, key: str, state: NodeState, loop: LoopState) -> None:
    flow = node.inlines
    assert flow is not None
    phase = s.SUCCEEDED
    if loop.failure is not None or loop.again:
        ended_from_outside = state.status == s.STOPPING and state.stop != reasons.TIMEOUT
        phase = s.CANCELLED if ended_from_outside else s.FAILED
    deadline = turn.now + flow.spec.finally_timeout
    prefix = f"{turn.state.instance(key)}{FINALLY_SUFFIX}"
    _open(turn, key, state, prefix, patient=True, phase=phase, deadline=deadline)


def _open(turn: Turn, key: str, state: NodeState, prefix: str, **how: Any) -> None:
    instance, body = turn.state.instance(key), turn.graph.body_of(prefix)
    loops.open_body(turn, e.BodyStarted, instance, state.path, body, prefix, **how)


def finally_timed_out(turn: Turn, key: str) -> None:
    """The `finallyTimeout` of an inlined workflow has passed: what of its `finally` has not ended is ended."""
    flow, prefix = turn.graph.find(key).inlines, f"{turn.state.instance(key)}{FINALLY_SUFFIX}"
    assert flow is not None
    if prefix in turn.state.scopes:
        turn.emit(
            e.BodyTimedOut,
            node=turn.state.instance(key),
            scope=prefix,
            timeout=flow.spec.finally_timeout,
        )
        turn.work.append(prefix)
