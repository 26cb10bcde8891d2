"""How an instance ends, and what its end does to the connections (semantics 11-13, 15, 26).

    Succeeded                     takes the port it chose, and `ended`
    Failed, `failed`/`ended` connection taken      a handled failure
    Failed, onError: continue     takes the default port; outputs {}, nothing stored
    Failed otherwise              all dead; the path fails, and with it the body
    Skipped by its own `when`     passed through: the default port
    Skipped (DeadPath), Cancelled all dead

The order of a failure: retry, fallback, failed/ended connections, onError, the body. A failed port whose connections all say no
by their `when` handles nothing: the failure goes on down the ladder instead of being lost.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine import joins
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.folding.loops import collected_outputs
from fairlead.engine.graph import Edge, NodeDef
from fairlead.engine.retry import delay_after, may_retry
from fairlead.engine.scope import Scope
from fairlead.engine.sizes import TooLarge
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import delivery_id, key_of
from fairlead.model.state import NodeState
from fairlead.model.times import format_duration

Choice = tuple[list[str], list[str]]
"""Connections taken, and dead, by id."""


def choose(node: NodeDef, ports: tuple[str, ...], scope: Scope | None, seed: str) -> Choice:
    """Which connections of the ports are taken. Raises ExpressionError from a connection's `when`."""
    taken: list[str] = []
    dead: list[str] = []
    for edge in node.outgoing:
        if edge.port in ports and (edge.when is None or _holds(edge, scope, seed)):
            taken.append(edge.id)
        else:
            dead.append(edge.id)
    return taken, dead


def _holds(edge: Edge, scope: Scope | None, seed: str) -> bool:
    return scope is not None and edge.when is not None and bool(edge.when.evaluate(scope, f"{seed}{edge.id}"))


def complete(
    turn: Turn,
    key: str,
    path: str,
    *,
    port: str,
    outputs: dict[str, Any] | None = None,
    variables: dict[str, Any] | None = None,
    collected: list[str] | None = None,
    **said: Any,
) -> None:
    """The instance succeeded: apply `store`, settle its connections. An error in either fails it with ExpressionError.

    `collected` says that its outputs are what its bodies gave (see NodeCompleted), which the event does not say again.
    """
    node, state = turn.node(key)
    outputs = (
        (outputs or {}) if collected is None else collected_outputs(turn.state.loops[key], key, collected)
    )
    variables = dict(variables or {})
    try:
        variables.update(_stored(turn, node, key, outputs))
        needs_scope = any(edge.when_source for edge in node.outgoing)
        scope = (
            turn.scope(node, key, outputs=outputs, variables=variables, status=s.SUCCEEDED)
            if needs_scope
            else None
        )
        ports = (port, "ended") if port else ()  # a finish takes nothing: the run is over
        taken, dead = choose(node, ports, scope, turn.seed(key, ""))
        if variables or outputs:
            again = collected is not None or said.get("via") == "fallback"  # they stand in the state already
            given = {} if again else outputs
            said["stored"] = turn.sizes.outputs(given, variables, turn.state.counters.stored)
    except ExpressionError as error:
        attempt_failed(turn, key, path, expression_failure(error))
        return
    except TooLarge as large:
        attempt_failed(turn, key, path, large.error)
        return
    turn.emit(
        e.NodeCompleted,
        node=turn.state.instance(key),
        path=path,
        attempt=state.attempt,
        port=port,
        taken=taken,
        dead=dead,
        outputs=outputs if collected is None else {},
        variables=variables,
        collected=collected,
        cache="" if "via" in said else state.cache_key,
        **said,
    )
    turn.checkpoint_wanted |= node.spec.checkpoint
    if state.stands_for:
        # A fallback that is a `finish` has no port, and then the node that it stood for takes none.
        complete(turn, state.stands_for, path, port="done" if port else "", outputs=outputs, via="fallback")
        return
    _after(turn, node, key, path, taken, dead, port)


def _stored(turn: Turn, node: NodeDef, key: str, outputs: dict[str, Any]) -> dict[str, Any]:
    if not node.spec.store:
        return {}
    scope = turn.scope(node, key, outputs=outputs, error=turn.stood_for(key), status=s.SUCCEEDED)
    template = node.template("store", node.spec.store)
    stored: dict[str, Any] = template.evaluate(scope, turn.seed(key, "store"))
    return stored


def _after(
    turn: Turn, node: NodeDef, key: str, path: str, taken: list[str], dead: list[str], port: str
) -> None:
    has_edges = any(edge.port in (port, "ended") for edge in node.outgoing)
    joins.carry_on(turn, key, path, taken, port_has_edges=has_edges)
    turn.look_at(key, taken)
    turn.look_at(key, dead)


def expression_failure(error: ExpressionError) -> e.Error:
    """The failure of a node whose expression failed."""
    return e.Error(reason=error.reason, message=str(error))


def timeout_error(state: NodeState) -> e.Error:
    """The failure of an attempt that passed a limit."""
    limit = format_duration(state.limit)
    if state.stop == reasons.START_TIMEOUT:
        message = f"attempt {state.attempt} had not started after its startTimeout of {limit}"
    else:
        message = f"attempt {state.attempt} ran longer than its timeout of {limit}"
    return e.Error(reason=state.stop, message=message)


def attempt_failed(turn: Turn, key: str, path: str, error: e.Error) -> None:
    """An attempt failed: retry, else fallback, else the instance fails. Nothing is tried again once the run is ending."""
    node, state = turn.node(key)
    if turn.draining_at(key):
        if state.status == s.STOPPING:
            cancel(turn, key, state.stop)  # what fails while it is being ended was ended
        else:
            fail(turn, key, path, error)
        return
    try:
        policy = may_retry(turn, key, node, state, error) if state.status in s.HOLDS_SLOT else None
    except ExpressionError as broken:
        error = e.Error(reason=broken.reason, message=str(broken), causes=[error])
        policy = None
    if policy is not None:
        instance = turn.state.instance(key)
        failed = state.attempt - state.attempts_before
        delay = delay_after(policy, failed, delivery_id(turn.state.uid, instance, state.attempt, 0))
        due = turn.now + delay
        turn.emit(
            e.NodeRetrying, node=instance, path=path, attempt=state.attempt, error=error, delay=delay, due=due
        )
        return
    stand_in_or_fail(turn, key, path, error)


def stand_in_or_fail(turn: Turn, key: str, path: str, error: e.Error) -> None:
    """Attempts are spent: the fallback stands in, or the instance fails."""
    node, state = turn.node(key)
    if node.spec.fallback and state.status != s.FALLBACK and not turn.draining_at(key):
        instance = turn.state.instance(key)
        fallback = f"{instance}/{node.spec.fallback}"
        turn.emit(e.NodeFallback, node=instance, path=path, fallback=fallback, error=error)
        turn.work.append(key_of(fallback))
        return
    fail(turn, key, path, error)


def fail(turn: Turn, key: str, path: str, error: e.Error) -> None:
    """The instance failed for good."""
    node, state = turn.node(key)
    instance = turn.state.instance(key)
    if state.stands_for:
        turn.emit(
            e.NodeFailed, node=instance, path=path, attempt=state.attempt, error=error, handled="fallback"
        )
        _fallback_failed(turn, state, path, error)
        return
    scope = turn.scope(node, key, outputs={}, error=error, status=s.FAILED)
    seed = turn.seed(key, "")
    handled, port = "port", "failed"
    taken, dead, error = _choose_safely(node, ("failed", "ended"), scope, seed, error)
    if not taken and node.spec.on_error == "continue":
        handled, port = "continue", node.default_port
        taken, dead, error = _choose_safely(node, (port,), scope, seed, error)
    elif not taken:
        handled, port = "", ""
        dead = [edge.id for edge in node.outgoing]
    turn.emit(
        e.NodeFailed,
        node=instance,
        path=path,
        attempt=state.attempt,
        error=error,
        handled=handled,
        port=port,
        taken=taken,
        dead=dead,
    )
    if handled:
        _after(turn, node, key, path, taken, dead, port)
        return
    turn.emit(e.PathFailed, path=path, node=instance, error=error)
    turn.look_at(key, dead)


def _choose_safely(
    node: NodeDef, ports: tuple[str, ...], scope: Scope, seed: str, error: e.Error
) -> tuple[list[str], list[str], e.Error]:
    """Like `choose`; a `when` that fails on top of a failure leaves all connections dead and is added to the causes."""
    try:
        taken, dead = choose(node, ports, scope, seed)
    except ExpressionError as broken:
        both = e.Error(
            reason=error.reason,
            message=error.message,
            exit_code=error.exit_code,
            causes=[*error.causes, expression_failure(broken)],
        )
        return [], [edge.id for edge in node.outgoing], both
    return taken, dead, error


def _fallback_failed(turn: Turn, state: NodeState, path: str, error: e.Error) -> None:
    original = turn.state.node(state.stands_for).error or error
    both = e.Error(
        reason=original.reason,
        message=f"{original.message}; its fallback failed too: {error.message}",
        exit_code=original.exit_code,
        causes=[original, error],
    )
    fail(turn, state.stands_for, path, both)


def skip(turn: Turn, key: str, reason: str, path: str = "") -> None:
    """The instance does not run. By its own `when` it is passed through; else its connections are dead."""
    node, state = turn.node(key)
    instance = turn.state.instance(key)
    if state.stands_for:
        turn.emit(e.NodeSkipped, node=instance, reason=reason, path=path)
        original = turn.state.node(state.stands_for).error
        if original is not None and reason == reasons.WHEN_FALSE:
            fail(turn, state.stands_for, path, original)
        return
    if reason != reasons.WHEN_FALSE:
        dead = [edge.id for edge in node.outgoing]
        turn.emit(e.NodeSkipped, node=instance, reason=reason, dead=dead)
        turn.look_at(key, dead)
        return
    try:
        scope = turn.scope(node, key, outputs={}, status=s.SKIPPED)
        taken, dead = choose(node, (node.default_port, "ended"), scope, turn.seed(key, ""))
    except ExpressionError as error:
        fail(turn, key, path, expression_failure(error))
        return
    turn.emit(e.NodeSkipped, node=instance, reason=reason, path=path, taken=taken, dead=dead)
    _after(turn, node, key, path, taken, dead, node.default_port)


def cancel(turn: Turn, key: str, reason: str) -> None:
    """An instance that had started or was held is ended from elsewhere; a node that its fallback stood for goes with it."""
    node, state = turn.node(key)
    instance = turn.state.instance(key)
    path, stands_for = state.path, state.stands_for
    dead = [] if stands_for else [edge.id for edge in node.outgoing]
    turn.emit(e.NodeCancelled, node=instance, path=path, reason=reason, attempt=state.attempt, dead=dead)
    if stands_for:
        cancel(turn, stands_for, reason)


def evaluate_entries(templates: dict[str, Any], scope: Scope, seed: str) -> dict[str, Any]:
    """The values of separate templates, in order. Raises ExpressionError."""
    return {name: template.evaluate(scope, f"{seed}.{name}") for name, template in templates.items()}
