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
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any

from fairlead.engine.evolve import evolve
from fairlead.engine.graph import Body, Graph, NodeDef, underscored
from fairlead.engine.scope import Closed, Computed, NodeView, Scope, error_value
from fairlead.engine.sizes import Sizes
from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model import state as s
from fairlead.model.ids import FINALLY_SUFFIX, connection_target, key_of, prefix_of
from fairlead.model.state import NodeState, ScopeState, State

STREAK = 16
"""How many nodes of one path are looked at before others have their turn: what was just touched is still in the CPU's cache."""


Seen = tuple[Body, str, str]
"""A body that expressions see: the body, its prefix, and that of the pass before."""

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


@dataclass(frozen=True, slots=True)
class Around:
    """What is around an instance in a body.

    `bodies`: innermost first. `names`: `item`, `index`, `pass` and the `as` names. `closed`: the inlined workflow that it is
    part of, beyond which it sees nothing. `phase`: in the `finally` of that one, what the rest ended with.
    """

    bodies: tuple[Seen, ...]
    names: dict[str, Any]
    closed: Closed | None = None
    phase: str = ""


OUTSIDE = Around((), {})
"""Around what is in no body."""


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
        self._around_last: tuple[str, Around] = ("", OUTSIDE)
        self._around_outer: tuple[str, Around] = ("", OUTSIDE)
        self._closed: dict[str, Closed] = {}  # by the node that inlines the workflow, while it is at work
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
        if cls in _ENDS:
            prefix = prefix_of(fields["node"])
            if prefix and prefix in self.state.scopes:
                self.work.append(prefix)
            if self.state.looping:
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
        inner: tuple[tuple[Body, str, str], ...] = (),
        names: Mapping[str, Any] | None = None,
    ) -> Scope:
        """The names an expression of a node sees; `outputs`, `error` and `variables` as they will be once the node ends."""
        graph, state = self.graph, self.state
        extra: dict[str, Any] = {}
        around = self._seen_from(prefix_of(key)) if "/" in key else None
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
        bodies: tuple[tuple[Body, str, str], ...] = ((graph.root, "", ""),)
        if state.stage == s.FINALLY:
            bodies = ((graph.finally_, "", ""), (graph.root, "", ""))
        if around is not None:
            bodies = around.bodies if closed is not None else (*around.bodies, *bodies)
            extra = {**around.names, **extra} if extra else around.names
            phase = phase or around.phase or None
        if node is not None and node.regions:
            extra = {**extra, "pass": _passes(self._indexes(key), extra.get("pass"))}
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

    def names_around(self, node: NodeDef, key: str) -> dict[str, Any]:
        """What `item`, `index`, `pass` and the `as` names are where an instance is."""
        names = self._seen_from(prefix_of(key)).names if "/" in key else {}
        return {**names, "pass": _passes(self._indexes(key), names.get("pass"))} if node.regions else names

    def _seen_from(self, prefix: str) -> Around:
        """What is around an instance, as far as the workflow goes that it is part of.

        Kept for the last prefix, and for the last one around it: it does not change while the body is at work, and the items of
        an inner loop have the same around them.
        """
        if not prefix:
            return OUTSIDE
        if self._around_last[0] == prefix:
            return self._around_last[1]
        scope = self.state.scopes.get(prefix)
        if (
            scope is None
        ):  # the place of a stand-in: it sees what the node sees that it stands for, and its error
            around = self._seen_from(prefix_of(prefix[:-1]))
            error = self.state.node(key_of(prefix[:-1])).error
            names = self._with_passes(around.names, self._indexes(prefix[:-1]))
            if error is not None:
                names = {**names, "error": error_value(error)}
            return around if names is around.names else replace(around, names=names)
        found = self._around(prefix, scope)
        self._around_last = (prefix, found)
        return found

    def _around(self, prefix: str, scope: ScopeState) -> Around:
        body = self.graph.body_of(prefix)
        if scope.inlined:
            closed = self.closed_at(scope.container)
            last = ((body, prefix, ""),) if scope.phase else ()
            return Around((*last, *closed.bodies), {}, closed, scope.phase)
        outer = prefix_of(scope.container)
        if self._around_outer[0] != outer:
            self._around_outer = (outer, self._seen_from(outer))
        around = self._around_outer[1]
        names = self._with_passes(around.names, self._indexes(scope.container))
        loop = self.state.loops[scope.container]
        owner = self.graph.find(scope.container).spec
        if owner.for_each is not None and loop.items is not None:
            item, index, name = loop.items[scope.index], scope.index, owner.for_each.as_
            names = {**names, name: item, f"{name}_index": index, "item": item, "index": index}
        elif owner.while_ is not None:
            names = self._with_passes(names, [scope.index])
        return Around(((body, prefix, loop.last), *around.bodies), names, around.closed, around.phase)

    def look_around(self) -> None:
        """A container starts, or an inlined workflow ends: what was seen from a place in it may be another thing now."""
        self._around_last = self._around_outer = ("", OUTSIDE)
        self._closed.clear()

    def stood_for(self, key: str) -> e.Error | None:
        """The error that a stand-in stands in for; None for any other node."""
        stands_for = self.state.node(key).stands_for
        return self.state.node(stands_for).error if stands_for else None

    @staticmethod
    def _with_passes(names: dict[str, Any], indexes: list[int]) -> dict[str, Any]:
        return {**names, "pass": _passes(indexes, names.get("pass"))} if indexes else names

    def closed_at(self, key: str) -> Closed:
        """The workflow that a node has begun to run inline."""
        found = self._closed.get(key)
        if found is None:
            loop = self.state.loops[key]
            assert loop.variables is not None, f"{key} has begun"
            found = self._closed[key] = self.closed(key, loop.inputs or {}, loop.variables)
        return found

    def closed(self, key: str, inputs: Mapping[str, Any], variables: Mapping[str, Any]) -> Closed:
        """A workflow that a node inlines, with inputs and variables."""
        body = self.graph.body_of(f"{key}/")
        return Closed(
            self.graph,
            self.state,
            body.flow,
            ((body, f"{self.state.instance(key)}/", ""),),
            inputs,
            variables,
        )

    def draining_at(self, key: str) -> str:
        """Why nothing new starts where an instance is: the run is ending, or a body around it.

        The `finally` of an inlined workflow runs whatever is being ended around it, as far as `forced_at` lets it.
        """
        reason = self.draining()
        if "/" not in key:
            return reason or (reasons.PASS_ABANDONED if self.abandoned(key) else "")
        if reason and FINALLY_SUFFIX not in key:
            return reason
        if self.abandoned(key):
            return reasons.PASS_ABANDONED
        scopes, nodes = self.state.scopes, self.state.nodes
        prefix = prefix_of(key)
        while prefix:
            scope = scopes.get(prefix)
            if scope is None:
                if self.abandoned(prefix[:-1]):
                    return reasons.PASS_ABANDONED
                prefix = prefix_of(prefix[:-1])
                continue
            if scope.failure is not None and not scope.patient:
                return reasons.BODY_FAILED
            if scope.phase:
                return self.forced_at(key)
            if scope.inlined and self.state.loops[scope.container].finish is not None:
                return reasons.FINISHED
            container = nodes[scope.container]
            if container.status == s.STOPPING:
                return container.stop
            if self.abandoned(scope.container):
                return reasons.PASS_ABANDONED
            prefix = prefix_of(scope.container)
        return reason

    def forced_at(self, key: str) -> str:
        """Why not even the `finally` of an inlined workflow goes on: a forced cancel, or a finallyTimeout around it."""
        state = self.state
        if state.cancel_force:
            return reasons.CANCELLED
        if state.stage == s.FINALLY and state.timed_out:
            return reasons.FINALLY_TIMEOUT
        prefix = prefix_of(key)
        while prefix:
            scope = state.scopes.get(prefix)
            if scope is not None and scope.overdue:
                return reasons.FINALLY_TIMEOUT
            prefix = prefix_of(prefix[:-1] if scope is None else scope.container)
        return ""

    def abandoned(self, key: str) -> bool:
        """Whether a loop that the instance is in waits for its next pass."""
        if not self.state.looping:
            return False
        prefix = prefix_of(key)
        scope = self.state.scopes.get(prefix)
        if scope is None or not scope.looping or not scope.regions:
            return False
        node = self.graph.body_of(prefix).nodes.get(key_of(key)[len(prefix) :])
        known = scope.regions
        return node is not None and any(
            region.id in known and known[region.id].wanted for region in node.regions
        )

    def _indexes(self, key: str) -> list[int]:
        """How often the loops around an instance were repeated, innermost first."""
        prefix = prefix_of(key)
        body = self.graph.body_of(prefix)
        if not body.regions:
            return []
        node = body.nodes.get(key_of(key)[len(prefix) :])
        known = self.state.regions_at(prefix)
        return [known[r.id].count if r.id in known else 0 for r in node.regions] if node is not None else []

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


def _passes(indexes: list[int], around: dict[str, Any] | None = None) -> dict[str, Any]:
    """`pass`, innermost first, with `parent` outward; `around` is what it is outside of these."""
    found: dict[str, Any] = {"index": indexes[0]}
    if len(indexes) > 1:
        found["parent"] = _passes(indexes[1:], around)
    elif around is not None:
        found["parent"] = around
    return found
