"""Which connections of an ended node are taken, where loops are closed by loopbacks (semantics 15, 20, 21).

    loopback          taken at most `maxIterations` times; one more take fails the node it leaves before that node ends
    out of a loop     counts at its target at the first take, later ones are LateArrival; not taken in this pass, it stays open
                      until no pass can follow, and only then is it dead
    all others        taken or dead, once a pass

Rules of this file
- One end takes at most one loopback: of several the one with the widest region, which gives those inside a fresh pass too.
- No pass of a region can follow once the node that its loopbacks leave has ended and no region around that node waits for its
  next pass.
- What ends in a pass that has been abandoned takes nothing.
- How often a loopback was taken is counted within one pass of the loops around it, and anew after a redrive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from fairlead.engine.graph import Body, Edge, NodeDef
from fairlead.engine.regions import Region, waits_for_pass
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import prefix_of


class Choice(NamedTuple):
    """What becomes of connections, by id: what an end event says of them, and which of `taken` come too late."""

    taken: list[str]
    dead: list[str]
    exits: list[str] = []  # noqa: RUF012 - never changed
    loopback: str = ""
    late: Collection[str] = ()

    @property
    def any(self) -> bool:
        """Whether a connection is taken."""
        return bool(self.taken or self.loopback)

    @property
    def loops(self) -> dict[str, Any]:
        """The fields of an end event that there are only in loops."""
        if not self.exits and not self.loopback:
            return _NOTHING
        return {"exits": self.exits, "loopback": self.loopback}


_NOTHING: dict[str, Any] = {}


class Exhausted(Exception):
    """A loopback would be taken once more than `maxIterations` allows."""

    def __init__(self, edge: Edge) -> None:
        times = "once" if edge.loopback == 1 else f"{edge.loopback} times"
        self.message = (
            f"the loopback {edge.id} was taken {times} already, and maxIterations is {edge.loopback}"
        )
        super().__init__(self.message)

    def failure(self, cause: e.Error | None = None) -> e.Error:
        """The failure of the node that the loopback leaves; `cause` is the one it would have left with."""
        causes = [] if cause is None else [cause]
        return e.Error(reason=reasons.MAX_ITERATIONS_EXCEEDED, message=self.message, causes=causes)


def choose(turn: Turn, node: NodeDef, key: str, wanted: Collection[Edge], *, spent: bool = False) -> Choice:
    """What becomes of the connections of a node in a loop; `wanted` would be taken.

    Raises Exhausted for a loopback that has been taken as often as it may, unless `spent`: then it is not taken.
    """
    prefix = prefix_of(key)
    if turn.abandoned(key):
        return Choice([], _final(turn, node, prefix, node.outgoing, looping=True))
    loopback = _loopback(turn, prefix, wanted, spent=spent)
    taken = [edge for edge in wanted if edge.loopback is None]
    exits = [edge for edge in taken if edge.leaves]
    late = [edge.id for edge in exits if edge.id in (turn.state.node(prefix + edge.target).exits or ())]
    chosen = {edge.id for edge in taken}
    rest = [edge for edge in node.outgoing if edge.id not in chosen]
    return Choice(
        [edge.id for edge in taken],
        _final(turn, node, prefix, rest, looping=loopback is not None),
        [edge.id for edge in exits],
        loopback.id if loopback is not None else "",
        late,
    )


def all_dead(turn: Turn, node: NodeDef, key: str) -> list[str]:
    """The connections that are dead since a node has ended and takes none."""
    if not node.regions:
        return [edge.id for edge in node.outgoing]
    return _final(turn, node, prefix_of(key), node.outgoing, looping=turn.abandoned(key))


def _loopback(turn: Turn, prefix: str, wanted: Iterable[Edge], *, spent: bool) -> Edge | None:
    regions = turn.state.regions_at(prefix)
    best: Edge | None = None
    for edge in wanted:
        if edge.loopback is None:
            continue
        region = regions.get(f"{edge.source}>{edge.target}")
        if region is not None and region.taken.get(edge.id, 0) >= edge.loopback:
            if not spent:
                raise Exhausted(edge)
        elif best is None or _size(turn, prefix, edge) > _size(turn, prefix, best):
            best = edge
    return best


def _size(turn: Turn, prefix: str, edge: Edge) -> int:
    return len(turn.graph.body_of(prefix).regions[f"{edge.source}>{edge.target}"].names)


def _final(turn: Turn, node: NodeDef, prefix: str, rest: Iterable[Edge], *, looping: bool) -> list[str]:
    """Of the connections that a node does not take those that are dead, and those of others that its end makes so."""
    body = turn.graph.body_of(prefix)
    dead = {edge.id: None for edge in rest if _decided(turn, body, prefix, edge, node.name, looping=looping)}
    for region in () if looping else node.regions:
        if region.last == node.name:
            dead |= {
                edge.id: None
                for edge in region.exits
                if edge.source != node.name
                and turn.state.node(prefix + edge.source).status in s.ENDED_NODE
                and _decided(turn, body, prefix, edge, node.name, looping=False)
            }
    return list(dead)


def _decided(turn: Turn, body: Body, prefix: str, edge: Edge, ending: str, *, looping: bool) -> bool:
    """Whether a connection that is not taken in this pass can never be, and was not in an earlier one."""
    if edge.loopback is not None:
        return False  # no join counts it
    if not edge.leaves:
        return True
    if edge.id in (turn.state.node(prefix + edge.target).exits or ()):
        return False
    return all(
        not looping if region.last == ending else over(turn, body, prefix, region) for region in edge.leaves
    )


def over(turn: Turn, body: Body, prefix: str, region: Region) -> bool:
    """Whether no pass of a region can follow."""
    if turn.state.node(prefix + region.last).status not in s.ENDED_NODE:
        return False
    return not waits_for_pass(body.nodes[region.last].regions, turn.state.regions_at(prefix))


def completed(turn: Turn, node: NodeDef, key: str) -> None:
    """The node that loopbacks leave has ended without taking one: the loops are over, and say so."""
    prefix = prefix_of(key)
    known = turn.state.regions_at(prefix)
    for region in node.regions if known else ():
        held = known.get(region.id)
        if region.last == node.name and held is not None and held.count:
            turn.emit(
                e.LoopCompleted,
                node=turn.state.instance(prefix + region.first),
                path=held.current,
                iterations=held.count,
                loopback=held.last,
            )


# --- redrive ---------------------------------------------------------------------------------------------------------


def reopened_by(node: NodeDef) -> list[Edge]:
    """The connections that are open again when a node runs again: its own, and those out of loops that may go on then."""
    own = [edge for edge in node.outgoing if edge.loopback is None]
    return own + [edge for region in node.regions if region.last == node.name for edge in region.exits]


def reopened(turn: Turn, body: Body, prefix: str, edge: Edge, again: Collection[str]) -> bool:
    """Whether a connection that its target has counted as dead is open again, as nodes by name run again."""
    open_again = edge.source in again or any(region.last in again for region in edge.leaves)
    return open_again and _decided(turn, body, prefix, edge, "", looping=False)
