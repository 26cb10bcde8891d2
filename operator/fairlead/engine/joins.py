"""Joins and paths: when a node is ready, and which thread of the run it carries on (semantics 14, 22).

    join          ready                                        else, once all connections are settled
    all           every connection settled, at least 1 taken   Skipped (DeadPath)
    any           the first taken                              Skipped (DeadPath)
    {atLeast: n}  the n-th taken                               Failed (JoinUnreachable) if any was taken, else Skipped

The table is asked once per pass: what is taken after the node became ready is a LateArrival and starts nothing. The node that a
loopback leads to starts without being asked again.
"""

from __future__ import annotations

from typing import Literal

from fairlead.engine.graph import NodeDef
from fairlead.engine.loopbacks import Choice
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import connection_target, prefix_of
from fairlead.model.state import NodeState, State

Verdict = Literal["open", "ready", "dead", "unreachable"]


def judge(node: NodeDef, state: NodeState) -> Verdict:
    """What the join says to the connections settled so far."""
    total = len(node.incoming)
    if state.joined:
        return "ready"
    if total == 0:
        return "ready" if state.arrivals else "open"
    settled = state.taken + state.dead
    if node.needs:
        if state.taken >= node.needs:
            return "ready"
        if settled < total:
            return "open"
        return "unreachable" if state.taken else "dead"
    if settled < total:
        return "open"
    return "ready" if state.taken else "dead"


def meet(turn: Turn, key: str, state: NodeState) -> str:
    """The path that goes on from the join: the only arrival, or a new one into which all arrivals end."""
    arrivals = state.arrivals or []
    if len(arrivals) == 1:
        return arrivals[0]
    path = joined_path(turn.state, arrivals)
    turn.emit(e.PathJoined, path=path, node=turn.state.instance(key), joined=list(arrivals))
    return path


def joined_path(state: State, arrivals: list[str]) -> str:
    """The next free child of the longest common prefix; the next free root if there is none."""
    first, last = min(arrivals), max(arrivals)
    common: list[str] = []
    for a, b in zip(first.split("."), last.split("."), strict=False):
        if a != b:
            break
        common.append(a)
    return next_child(state, ".".join(common))


def next_child(state: State, parent: str) -> str:
    """The next free child of a path, or the next free root of the empty one."""
    number = state.path_children.get(parent, 0)
    return f"{parent}.{number}" if parent else str(number)


def carry_on(turn: Turn, key: str, path: str, chosen: Choice, *, port_has_edges: bool) -> None:
    """After an instance ended: open child paths, end the path; the pass that a loopback begins has a path of its own."""
    state, taken = turn.state, chosen.taken
    instance = state.instance(key)
    if not taken:
        reason = "NoConnectionTaken" if port_has_edges else "GraphEnd"
        if chosen.loopback:
            reason = reasons.LOOPED
        turn.emit(e.PathCompleted, path=path, node=instance, reason=reason)
        return
    prefix = prefix_of(key)
    targets = [prefix + connection_target(connection) for connection in taken]
    late = [
        connection in chosen.late or started(turn, target)
        for connection, target in zip(taken, targets, strict=True)
    ]
    if len(taken) == 1 and not chosen.loopback:
        paths = [path]
    else:
        paths = []
        for connection, target in zip(taken, targets, strict=True):
            child = next_child(state, path)
            turn.emit(
                e.PathStarted, path=child, parent=path, node=state.instance(target), connection=connection
            )
            paths.append(child)
        turn.emit(e.PathCompleted, path=path, node=instance, reason="Forked")
    for child, connection, target, is_late in zip(paths, taken, targets, late, strict=True):
        if is_late:
            turn.emit(e.LateArrival, path=child, node=state.instance(target), connection=connection)


def started(turn: Turn, key: str) -> bool:
    """Whether the join of a node has been met in this pass."""
    state = turn.state.node(key)
    return state.status != s.PENDING or state.joined or key in turn.queue
