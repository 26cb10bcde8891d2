"""What settled connections do to the state: joins count them at their targets, once a pass."""

from __future__ import annotations

from fairlead.engine.folding import loopbacks
from fairlead.engine.folding.moves import node_at
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import connection_target
from fairlead.model.state import NodeState, State


def settle(
    state: State, key: str, prefix: str, event: e.NodeCompleted | e.NodeFailed | e.NodeSkipped
) -> None:
    """Count the connections of an ended node at their targets; the only taken one carries its path along."""
    single = len(event.taken) == 1 and not event.loopback
    exits = set(event.exits) if event.exits else ()
    for connection in event.taken:
        target = node_at(state, prefix + connection_target(connection))
        if connection in exits and not _first_time(state, key, target, connection, event.path):
            continue
        target.taken += 1
        if single and target.status == s.PENDING:
            target.arrive(event.path)
    settle_dead(state, prefix, event.dead)
    if event.loopback:
        loopbacks.taken(state, key, event.loopback)


def _first_time(state: State, key: str, target: NodeState, connection: str, path: str) -> bool:
    """Whether a connection out of a loop is taken for the first time; then it counts."""
    if target.exits is None:
        target.exits = []
    elif connection in target.exits:
        return False
    target.exits.append(connection)
    loopbacks.left(state, key, connection, path)
    return True


def settle_dead(state: State, prefix: str, dead: list[str]) -> None:
    """Count dead connections at their targets."""
    for connection in dead:
        node_at(state, prefix + connection_target(connection)).dead += 1
