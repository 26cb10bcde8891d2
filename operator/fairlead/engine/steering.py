"""What is asked of children once events are committed: to be there, to hold still, to end.

Rules of this file
- What is asked follows from the state alone and is a level: asked twice, or again after a crash, it changes nothing more.
- A child that is let go is asked to be there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.engine.graph import Graph
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.children import Parent
from fairlead.model.effects import StartChild, SteerChild
from fairlead.model.ids import key_of
from fairlead.model.state import ChildState, State

CONCERNS_CHILDREN = (
    e.ChildScheduled, e.NodeStopping, e.NodeTimedOut, e.ExecutionSuspended, e.ExecutionResumed, e.CancelRequested,
)  # fmt: skip
"""Events from which something may follow for children."""


def asked_of_children(graph: Graph, state: State, events: Iterable[e.Event]) -> list[StartChild | SteerChild]:
    """What follows from committed events: first the children that are to be there, then what is wanted of them."""
    starts: dict[str, None] = {}
    steers: dict[str, None] = {}
    for event in events:
        match event:
            case e.ChildScheduled():
                key = key_of(event.node)
                if state.children.get(key) == event.attempt and _is_to_start(state, key):
                    starts[key] = None
            case e.NodeStopping() | e.NodeTimedOut():
                steers[key_of(event.node)] = None
            case e.ExecutionSuspended() | e.ExecutionResumed() | e.CancelRequested():
                steers.update(dict.fromkeys(state.children))
    wanted = [key for key in steers if key in state.children and _child(state, key).wait]
    return [
        *(start_of(graph, state, key) for key in starts),
        *(steer_of(state, key) for key in wanted),
    ]


def standing(graph: Graph, state: State) -> list[StartChild | SteerChild]:
    """What is asked of all children now: what a process that takes up the run asks first."""
    return [
        start_of(graph, state, key) if _is_to_start(state, key) else steer_of(state, key)
        for key in state.children
    ]


def _is_to_start(state: State, key: str) -> bool:
    """Whether the child is wanted, not its end; one that is let go is never ended."""
    return state.node(key).status != s.STOPPING or not _child(state, key).wait


def _child(state: State, key: str) -> ChildState:
    child = state.node(key).child
    assert child is not None
    return child


def start_of(graph: Graph, state: State, key: str) -> StartChild:
    """The order to have the child of an instance."""
    instance, node = state.node(key), graph.find(key)
    child, call = _child(state, key), node.spec.workflow
    assert call is not None
    given = (instance.values or {}).get("inputs")
    own = node.spec.priority
    return StartChild(
        node=state.instance(key),
        attempt=instance.attempt,
        child=child.name,
        workflow=child.workflow,
        inputs=node.template("inputs", call.inputs).evaluate({}) if given is None else given,
        parent=_parent(state, key),
        priority=state.priority if own is None else own,
        uid=child.uid,
        redrive=child.redrive,
        held=child.wait and bool(state.suspended_at),
    )


def steer_of(state: State, key: str) -> SteerChild:
    """What is wanted of the child of an instance."""
    instance, child = state.node(key), _child(state, key)
    stop = instance.status == s.STOPPING
    why = f": {state.cancel_reason}" if state.cancel_reason else ""
    return SteerChild(
        node=state.instance(key),
        child=child.name,
        parent=_parent(state, key),
        uid=child.uid,
        redrive=child.redrive,
        held=bool(state.suspended_at) and not stop,
        stop=stop,
        reason=f"execution {state.name} ends its node {state.instance(key)} ({instance.stop}{why})"
        if stop
        else "",
        force=stop and state.cancel_force,
    )


def _parent(state: State, key: str) -> Parent:
    root = state.parent.root if state.parent is not None else state.uid
    return Parent(
        name=state.name,
        uid=state.uid,
        node=state.instance(key),
        root=root,
        depth=state.depth + 1,
        wait=_child(state, key).wait,
    )
