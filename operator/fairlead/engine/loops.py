"""Containers: while, forEach and parallel, and the bodies they run (semantics 17, 18, 21, 23, 26).

    begin     the container starts; forEach evaluates its items, once for all attempts
    advance   open the next pass, item or branch, as far as maxParallel allows; end when there is none left
    close     a body has ended, or is being ended and nothing in it runs any more

Rules of this file
- A body that fails fails its siblings at once and, unless `onItemError: continue` says otherwise, its container with BodyFailed;
  then the container goes down the same ladder as any node.
- A container ends only after all that it started has ended: a decided race stops the others and waits for them.
- Work is queued: a container by its key, a body by its prefix (which ends in a slash); ten thousand items are opened in parts.
- While the run is suspended no pass, item or branch begins.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from fairlead.engine import ending, joins, redriving
from fairlead.engine.expressions import ExpressionError
from fairlead.engine.expressions.errors import cut
from fairlead.engine.expressions.values import compact, type_name
from fairlead.engine.graph import Body, NodeDef
from fairlead.engine.outputs import body_outputs
from fairlead.engine.sizes import TooLarge
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.state import LoopState, NodeState, ScopeState

MAX_ITEMS = 100_000
"""A forEach has at most so many items."""
AT_ONCE = 64
"""Items opened before others have their turn."""


def begin(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """Start a container, or go on with what it has.

    Raises ExpressionError for items that are no list, or too many, TooLarge where they do not fit.
    """
    goes_on = key in turn.state.kept
    items = None if goes_on or node.spec.for_each is None else _items(turn, node, key)
    stored = turn.sizes.items(items, turn.state.counters.stored)
    start(turn, node, key, path)
    if node.spec.parallel is None and not goes_on:
        instance = turn.state.instance(key)
        turn.emit(e.LoopStarted, node=instance, path=path, items=items, stored=stored)
    turn.work.append(key)


def start(turn: Turn, node: NodeDef, key: str, path: str) -> None:
    """The next attempt of a container begins, and its timeout with it; it goes on with what is kept of it."""
    deadline = None if node.timeout is None else turn.now + node.timeout
    turn.emit(
        e.NodeStarted,
        node=turn.state.instance(key),
        path=path,
        attempt=turn.state.node(key).attempt + 1,
        deadline=deadline,
        body=True,
        goes_on=key in turn.state.kept,
    )
    turn.look_around()


def _items(turn: Turn, node: NodeDef, key: str) -> list[Any]:
    each = node.spec.for_each
    assert each is not None
    scope = turn.scope(node, key, error=turn.stood_for(key))
    items = node.template("items", each.items).evaluate(scope, turn.seed(key, "items"))
    if not isinstance(items, list):
        raise ExpressionError(
            str(each.items), f"items is {cut(compact(items), 60)} ({type_name(items)}); expected a list", {}
        )
    if len(items) > MAX_ITEMS:
        raise ExpressionError(
            str(each.items), f"items has {len(items)} entries; expected at most {MAX_ITEMS}", {}
        )
    return items


def look(turn: Turn, key: str) -> None:
    """Look at a container at work: end it if it is being ended, else go on with it."""
    node, state = turn.node(key)
    loop = turn.state.loops[key]
    if state.status == s.STOPPING:
        if loop.open:
            turn.work.extend(loop.open)
        else:
            stopped(turn, key, node, state, loop)
    elif reason := turn.draining_at(key):
        ending.tell_to_stop(turn, key, state, reason)
        look(turn, key)
    elif not turn.state.suspended_at:
        try:
            _advance(turn, key, node, state, loop)
        except ExpressionError as error:
            ending.attempt_failed(turn, key, state.path, ending.expression_failure(error))


def _advance(turn: Turn, key: str, node: NodeDef, state: NodeState, loop: LoopState) -> None:
    spec = node.spec
    if spec.while_ is not None:
        _advance_while(turn, key, node, state, loop)
    elif spec.for_each is not None:
        _advance_items(turn, key, node, state, loop)
    else:
        _advance_branches(turn, key, node, state, loop)


# --- while -----------------------------------------------------------------------------------------------------------


def _advance_while(turn: Turn, key: str, node: NodeDef, state: NodeState, loop: LoopState) -> None:
    loop_spec = node.spec.while_
    assert loop_spec is not None
    if loop.open:
        return
    if loop.failure is not None:
        ending.attempt_failed(turn, key, state.path, _body_failed(loop))
        return
    if loop.again:
        redriving.reopen(turn, key, next(iter(loop.again)))
        return
    instance = turn.state.instance(key)
    body = turn.graph.body_of(f"{instance}[0]/")
    holds = bool(body_condition(turn, key, node, body, loop, loop_spec.condition))
    if not holds:
        _loop_completed(turn, key, state, loop, condition=False)
        ending.complete(turn, key, state.path, port="done", outputs={"iterations": loop.opened})
    elif loop.opened - loop.opened_before >= loop_spec.max_iterations:
        passes = f"{loop.opened} passes"
        if loop.opened_before:
            passes += f", {loop.opened - loop.opened_before} of them since the run was redriven"
        message = f"the condition still holds after {passes}, and maxIterations is {loop_spec.max_iterations}"
        error = e.Error(reason=reasons.MAX_ITERATIONS_EXCEEDED, message=message)
        ending.attempt_failed(turn, key, state.path, error)
    else:
        prefix, how = f"{instance}[{loop.opened}]/", {"index": loop.opened, "condition": True}
        open_body(turn, e.LoopIteration, instance, state.path, body, prefix, **how)


def body_condition(turn: Turn, key: str, node: NodeDef, body: Body, loop: LoopState, source: str) -> Any:
    """The condition of a while: it sees what the container sees, `pass` of the pass to come, and the nodes of the last one."""
    names = turn.names_around(node, key)
    before = names.get("pass")
    upcoming: dict[str, Any] = (
        {"index": loop.opened} if before is None else {"index": loop.opened, "parent": before}
    )
    inner = ((body, loop.last, ""),) if loop.last else ()
    scope = turn.scope(node, key, inner=inner, names={"pass": upcoming}, error=turn.stood_for(key))
    return node.condition(source).evaluate(scope)


# --- forEach ---------------------------------------------------------------------------------------------------------


def _advance_items(turn: Turn, key: str, node: NodeDef, state: NodeState, loop: LoopState) -> None:
    each = node.spec.for_each
    assert each is not None
    assert loop.items is not None
    if loop.failure is not None and each.on_item_error == "fail":
        _stop(turn, key, state, reasons.BODY_FAILED)
        return
    total = len(loop.items)
    instance = turn.state.instance(key)
    body: Body | None = None
    opened = 0
    again = list(islice(loop.again, AT_ONCE)) if loop.again else []
    while (loop.again or loop.opened < total) and (
        not each.max_parallel or len(loop.open) < each.max_parallel
    ):
        if opened >= AT_ONCE:
            turn.work.append(key)
            return
        opened += 1
        if again:
            redriving.reopen(turn, key, again.pop(0))
            continue
        prefix = f"{instance}[{loop.opened}]/"
        body = body or turn.graph.body_of(prefix)
        open_body(turn, e.LoopIteration, instance, state.path, body, prefix, index=loop.opened)
    if loop.opened == total and not loop.open and not loop.again:
        _loop_completed(turn, key, state, loop)
        ending.complete(turn, key, state.path, port="done", collected=[])


# --- parallel --------------------------------------------------------------------------------------------------------


def _advance_branches(turn: Turn, key: str, node: NodeDef, state: NodeState, loop: LoopState) -> None:
    parallel = node.spec.parallel
    assert parallel is not None
    branches = parallel.branches
    verdict = _verdict(node, loop)
    if verdict == "open":  # what goes on may be decided already: losers stay
        for prefix in list(loop.again):
            redriving.reopen(turn, key, prefix)
        instance = turn.state.instance(key)
        for index in range(loop.opened, len(branches)):
            prefix = f"{instance}.{branches[index].name}/"
            body, how = turn.graph.body_of(prefix), {"index": index, "branch": branches[index].name}
            open_body(turn, e.BranchStarted, instance, state.path, body, prefix, **how)
        return
    if loop.open:
        _stop(turn, key, state, reasons.DECIDED if verdict == "done" else reasons.BODY_FAILED)
    elif verdict == "done":
        _branches_done(turn, key, state, node, loop)
    else:
        ending.attempt_failed(turn, key, state.path, _body_failed(loop, node))


def _verdict(node: NodeDef, loop: LoopState) -> str:
    """What the strategy says to the branches that have ended: open, done or failed (semantics 23)."""
    parallel = node.spec.parallel
    assert parallel is not None
    total, done, failed = len(parallel.branches), loop.succeeded, loop.failed
    strategy = parallel.strategy
    if strategy == "all":
        return "failed" if failed else "done" if done == total else "open"
    if strategy == "any":
        return "open" if done + failed < total else "done" if done else "failed"
    wanted = 1 if strategy == "race" else strategy.at_least
    if done >= wanted:
        return "done"
    return "failed" if total - failed < wanted else "open"


def _branches_done(turn: Turn, key: str, state: NodeState, node: NodeDef, loop: LoopState) -> None:
    parallel = node.spec.parallel
    assert parallel is not None
    instance = turn.state.instance(key)
    names = [branch.name for branch in parallel.branches if f"{instance}.{branch.name}/" in loop.results]
    ending.complete(turn, key, state.path, port="done", collected=names)


# --- bodies ----------------------------------------------------------------------------------------------------------


def open_body(
    turn: Turn, kind: type[e.Event], instance: str, path: str, body: Body, prefix: str, **how: Any
) -> None:
    """Begin a body of the container `instance`, which is on `path`: a child path, and one more for each of several entry points.

    `kind` is the event that says so, with what only that has (`how`).
    """
    child = joins.next_child(turn.state, path)
    entry = body.entry and prefix + body.entry
    turn.emit(kind, node=instance, path=child, scope=prefix, nodes=len(body.nodes), entry=entry, **how)
    if entry:
        turn.work.append(entry)
        return
    for node in body.entries:
        own = joins.next_child(turn.state, child)
        turn.emit(e.PathStarted, path=own, parent=child, node=prefix + node.name)
        turn.work.append(prefix + node.name)
    turn.emit(e.PathCompleted, path=child, node=instance, reason=reasons.FORKED)


def close(turn: Turn, prefix: str) -> None:
    """Look at a body in which something has ended."""
    scope = turn.state.scopes.get(prefix)
    if scope is None:
        return
    reason = turn.draining_in(prefix, scope, prefix)
    if not reason and (scope.ended < scope.total or scope.looping):
        return
    body = turn.graph.body_of(prefix)
    if reason:
        _drain(turn, prefix, reason)
        if scope.running:
            return
        _sweep(turn, body, prefix, scope, reason)
        if scope.failure is not None:
            _body_ended(turn, body, prefix, scope, error=scope.failure.error, failed=True)
        elif scope.inlined and turn.state.loops[scope.container].finish is not None and not scope.phase:
            _succeeded(turn, body, prefix, scope)  # a finish in it ended it
        else:
            why = "it took longer than its finallyTimeout" if scope.overdue else "it was ended from outside"
            _body_ended(turn, body, prefix, scope, error=e.Error(reason=reason, message=why))
    elif scope.failure is not None:  # its other paths were let end
        _body_ended(turn, body, prefix, scope, error=scope.failure.error, failed=True)
    else:
        _succeeded(turn, body, prefix, scope)


def _succeeded(turn: Turn, body: Body, prefix: str, scope: ScopeState) -> None:
    try:
        outputs = body_outputs(turn, body, prefix, scope)
        stored = turn.sizes.items(outputs, turn.state.counters.stored)
    except ExpressionError as wrong:
        _body_ended(turn, body, prefix, scope, error=ending.expression_failure(wrong), failed=True)
    except TooLarge as large:
        _body_ended(turn, body, prefix, scope, error=large.error, failed=True)
    else:
        _body_ended(turn, body, prefix, scope, outputs=outputs, stored=stored)


def _body_ended(
    turn: Turn, body: Body, prefix: str, scope: ScopeState, *, failed: bool = False, **how: Any
) -> None:
    """`failed`: by itself; else it was ended from outside, or succeeded."""
    key = scope.container
    instance = turn.state.instance(key)
    assert body.owner is not None
    spec = body.owner.spec
    branch = ""
    handled = failed and spec.for_each is not None and spec.for_each.on_item_error == "continue"
    if spec.parallel is not None:
        branch = prefix[len(instance) + 1 : -1]
        handled = turn.state.nodes[key].stop == reasons.DECIDED and "error" in how
    turn.emit(
        e.BodyEnded,
        node=instance,
        scope=prefix,
        index=scope.index,
        branch=branch,
        handled=handled,
        **how,
    )
    if scope.inlined:
        turn.look_around()  # what stands in for the node has the same prefix, and is outside
    turn.work.append(key)


def _drain(turn: Turn, prefix: str, reason: str) -> None:
    """Stop what runs in a body, once; what is held or waits is Cancelled at once."""
    for key in list(turn.state.members.get(prefix, ())):
        ending.stop(turn, key, reason)


def _sweep(turn: Turn, body: Body, prefix: str, scope: ScopeState, reason: str) -> None:
    """Nothing runs in the body any more: what never started is Skipped, its open paths are Cancelled."""
    state = turn.state
    for name in body.nodes:
        if state.node(prefix + name).status not in s.ENDED_NODE:
            ending.skip(turn, prefix + name, reason)
    below = [scope.path]
    while below:  # its own paths only: the run may have ten thousand others
        path = below.pop()
        held = state.paths.get(path)
        if held is not None and held.status == s.ACTIVE:
            turn.emit(e.PathCancelled, path=path, reason=reason)
        below.extend(f"{path}.{child}" for child in reversed(range(state.path_children.get(path, 0))))


def _stop(turn: Turn, key: str, state: NodeState, reason: str) -> None:
    """End what the container has started; it ends itself once that has."""
    ending.tell_to_stop(turn, key, state, reason)
    turn.work.append(key)


def stopped(turn: Turn, key: str, node: NodeDef, state: NodeState, loop: LoopState) -> None:
    """All that the container started has ended; now it ends, as the reason of its stop says."""
    if turn.draining_at(key):  # it is ended with what is around it
        ending.cancel(turn, key, state.stop)
    elif state.stop == reasons.DECIDED:
        _branches_done(turn, key, state, node, loop)
    elif state.stop == reasons.BODY_FAILED and loop.failure is not None:
        ending.attempt_failed(turn, key, state.path, _body_failed(loop, node))
    elif state.stop == reasons.TIMEOUT:
        ending.attempt_failed(turn, key, state.path, ending.timeout_error(state))
    else:
        ending.cancel(turn, key, state.stop)


def _loop_completed(
    turn: Turn, key: str, state: NodeState, loop: LoopState, *, condition: bool | None = None
) -> None:
    turn.emit(
        e.LoopCompleted,
        node=turn.state.instance(key),
        path=state.path,
        iterations=loop.opened,
        failed=loop.failed,
        condition=condition,
    )


def _body_failed(loop: LoopState, node: NodeDef | None = None) -> e.Error:
    """The failure of a container by that of its bodies; of a parallel that can do without some branches, say how many failed."""
    failure = loop.failure
    assert failure is not None
    where = failure.node.rstrip("/")
    message = f"{where} failed: {failure.error.message or failure.error.reason}"
    parallel = node.spec.parallel if node is not None else None
    if parallel is not None and parallel.strategy != "all":
        strategy = (
            parallel.strategy
            if isinstance(parallel.strategy, str)
            else f"atLeast {parallel.strategy.at_least}"
        )
        message = f"{loop.failed} of {len(parallel.branches)} branches of the {strategy} failed; the first: {message}"
    return e.Error(reason=reasons.BODY_FAILED, message=message, causes=[failure.error])
