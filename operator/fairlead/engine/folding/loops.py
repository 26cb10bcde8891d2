"""What the events of containers and their bodies do to the state.

A body that succeeded leaves its outputs and nothing else; of a while the last pass stays until the next one has ended, since that
still sees it. One that ended badly stays as long as its container may go on, for a redrive runs only what failed in it. So the
state grows neither with the passes nor with failures that are handled.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine.folding import loopbacks
from fairlead.engine.folding.keeping import forget_scope
from fairlead.engine.folding.moves import forget_paths, node_at, open_path, reset
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import LoopState, ScopeState, State


def loop_started(state: State, event: e.LoopStarted) -> None:
    if event.loopback:
        loopbacks.started(state, event)
        return
    state.loops[key_of(event.node)].items = event.items
    state.counters.stored += event.stored


def collected_outputs(loop: LoopState, container: str, branches: list[str]) -> dict[str, Any]:
    """The outputs of a container from what its bodies gave: of these branches, in this order, or of all its items."""
    if branches:
        return {name: loop.results[f"{container}.{name}/"] for name in branches}
    results = loop.results
    return {
        "items": [results.get(f"{container}[{index}]/") for index in range(loop.opened)],
        "failed": loop.failed,
    }


def opened(state: State, event: e.LoopIteration | e.BranchStarted) -> None:
    if isinstance(event, e.LoopIteration) and event.loopback:
        loopbacks.next_pass(state, event)
        return
    key = key_of(event.node)
    loop = state.loops[key]
    loop.opened += 1
    loop.open[event.scope] = event.index
    state.scopes[event.scope] = ScopeState(
        total=event.nodes, container=key, index=event.index, path=event.path, attempts=loop.attempts
    )
    state.counters.total += event.nodes
    open_path(state, event.path, event.entry or event.node, event)
    if event.entry:
        node_at(state, event.entry).arrive(event.path)


def body_reopened(state: State, event: e.BodyReopened) -> None:
    loop = state.loops[key_of(event.node)]
    scope = loop.again.pop(event.scope)
    scope.failure = None
    scope.ended -= len(event.reset)
    state.scopes[event.scope] = scope
    state.looping += scope.looping
    for region in (scope.regions or {}).values():
        region.taken = {}
    loop.open[event.scope] = event.index
    for item in event.reset:
        reset(state, event, item)


def body_ended(state: State, event: e.BodyEnded) -> None:
    key = key_of(event.node)
    loop = state.loops[key]
    scope = state.scopes.pop(event.scope)
    state.looping -= scope.looping
    del loop.open[event.scope]
    is_while = loop.items is None and not event.branch and not scope.inlined
    gone = event.scope
    if event.error is None:
        loop.succeeded += 1
        if is_while:
            gone, loop.last = loop.last, event.scope
        else:
            loop.results[event.scope] = event.outputs
            state.counters.stored += event.stored
        if scope.inlined and not scope.phase:
            gone, loop.last = "", event.scope  # its `finally` reads it, and a redrive of that alone
        forget_paths(state, scope.path)
    else:
        loop.failed += 1
        if loop.failure is None:
            loop.failure = s.Failure(error=event.error, node=event.scope)
        if not event.handled:
            loop.lost[event.scope] = scope
            return
    if gone:
        forget_scope(state, gone, state.nodes[key])


def loop_completed(state: State, event: e.LoopCompleted) -> None:
    """Nothing: the end of the container follows, or that of the node that the loopback leaves came before."""
