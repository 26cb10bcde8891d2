"""One turn of the engine: the state, the events it has led to so far, and the work still to do.

Rules of this file
- `emit` folds each event at once, since the next decision depends on it: after a turn the state is the fold of the log plus the
  turn's events, and the caller appends these before anything is done about them.
- Work is a queue of instances to look at, never a recursion: a chain of a million engine nodes needs no stack.
- `now` never goes back: a clock that does is held at the time of the last event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any

from fairlead.engine.evolve import evolve
from fairlead.engine.graph import Body, Graph, NodeDef, underscored
from fairlead.engine.scope import Computed, NodeView, Scope, error_value
from fairlead.engine.sizes import Sizes
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import connection_target, key_of, prefix_of
from fairlead.model.state import NodeState, State

STREAK = 16
"""How many nodes of one path are looked at before others have their turn: what was just touched is still in the CPU's cache."""


Seen = tuple[Body, str, str]
"""A body that expressions see: the body, its prefix, and that of the pass before."""
Around = tuple[tuple[Seen, ...], dict[str, Any]]
"""The bodies around an instance, innermost first, and the names of items and passes there."""

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
        """Add an instance; one that is there already stays where it is."""
        if key in self._keys:
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

    def clear(self) -> None:
        """Forget all: the run is over, or begins anew."""
        self._heap, self._keys, self._unsaid = [], set(), []

    def take_unsaid(self) -> list[str]:
        """What was added since the last call and is still here: it has to be said to be held."""
        unsaid = [key for key in self._unsaid if key in self._keys]
        self._unsaid = []
        return unsaid


class Turn:
    """What the functions of the engine share while one command is decided."""

    def __init__(self, graph: Graph, state: State, computed: Computed) -> None:
        self.graph = graph
        self.state = state
        self.computed = computed
        self.now = 0
        self._streak = 0
        self.events: list[e.Event] = []
        self.work: deque[str] = deque()
        self.queue = Queue()
        self.sizes = Sizes()
        self.checkpoint_wanted = False
        self._around_last: tuple[str, Around] = ("", ((), {}))
        self._around_outer: tuple[str, Around] = ("", ((), {}))
        self.drained = ""  # the reason for which running attempts have been told to stop

    def begin(self, now: int) -> None:
        """Take the time of the command; events of the last turn have been taken away."""
        self.now = max(now, self.state.at)
        self._streak = 0
        self.events = []

    def emit(self, cls: type[e.Event], **fields: Any) -> None:
        """Make an event of the next sequence number, fold it, keep it for the log."""
        event = cls(seq=self.state.seq + 1, at=self.now, **fields)
        evolve(self.state, event)
        self.events.append(event)
        if cls in _ENDS and (prefix := prefix_of(fields["node"])) in self.state.scopes and prefix:
            self.work.append(prefix)

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
        inner: tuple[tuple[Body, str, str], ...] = (),
        names: Mapping[str, Any] | None = None,
    ) -> Scope:
        """The names an expression of a node sees; `outputs`, `error` and `variables` as they will be once the node ends."""
        graph, state = self.graph, self.state
        extra: dict[str, Any] = {}
        computed = self.computed
        own = None
        if outputs is not None:
            extra["outputs"] = outputs
        if error is not None:
            extra["error"] = error_value(error)
        if variables:
            extra["vars"] = {**state.variables, **variables}
            computed = computed.seeing(extra["vars"])
        if node is not None and status:
            overlay: dict[str, Any] = {"status": status, **({} if outputs is None else {"outputs": outputs})}
            if error is not None and status == s.FAILED:
                overlay["error"] = extra["error"]
            own = (underscored(node.name), NodeView(state.node(key), overlay))
        bodies: tuple[tuple[Body, str, str], ...] = ((graph.root, "", ""),)
        if state.stage == s.FINALLY:
            bodies = ((graph.finally_, "", ""), (graph.root, "", ""))
        if "/" in key:
            around, items = self._seen_from(prefix_of(key))
            bodies = (*around, *bodies)
            extra = {**items, **extra} if extra else items
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
        )

    def names_around(self, key: str) -> dict[str, Any]:
        """What `item`, `index`, `pass` and the `as` names are where an instance is."""
        return self._seen_from(prefix_of(key))[1] if "/" in key else {}

    def _seen_from(self, prefix: str) -> Around:
        """The bodies around an instance, innermost first, and what `item`, `index`, `pass` and the `as` names are there.

        Kept for the last prefix, and for the last one around it: it does not change while the body is at work, and the items of
        an inner loop have the same around them.
        """
        if not prefix:
            return (), {}
        if self._around_last[0] == prefix:
            return self._around_last[1]
        scope = self.state.scopes.get(prefix)
        if (
            scope is None
        ):  # the place of a stand-in: it sees what the node sees that it stands for, and its error
            bodies, names = self._seen_from(prefix_of(prefix[:-1]))
            error = self.state.node(key_of(prefix[:-1])).error
            return bodies, names if error is None else {**names, "error": error_value(error)}
        outer = prefix_of(scope.container)
        if self._around_outer[0] != outer:
            self._around_outer = (outer, self._seen_from(outer))
        bodies, names = self._around_outer[1]
        loop = self.state.loops[scope.container]
        owner = self.graph.find(scope.container).spec
        if owner.for_each is not None and loop.items is not None:
            item, index, name = loop.items[scope.index], scope.index, owner.for_each.as_
            names = {**names, name: item, f"{name}_index": index, "item": item, "index": index}
        elif owner.while_ is not None:
            names = {**names, "pass": _pass(scope.index, names.get("pass"))}
        found = ((self.graph.body_of(prefix), prefix, loop.last), *bodies), names
        self._around_last = (prefix, found)
        return found

    def look_around(self) -> None:
        """A container starts: what was seen from a place in it may be another thing now."""
        self._around_last = self._around_outer = ("", ((), {}))

    def stood_for(self, key: str) -> e.Error | None:
        """The error that a stand-in stands in for; None for any other node."""
        stands_for = self.state.node(key).stands_for
        return self.state.node(stands_for).error if stands_for else None

    def draining_at(self, key: str) -> str:
        """Why nothing new starts where an instance is: the run is ending, or a body around it."""
        reason = self.draining()
        if reason or "/" not in key:
            return reason
        scopes, nodes = self.state.scopes, self.state.nodes
        prefix = prefix_of(key)
        while prefix:
            scope = scopes.get(prefix)
            if scope is None:
                prefix = prefix_of(prefix[:-1])
                continue
            if scope.failure is not None:
                return reasons.BODY_FAILED
            container = nodes[scope.container]
            if container.status == s.STOPPING:
                return container.stop
            prefix = prefix_of(scope.container)
        return ""

    def seed(self, key: str, field: str) -> str:
        """Where `uuid()` is drawn from: run, instance and field, not the attempt (semantics 10)."""
        return f"{self.state.uid}/{self.state.epoch}/{self.state.instance(key)}/{field}"

    def draining(self) -> str:
        """Why nothing new starts and what runs is being ended; empty while the run goes on."""
        state = self.state
        if state.stage == s.FORWARD:
            if state.finish is not None:
                return reasons.FINISHED
            if state.failure is not None and (state.timed_out or self.graph.spec.fail_fast):
                return reasons.EXECUTION_FAILED
            return reasons.CANCELLED if state.cancel else ""
        if state.stage == s.FINALLY:
            if state.cancel_force:
                return reasons.CANCELLED
            return reasons.FINALLY_TIMEOUT if state.timed_out else ""
        return ""

    def node(self, key: str) -> tuple[NodeDef, NodeState]:
        """Definition and state of an instance."""
        return self.graph.find(key), self.state.node(key)

    def look_at(self, key: str, edges: list[str]) -> None:
        """Queue the targets of settled connections of an instance; a path that just goes on does so at once, for a while."""
        prefix = prefix_of(key)
        if len(edges) == 1 and self._streak < STREAK:
            self._streak += 1
            self.work.appendleft(prefix + connection_target(edges[0]))
            return
        self._streak = 0
        self.work.extend(prefix + connection_target(connection) for connection in edges)


def priority(turn: Turn, node: NodeDef) -> int:
    """The node's own priority, else the run's."""
    return turn.state.priority if node.spec.priority is None else node.spec.priority


def _pass(index: int, parent: Any) -> dict[str, Any]:
    """`pass`, with `parent` outward."""
    return {"index": index} if parent is None else {"index": index, "parent": parent}
