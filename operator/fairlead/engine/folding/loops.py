"""What the events of containers and their bodies do to the state.

A body that succeeded leaves its outputs and nothing else; of a while the last pass stays until the next one has ended, since that
still sees it. So the state does not grow with the passes.
"""

from __future__ import annotations

from fairlead.engine.folding import loopbacks
from fairlead.engine.folding.moves import forget_paths, forget_scope, node_at, open_path
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import ScopeState, State


def loop_started(state: State, event: e.LoopStarted) -> None:
    if event.loopback:
        loopbacks.started(state, event)
    else:
        state.loops[key_of(event.node)].items = event.items


def opened(state: State, event: e.LoopIteration | e.BranchStarted) -> None:
    if isinstance(event, e.LoopIteration) and event.loopback:
        loopbacks.next_pass(state, event)
        return
    key = key_of(event.node)
    loop = state.loops[key]
    loop.opened += 1
    loop.open[event.scope] = event.index
    state.scopes[event.scope] = ScopeState(
        total=event.nodes, container=key, index=event.index, path=event.path
    )
    state.counters.total += event.nodes
    open_path(state, event.path, event.entry or event.node, event)
    if event.entry:
        node_at(state, event.entry).arrive(event.path)


def body_ended(state: State, event: e.BodyEnded) -> None:
    key = key_of(event.node)
    loop = state.loops[key]
    scope = state.scopes.pop(event.scope)
    state.looping -= scope.looping
    del loop.open[event.scope]
    if event.error is None:
        forget_paths(state, scope.path)
        loop.succeeded += 1
        loop.results[event.scope] = event.outputs
    else:
        loop.failed += 1
        if loop.failure is None:
            loop.failure = s.Failure(error=event.error, node=event.scope)
    is_while = loop.items is None and not event.branch
    gone, loop.last = (loop.last, event.scope) if is_while else (event.scope, "")
    if gone:
        forget_scope(state, gone)


def loop_completed(state: State, event: e.LoopCompleted) -> None:
    """Nothing: the end of the container follows, or that of the node that the loopback leaves came before."""
