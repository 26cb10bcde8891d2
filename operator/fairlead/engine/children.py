"""The `workflow` node: an execution of its own that this one waits for, or lets go of (semantics 9, 17, 26, 30, 31, 38).

    ChildScheduled ──► ChildStarted ──► ChildEnded ──► the end of the node
                  refused ─┘ failed        lost ─┘ failed

Rules of this file
- One instance has one child for ever. Another attempt, and a redrive of this run, redrives the child: what succeeded in it is not
  done twice. Only a child that is gone is made anew. A report of an epoch before the one that is waited for counts for nothing.
- A node that is being ended has ended only when its child has. `wait: false` ends once the child is there, and never ends it.
- The name and the inputs are evaluated once per instance, when it first starts (semantics 10).
- It takes no slot of `maxNodes`; its `timeout` is that of the child as a whole and stands still while the run is suspended.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.engine import ending
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import NodeDef
from fairlead.engine.scope import Scope
from fairlead.engine.turn import Turn
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.children import MAX_DEPTH, base_name, child_name
from fairlead.model.ids import key_of
from fairlead.model.state import ChildState, NodeState

MAX_VALUE = 1024 * 1024
"""Bytes of JSON that the inputs of a child, and its outputs, have at most (architecture.md, Inputs)."""

Report = c.ChildStarted | c.ChildEnded | c.ChildRefused | c.ChildLost


def begin(turn: Turn, node: NodeDef, key: str, path: str, scope: Scope) -> None:
    """Ask for the child, for the first time or once more. Raises ExpressionError."""
    call = node.spec.workflow
    assert call is not None
    state = turn.state.node(key)
    depth = turn.state.depth + 1
    if depth > MAX_DEPTH:
        message = f"workflow {call.name} would run {depth} executions deep; expected at most {MAX_DEPTH}"
        ending.stand_in_or_fail(turn, key, path, e.Error(reason=reasons.CHILD_TOO_DEEP, message=message))
        return
    child, values = state.child, None
    if child is None or state.values is None:
        workflow, values = _evaluated(turn, node, key, scope)
    else:
        workflow = child.workflow
    size = len(msgspec.json.encode(values))
    if size > MAX_VALUE:
        message = f"the inputs of workflow {workflow} have {size:,} bytes; expected at most {MAX_VALUE:,}"
        ending.stand_in_or_fail(turn, key, path, e.Error(reason=reasons.INPUT_TOO_LARGE, message=message))
        return
    run, instance = turn.state, turn.state.instance(key)
    epoch = run.epoch if run.stage == s.FINALLY else 0
    turn.emit(
        e.ChildScheduled,
        node=instance,
        path=path,
        attempt=state.attempt + 1,
        child=child_name(base_name(run.name, run.parent), run.uid, instance, epoch),
        workflow=workflow,
        depth=depth,
        wait=call.wait,
        redrive=_redrive(state),
        values=values,
    )


def _evaluated(turn: Turn, node: NodeDef, key: str, scope: Scope) -> tuple[str, dict[str, Any]]:
    """The workflow's name, and what of the inputs is not constant."""
    call = node.spec.workflow
    assert call is not None
    name = node.template("workflow", call.name).evaluate(scope, turn.seed(key, "workflow"))
    if not isinstance(name, str) or not name:
        raise ExpressionError(call.name, f"name is {name!r:.60}; expected the name of a workflow", {})
    template = node.template("inputs", call.inputs)
    return name, {} if template.constant else {"inputs": template.evaluate(scope, turn.seed(key, "inputs"))}


def _redrive(state: NodeState) -> int:
    """The redrive from which on the child's end counts: above all that it has ended with."""
    seen = state.child.seen if state.child is not None else -1
    return max(seen + 1, state.attempt)


def again(turn: Turn, key: str) -> None:
    """The delay before the next attempt is over."""
    node, state = turn.node(key)
    begin(turn, node, key, state.path, turn.scope(node, key))


def _current(turn: Turn, command: Report) -> tuple[NodeState, ChildState] | None:
    """The instance and its child, if the report is about what it waits for."""
    key = key_of(command.node)
    if key not in turn.state.children or turn.state.instance(key) != command.node:
        return None
    state = turn.state.node(key)
    child = state.child
    return (state, child) if child is not None and child.name == command.child else None


def started(turn: Turn, command: c.ChildStarted) -> None:
    """The child is there. Its parent goes on at once if it does not wait."""
    found = _current(turn, command)
    if found is None:
        return
    state, child = found
    key = key_of(command.node)
    if state.status == s.SCHEDULED:
        node, _ = turn.node(key)
        deadline = turn.now + node.timeout if child.wait and node.timeout is not None else None
        turn.emit(
            e.ChildStarted,
            node=command.node,
            path=state.path,
            attempt=state.attempt,
            child=command.child,
            uid=command.uid,
            deadline=deadline,
        )
    if not child.wait:
        outputs = {"name": command.child, "uid": command.uid}
        ending.complete(turn, key, state.path, port="done", outputs=outputs)


def ended(turn: Turn, command: c.ChildEnded) -> None:
    """The child has ended: so does the node, one way or the other."""
    found = _current(turn, command)
    if found is None:
        return
    state, child = found
    if not child.wait or command.redrive < child.redrive or child.uid not in ("", command.uid):
        return
    if state.status == s.SCHEDULED:
        started(turn, c.ChildStarted(node=command.node, child=command.child, uid=command.uid))
    key, path = key_of(command.node), state.path
    turn.emit(
        e.ChildEnded,
        node=command.node,
        path=path,
        attempt=state.attempt,
        child=command.child,
        phase=command.phase,
        redrive=command.redrive,
    )
    if state.stop == reasons.TIMEOUT:
        ending.attempt_failed(turn, key, path, ending.timeout_error(state))
    elif command.phase == s.SUCCEEDED:
        _succeeded(turn, key, path, command)
    elif state.status == s.STOPPING:
        ending.cancel(turn, key, state.stop)
    else:
        ending.attempt_failed(turn, key, path, _failure(command))


def _succeeded(turn: Turn, key: str, path: str, command: c.ChildEnded) -> None:
    size = len(msgspec.json.encode(command.outputs))
    if size > MAX_VALUE:
        message = (
            f"the outputs of execution {command.child} have {size:,} bytes; expected at most {MAX_VALUE:,}"
        )
        ending.attempt_failed(turn, key, path, e.Error(reason=reasons.OUTPUT_TOO_LARGE, message=message))
        return
    ending.complete(turn, key, path, port="done", outputs=command.outputs)


def _failure(command: c.ChildEnded) -> e.Error:
    if command.phase == s.CANCELLED:
        message = f"execution {command.child} was cancelled, and not by this one"
        return e.Error(reason=reasons.CHILD_CANCELLED, message=message)
    error = first = command.error or e.Error(reason=reasons.EXECUTION_FAILED)
    while first.reason == reasons.CHILD_FAILED and first.causes:
        first = first.causes[0]  # what is between is said by the causes
    message = f"execution {command.child} failed: {first.message or first.reason}"
    return e.Error(reason=reasons.CHILD_FAILED, message=message, causes=[error])


def refused(turn: Turn, command: c.ChildRefused) -> None:
    """The child could not be started."""
    found = _current(turn, command)
    if found is None or command.attempt != found[0].attempt or found[1].uid:
        return
    error = e.Error(reason=command.reason, message=command.message)
    ending.attempt_failed(turn, key_of(command.node), found[0].path, error)


def lost(turn: Turn, command: c.ChildLost) -> None:
    """The child is not there any more, or never was if it was to be ended before that was known."""
    found = _current(turn, command)
    if found is None:
        return
    state, child = found
    if state.status == s.SCHEDULED or command.uid != child.uid:
        return
    key = key_of(command.node)
    if state.stop == reasons.TIMEOUT:
        ending.attempt_failed(turn, key, state.path, ending.timeout_error(state))
    elif state.status == s.STOPPING:
        ending.cancel(turn, key, state.stop)
    else:
        gone = f"execution {command.child} is not there any more; expected it to end first"
        error = e.Error(reason=reasons.CHILD_LOST, message=command.message or gone)
        ending.attempt_failed(turn, key, state.path, error)


def drain(turn: Turn, reason: str) -> None:
    """The run is ending: its children are ended, once; what nobody has heard of yet is Cancelled at once."""
    unsaid = {key_of(event.node) for event in turn.events if isinstance(event, e.ChildScheduled)}
    for key in list(turn.state.children):
        state = turn.state.node(key)
        if not turn.draining_at(key):
            continue
        if state.status == s.SCHEDULED and key in unsaid:
            ending.cancel(turn, key, reason)
        elif state.child is not None and state.child.wait and state.stop != reason:
            ending.tell_to_stop(turn, key, state, reason)
