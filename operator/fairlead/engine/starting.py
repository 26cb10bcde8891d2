"""How an instance starts: its join is met, `when` is asked, then engine nodes are done at once and pod nodes are scheduled.

Rules of this file
- While the run is suspended whatever is ready is held (NodeReady, reason Suspended) and asked anew on resume.
- Pod nodes start by priority, then in order of arrival, as far as `concurrency.maxNodes` allows; the rest is held (MaxNodes).
- Templates of a pod node are evaluated once per instance, when it is first scheduled, and kept in the log (semantics 10).
"""

from __future__ import annotations

from typing import Any

from fairlead.engine import caching, children, ending, inlining, joins, loops, passes, waits
from fairlead.engine.documents import templates_of, text_of
from fairlead.engine.expressions import ExpressionError, ExpressionResultTooLarge, compile_condition
from fairlead.engine.graph import NodeDef
from fairlead.engine.sizes import TooLarge
from fairlead.engine.turn import Turn, priority
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.state import NodeState


def look(turn: Turn, key: str) -> None:
    """Look at an instance whose connections may have been settled, at a container at work, a body (by its prefix) or a loop."""
    state = turn.state
    if key.endswith("/"):
        loops.close(turn, key)
    elif (loop := state.loops.get(key)) is not None:
        module = loops if loop.variables is None else inlining  # they are those of an inlined workflow
        module.look(turn, key)
    elif ">" in key:
        passes.look(turn, key)
    elif not state.forgotten(key):
        _look_at_instance(turn, key)


def _look_at_instance(turn: Turn, key: str) -> None:
    state = turn.state.node(key)
    if state.status not in (s.PENDING, s.READY) or turn.draining_at(key):
        return
    node = turn.graph.find(key)
    if state.status == s.READY and state.held == reasons.SUSPENDED and not turn.state.suspended_at:
        if state.lost or state.cache_key or state.attempt > state.attempts_before:
            turn.queue.push(key, priority(turn, node))
        else:
            start(turn, node, key, state, state.path)
        return
    if state.status != s.PENDING or key in turn.queue:
        return
    verdict = joins.judge(node, state)
    if verdict == "dead":
        ending.skip(turn, key, reasons.DEAD_PATH)
    elif verdict == "unreachable":
        path = joins.meet(turn, key, state)
        message = (
            f"{state.taken} of {len(node.incoming)} connections into {node.name!r} were taken and none is open;"
            f" its join needs {node.needs}"
        )
        ending.stand_in_or_fail(turn, key, path, e.Error(reason=reasons.JOIN_UNREACHABLE, message=message))
    elif verdict == "ready":
        start(turn, node, key, state, joins.meet(turn, key, state))


def start(turn: Turn, node: NodeDef, key: str, state: NodeState, path: str) -> None:
    """The join is met: hold it, skip it, do it, or queue it for a runner."""
    if turn.state.suspended_at:
        if state.status == s.PENDING:
            instance = turn.state.instance(key)
            turn.emit(e.NodeReady, node=instance, path=path, reason=reasons.SUSPENDED)
        return
    try:
        if node.when is not None and not node.when.evaluate(
            fallback_scope(turn, node, key), turn.seed(key, "when")
        ):
            ending.skip(turn, key, reasons.WHEN_FALSE, path)
            return
        if node.in_body:
            _begin(turn, node, key, path)
        elif node.spec.wait is not None:
            waits.begin(turn, node, key, path)
        elif node.spec.cache is not None and node.in_pod:
            caching.ask(turn, node, key, path, fallback_scope(turn, node, key))
        elif node.in_pod:
            turn.queue.push(key, priority(turn, node))
        elif node.spec.workflow is not None:
            children.begin(turn, node, key, path, fallback_scope(turn, node, key))
        else:
            _do(turn, node, key, path)
    except ExpressionError as error:
        ending.stand_in_or_fail(turn, key, path, ending.expression_failure(error))
    except TooLarge as large:
        ending.stand_in_or_fail(turn, key, path, large.error)


def _begin(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """A container starts."""
    if node.inlines is not None:
        inlining.begin(turn, node, key, path)
    else:
        loops.begin(turn, node, key, path)


def again(turn: Turn, key: str) -> None:
    """The delay before the next attempt, or delivery, is over."""
    node, state = turn.node(key)
    if state.child is not None:
        children.again(turn, key)
    elif not node.in_body:
        turn.queue.push(key, priority(turn, node))
    elif state.status == s.RETRYING and not turn.draining_at(key):
        _begin(turn, node, key, state.path)


def fallback_scope(turn: Turn, node: NodeDef, key: str) -> Any:
    """The scope of a node that is about to start; a fallback also sees the `error` it stands in for."""
    return turn.scope(node, key, error=turn.stood_for(key))


def _do(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """Carry out an engine node. Raises ExpressionError."""
    spec = node.spec
    scope = fallback_scope(turn, node, key)
    if spec.set_ is not None:
        values = node.template("set", spec.set_).evaluate(scope, turn.seed(key, "set"))
        ending.complete(turn, key, path, port="done", variables=values)
    elif spec.log is not None:
        message = node.template("log", spec.log.message).evaluate(scope, turn.seed(key, "log"))
        ending.complete(turn, key, path, port="done", message=text_of(message), level=spec.log.level)
    elif spec.if_ is not None:
        holds = bool(compile_condition(spec.if_).evaluate(scope, turn.seed(key, "if")))
        ending.complete(turn, key, path, port="true" if holds else "false", condition=holds)
    elif spec.switch is not None:
        ending.complete(turn, key, path, port=_case(turn, node, key, scope))
    elif spec.finish is not None:
        result = text_of(
            node.template("result", spec.finish.result).evaluate(scope, turn.seed(key, "result"))
        )
        reason = spec.finish.reason
        said = (
            None
            if reason is None
            else text_of(node.template("reason", reason).evaluate(scope, turn.seed(key, "reason")))
        )
        ending.complete(turn, key, path, port="", result=result, reason=said)
    else:
        raise ExpressionError("", f"node {node.name!r} is a {node.kind}, which this release does not run", {})


def _case(turn: Turn, node: NodeDef, key: str, scope: Any) -> str:
    switch = node.spec.switch
    assert switch is not None
    value = node.template("value", switch.value).evaluate(scope, turn.seed(key, "value"))
    for number, case in enumerate(switch.cases):
        if case.when is not None:
            if compile_condition(case.when).evaluate(scope, turn.seed(key, f"case{number}")):
                return case.name
        elif same(
            value,
            node.template(f"case{number}", case.equals).evaluate(scope, turn.seed(key, f"case{number}")),
        ):
            return case.name
    return "default"


def same(a: Any, b: Any) -> bool:
    """Equality of JSON values: 1 equals 1.0 as in CEL, but true is no number."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return bool(a == b)


def dispatch(turn: Turn) -> None:
    """Schedule queued pod nodes, first by priority, as far as slots allow; hold the rest."""
    limit = turn.graph.max_nodes
    queue, state = turn.queue, turn.state
    if turn.draining():
        queue.keep(lambda key: not turn.draining_at(key))
    if state.suspended_at:
        _hold(turn, reasons.SUSPENDED)
        return
    while len(queue) and (limit is None or len(state.active) < limit):
        key = queue.pop()
        if state.forgotten(key):
            continue
        node, instance_state = turn.node(key)
        ready = instance_state.status in (s.PENDING, s.READY, s.RETRYING, s.LOST)
        if ready and not turn.draining_at(key):
            schedule(turn, node, key, instance_state)
    if turn.draining():  # since templates failed
        queue.keep(lambda key: not turn.draining_at(key))
    _hold(turn, reasons.MAX_NODES)


def _hold(turn: Turn, reason: str) -> None:
    """Say of what stays in the queue that it is held."""
    for key in turn.queue.take_unsaid():
        if turn.state.forgotten(key):
            continue
        state = turn.state.node(key)
        held_otherwise = state.status == s.READY and state.held != reason
        if held_otherwise or state.status in (s.PENDING, s.RETRYING, s.LOST):
            path = _path(state)
            instance = turn.state.instance(key)
            turn.emit(e.NodeReady, node=instance, path=path, reason=reason)


def _path(state: NodeState) -> str:
    """The path of an instance that is about to start; its join has left one arrival."""
    return state.arrivals[0] if state.status == s.PENDING and state.arrivals else state.path


def schedule(turn: Turn, node: NodeDef, key: str, state: NodeState) -> None:
    """Write down the intent to run the next attempt, or the next delivery of a lost one."""
    path = _path(state)
    values, stored = None, 0
    if state.values is None:
        try:
            values = evaluate_document(turn, node, key)
            stored = turn.sizes.inputs(values, turn.state.counters.stored)
        except ExpressionResultTooLarge as error:
            failure = e.Error(reason=reasons.INPUT_TOO_LARGE, message=str(error))
            ending.stand_in_or_fail(turn, key, path, failure)
            return
        except TooLarge as large:
            ending.stand_in_or_fail(turn, key, path, large.error)
            return
        except ExpressionError as error:
            ending.stand_in_or_fail(turn, key, path, ending.expression_failure(error))
            return
    attempt, delivery = (state.attempt, state.delivery + 1) if state.lost else (state.attempt + 1, 1)
    deadline = None if node.spec.start_timeout is None else turn.now + node.spec.start_timeout
    turn.emit(
        e.NodeScheduled,
        node=turn.state.instance(key),
        path=path,
        attempt=attempt,
        delivery=delivery,
        values=values,
        start_deadline=deadline,
        stored=stored,
    )


def evaluate_document(turn: Turn, node: NodeDef, key: str) -> dict[str, Any]:
    """The templates of a pod node that hold expressions, evaluated; what is constant is taken from the definition."""
    scope = fallback_scope(turn, node, key)
    values: dict[str, Any] = {}
    for field, value, constant in templates_of(node):
        if not constant:
            values[field] = node.template(field, value).evaluate(scope, turn.seed(key, field))
    return values
