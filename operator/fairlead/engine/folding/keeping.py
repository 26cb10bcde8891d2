"""Containers that ended: what is kept of them, and what is forgotten.

    Succeeded, or its failure is handled       nothing is kept
    Failed unhandled, Cancelled, or swept      all is kept: a redrive goes on where it was
    to be tried again (NodeRetrying)           the items of a forEach, the inputs and first variables of an inlined workflow:
                                               the next attempt is about the same ones
    its fallback stands in                     all, until that has ended
    it was a fallback itself                   nothing: the next failure has another stand-in

Rules of this file
- What is forgotten leaves the highest attempt that any of its instances had: whatever gets the same instance ids later goes on
  from there, so that (instance, attempt, delivery) never comes twice. It leaves how many ended how: a container that begins anew
  takes them out of the counters, where each instance counts once.
"""

from __future__ import annotations

from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import FINALLY_SUFFIX
from fairlead.model.reasons import WHEN_FALSE
from fairlead.model.state import Inside, LoopState, NodeState, State


def start_loop(state: State, key: str, node: NodeState, *, goes_on: bool) -> None:
    """A container starts: afresh, or with what is kept of it."""
    if not goes_on:
        end_loop(state, key, node, keep=False)
        state.loops[key] = LoopState(attempts=_uncount_inside(state, node))
        return
    loop = state.loops[key] = state.kept.pop(key)
    loop.again.update(loop.lost)
    loop.failed -= len(loop.lost)
    loop.lost = {}
    loop.failure = None
    loop.opened_before = loop.opened
    if loop.variables is not None:
        _goes_on_inlined(state, key, node, loop)


def _goes_on_inlined(state: State, key: str, node: NodeState, loop: LoopState) -> None:
    """Of an inlined workflow the graph goes on where it was; its `finally` runs anew as a whole."""
    last = f"{state.instance(key)}{FINALLY_SUFFIX}"
    if loop.again.pop(last, None) is not None:
        forget_scope(state, last, node)
    if loop.results.pop(last, None) is not None:
        loop.succeeded -= 1
    loop.attempts = max(loop.attempts, _uncount_inside(state, node))
    loop.opened = min(loop.opened, 1)
    loop.finish = None


def retry_loop(state: State, key: str, node: NodeState) -> None:
    """The container will run from its start, over the items it had."""
    loop = state.loops.get(key)
    if loop is not None:
        end_loop(state, key, node, keep=False)
        state.kept[key] = LoopState(
            items=loop.items,
            inputs=loop.inputs,
            initial=loop.initial,
            attempts=_uncount_inside(state, node),
        )


def kept_at_end(node: NodeState, event: e.Event) -> bool:
    """Whether a container that ends with this event may go on in a later epoch."""
    if node.stands_for or isinstance(event, e.NodeCompleted):
        return False
    if isinstance(event, e.NodeFailed):
        return not event.handled
    return not isinstance(event, e.NodeSkipped) or event.reason != WHEN_FALSE


def end_loop(state: State, key: str, node: NodeState, *, keep: bool) -> None:
    """A container is no longer at work."""
    loop = state.loops.pop(key, None) or state.kept.pop(key, None)
    if loop is not None and keep:
        state.kept[key] = loop
    elif loop is not None:
        _forget(state, loop, node)


def forget_all(state: State) -> None:
    """Nothing goes on any more: the run has succeeded."""
    for key in list(state.kept):
        loop = state.kept.pop(key, None)
        if loop is not None:
            _forget(state, loop, state.nodes[key])


def forget_scope(state: State, prefix: str, container: NodeState) -> None:
    """A body's instances go, and what is kept of containers among them; their container remembers what there was."""
    for key in state.members.pop(prefix, ()):
        state.iterations.pop(key, None)
        node = state.nodes.pop(key)
        if key in state.kept:
            _forget(state, state.kept.pop(key), node)
        remember(container, node)


def remember(container: NodeState, node: NodeState) -> None:
    """An ended instance of a container's bodies leaves the state, as what was inside of it has: how it ended is remembered."""
    inside = container.inside
    if inside is None:
        inside = container.inside = Inside()
    inside.attempts = max(inside.attempts, node.attempt)
    if node.status == s.SUCCEEDED:
        inside.done += 1
    elif node.status == s.FAILED:
        inside.failed += 1
    else:
        inside.skipped += 1
    deeper = node.inside
    if deeper is not None:
        inside.attempts = max(inside.attempts, deeper.attempts)
        inside.done += deeper.done
        inside.failed += deeper.failed
        inside.skipped += deeper.skipped


def _forget(state: State, loop: LoopState, container: NodeState) -> None:
    for prefix in (*loop.lost, *loop.again):
        forget_scope(state, prefix, container)
    if loop.last:
        forget_scope(state, loop.last, container)


def _uncount_inside(state: State, node: NodeState) -> int:
    """The container begins anew: what its bodies counted comes once more. Returns where attempts inside go on from."""
    inside = node.inside
    if inside is None:
        return node.attempts_before
    counters = state.counters
    counters.total -= inside.done + inside.failed + inside.skipped
    counters.done -= inside.done
    counters.failed -= inside.failed
    counters.skipped -= inside.skipped
    node.inside = Inside(attempts=inside.attempts)
    return max(inside.attempts, node.attempts_before)
