"""What is to be done in the world once events are committed.

Effects follow from the events of the batch and the state after it: what a later event of the same batch took back is not done.
An attempt that is being ended before it was started is started all the same and then stopped: only its runner can say that it has
ended, and a runner says nothing of what it never had.
After a crash the same function is asked about the attempts that the fold says are at work.
"""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.engine.caching import fill_of, lookup_of
from fairlead.engine.documents import node_document, placement_of, secrets_of
from fairlead.engine.graph import Graph
from fairlead.engine.steering import CONCERNS_CHILDREN, asked_of_children
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.effects import AnyEffect, LookUp, SaveCheckpoint, StartAttempt, StopAttempt
from fairlead.model.ids import delivery_id, key_of
from fairlead.model.state import State


def effects_of(graph: Graph, state: State, events: Iterable[e.Event]) -> list[AnyEffect]:
    """The effects of committed events, in their order."""
    effects: list[AnyEffect] = []
    of_children: list[e.Event] = []
    for event in events:
        if state.children and isinstance(event, CONCERNS_CHILDREN):
            of_children.append(event)
        if isinstance(event, e.NodeScheduled):
            start = _start(graph, state, event)
            if start is not None:
                effects.append(start)
        elif isinstance(event, (e.NodeStopping, e.NodeTimedOut)):
            stop = stop_of(graph, state, key_of(event.node))
            if stop is not None:
                effects.append(stop)
        elif isinstance(event, e.CheckpointTaken):
            effects.append(SaveCheckpoint(seq=event.seq))
        elif isinstance(event, e.CacheLookup):
            lookup = lookup_of(graph, state, key_of(event.node))
            if lookup is not None and lookup.asked == event.seq:
                effects.append(lookup)
        elif isinstance(event, e.NodeCompleted) and event.cache:
            fill = fill_of(graph, state, event)
            if fill is not None:
                effects.append(fill)
    return [*effects, *asked_of_children(graph, state, of_children)] if of_children else effects


def unanswered_of(graph: Graph, state: State) -> list[LookUp]:
    """After a crash: the questions to the cache that are asked anew."""
    found = (lookup_of(graph, state, key) for key in state.waiting)
    return [lookup for lookup in found if lookup is not None]


def outstanding(graph: Graph, state: State) -> list[StartAttempt | StopAttempt]:
    """What runners that outlive this process are asked for after a crash: all that is at work, and to end what is being ended."""
    effects: list[StartAttempt | StopAttempt] = []
    for key in state.active:
        node = graph.find(key)
        if not node.in_pod:
            continue
        effects.append(_start_of(graph, state, key))
        stop = stop_of(graph, state, key)
        if stop is not None:
            effects.append(stop)
    return effects


def _start(graph: Graph, state: State, event: e.NodeScheduled) -> StartAttempt | None:
    key = key_of(event.node)
    instance = state.node(key)
    same = state.instance(key) == event.node
    current = same and instance.attempt == event.attempt and instance.delivery == event.delivery
    if not current or instance.status not in (s.SCHEDULED, s.STOPPING):
        return None
    return _start_of(graph, state, key)


def _start_of(graph: Graph, state: State, key: str) -> StartAttempt:
    node, instance = graph.find(key), state.node(key)
    own, name = node.spec.priority, state.instance(key)
    return StartAttempt(
        id=delivery_id(state.uid, name, instance.attempt, instance.delivery),
        node=name,
        attempt=instance.attempt,
        delivery=instance.delivery,
        priority=state.priority if own is None else own,
        document=node_document(state, key, node, instance),
        grace=node.spec.termination_grace,
        secrets=secrets_of(node),
        placement=placement_of(node),
        handle=instance.handle,
    )


def stop_of(graph: Graph, state: State, key: str) -> StopAttempt | None:
    """The order to end an instance's delivery, if it is being ended."""
    instance = state.node(key)
    node = graph.find(key)
    if instance.status != s.STOPPING or not node.in_pod:
        return None
    name = state.instance(key)
    return StopAttempt(
        id=delivery_id(state.uid, name, instance.attempt, instance.delivery),
        node=name,
        attempt=instance.attempt,
        delivery=instance.delivery,
        grace=node.spec.termination_grace,
    )
