"""A workflow compiled for running: nodes with their connections, ports and policies, found by name or instance id.

Rules of this file
- `compile_workflow` takes a manifest that validation has passed; `after` and `connections` become the same edges here and nobody
  looks at either again.
- Everything is made once per definition and never changes. Expressions are compiled when they are first needed.
- A body is a graph of its own: the workflow's, `finally`, those of while, forEach and parallel, and (as one-node bodies) the
  fallbacks. `Graph.bodies` has them by their prefix without numbers: `lines[]/`, `par.left/`. What is inside of a fallback is
  there once (`spare[]/`), whatever it stands in for (`charge/spare[3]/`).
- A node that inlines a workflow has that one's graph as its body, `ship/`, and its `finally` as another, `ship.finally/`. What
  belongs to the workflow as a whole (computed, outputs, defaults) is found at the `Flow` of each body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from fairlead.engine.expressions import (
    Expression,
    Template,
    compile_condition,
    compile_expression,
    compile_template,
)
from fairlead.engine.regions import Region, find_regions
from fairlead.model.ids import FINALLY_SUFFIX, connection_id, key_of
from fairlead.model.manifests import Connection, Definition, Node, Retry, WorkflowSpec, node_digest
from fairlead.model.manifests.policies import AtLeast

POD_KINDS = frozenset({"run", "http", "notify", "resource"})
"""Kinds that run in a runner; `defaults` apply to these alone (semantics 8)."""

DEFAULT_PORTS = {"if": "true", "approval": "approved", "finish": ""}
"""First port of the kinds whose first port is not `done`; a switch has its first case's name."""


def underscored(name: str) -> str:
    """A node's name as CEL sees it."""
    return name.replace("-", "_")


class Edge:
    """One connection.

    `id` is `from.port>to`; `loopback` is how often it may be taken, if it is one; `leaves` are the loops that it leads out of.
    """

    __slots__ = ("_names", "_when", "id", "leaves", "loopback", "port", "source", "target", "when_source")

    def __init__(
        self,
        source: str,
        port: str,
        target: str,
        when: str | None,
        names: frozenset[str],
        loopback: int | None = None,
    ) -> None:
        self._names = names
        self.loopback = loopback
        self.leaves: tuple[Region, ...] = ()
        self.id = connection_id(source, port, target)
        self.source = source
        self.port = port
        self.target = target
        self.when_source = when
        self._when: Expression | None = None

    @property
    def when(self) -> Expression | None:
        """The compiled condition."""
        if self._when is None and self.when_source is not None:
            self._when = compile_condition(self.when_source, locals=self._names)
        return self._when


class Flow:
    """One workflow of a graph, the run's own or one that is inlined: what only its own nodes see."""

    def __init__(self, spec: WorkflowSpec, name: str) -> None:
        self.spec = spec
        self.name = name

    @cached_property
    def computed(self) -> dict[str, Expression]:
        """The computed fields, compiled."""
        return {name: compile_expression(text) for name, text in (self.spec.computed or {}).items()}

    @cached_property
    def outputs(self) -> dict[str, Template]:
        """The workflow's outputs, one template a key."""
        return compile_template(self.spec.outputs or {}).entries()

    @cached_property
    def variables(self) -> dict[str, Template]:
        """The initial variables, one template a key."""
        return compile_template(self.spec.variables or {}).entries()

    def behind(self, reads: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """What the computed fields among some reads read themselves, those that they name in turn included."""
        found: list[tuple[str, ...]] = []
        pending, known = list(reads), set[str]()
        while pending:
            path = pending.pop()
            if path[0] == "computed" and len(path) > 1 and path[1] in self.computed and path[1] not in known:
                known.add(path[1])
                pending += self.computed[path[1]].reads
                found += self.computed[path[1]].reads
        return found


class NodeDef:
    """One node of a body: its manifest, its connections and the policies that apply to it.

    `incoming` has no loopbacks: joins do not count them. `regions` are the loops that the node is in, innermost first.
    `in_pod`: its work is done by a runner; `in_body`: by bodies, it is a container.
    """

    __slots__ = (
        "_digest",
        "_templates",
        "body",
        "default_port",
        "in_body",
        "in_pod",
        "incoming",
        "index",
        "kind",
        "name",
        "needs",
        "outgoing",
        "regions",
        "spec",
    )

    def __init__(self, body: Body, index: int, spec: Node) -> None:
        self.body = body
        self.index = index
        self.spec = spec
        self.name = spec.name
        self.kind = spec.kind
        self.in_pod = self.kind in POD_KINDS
        self.in_body = spec.in_body
        self.incoming: list[Edge] = []
        self.outgoing: list[Edge] = []
        self.regions: tuple[Region, ...] = ()
        self.default_port = _default_port(spec)
        self.needs = _needed(spec.join)
        self._templates: dict[str, Template] | None = None
        self._digest = ""

    @property
    def digest(self) -> str:
        """The digest of the node's canonical definition."""
        if not self._digest:
            self._digest = node_digest(self.spec)
        return self._digest

    @property
    def inlines(self) -> Flow | None:
        """The workflow whose graph runs as the node's body."""
        return self.body.graph.workflows[self.spec.inlined] if self.spec.inlined else None

    @property
    def retry(self) -> Retry | None:
        """The retry policy that applies."""
        if self.spec.retry is not None:
            return self.spec.retry
        defaults = self.body.flow.spec.defaults
        return defaults.retry if defaults is not None and self.in_pod else None

    @property
    def timeout(self) -> int | None:
        """Microseconds an attempt may run; a node that inlines a workflow has that one's, unless it has its own."""
        if self.spec.timeout is not None:
            return self.spec.timeout
        if self.inlines is not None:
            return self.inlines.spec.timeout
        defaults = self.body.flow.spec.defaults
        return defaults.timeout if defaults is not None and self.in_pod else None

    def template(self, field: str, value: Any) -> Template:
        """The compiled template of a field of this node."""
        if isinstance(value, str):
            return compile_template(value, locals=self.body.names_of_items)  # kept by its text
        if self._templates is None:
            self._templates = {}
        found = self._templates.get(field)
        if found is None:
            found = self._templates[field] = compile_template(value, locals=self.body.names_of_items)
        return found

    @property
    def when(self) -> Expression | None:
        """The compiled `when`."""
        return self.condition(self.spec.when) if self.spec.when is not None else None

    def condition(self, source: str) -> Expression:
        """A compiled condition of this node."""
        return compile_condition(source, locals=self.body.names_of_items)


class Body:
    """A graph of nodes: a workflow's own, its `finally`, or one of a container; `flow` is the workflow that it is part of.

    `entry`: the name of its only entry point, empty if there are several.
    """

    def __init__(
        self,
        graph: Graph,
        specs: Iterable[Node],
        connections: Iterable[Connection],
        *,
        prefix: str = "",
        owner: NodeDef | None = None,
        outputs: dict[str, Any] | None = None,
        flow: Flow | None = None,
    ) -> None:
        self.graph = graph
        self.flow: Flow = flow or (graph if owner is None else owner.body.flow)
        self.prefix = prefix
        self.owner = owner
        self.names_of_items = _names_of_items(owner)
        self._outputs = outputs or {}
        graph.bodies.setdefault(prefix, self)
        specs = list(specs)
        stand_ins = {spec.fallback for spec in specs if spec.fallback}
        self.nodes: dict[str, NodeDef] = {}
        self.fallbacks: dict[str, NodeDef] = {}
        for index, spec in enumerate(specs):
            target = self.fallbacks if spec.name in stand_ins else self.nodes
            target[spec.name] = NodeDef(self, index, spec)
        self._connect(connections)
        self.regions = {region.id: region for region in find_regions(self.nodes)}
        self.entries = [node for node in self.nodes.values() if not node.incoming]
        self.entry = self.entries[0].name if len(self.entries) == 1 else ""
        for node in (*self.nodes.values(), *self.fallbacks.values()):
            _add_bodies(graph, node, prefix)

    @cached_property
    def outputs(self) -> dict[str, Template]:
        """The body's outputs, one template a key."""
        return compile_template(self._outputs, locals=self.names_of_items).entries()

    @cached_property
    def names(self) -> dict[str, str]:
        """Node names by the form that expressions use."""
        return {underscored(name): name for name in (*self.nodes, *self.fallbacks)}

    def _connect(self, connections: Iterable[Connection]) -> None:
        known: set[str] = set()
        for connection in connections:
            loopback = connection.loopback
            limit = loopback.max_iterations if loopback is not None else None
            self._edge(connection.from_, connection.to, connection.when, known, limit)
        for node in self.nodes.values():
            for source in node.spec.after or ():
                self._edge(source, node.name, None, known)

    def _edge(
        self, source: str, target: str, when: str | None, known: set[str], loopback: int | None = None
    ) -> None:
        name, _, port = source.partition(".")
        origin = self.nodes[name]
        edge = Edge(name, port or origin.default_port, target, when, self.names_of_items, loopback)
        if edge.id in known:
            return
        known.add(edge.id)
        origin.outgoing.append(edge)
        if loopback is None:
            self.nodes[target].incoming.append(edge)


class Graph(Flow):
    """A compiled workflow, with those that it inlines: their graphs are bodies of it, one for each node that names them."""

    def __init__(self, spec: WorkflowSpec, name: str = "") -> None:
        super().__init__(spec, name)
        inlined = spec.workflows if isinstance(spec, Definition) else {}
        self.workflows = {other: Flow(found, other) for other, found in inlined.items()}
        self.bodies: dict[str, Body] = {}
        self._places: dict[
            str, Body
        ] = {}  # of stand-ins and what is inside of them, once they have been asked for
        self.root = Body(self, spec.nodes, spec.connections or ())
        self.finally_ = Body(self, spec.finally_ or (), ())
        self._known: dict[str, Body] = {}  # bodies by the stems asked for of late: questions come in runs
        self._found: tuple[str, NodeDef | None] = (
            "",
            None,
        )  # the last: a turn asks for one instance several times
        concurrency = spec.concurrency
        self.max_nodes: int | None = concurrency.max_nodes if concurrency is not None else None

    def find(self, instance: str) -> NodeDef:
        """The definition of an instance. Raises KeyError for one that the graph does not have."""
        last, found = self._found
        if last == instance and found is not None:
            return found
        slash = instance.rfind("/")
        name = key_of(instance[slash + 1 :])
        if slash < 0:
            found = self.root.nodes.get(name) or self.finally_.nodes.get(name)
        else:
            body = self.body_of(instance[: slash + 1])
            found = body.nodes.get(name) or body.fallbacks.get(name)
            if found is None and body.owner is not None and body.owner.spec.inlined:
                found = body.owner.body.fallbacks.get(name)  # it stands in for the node
        if found is None:
            raise KeyError(instance)
        self._found = (instance, found)
        return found

    def body_of(self, prefix: str) -> Body:
        """The body that a scope's prefix belongs to; that of a stand-in's prefix is the body of the node it stands for.

        All items and passes of a container have the same, so it is kept by what they have in common, the stem. Raises
        KeyError for a prefix that the graph does not have.
        """
        stem = prefix[: prefix.rfind("[")] if prefix.endswith("]/") else prefix
        found = self._known.get(stem)
        if found is None:
            place = _INDEX.sub("[]", prefix)
            if "#" in place:
                place = _PASS.sub("", place)
            found = self.bodies.get(place) if prefix else self.root
            if found is None:
                found = self._places.get(place)
            if found is None:
                found = self._places[place] = self._find_place(place)
            if len(self._known) >= KNOWN_STEMS:
                self._known.clear()
            self._known[stem] = found
        return found

    def _find_place(self, place: str) -> Body:
        """The body at a prefix in which some segment names a node whose fallback is meant. Raises KeyError for no place."""
        segments = place[:-1].split("/")
        names = (*self.finally_.nodes, *self.finally_.fallbacks)
        found = self._below(self.finally_ if _name(segments[0]) in names else self.root, segments)
        if found is None:
            raise KeyError(place)
        return found

    def _below(self, body: Body, segments: list[str]) -> Body | None:
        """The body at the end of some segments, each of which names a body or a node whose fallback is meant.

        The name of a node that inlines a workflow may be either.
        """
        if not segments:
            return body
        inner = self.bodies.get(f"{body.prefix}{segments[0]}/")
        found = self._below(inner, segments[1:]) if inner is not None else None
        if found is None and segments[0] in body.nodes:
            found = self._below(body, segments[1:])
        return found

    def named(self, name: str) -> bool:
        """Whether a node of that name, or an instance of that id, is anywhere in the graph."""
        if any(
            name in body.nodes or name in body.fallbacks for body in (*self.bodies.values(), self.finally_)
        ):
            return True
        try:
            self.find(name)
        except KeyError:
            return False
        return True


def compile_workflow(spec: WorkflowSpec, name: str = "") -> Graph:
    """The graph of a valid workflow spec; a spec that inlines others is a `Definition`, which brings them."""
    return Graph(spec, name)


KNOWN_STEMS = 1_024
"""How many stems of prefixes are kept with their bodies: of so many containers at work side by side."""

_INDEX = re.compile(r"\[\d+\]")
_PASS = re.compile(r"#\d+")


def _name(segment: str) -> str:
    """The node of a segment without numbers: `lines` of `lines[]`, `par` of `par.left`."""
    return segment.removesuffix("[]").partition(".")[0]


def _names_of_items(owner: NodeDef | None) -> frozenset[str]:
    """The names that forEach containers around a body give to their items."""
    names: set[str] = set()
    while owner is not None:
        if owner.spec.inlined:
            break  # what is inlined sees nothing of what is around it
        if owner.spec.for_each is not None:
            names |= {owner.spec.for_each.as_, f"{owner.spec.for_each.as_}_index"}
        owner = owner.body.owner
    return frozenset(names - {"item", "index"})


def _add_bodies(graph: Graph, node: NodeDef, prefix: str) -> None:
    """Compile the bodies of a container."""
    spec = node.spec
    if spec.while_ is not None:
        Body(graph, spec.while_.nodes, spec.while_.connections, prefix=f"{prefix}{node.name}[]/", owner=node)
    elif spec.for_each is not None:
        each = spec.for_each
        Body(
            graph,
            each.nodes,
            each.connections,
            prefix=f"{prefix}{node.name}[]/",
            owner=node,
            outputs=each.outputs,
        )
    elif spec.parallel is not None:
        for branch in spec.parallel.branches:
            inner = f"{prefix}{node.name}.{branch.name}/"
            Body(graph, branch.nodes, branch.connections, prefix=inner, owner=node, outputs=branch.outputs)
    elif (flow := node.inlines) is not None:
        inner = f"{prefix}{node.name}"
        Body(graph, flow.spec.nodes, flow.spec.connections, prefix=f"{inner}/", owner=node, flow=flow)
        Body(graph, flow.spec.finally_, (), prefix=f"{inner}{FINALLY_SUFFIX}", owner=node, flow=flow)


def _default_port(spec: Node) -> str:
    if spec.kind == "switch" and spec.switch is not None and spec.switch.cases:
        return spec.switch.cases[0].name
    return DEFAULT_PORTS.get(spec.kind, "done")


def _needed(join: str | AtLeast) -> int:
    """How many taken connections make the node ready; 0 means all must be settled."""
    if isinstance(join, AtLeast):
        return join.at_least
    return 1 if join == "any" else 0
