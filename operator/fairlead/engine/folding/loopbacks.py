"""What taking a loopback does to the state (semantics 20).

An instance of the pass that is left leaves what expressions see of it until the next one has ended, and nothing else; of the
paths of that pass nothing stays but what has left the loop and goes on. So the state does not grow with the passes.
"""

from __future__ import annotations

from fairlead.engine.folding.keeping import end_loop, remember
from fairlead.engine.folding.moves import forget_paths, move_node, open_path
from fairlead.model import events as e
from fairlead.model.ids import connection_target, key_of, loop_of, prefix_of
from fairlead.model.state import NodeState, RegionState, ScopeState, State


def taken(state: State, key: str, loopback: str) -> None:
    """The node that a loopback leaves has ended and takes it: its region waits for the next pass."""
    scope = state.scope_of(key)
    if scope.regions is None:
        scope.regions = {}
    region = scope.regions.setdefault(loop_of(loopback), RegionState())
    region.wanted = region.last = loopback
    region.taken[loopback] = region.taken.get(loopback, 0) + 1
    scope.looping += 1
    state.looping += 1


def left(state: State, key: str, connection: str, path: str) -> None:
    """A path leaves loops for the first time by a connection: of such a pass the paths are not forgotten."""
    target = connection_target(connection)
    for region in state.regions_at(prefix_of(key)).values():
        here = path == region.current or path.startswith(f"{region.current}.")
        if region.current and here and not region.left:
            region.left = target not in region.nodes


def started(state: State, event: e.LoopStarted) -> None:
    """The first of the further passes is about to begin."""
    region = state.regions_at(prefix_of(event.node))[loop_of(event.loopback)]
    region.nodes, region.path = event.region, event.path


def next_pass(state: State, event: e.LoopIteration) -> None:
    """A fresh pass for all nodes of the region, and the path on which it goes."""
    name = loop_of(event.loopback)
    scope = state.scopes[event.scope]
    assert scope.regions is not None
    region = scope.regions[name]
    region.wanted = ""
    region.count = event.index
    waiting = scope.looping - 1 - _forget_inner(scope, name, region)
    state.looping += waiting - scope.looping
    scope.looping = waiting
    if region.current and not region.left:
        forget_paths(state, region.current)
    region.current, region.left = event.path, False
    for node in region.nodes:
        _renew(state, event.scope + node, event, scope.attempts)
    scope.ended -= event.nodes
    state.counters.total += event.nodes
    open_path(state, event.path, event.node, event)


def _forget_inner(scope: ScopeState, name: str, region: RegionState) -> int:
    """Loops inside begin anew: their passes are counted within this one. Returns how many waited for their next pass."""
    regions = scope.regions
    assert regions is not None
    if len(regions) == 1:
        return 0
    inside = set(region.nodes)
    inner = [other for other in regions if other != name and inside.issuperset(other.split(">"))]
    return sum(bool(regions.pop(other).wanted) for other in inner)


def _renew(state: State, key: str, event: e.LoopIteration, attempts: int) -> None:
    """Pending once more; where the pass starts the join keeps what it has counted, as nothing will count there again.

    `attempts` is what attempts count from, where the container around runs again.
    """
    old = state.nodes[key]
    seen = _seen(old)
    _leave(state, key, old, event.scope)
    move_node(state, key, old, event)
    state.iterations[key] = iteration = state.iterations.get(key, 0) + 1
    fresh = state.nodes[key] = NodeState(
        iteration=iteration, before=seen, attempt=attempts, attempts_before=attempts
    )
    if key == key_of(event.node):
        fresh.taken, fresh.dead, fresh.exits = old.taken, old.dead, old.exits
        fresh.arrivals, fresh.joined = [event.path], True


def _leave(state: State, key: str, node: NodeState, prefix: str) -> None:
    """An instance of the pass that is left, and what stood in for it; the container around remembers how they ended."""
    leaving = [node]
    end_loop(state, key, node, keep=False)
    stand_in = key_of(node.fallback) if node.fallback else ""
    if stand_in in state.nodes:
        stood_in = state.nodes.pop(stand_in)
        end_loop(state, stand_in, stood_in, keep=False)
        leaving.append(stood_in)
        if prefix:
            state.members[prefix].remove(stand_in)
    if prefix:
        container = state.nodes[state.scopes[prefix].container]
        for each in leaving:
            remember(container, each)


def _seen(node: NodeState) -> NodeState:
    """What expressions may read of an instance."""
    return NodeState(
        status=node.status,
        attempt=node.attempt,
        given=node.given,
        error=node.error,
        started_at=node.started_at,
        finished_at=node.finished_at,
    )
