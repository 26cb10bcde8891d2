"""What expressions see: the names of `api.md` as lazy mappings over the state.

Rules of this file
- Nothing is copied and nothing is built that no expression reads: `Expression.evaluate` walks only the paths it refers to.
- `nodes` holds every node of the body and outward from the start, underscored; `outputs` is `{}` until it Succeeded.
- In the graph of an inlined workflow `inputs`, `vars`, `computed`, `nodes` and `workflow` are its own; `execution` is the run's.
- `computed` is a pure function of inputs, variables, nodes, execution and workflow. Its cache is dropped when something the field
  read was replaced, and cannot be observed (semantics 34).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.engine.expressions import ExpressionError
from fairlead.engine.graph import Body, Flow, Graph
from fairlead.model import state as s
from fairlead.model.events import Error
from fairlead.model.state import NodeState, State
from fairlead.model.times import format_time

_UNKNOWN = NodeState()
_MISSING = object()


def error_value(error: Error) -> dict[str, Any]:
    """An error as expressions and documents see it."""
    return {"reason": error.reason, "message": error.message, "exitCode": error.exit_code}


class _View(Mapping[str, Any]):
    """A read-only mapping whose keys are known and whose values are made when asked for."""

    def __len__(self) -> int:
        return sum(1 for _ in self)


class NodeView(_View):
    """`nodes.NAME`."""

    __slots__ = ("_extra", "_node")

    def __init__(self, node: NodeState, extra: Mapping[str, Any] | None = None) -> None:
        self._node = node
        self._extra = extra

    def __iter__(self) -> Iterator[str]:
        yield from ("outputs", "status", "attempts")
        if self._node.started_at or self._node.finished_at:
            yield "startedAt"
        if self._node.finished_at:
            yield "finishedAt"
        if self._node.error is not None:
            yield "error"

    def __getitem__(self, name: str) -> Any:
        node = self._node
        if self._extra is not None and name in self._extra:
            return self._extra[name]
        if name == "outputs":
            return node.outputs
        if name == "status":
            return node.status
        if name == "attempts":
            return node.attempt
        if name == "startedAt" and (node.started_at or node.finished_at):
            return format_time(node.started_at or node.finished_at)
        if name == "finishedAt" and node.finished_at:
            return format_time(node.finished_at)
        if name == "error" and node.error is not None:
            return error_value(node.error)
        raise KeyError(name)


class NodesView(_View):
    """`nodes`: the nodes of a body, then of the bodies around it."""

    __slots__ = ("_bodies", "_self", "_state")

    def __init__(
        self, state: State, bodies: tuple[tuple[Body, str, str], ...], own: tuple[str, NodeView] | None
    ) -> None:
        self._state = state
        self._bodies = bodies
        self._self = own

    def __iter__(self) -> Iterator[str]:
        for body, _, _ in self._bodies:
            yield from body.names

    def __getitem__(self, name: str) -> NodeView:
        if self._self is not None and name == self._self[0]:
            return self._self[1]
        for body, prefix, last in self._bodies:
            real = body.names.get(name)
            if real is not None:
                found = self._state.nodes.get(prefix + real, _UNKNOWN)
                if found.status not in s.ENDED_NODE:  # in a loop, until it has ended: that of the pass before
                    if found.before is not None:
                        found = found.before
                    elif last:
                        found = self._state.nodes.get(last + real, found)
                return NodeView(found)
        raise KeyError(name)


class Closed:
    """What the graph of an inlined workflow sees in place of the run's own: nothing around it is visible in it."""

    __slots__ = ("bodies", "computed", "flow", "inputs", "variables")

    def __init__(
        self,
        graph: Graph,
        state: State,
        flow: Flow,
        bodies: tuple[tuple[Body, str, str], ...],
        inputs: Mapping[str, Any],
        variables: Mapping[str, Any],
    ) -> None:
        self.flow = flow
        self.bodies = bodies
        self.inputs = inputs
        self.variables = variables
        self.computed = Computed(graph, state, closed=self)


class Computed(_View):
    """`computed`: evaluated when read, kept until something it read was replaced."""

    def __init__(self, graph: Graph, state: State, *, closed: Closed | None = None) -> None:
        self._graph = graph
        self._state = state
        self._closed = closed
        self._fields = (closed.flow if closed is not None else graph).computed
        self._cache: dict[str, tuple[tuple[Any, ...], Any]] = {}
        self._busy: set[str] = set()
        self._variables: Mapping[str, Any] | None = None

    def seeing(self, variables: Mapping[str, Any]) -> Computed:
        """The same fields over variables that are about to be committed; the cache is shared."""
        other = Computed(self._graph, self._state, closed=self._closed)
        other._cache = self._cache
        other._variables = variables
        return other

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __getitem__(self, name: str) -> Any:
        expression = self._fields[name]
        if name in self._busy:
            raise ExpressionError(expression.source, f"computed.{name} reads itself", {})
        extra = None if self._variables is None else {"vars": self._variables}
        bodies = self._closed.bodies if self._closed is not None else ()
        scope = Scope(
            self._graph, self._state, computed=self, bodies=bodies, extra=extra, closed=self._closed
        )
        self._busy.add(name)
        try:
            seen = tuple(_seen_at(scope, path) for path in expression.reads)
            cached = self._cache.get(name)
            if cached is not None and len(cached[0]) == len(seen) and all(map(_unchanged, cached[0], seen)):
                return cached[1]
            value = expression.evaluate(scope)
            self._cache[name] = (seen, value)
            return value
        finally:
            self._busy.discard(name)


def _seen_at(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What a read path gives now, for `_unchanged`; a fresh object where it can not be told.

    It cannot be told of views, and of all the variables together, which alone are changed in place. Objects that a scope makes
    each time anew are given as their items.
    """
    value: Any = scope
    if path == ("vars",):
        return object()
    for name in path:
        if not isinstance(value, Mapping):
            return value
        try:
            value = value[name]
        except KeyError:
            return _MISSING
    if type(value) is dict and (path in _MADE_ANEW or (path[0] == "nodes" and path[2:] == ("error",))):
        return tuple(value.items())
    return object() if isinstance(value, _View) else value


_MADE_ANEW = frozenset({("execution",), ("workflow",)})


def _unchanged(before: Any, now: Any) -> bool:
    """Whether two things seen are the same: identical, as values are replaced and never changed, or an equal text or number.

    A text or an int may have been made anew, such as a time; of other values only identity says enough: 1 equals 1.0.
    """
    return before is now or (
        type(before) is type(now) and isinstance(now, (str, int, tuple)) and bool(before == now)
    )


class Scope(_View):
    """All names in scope for one evaluation."""

    __slots__ = ("_closed", "_computed", "_graph", "_names", "_nodes", "_state")

    def __init__(  # noqa: PLR0913 - each names one thing that an expression may see
        self,
        graph: Graph,
        state: State,
        *,
        computed: Computed,
        now: int | None = None,
        bodies: tuple[tuple[Body, str, str], ...] = (),
        own: tuple[str, NodeView] | None = None,
        extra: Mapping[str, Any] | None = None,
        phase: str | None = None,
        closed: Closed | None = None,
    ) -> None:
        self._graph = graph
        self._state = state
        self._closed = closed
        self._computed = computed
        self._nodes = NodesView(state, bodies or ((graph.root, "", ""),), own)
        self._names: dict[str, Any] = {}
        if now is not None:
            self._names["now"] = now
        if phase is not None:
            self._names["phase"] = phase
        if extra is not None:
            self._names.update(extra)

    def __iter__(self) -> Iterator[str]:
        yield from ("inputs", "vars", "computed", "nodes", "execution", "workflow")
        yield from (name for name in self._names if name not in ("phase", "vars"))

    def __getitem__(self, name: str) -> Any:
        state, closed = self._state, self._closed
        if name == "inputs":
            return state.inputs if closed is None else closed.inputs
        if name == "vars":
            return self._names.get("vars", state.variables if closed is None else closed.variables)
        if name == "nodes":
            return self._nodes
        if name == "computed":
            return self._computed
        if name == "execution":
            return {
                "name": state.name,
                "uid": state.uid,
                "phase": self._names.get("phase") or state.outcome or state.phase,
                "createdAt": format_time(state.created_at),
                "startedAt": format_time(state.started_at),
            }
        if name == "workflow":
            if closed is not None:  # what is pinned is the whole
                return {"name": closed.flow.name, "version": closed.flow.spec.version, "digest": state.digest}
            return {"name": state.workflow, "version": self._graph.spec.version, "digest": state.digest}
        if name == "phase":
            raise KeyError(name)
        return self._names[name]
