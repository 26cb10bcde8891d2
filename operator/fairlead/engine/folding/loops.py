"""What the events of containers and their bodies do to the state.

A body that succeeded leaves its outputs and nothing else; of a while the last pass stays until the next one has ended, since that
still sees it. So the state does not grow with the passes.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine.folding.moves import forget_scope, node_at, open_path
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import LoopState, ScopeState, State


def loop_started(state: State, event: e.LoopStarted) -> None:
    state.loops[key_of(event.node)].items = event.items
    state.counters.stored += event.stored


def collected_outputs(loop: LoopState, key: str, branches: list[str]) -> dict[str, Any]:
    """The outputs of a container from what its bodies gave: of these branches, in this order, or of all its items."""
    if branches:
        return {name: loop.results[f"{key}.{name}/"] for name in branches}
    results = loop.results
    return {"items": [results.get(f"{key}[{index}]/") for index in range(loop.opened)], "failed": loop.failed}


def opened(state: State, event: e.LoopIteration | e.BranchStarted) -> None:
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
    del loop.open[event.scope]
    is_while = loop.items is None and not event.branch
    if event.error is None:
        loop.succeeded += 1
        if not is_while:
            loop.results[event.scope] = event.outputs
            state.counters.stored += event.stored
        if scope.path in state.path_children:
            _forget_paths(state, scope.path)
    else:
        loop.failed += 1
        if loop.failure is None:
            loop.failure = s.Failure(error=event.error, node=event.scope)
    gone, loop.last = (loop.last, event.scope) if is_while else (event.scope, "")
    if gone:
        forget_scope(state, gone)


def _forget_paths(state: State, path: str) -> None:
    """No path of a body that succeeded opens another one: how many each has opened need not be known any more."""
    pending = [path]
    while pending:
        parent = pending.pop()
        pending += [f"{parent}.{child}" for child in range(state.path_children.pop(parent, 0))]


def loop_completed(state: State, event: e.LoopCompleted) -> None:
    """Nothing: the container's own end follows."""
