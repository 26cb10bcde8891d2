"""Redrive: what of a run that ended badly is run again, in the run itself and in every body that ended badly (semantics 31).

Again       Failed unhandled, Cancelled, skipped because the run or the body around ended, a finish with result `failed`; and what
            only those would have led to (DeadPath)
Stays       all that succeeded, failures that are handled, joins that other connections had met, losers of a decided race

Rules of this file
- A redrive resets instances of the workflow's own body alone. A container among them goes on once it starts again: what ended
  badly in it is reopened then, as `maxParallel` allows, and of a body that is reopened only what is named above runs again.
- Of a loop that a loopback closes the last pass runs again; one that was about to begin another begins it.
- `finally` runs anew as a whole, its containers from their start.
"""

from __future__ import annotations

from fairlead.engine import loopbacks
from fairlead.engine.graph import Body, NodeDef
from fairlead.engine.regions import waits_for_pass
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import key_of
from fairlead.model.state import NodeState, State


def redrive(turn: Turn, number: int, *, deadline: int | None, cancel: bool) -> None:
    """Begin a new epoch; `cancel` says that the spec still asks for one, which is void now."""
    state = turn.state
    reset = _resets(turn, turn.graph.root, "")
    finally_nodes = [name for name in turn.graph.finally_.nodes if state.node(name).status in s.ENDED_NODE]
    turn.emit(
        e.Redriven,
        redrive=number,
        epoch=state.epoch + 1,
        reset=reset,
        finally_nodes=finally_nodes,
        deadline=deadline,
        cancel=cancel and not (state.cancel or state.cancel_void),
    )
    turn.queue.clear()
    turn.drained = ""
    turn.work.extend(key_of(item.node) for item in reset)
    _wanted_passes(turn, "")


def reopen(turn: Turn, key: str, prefix: str) -> None:
    """A pass, an item or a branch of a container that goes on is run again where it ended badly."""
    state = turn.state
    scope = state.loops[key].again[prefix]
    reset = _resets(turn, turn.graph.body_of(prefix), prefix)
    instance = state.instance(key)
    turn.emit(
        e.BodyReopened,
        node=instance,
        scope=prefix,
        index=scope.index,
        branch=prefix[len(instance) + 1 : -1] if prefix[len(instance)] == "." else "",
        reset=reset,
    )
    turn.work.extend(key_of(item.node) for item in reset)
    _wanted_passes(turn, prefix)
    turn.work.append(prefix)  # what failed may have been its outputs alone


def _wanted_passes(turn: Turn, prefix: str) -> None:
    """A loop that was about to begin another pass begins it."""
    regions = turn.state.regions_at(prefix)
    turn.work.extend(prefix + name for name, region in regions.items() if region.wanted)


def _resets(turn: Turn, body: Body, prefix: str) -> list[e.ResetNode]:
    """The instances of an ended body that run again, in order of declaration."""
    again = _to_run_again(turn, body, prefix)
    return [_reset_node(turn, node, prefix, again) for name, node in body.nodes.items() if name in again]


def _to_run_again(turn: Turn, body: Body, prefix: str) -> set[str]:
    again: set[str] = set()
    state = turn.state
    work = [
        name
        for name in body.nodes
        if _ends_open(state, state.node(prefix + name))
        and not waits_for_pass(body.nodes[name].regions, state.regions_at(prefix))
    ]
    while work:
        name = work.pop()
        if name in again:
            continue
        again.add(name)
        for edge in loopbacks.reopened_by(body.nodes[name]):
            target = state.node(prefix + edge.target)
            if target.status == s.SKIPPED and target.handled == reasons.DEAD_PATH:
                work.append(edge.target)
    return again


def _ends_open(state: State, node: NodeState) -> bool:
    if node.status == s.FAILED:
        return not node.handled
    if node.status == s.SUCCEEDED:
        if node.via:  # its stand-in may have been a finish
            node = state.node(key_of(node.fallback))
        return node.handled == reasons.FINISHED_FAILED
    if node.status == s.SKIPPED:
        return node.handled not in (reasons.WHEN_FALSE, reasons.DEAD_PATH)
    return node.status == s.CANCELLED


def _reset_node(turn: Turn, node: NodeDef, prefix: str, again: set[str]) -> e.ResetNode:
    key = prefix + node.name
    state = turn.state.node(key)
    undone = sum(1 for edge in node.incoming if loopbacks.reopened(turn, node.body, prefix, edge, again))
    arrivals = list(state.arrivals or ()) if state.status == s.SKIPPED else [state.path]
    return e.ResetNode(
        node=turn.state.instance(key), taken=state.taken, dead=state.dead - undone, arrivals=arrivals
    )
