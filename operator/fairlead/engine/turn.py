"""One turn of the engine: the state, the events it has led to so far, and the work still to do.

Rules of this file
- `emit` folds each event at once, since the next decision depends on it: after a turn the state is the fold of the log plus the
  turn's events, and the caller appends these before anything is done about them.
- Work is a queue of instances to look at, never a recursion: a chain of a million engine nodes needs no stack.
- `now` never goes back: a clock that does is held at the time of the last event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any

from fairlead.engine.evolve import evolve
from fairlead.engine.graph import Graph, NodeDef, underscored
from fairlead.engine.scope import Computed, NodeView, Scope, error_value
from fairlead.engine.sizes import Sizes
from fairlead.engine.surroundings import Seen, Surroundings
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import connection_target, prefix_of
from fairlead.model.state import NodeState, State

STREAK = 16
"""How many nodes of one path are looked at before others have their turn: what was just touched is still in the CPU's cache."""


_ENDS = frozenset({e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled})


class Queue:
    """Pod nodes whose turn it is, by priority, then in order of arrival. Derived from the state, rebuilt after loading."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []
        self._keys: set[str] = set()
        self._unsaid: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def push(self, key: str, priority: int) -> None:
        """Add an instance; one that is there already stays where it is, and why it is held may be another reason now."""
        if key in self._keys:
            self._unsaid.append(key)
            return
        self._count += 1
        self._keys.add(key)
        self._unsaid.append(key)
        heappush(self._heap, (-priority, self._count, key))

    def pop(self) -> str:
        """The instance to start next."""
        key = heappop(self._heap)[2]
        self._keys.discard(key)
        return key

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Forget what is not wanted any more."""
        self._heap = [entry for entry in self._heap if wanted(entry[2])]
        heapify(self._heap)
        self._keys = {entry[2] for entry in self._heap}

    def clear(self) -> None:
        """Forget all: the run is over, or begins anew."""
        self._heap, self._keys, self._unsaid = [], set(), []

    def take_unsaid(self) -> list[str]:
        """What was added since the last call and is still here: it has to be said to be held."""
        unsaid = [key for key in self._unsaid if key in self._keys]
        self._unsaid = []
        return unsaid


class Turn(Surroundings):
    """What the functions of the engine share while one command is decided."""

    def __init__(self, graph: Graph, state: State, computed: Computed) -> None:
        super().__init__(graph, state, computed)
        self.now = 0
        self._streak = 0
        self.events: list[e.Event] = []
        self.work: deque[str] = deque()
        self.queue = Queue()
        self.sizes = Sizes()
        self.checkpoint_wanted = False
        self.drained = ""  # the reason for which running attempts have been told to stop

    def begin(self, now: int) -> None:
        """Take the time of the command; events of the last turn have been taken away."""
        self.now = max(now, self.state.at)
        self._streak = 0
        self.events = []

    def emit(self, cls: type[e.Event], **fields: Any) -> None:
        """Make an event of the next sequence number, fold it, keep it for the log."""
        state = self.state
        fields["seq"], fields["at"] = state.seq + 1, self.now
        event = cls(**fields)
        evolve(state, event)
        self.events.append(event)
        if cls in _ENDS:
            prefix = prefix_of(fields["node"])
            if prefix in state.scopes and prefix:
                self.work.append(prefix)
            if state.looping:
                self._queue_loops(prefix)

    def _queue_loops(self, prefix: str) -> None:
        """Queue the loops of a body, in which an instance has ended, that wait for their next pass."""
        scope = self.state.scopes.get(prefix) if prefix else self.state.scope_of("")
        if scope is not None and scope.looping and scope.regions:
            self.work.extend(prefix + name for name, region in scope.regions.items() if region.wanted)

    def scope(  # noqa: PLR0913 - each names one thing that an expression may see
        self,
        node: NodeDef | None = None,
        key: str = "",
        *,
        outputs: Mapping[str, Any] | None = None,
        error: e.Error | None = None,
        variables: Mapping[str, Any] | None = None,
        status: str = "",
        phase: str | None = None,
        inner: tuple[Seen, ...] = (),
        names: Mapping[str, Any] | None = None,
    ) -> Scope:
        """The names an expression of a node sees; `outputs`, `error` and `variables` as they will be once the node ends."""
        graph, state = self.graph, self.state
        extra: dict[str, Any] = {}
        around = self.seen_from(prefix_of(key)) if "/" in key else None
        closed = around.closed if around is not None else None
        computed = self.computed if closed is None else closed.computed
        own = None
        if outputs is not None:
            extra["outputs"] = outputs
        if error is not None:
            extra["error"] = error_value(error)
        if variables:
            extra["vars"] = {**(state.variables if closed is None else closed.variables), **variables}
            computed = computed.seeing(extra["vars"])
        if node is not None and status:
            overlay: dict[str, Any] = {"status": status, **({} if outputs is None else {"outputs": outputs})}
            if error is not None and status == s.FAILED:
                overlay["error"] = extra["error"]
            own = (underscored(node.name), NodeView(state.node(key), overlay))
        bodies: tuple[Seen, ...] = ((graph.root, "", ""),)
        if state.stage == s.FINALLY:
            bodies = ((graph.finally_, "", ""), (graph.root, "", ""))
        if around is not None:
            bodies = around.bodies if closed is not None else (*around.bodies, *bodies)
            extra = {**around.names, **extra} if extra else around.names
            phase = phase or around.phase or None
        if node is not None and node.regions:
            extra = self.with_passes(extra, key)
        if inner or names:
            bodies = (*inner, *bodies)
            extra = {**extra, **(names or {})}
        return Scope(
            graph,
            state,
            computed=computed,
            now=self.now,
            bodies=bodies,
            own=own,
            extra=extra or None,
            phase=phase,
            closed=closed,
        )

    def seed(self, key: str, field: str) -> str:
        """Where `uuid()` is drawn from: run, instance and field, not the attempt (semantics 10)."""
        return f"{self.state.uid}/{self.state.epoch}/{self.state.instance(key)}/{field}"

    def node(self, key: str) -> tuple[NodeDef, NodeState]:
        """Definition and state of an instance."""
        return self.graph.find(key), self.state.node(key)

    def look_at(self, key: str, edges: list[str]) -> None:
        """Queue the targets of settled connections of an instance; a path that just goes on does so at once, for a while."""
        if len(edges) == 1 and self._streak < STREAK:
            self._streak += 1
            self.work.appendleft(prefix_of(key) + connection_target(edges[0]))
            return
        self._streak = 0
        if edges:
            prefix = prefix_of(key)
            self.work.extend(prefix + connection_target(connection) for connection in edges)


def priority(turn: Turn, node: NodeDef) -> int:
    """The node's own priority, else the run's."""
    return turn.state.priority if node.spec.priority is None else node.spec.priority
