"""Connections and `after` of one body become edges between its nodes; what names nothing is told (semantics 12, 13).

Rules of this file: one mistake gives one finding. What leads from or to something unknown is kept in `lost_sources` and
`lost_targets`: the rules about order then say nothing about what it may have reached. An unknown port is "", and may be any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.engine.validation.bodies import RawBody, RawGraph, RawNode, as_text
from fairlead.engine.validation.notes import Notes, listed
from fairlead.engine.validation.ports import PORT_WANTED, ports_of
from fairlead.model.documents import Path
from fairlead.model.ids import connection_id


@dataclass(slots=True)
class RawEdge:
    """A connection between two nodes of a body. `path` is where it is written, `port` may be unknown ("")."""

    source: RawNode
    port: str
    target: RawNode
    path: Path
    when: str = ""
    loopback: bool = False
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """As in events: `from.port>to`."""
        return connection_id(self.source.name, self.port, self.target.name)


@dataclass(slots=True)
class Wires:
    """The edges of one body, and what could not become one."""

    body: RawBody
    edges: list[RawEdge] = field(default_factory=list)
    incoming: dict[int, list[RawEdge]] = field(default_factory=dict)
    outgoing: dict[int, list[RawEdge]] = field(default_factory=dict)
    lost_sources: dict[int, RawNode] = field(default_factory=dict)
    """Nodes that are connected to something unknown."""
    lost_targets: dict[int, RawNode] = field(default_factory=dict)
    """Nodes into which something unknown leads."""
    beside: list[RawEdge] = field(default_factory=list)
    """Edges from or to stand-ins, which may have none."""

    def add(self, edge: RawEdge) -> None:
        """Take an edge."""
        self.edges.append(edge)
        self.outgoing.setdefault(id(edge.source), []).append(edge)
        self.incoming.setdefault(id(edge.target), []).append(edge)

    def set_aside(self, edge: RawEdge) -> None:
        """Take an edge from or to a node that stands in for another one, which is outside of the graph."""
        self.beside.append(edge)
        if edge.source.name not in self.body.stand_ins:
            self.lost_sources[id(edge.source)] = edge.source
        if edge.target.name not in self.body.stand_ins:
            self.lost_targets[id(edge.target)] = edge.target

    def into(self, node: RawNode) -> list[RawEdge]:
        """The edges into a node."""
        return self.incoming.get(id(node), [])

    def out_of(self, node: RawNode) -> list[RawEdge]:
        """The edges out of a node."""
        return self.outgoing.get(id(node), [])

    def is_entry(self, node: RawNode) -> bool:
        """Whether it starts by itself: no connection into it other than loopbacks, and no stand-in (semantics 2)."""
        if node.name in self.body.stand_ins or id(node) in self.lost_targets:
            return False
        return all(edge.loopback for edge in self.into(node))


@dataclass(frozen=True, slots=True)
class _End:
    """One end of a connection as written."""

    text: str
    path: Path
    offset: int = 0


def wire(body: RawBody, graph: RawGraph, notes: Notes) -> Wires:
    """The edges of a body, with findings about each connection."""
    wires = Wires(body)
    seen: dict[str, RawEdge] = {}
    for source, target, path, data in _written(body):
        edge = _edge(wires, graph, notes, source, target, path, data)
        if edge is None:
            continue
        first = seen.setdefault(edge.id, edge)
        if edge.source.name in body.stand_ins or edge.target.name in body.stand_ins:
            wires.set_aside(edge)
        elif first is edge or not edge.port:
            wires.add(edge)
        else:
            _repeated(notes, first, edge)
    return wires


def _written(body: RawBody) -> Iterator[tuple[_End, _End | RawNode, Path, dict[str, Any]]]:
    """Each connection's source, target, path and data, in the order in which they become edges."""
    for index, data in enumerate(body.connections):
        if isinstance(data, dict):
            path = (*body.path, "connections", index)
            source = _End(as_text(data.get("from")), (*path, "from"))
            yield source, _End(as_text(data.get("to")), (*path, "to")), path, data
    for node in body.nodes:
        after = node.data.get("after")
        for index, text in enumerate(after if isinstance(after, list) else ()):
            if isinstance(text, str) and text:
                path = (*node.path, "after", index)
                yield _End(text, path), node, path, {}


def _edge(
    wires: Wires,
    graph: RawGraph,
    notes: Notes,
    source: _End,
    target: _End | RawNode,
    path: Path,
    data: dict[str, Any],
) -> RawEdge | None:
    name, dot, port = source.text.partition(".")
    origin = _node(wires.body, graph, notes, source, name) if source.text else None
    goal = target if isinstance(target, RawNode) else _target(wires.body, graph, notes, target)
    if origin is None or goal is None:
        if origin is not None:
            wires.lost_sources[id(origin)] = origin
        if goal is not None:
            wires.lost_targets[id(goal)] = goal
        return None
    if origin.kind == "finish":
        message = f"{source.text!r} is a finish, which ends the run; expected no connection out of it"
        notes.error("UnknownPort", message, source.path)
    real = _port(notes, origin, port, source, wanted=not dot)
    return RawEdge(
        origin, real, goal, path, as_text(data.get("when")), data.get("loopback") is not None, data
    )


def _target(body: RawBody, graph: RawGraph, notes: Notes, end: _End) -> RawNode | None:
    if not end.text:
        return None
    name, dot, port = end.text.partition(".")
    if dot and end.text not in body.by_name and name in body.by_name:
        message = f"{end.text!r} names the port {port!r}; a connection leads to a node, expected {name}"
        notes.error("UnknownNode", message, end.path)
        return body.by_name[name]
    return _node(body, graph, notes, end, end.text)


def _node(body: RawBody, graph: RawGraph, notes: Notes, end: _End, name: str) -> RawNode | None:
    found = body.by_name.get(name)
    if found is not None:
        return found
    elsewhere = graph.named(name)
    if elsewhere is not None:
        message = (
            f"node {name!r} is in {elsewhere.body.label}, and this connection in {body.label}; "
            "expected both ends in one body"
        )
        notes.error("CrossesBody", message, end.path)
        return None
    notes.error(
        "UnknownNode",
        f"there is no node {name!r} in {body.label}; {notes.did_you_mean(name, body.names)}",
        end.path,
    )
    return None


def _port(notes: Notes, origin: RawNode, port: str, end: _End, *, wanted: bool) -> str:
    """The port meant; "" where it cannot be told."""
    ports = ports_of(origin)
    if not ports:
        return port
    if wanted:
        first, *others = ports
        if origin.kind not in PORT_WANTED:
            return first
        example = f"{origin.name}.{first}"
        message = (
            f"{end.text!r} names no port, and {origin.kind} has several: expected {example} or another of "
            f"{listed(others)}"
        )
        notes.error("PortWanted", message, end.path)
        return ""
    if port in ports:
        return port
    message = f"{origin.kind} {origin.name} has no port {port!r}; {notes.did_you_mean(port, list(ports))}"
    notes.error("UnknownPort", message, end.path)
    return ""


def _repeated(notes: Notes, first: RawEdge, again: RawEdge) -> None:
    line = notes.line_of(first.path)
    where = f"in line {line}" if line else "before"
    if (first.when, first.loopback) == (again.when, again.loopback):
        message = f"the connection {again.id} is written {where} already; expected it once"
        notes.warning("DuplicateConnection", message, again.path)
        return
    message = f"the connection {again.id} is written {where} already with another when or loopback; expected it once"
    notes.error("DuplicateConnection", message, again.path)
