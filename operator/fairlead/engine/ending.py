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

from fairlead.engine import joins, loopbacks
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.folding.loops import collected_outputs
from fairlead.engine.graph import Edge, NodeDef
from fairlead.engine.loopbacks import Choice, Exhausted
from fairlead.engine.retry import delay_after, may_retry
from fairlead.engine.scope import Scope
from fairlead.engine.sizes import TooLarge
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import delivery_id, key_of, prefix_of
from fairlead.model.state import NodeState
from fairlead.model.times import format_duration


def choose(
    turn: Turn, node: NodeDef, key: str, ports: tuple[str, ...], scope: Scope | None, *, spent: bool = False
) -> Choice:
    """Which connections of the ports are taken. Raises ExpressionError from a connection's `when`, and Exhausted."""
    taken: list[Edge] = []
    dead: list[str] = []
    for edge in node.outgoing:
        if edge.port in ports and (edge.when is None or _holds(edge, scope, turn.seed(key, edge.id))):
            taken.append(edge)
        else:
            dead.append(edge.id)
    if node.regions:
        return loopbacks.choose(turn, node, key, taken, spent=spent)
    return Choice([edge.id for edge in taken], dead)


def _holds(edge: Edge, scope: Scope | None, seed: str) -> bool:
    return scope is not None and edge.when is not None and bool(edge.when.evaluate(scope, seed))


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
    outputs = (outputs or {}) if collected is None else _collected(turn, key, collected)
    variables = dict(variables or {})
    try:
        variables.update(_stored(turn, node, key, outputs))
        needs_scope = bool(node.outgoing) and any(edge.when_source for edge in node.outgoing)
        scope = (
            turn.scope(node, key, outputs=outputs, variables=variables, status=s.SUCCEEDED)
            if needs_scope
            else None
        )
        ports = (port, "ended") if port else ()  # a finish takes nothing: the run is over
        chosen = choose(turn, node, key, ports, scope)
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
    except Exhausted as spent:
        attempt_failed(turn, key, path, spent.failure())
        return
    turn.emit(
        e.NodeCompleted,
        node=turn.state.instance(key),
        path=path,
        attempt=state.attempt,
        port=port,
        outputs=outputs if collected is None else {},
        variables=variables,
        taken=chosen.taken,
        dead=chosen.dead,
        collected=collected,
        cache="" if "via" in said else state.cache_key,
        **chosen.loops,
        **said,
    )
    turn.checkpoint_wanted |= node.spec.checkpoint
    if said.get("result") is not None and (home := turn.state.home_of(prefix_of(key))):
        turn.work.extend(turn.state.loops[home].open)  # it ends the inlined workflow that it belongs to
    if state.stands_for:
        # A fallback that is a `finish` has no port, and then the node that it stood for takes none.
        complete(turn, state.stands_for, path, port="done" if port else "", outputs=outputs, via="fallback")
        return
    _after(turn, node, key, path, chosen, port)


def _collected(turn: Turn, key: str, branches: list[str]) -> dict[str, Any]:
    return collected_outputs(turn.state.loops[key], turn.state.instance(key), branches)


def _stored(turn: Turn, node: NodeDef, key: str, outputs: dict[str, Any]) -> dict[str, Any]:
    if not node.spec.store:
        return {}
    scope = turn.scope(node, key, outputs=outputs, error=turn.stood_for(key), status=s.SUCCEEDED)
    template = node.template("store", node.spec.store)
    stored: dict[str, Any] = template.evaluate(scope, turn.seed(key, "store"))
    return stored


def _after(turn: Turn, node: NodeDef, key: str, path: str, chosen: Choice, port: str) -> None:
    has_edges = any(edge.port in (port, "ended") for edge in node.outgoing)
    joins.carry_on(turn, key, path, chosen, port_has_edges=has_edges)
    if node.regions and not chosen.loopback:
        loopbacks.completed(turn, node, key)
    turn.look_at(key, chosen.taken)
    turn.look_at(key, chosen.dead)


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
    scope = _failed_scope(turn, node, key, error)
    handled, port = "port", "failed"
    chosen, error = _choose_safely(turn, node, key, ("failed", "ended"), scope, error)
    if not chosen.any and node.spec.on_error == "continue":
        handled, port = "continue", node.default_port
        chosen, error = _choose_safely(turn, node, key, (port,), scope, error)
    elif not chosen.any:
        handled, port = "", ""
    turn.emit(
        e.NodeFailed,
        node=instance,
        path=path,
        attempt=state.attempt,
        error=error,
        handled=handled,
        port=port,
        taken=chosen.taken,
        dead=chosen.dead,
        **chosen.loops,
    )
    if handled:
        _after(turn, node, key, path, chosen, port)
        return
    turn.emit(e.PathFailed, path=path, node=instance, error=error)
    turn.look_at(key, chosen.dead)


def _choose_safely(
    turn: Turn, node: NodeDef, key: str, ports: tuple[str, ...], scope: Scope, error: e.Error
) -> tuple[Choice, e.Error]:
    """Like `choose`; a `when` that fails on top of a failure leaves all connections dead and is added to the causes.

    A loopback that may not be taken again is what the node has failed of then, and whoever asks for the error sees that one.
    """
    try:
        return choose(turn, node, key, ports, scope), error
    except Exhausted as spent:
        error = spent.failure(error)
    except ExpressionError as broken:
        return _none_taken(turn, node, key, error, broken)
    try:
        return choose(turn, node, key, ports, _failed_scope(turn, node, key, error), spent=True), error
    except ExpressionError as broken:
        return _none_taken(turn, node, key, error, broken)


def _failed_scope(turn: Turn, node: NodeDef, key: str, error: e.Error) -> Scope:
    """What the `when` of a connection sees once the node has failed."""
    return turn.scope(node, key, outputs={}, error=error, status=s.FAILED)


def _none_taken(
    turn: Turn, node: NodeDef, key: str, error: e.Error, broken: ExpressionError
) -> tuple[Choice, e.Error]:
    both = e.Error(
        reason=error.reason,
        message=error.message,
        exit_code=error.exit_code,
        causes=[*error.causes, expression_failure(broken)],
    )
    return Choice([], loopbacks.all_dead(turn, node, key)), both


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
        dead = loopbacks.all_dead(turn, node, key)
        turn.emit(e.NodeSkipped, node=instance, reason=reason, dead=dead)
        if node.regions and reason == reasons.DEAD_PATH:
            loopbacks.completed(turn, node, key)
        turn.look_at(key, dead)
        return
    try:
        scope = turn.scope(node, key, outputs={}, status=s.SKIPPED)
        chosen = choose(turn, node, key, (node.default_port, "ended"), scope)
    except ExpressionError as error:
        fail(turn, key, path, expression_failure(error))
        return
    except Exhausted as spent:
        fail(turn, key, path, spent.failure())
        return
    turn.emit(
        e.NodeSkipped,
        node=instance,
        reason=reason,
        path=path,
        taken=chosen.taken,
        dead=chosen.dead,
        **chosen.loops,
    )
    _after(turn, node, key, path, chosen, node.default_port)


def cancel(turn: Turn, key: str, reason: str) -> None:
    """An instance that had started or was held is ended from elsewhere; a node that its fallback stood for goes with it."""
    node, state = turn.node(key)
    instance = turn.state.instance(key)
    path, stands_for = state.path, state.stands_for
    dead = [] if stands_for else loopbacks.all_dead(turn, node, key)
    turn.emit(e.NodeCancelled, node=instance, path=path, reason=reason, attempt=state.attempt, dead=dead)
    if stands_for:
        cancel(turn, stands_for, reason)
    elif reason == reasons.PASS_ABANDONED and turn.state.paths[path].status == s.ACTIVE:
        turn.emit(e.PathCancelled, path=path, reason=reason)


def timed_out(turn: Turn, key: str) -> None:
    """The timeout of a container has passed, or of a node that waits for a child: what it has started is being ended."""
    node, state = turn.node(key)
    if state.status != s.RUNNING:
        return
    turn.emit(
        e.NodeTimedOut,
        node=turn.state.instance(key),
        path=state.path,
        attempt=state.attempt,
        reason=reasons.TIMEOUT,
        limit=node.timeout or 0,
    )
    if key in turn.state.loops:
        turn.work.append(key)


def stop(turn: Turn, key: str, reason: str) -> None:
    """End an instance from elsewhere: what runs is told to stop, once; what is held or waits is Cancelled at once."""
    state = turn.state
    node = state.node(key)
    if node.status == s.FALLBACK and node.fallback:
        key = node.fallback
        node = state.node(key)  # its stand-in is what runs
        if node.status == s.PENDING:
            skip(turn, key, reason)
            cancel(turn, node.stands_for, reason)
            return
    if node.status in s.HOLDS_SLOT and node.stop != reason:
        tell_to_stop(turn, key, node, reason)
        if key in state.loops:
            turn.work.append(key)
    elif node.status in (s.READY, s.RETRYING, s.LOST, s.WAITING, s.LOOKING_UP):
        cancel(turn, key, reason)


def tell_to_stop(turn: Turn, key: str, state: NodeState, reason: str) -> None:
    """What runs is to end; it ends itself once it has."""
    instance = turn.state.instance(key)
    turn.emit(e.NodeStopping, node=instance, path=state.path, attempt=state.attempt, reason=reason)


def evaluate_entries(templates: dict[str, Any], scope: Scope, seed: str) -> dict[str, Any]:
    """The values of separate templates, in order. Raises ExpressionError."""
    return {name: template.evaluate(scope, f"{seed}.{name}") for name, template in templates.items()}
