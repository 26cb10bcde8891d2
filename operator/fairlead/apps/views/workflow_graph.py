"""A workflow, and what an execution of it has come to, as the `GraphView` that the renderers draw.

Rules of this file
- Ids are the places in the graph (`lines/pack`, branches `par.eu`, `finally`), as instance ids are without items and passes.
- The first port of a node goes without saying, unless its kind has ports that need telling apart.
- A fallback is drawn as a connection from the node that it stands in for.
- With an execution, nodes have their status and connections what the log settled last; else neither has.
- What is in a loop is drawn once for all items and passes: with the status that matters most of those of its instances, and
  how many of them came to what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import cast

from fairlead.apps.views import words
from fairlead.apps.views.graphs import GraphEdge, GraphGroup, GraphNode, GraphView
from fairlead.apps.views.graphs.views import EdgeState, Status
from fairlead.engine.graph import Body, Graph, NodeDef
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.ids import FINALLY_SUFFIX, connection_id, connection_target, key_of, place_of, prefix_of
from fairlead.model.manifests import Connection
from fairlead.model.state import NodeState, State

STATUS: dict[str, Status] = {
    s.SCHEDULED: "Ready",
    s.STOPPING: "Running",
    s.LOST: "Retrying",
    s.LOOKING_UP: "Waiting",
    s.FALLBACK: "Running",
}
"""Statuses that a graph shows under another name; the others are shown as they are."""

FINALLY_GROUP = "finally"
_MATTERS: tuple[Status, ...] = (
    "Running", "Retrying", "Waiting", "Ready", "Failed", "Cancelled", "Succeeded", "Skipped", "Pending",
)  # fmt: skip
"""Statuses of instances, the one that is shown for all of them first."""
_COUNTED: dict[Status, str] = {"Succeeded": "done"}
"""What so many instances are, where it is not their status in small letters."""

NAMED_PORTS = frozenset({"if", "switch", "approval"})

Settled = Mapping[str, EdgeState]
"""Connections that have been settled, by their id with the scope in front."""


def graph_view(
    graph: Graph,
    title: str,
    state: State | None = None,
    settled: Settled | None = None,
    ended: Mapping[str, Status] | None = None,
) -> GraphView:
    """The view of a graph; `settled` and `ended` come from `settled_by` and `ended_by` over the log of the execution."""
    drawing = _Drawing(graph, state, settled or {}, ended or {})
    drawing.body(graph.root, graph.spec.connections or (), "", None)
    if graph.finally_.nodes:
        drawing.groups.append(GraphGroup(FINALLY_GROUP, "finally"))
        drawing.body(graph.finally_, (), "", FINALLY_GROUP)
    return GraphView(title, drawing.nodes, drawing.edges, drawing.groups)


def settled_by(events: Iterable[e.Event]) -> dict[str, EdgeState]:
    """What became of each connection, by the log; what a redrive runs again is open again, and so is a loop's next pass.

    Connections out of a loop stay taken, and loopbacks too.
    """
    settled: dict[str, EdgeState] = {}
    regions: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, e.Redriven):
            again = tuple(f"{key_of(item.node)}." for item in event.reset)
            for connection in [known for known in settled if known.startswith(again)]:
                del settled[connection]
        elif isinstance(event, e.LoopStarted) and event.loopback:
            regions[event.loopback] = event.region
        elif isinstance(event, e.LoopIteration) and event.loopback:
            _reopen(settled, event.scope, regions[event.loopback], event.loopback)
        elif isinstance(event, (e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled)):
            prefix = prefix_of(event.node)
            settled.update((prefix + connection, "dead") for connection in event.dead)
            if not isinstance(event, e.NodeCancelled):
                settled.update((prefix + connection, "taken") for connection in event.taken)
                if event.loopback:
                    settled[prefix + event.loopback] = "taken"
    return settled


def _reopen(settled: dict[str, EdgeState], scope: str, region: list[str], loopback: str) -> None:
    """Connections between the nodes of a region; other loopbacks among them were taken within the pass before."""
    for known in list(settled):
        connection = known.removeprefix(scope)
        source, target = connection.partition(".")[0], connection_target(known)
        if source in region and target in region and connection != loopback:
            del settled[known]


def ended_by(events: Iterable[e.Event]) -> dict[str, Status]:
    """How each instance ended last, by the log: of bodies that have ended the state knows nothing any more."""
    ended: dict[str, Status] = {}
    for event in events:
        if isinstance(event, e.Redriven):
            reset = [*event.finally_nodes, *(item.node for item in event.reset)]
            again = tuple(f"{key_of(node)}{mark}" for node in reset for mark in "/.")
            for key in [known for known in ended if known.startswith(again)]:
                del ended[key]
        elif isinstance(event, (e.NodeCompleted, e.NodeFailed, e.NodeSkipped, e.NodeCancelled)):
            ended[key_of(event.node)] = _ENDS[type(event)]
    return ended


_ENDS: dict[type[e.Event], Status] = {
    e.NodeCompleted: "Succeeded",
    e.NodeFailed: "Failed",
    e.NodeSkipped: "Skipped",
    e.NodeCancelled: "Cancelled",
}


def status_of(node: NodeState) -> Status:
    """The status as a graph shows it."""
    return STATUS.get(node.status, cast("Status", node.status))


class _Drawing:
    def __init__(
        self, graph: Graph, state: State | None, settled: Settled, ended: Mapping[str, Status]
    ) -> None:
        self.graph = graph
        self.state = state
        self.settled = settled
        self.ended = ended
        self.nodes: list[GraphNode] = []
        self.edges: list[GraphEdge] = []
        self.groups: list[GraphGroup] = []

    def body(self, body: Body, connections: Iterable[Connection], prefix: str, group: str | None) -> None:
        loopbacks = {_id(body, connection) for connection in connections if connection.loopback is not None}
        order = sorted([*body.nodes.values(), *body.fallbacks.values()], key=lambda node: node.index)
        for node in order:
            served = [prefix + other.name for other in order if other.spec.fallback == node.name]
            self._node(node, prefix, group, [f"{self._instance(other)}/{node.name}" for other in served])
        for node in order:
            for edge in node.outgoing:
                self.edges.append(
                    GraphEdge(
                        prefix + edge.source,
                        None
                        if edge.port == node.default_port and node.kind not in NAMED_PORTS
                        else edge.port,
                        prefix + edge.target,
                        edge.when_source,
                        loopback=edge.id in loopbacks,
                        state=self._settled(prefix + edge.id, back=edge.loopback is not None),
                    )
                )
            if node.spec.fallback:
                self._fallback(prefix, node)

    def _fallback(self, prefix: str, node: NodeDef) -> None:
        state: EdgeState | None = None
        if self.state is not None:
            state = "taken" if self.state.node(prefix + node.name).fallback else "open"
        self.edges.append(
            GraphEdge(prefix + node.name, "fallback", f"{prefix}{node.spec.fallback}", state=state)
        )

    def _settled(self, connection: str, *, back: bool) -> EdgeState | None:
        """What became of a connection; a loopback that was never taken is dead once the run is over."""
        if self.state is None:
            return None
        known = self.settled.get(connection) or self._settled_in_loops.get(connection)
        return known or ("dead" if back and self.state.ended else "open")

    @cached_property
    def _settled_in_loops(self) -> dict[str, EdgeState]:
        """The connections of all items and passes, by their place: taken if one of them is."""
        found: dict[str, EdgeState] = {}
        for connection, settled in self.settled.items():
            if "]/" in connection:
                scope = prefix_of(connection.partition(">")[0])
                place = place_of(scope) + connection.removeprefix(scope)
                if found.get(place) != "taken":
                    found[place] = settled
        return found

    @cached_property
    def _in_loops(self) -> dict[str, Counter[Status]]:
        """How many instances of all items and passes have which status, by their place."""
        assert self.state is not None, "only an execution has instances"
        latest = {key: status for key, status in self.ended.items() if "]/" in key}
        latest |= {key: status_of(node) for key, node in self.state.nodes.items() if "]/" in key}
        found: dict[str, Counter[Status]] = {}
        for key, status in latest.items():
            found.setdefault(place_of(key), Counter())[status] += 1
        return found

    def _instance(self, key: str) -> str:
        return key if self.state is None else self.state.instance(key)

    def _node(self, node: NodeDef, prefix: str, group: str | None, stand_ins: list[str]) -> None:
        """One node; a fallback has an instance for each node that it has stood in for, of which one is shown."""
        name = prefix + node.name
        status, detail = None, None
        if self.state is not None:
            key = next((key for key in stand_ins if key in self.state.nodes), name)
            found = self.state.node(key)
            status, detail = status_of(found), detail_of(found)
            iteration = self.state.iterations.get(name, 0)
            if iteration:
                detail = ", ".join(filter(None, [f"#{iteration}", detail]))
            if key not in self.state.nodes:
                status = self.ended.get(key, status)
            counts = next(
                (self._in_loops[place] for place in (name, *stand_ins) if place in self._in_loops), None
            )
            if counts is not None:
                status, detail = min(counts, key=_MATTERS.index), _counted(counts)
        if node.spec.workflow is not None:
            detail = ", ".join(filter(None, (f"runs {node.spec.workflow.name}", detail)))
        self.nodes.append(GraphNode(name, node.name, node.kind, status, detail, group))
        self._inside(node, name)

    def _inside(self, node: NodeDef, name: str) -> None:
        """The bodies of a container."""
        spec, flow, place = node.spec, node.inlines, f"{node.body.prefix}{node.name}"
        loop = spec.while_ or spec.for_each
        if loop is not None:
            self.body(self.graph.bodies[f"{place}[]/"], loop.connections or (), f"{name}/", name)
        elif spec.parallel is not None:
            for branch in spec.parallel.branches:
                side = f"{name}.{branch.name}"
                self.groups.append(GraphGroup(side, branch.name, name))
                body = self.graph.bodies[f"{place}.{branch.name}/"]
                self.body(body, branch.connections or (), f"{side}/", side)
        elif flow is not None:
            self.body(self.graph.bodies[f"{place}/"], flow.spec.connections, f"{name}/", name)
            if flow.spec.finally_:
                last = f"{name}.{FINALLY_GROUP}"
                self.groups.append(GraphGroup(last, FINALLY_GROUP, name))
                self.body(self.graph.bodies[f"{place}{FINALLY_SUFFIX}"], (), f"{last}/", last)


def _counted(counts: Mapping[Status, int]) -> str | None:
    """How many instances came to what; nothing of a single one."""
    if sum(counts.values()) < 2:
        return None
    each = sorted(counts.items(), key=lambda item: _MATTERS.index(item[0]))
    return ", ".join(f"{count} {_COUNTED.get(status, status.lower())}" for status, count in each)


def detail_of(node: NodeState) -> str | None:
    """A short remark: how often and how long it ran, or why it did not."""
    parts = []
    if node.attempt > 1:
        parts.append(f"attempt {node.attempt}")
    if node.started_at and node.finished_at:
        parts.append(words.duration(node.finished_at - node.started_at))
    if node.cached is not None:
        parts.append("cached")
    if node.status == s.SKIPPED:
        parts.append(node.handled)
    elif node.status == s.READY:
        parts.append(node.held)
    elif node.error is not None and node.status in (s.FAILED, s.RETRYING):
        parts.append(node.error.reason)
    return ", ".join(filter(None, parts)) or None


def _id(body: Body, connection: Connection) -> str:
    name, _, port = connection.from_.partition(".")
    return connection_id(name, port or body.nodes[name].default_port, connection.to)
