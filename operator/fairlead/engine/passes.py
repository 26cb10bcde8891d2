"""The next pass of a loop that a loopback closes (semantics 20).

    a loopback is taken ──► what still runs in the region is ended (PassAbandoned) ──► all of it gets a fresh pass

Rules of this file
- The fresh pass begins only after all that was stopped has ended: there are never two live instances of one node.
- What is held or waits is Cancelled at once, what never started is Skipped; their paths are Cancelled. Paths that have left the
  region go on.
- The node that the loopback leads to starts at once, whatever its join has counted.
- While the run, the body, or a loop around this one is being ended or left, no pass begins.
"""

from __future__ import annotations

from fairlead.engine import ending, joins
from fairlead.engine.graph import Body
from fairlead.engine.regions import Region, waits_for_pass
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import prefix_of
from fairlead.model.state import RegionState


def look(turn: Turn, key: str) -> None:
    """Look at a loop, by its prefix and id: begin the pass that it waits for, if it does and nothing of the last one runs."""
    prefix = prefix_of(key)
    held = turn.state.regions_at(prefix).get(key[len(prefix) :])
    if held is None or not held.wanted or turn.draining_at(prefix):
        return
    body = turn.graph.body_of(prefix)
    region = body.regions[key[len(prefix) :]]
    if _left_around(turn, body, prefix, region):
        return
    keys = [prefix + name for name in region.names]
    for instance in keys:
        ending.stop(turn, instance, reasons.PASS_ABANDONED)
    if any(turn.state.node(instance).status in s.BUSY for instance in keys):
        return
    for instance in keys:
        if turn.state.node(instance).status not in s.ENDED_NODE:
            _sweep(turn, instance)
    _begin(turn, prefix, region, held)


def _left_around(turn: Turn, body: Body, prefix: str, region: Region) -> bool:
    around = (each for each in body.nodes[region.last].regions if len(each.names) > len(region.names))
    return waits_for_pass(around, turn.state.regions_at(prefix))


def _sweep(turn: Turn, key: str) -> None:
    """What had not started in the pass that is left."""
    for path in turn.state.node(key).arrivals or ():
        turn.emit(e.PathCancelled, path=path, reason=reasons.PASS_ABANDONED)
    ending.skip(turn, key, reasons.PASS_ABANDONED)


def _first_path(turn: Turn, prefix: str, region: Region) -> str:
    """The path on which a loop's first pass began: that of its first node, but for the passes that loops inside gave it since."""
    known = turn.state.regions_at(prefix)
    inside = turn.graph.body_of(prefix).nodes[region.first].regions
    paths = [known[inner.id].path for inner in inside if inner.first == region.first and inner.id in known]
    return next(filter(None, reversed(paths)), "") or turn.state.node(prefix + region.first).path


def _begin(turn: Turn, prefix: str, region: Region, held: RegionState) -> None:
    state = turn.state
    first = prefix + region.first
    loopback = held.wanted
    if not held.count:
        turn.emit(
            e.LoopStarted,
            node=state.instance(first),
            path=_first_path(turn, prefix, region),
            loopback=loopback,
            region=region.names,
        )
    turn.emit(
        e.LoopIteration,
        node=f"{first}#{state.iterations.get(first, 0) + 1}",
        path=joins.next_child(state, held.path),
        scope=prefix,
        index=held.count + 1,
        nodes=len(region.names),
        loopback=loopback,
    )
    replaced = {prefix + name for name in region.names}
    turn.queue.keep(lambda key: key not in replaced)
    turn.work.append(first)
