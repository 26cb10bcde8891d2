"""What commits mean to whoever measures, and what there is in hand at a moment.

Rules of this file
- The start of an instance is remembered until its end: one in a body may be forgotten by the state before its end is heard.
- Only what this process has committed is counted; what another leader wrote, or a crash kept from us, is not.
- A census walks over everything in hand: it is for whoever asks from time to time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead.engine.graph import Graph
from fairlead.kube.observing import Observer, known
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.events import Event
from fairlead.model.state import State
from fairlead.model.times import SECOND

if TYPE_CHECKING:
    from fairlead.kube.home.run import Run

LIVE = (s.PENDING, s.RUNNING, s.SUSPENDED)
"""The phases of an execution that has not ended."""

_ENDS: dict[type[Event], str] = {
    e.ExecutionCompleted: s.SUCCEEDED,
    e.ExecutionFailed: s.FAILED,
    e.ExecutionCancelled: s.CANCELLED,
}
_OUTCOMES: dict[type[Event], str] = {
    e.NodeCompleted: s.SUCCEEDED,
    e.NodeFailed: s.FAILED,
    e.NodeSkipped: s.SKIPPED,
    e.NodeCancelled: s.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Census:
    """Executions in hand that have not ended, by phase, and those of them that do not move, by reason."""

    phases: dict[str, int]
    held: dict[str, int]


class Meter:
    """Tells an observer what the commits of one execution mean."""

    def __init__(self, observer: Observer, graph: Graph) -> None:
        self._observer = observer
        self._graph = graph
        self._started: dict[str, int] = {}

    def take_up(self, state: State) -> None:
        """What is at work already, started by an earlier process."""
        self._started = {
            state.instance(key): node.started_at
            for key, node in state.nodes.items()
            if node.started_at and node.status not in s.ENDED_NODE
        }

    def heard(self, events: Sequence[Event], state: State) -> None:
        """What was committed, and the state after it."""
        for event in events:
            match event:
                case e.NodeCompleted() | e.NodeFailed() | e.NodeSkipped() | e.NodeCancelled():
                    self._node_ended(event)
                case e.NodeStarted() | e.ChildStarted() | e.WaitStarted():
                    self._started.setdefault(event.node, event.at)
                case e.NodeRetrying():
                    self._observer.node_failed(known(event.error.reason))
                    self._observer.node_retried(self._graph.find(event.node).kind)
                case e.NodeFallback():
                    self._observer.node_failed(known(event.error.reason))
                case e.NodeLost():
                    self._observer.delivery_lost(known(event.reason))
                case e.ExecutionStarted():
                    self._observer.execution_started()
                case e.ExecutionCompleted() | e.ExecutionFailed() | e.ExecutionCancelled():
                    since = state.epoch_at
                    seconds = (event.at - since) / SECOND if since else None
                    self._observer.execution_ended(_ENDS[type(event)], seconds)
                case _:
                    pass

    def _node_ended(self, event: e.NodeCompleted | e.NodeFailed | e.NodeSkipped | e.NodeCancelled) -> None:
        started = self._started.pop(event.node, None)
        seconds = (event.at - started) / SECOND if started is not None else None
        kind = self._graph.find(event.node).kind
        self._observer.node_ended(kind, _OUTCOMES[type(event)], seconds)
        if isinstance(event, e.NodeFailed):
            self._observer.node_failed(known(event.error.reason))


def census(runs: Iterable[Run]) -> Census:
    """What there is of these executions."""
    phases, held = Counter[str](), Counter[str]()
    for run in runs:
        if run.actor is not None:
            phase = run.actor.state.phase
        else:
            phase = run.execution.status.phase if run.execution is not None else ""
        if phase in s.ENDED_RUN or run.ended or run.deleted:
            continue
        phases[phase if phase in LIVE else s.PENDING] += 1
        if run.actor is None and run.shown is not None:
            held[known(run.shown[0])] += 1
    return Census(dict(phases), dict(held))
