"""The moves that all handlers share: statuses along `engine.transitions`, paths, timers, connections, counters."""

from __future__ import annotations

from fairlead.engine.folding.keeping import end_loop, kept_at_end
from fairlead.engine.transitions import EXECUTION, NODE, PATH
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.errors import Bug
from fairlead.model.ids import key_of, prefix_of
from fairlead.model.state import NodeState, PathState, State

ENDED_PATHS_KEPT = 50
"""How many ended paths stay in the state for `status.paths`; the log has all."""


def node_at(state: State, key: str) -> NodeState:
    """The instance at a key, put there if this is the first that is heard of it."""
    found = state.nodes.get(key)
    if found is None:
        found = state.nodes[key] = NodeState(iteration=state.iterations.get(key, 0))
        if "/" in key:
            prefix = prefix_of(key)
            state.members.setdefault(prefix, []).append(key)
            before = state.scopes[prefix].attempts
            if before:
                found.attempt = found.attempts_before = before
    return found


def move_run(state: State, event: e.Event) -> None:
    name = type(event).__name__
    try:
        state.phase = EXECUTION[state.phase][name]
    except KeyError:
        raise Bug(
            f"{name} is no move of an execution that is {state.phase or 'new'} (event {event.seq})"
        ) from None


def move_node(state: State, key: str, node: NodeState, event: e.Event) -> None:
    name = type(event).__name__
    try:
        after = NODE[node.status][name]
    except KeyError:
        raise Bug(f"{name} is no move of node {key!r} that is {node.status} (event {event.seq})") from None
    before = node.status
    node.status = after
    if "/" in key and (before in s.BUSY) != (after in s.BUSY):
        scope = state.scopes.get(prefix_of(key))
        if scope is not None:
            scope.running += 1 if after in s.BUSY else -1
    if before == s.READY:
        state.ready.pop(key, None)
    elif before in s.HOLDS_SLOT and after not in s.HOLDS_SLOT:
        state.active.pop(key, None)
        node.held = node.note = ""
        state.children.pop(key, None)
        state.timers.clear(f"attempt/{key}")
        state.paused_timers.clear(f"body/{key}")
        state.paused_timers.clear(f"finally/{key}")
    elif before in (s.RETRYING, s.LOST):
        state.waiting.pop(key, None)
        state.paused_timers.clear(f"retry/{key}")
    elif before == s.LOOKING_UP:
        state.waiting.pop(key, None)
        state.timers.clear(f"lookup/{key}")
    elif before == s.WAITING and after != s.WAITING:
        state.waiting.pop(key, None)
        state.paused_timers.clear(f"wait/{key}")
        state.timers.clear(f"wait/{key}")
        state.timers.clear(f"expiry/{key}")


def move_path(state: State, path: str, event: e.Event) -> PathState:
    name = type(event).__name__
    found = state.paths.get(path)
    try:
        after = PATH[found.status if found else ""][name]
    except KeyError:
        raise Bug(f"{name} is no move of path {path!r} (event {event.seq})") from None
    if found is None:
        found = state.paths[path] = PathState(started_at=event.at)
    found.status = after
    if after != s.ACTIVE:
        found.finished_at = event.at
        state.ended_paths.append(path)
        if len(state.ended_paths) > ENDED_PATHS_KEPT:
            gone = state.ended_paths.pop(0)
            ended = state.paths.get(gone)
            if ended is not None and ended.status != s.ACTIVE:
                del state.paths[gone]
    return found


def open_path(state: State, path: str, node: str, event: e.Event) -> None:
    move_path(state, path, event).node = node
    parent, _, last = path.rpartition(".")
    state.path_children[parent] = max(state.path_children.get(parent, 0), int(last) + 1)


def pausable(state: State, name: str, event: e.Event, due: int) -> None:
    """A timer that stands still while the run is suspended; `due` is in wall time as if it never were."""
    state.paused_timers.set(name, state.active_time(event.at) + due - event.at)


def end_node(state: State, key: str, node: NodeState, event: e.Event) -> None:
    """Bookkeeping common to the four ends of an instance."""
    move_node(state, key, node, event)
    if not node.stands_for:
        state.scope_of(key).ended += 1
    if key in state.loops or key in state.kept:
        end_loop(state, key, node, keep=kept_at_end(node, event))
    node.finished_at = event.at
    if node.status != s.SKIPPED:
        node.arrivals = None  # a skipped one keeps them: a redrive may open it again
    node.values = None
    node.held = node.stop = node.handle = node.cache_key = ""
    node.lookup = 0
    counters = state.counters
    counters.since_checkpoint += 1
    if node.status == s.SUCCEEDED:
        counters.done += 1
    elif node.status == s.FAILED:
        counters.failed += 1
    else:
        counters.skipped += 1
    if node.started_at and node.status in (s.SUCCEEDED, s.FAILED):
        counters.node_time += event.at - node.started_at
        counters.timed_nodes += 1
    path = state.paths.get(getattr(event, "path", ""))
    if path is not None:
        path.node = key


def reset(state: State, event: e.Redriven | e.BodyReopened, item: e.ResetNode) -> None:
    """An ended instance will run again: its attempts go on counting, the paths that came to it are alive again."""
    key = key_of(item.node)
    old = state.nodes[key]
    uncount(state, old)
    move_node(state, key, old, event)
    state.nodes[key] = NodeState(
        iteration=old.iteration,
        taken=item.taken,
        dead=item.dead,
        arrivals=list(item.arrivals) or None,
        attempt=old.attempt,
        attempts_before=old.attempt,
        joined=old.joined,
        exits=old.exits,
        before=old.before,
        inside=old.inside,
        child=old.child,
    )
    for path in item.arrivals:
        found = state.paths.setdefault(path, PathState(status=s.CANCELLED, started_at=event.at))
        if found.status != s.ACTIVE:
            move_path(state, path, event)
            if path in state.ended_paths:
                state.ended_paths.remove(path)
        found.node, found.finished_at, found.error = key, 0, None


def forget_paths(state: State, path: str) -> None:
    """Nothing more is opened below a path: how many children each had is forgotten."""
    below = [path] if path in state.path_children else []
    for parent in below:  # grows as it goes
        below += [f"{parent}.{number}" for number in range(state.path_children.pop(parent, 0))]


def uncount(state: State, node: NodeState) -> None:
    """Take an ended instance out of the counters, as it will end once more."""
    counters = state.counters
    if node.status == s.SUCCEEDED:
        counters.done -= 1
    elif node.status == s.FAILED:
        counters.failed -= 1
    else:
        counters.skipped -= 1
