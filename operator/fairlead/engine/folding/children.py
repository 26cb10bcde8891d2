"""What the events of children do to the state of their parent."""

from __future__ import annotations

from fairlead.engine.folding.moves import move_node, node_at, pausable
from fairlead.model import events as e
from fairlead.model.ids import key_of
from fairlead.model.state import ChildState, State


def scheduled(state: State, event: e.ChildScheduled) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    state.children[key] = event.attempt
    if event.attempt == node.attempts_before + 1:
        state.counters.first_attempts += 1
    else:
        state.counters.retries += 1
    node.attempt, node.path, node.held = event.attempt, event.path, ""
    node.scheduled_at = event.at
    if event.values is not None:
        node.values = event.values
    seen = node.child.seen if node.child is not None else -1
    node.child = ChildState(
        name=event.child, workflow=event.workflow, wait=event.wait, redrive=event.redrive, seen=seen
    )


def started(state: State, event: e.ChildStarted) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    if not node.started_at:
        node.started_at = event.at
    if node.child is not None:
        node.child.uid = event.uid
    if event.deadline is not None:
        pausable(state, f"body/{key}", event, event.deadline)


def ended(state: State, event: e.ChildEnded) -> None:
    key = key_of(event.node)
    node = node_at(state, key)
    move_node(state, key, node, event)
    if node.child is not None:
        node.child.seen = event.redrive
