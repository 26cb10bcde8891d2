"""Who writes which variable: known names, and writes that race (semantics 19).

SharedWrite       error    a write from inside parallel branches, or the items of a forEach with maxParallel other than 1
UnorderedWriters  warning  two nodes of a body of which neither is upstream of the other and both may run write one variable
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.engine.validation import orders
from fairlead.engine.validation.bodies import RawBody, RawGraph, RawNode, as_dict
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.ports import ENDED
from fairlead.model.documents import Path

Write = tuple[str, Path]


def writes_of(node: RawNode) -> Iterator[Write]:
    """The variables that a node writes when it ends, with the place of each."""
    if node.kind == "set":
        yield from ((name, (*node.path, "set", name)) for name in node.value)
    yield from ((name, (*node.path, "store", name)) for name in as_dict(node.data.get("store")))


def known_variables(graph: RawGraph) -> set[str]:
    """All variables that are declared, or written anywhere."""
    known = set(as_dict(graph.spec.get("variables")))
    for node in graph.nodes():
        known.update(name for name, _ in writes_of(node))
        known.update(as_dict(as_dict(node.data.get("compensate")).get("set")))
    return known


def check_writes(graph: RawGraph, bodies: list[BodyGraph], notes: Notes) -> None:
    """Writes that race with others."""
    for node in graph.nodes():
        racing = _racing(node.body)
        if racing is not None:
            for name, path in writes_of(node):
                message = (
                    f"the variable {name} is written from inside {_what(racing)}, where several write at once; "
                    "expected outputs of the body instead"
                )
                notes.error("SharedWrite", message, path, key=True)
    written = _by_body(graph)
    for body in bodies:
        writers = written.get(id(body.body))
        if writers:
            _check_order(body, writers, notes)


def _racing(body: RawBody) -> RawBody | None:
    for each in body.outward():
        if each.kind == "branch":
            return each
        if each.kind == "forEach" and each.owner is not None and each.owner.value.get("maxParallel", 0) != 1:
            return each
    return None


def _what(body: RawBody) -> str:
    name = body.owner.name if body.owner is not None else ""
    return f"parallel {name}" if body.kind == "branch" else f"forEach {name} (maxParallel other than 1)"


_Writers = dict[str, list[tuple[RawNode, Path]]]


def _by_body(graph: RawGraph) -> dict[int, _Writers]:
    """For each body the writers of each variable: its nodes, containers for what is inside them, owners for stand-ins."""
    found: dict[int, _Writers] = {}
    for node in graph.nodes():
        for name, path in writes_of(node):
            if _racing(node.body) is None:
                for writer in _responsible(node):
                    found.setdefault(id(writer.body), {}).setdefault(name, []).append((writer, path))
    return found


def _responsible(node: RawNode) -> Iterator[RawNode]:
    """The nodes in whose order a node's write stands: of each body around it one, or those it stands in for."""
    current: RawNode | None = node
    while current is not None:
        yield from current.body.stand_ins.get(current.name) or (current,)
        current = current.body.owner


def _check_order(graph: BodyGraph, writers: _Writers, notes: Notes) -> None:
    exclusive: list[int] | None = None
    for name, places in writers.items():
        paths: dict[int, Path] = {}
        for node, path in places:
            paths.setdefault(graph.of(node), path)
        if len(paths) < 2:
            continue
        exclusive = exclusive if exclusive is not None else exclusive_sets(graph)
        pair = _unordered(graph, list(paths), exclusive)
        if pair is None:
            continue
        first, second = sorted(pair)
        message = (
            f"{graph.nodes[first].name} and {graph.nodes[second].name} both write the variable {name} and neither comes "
            "first; expected a path of connections from one to the other"
        )
        notes.warning("UnorderedWriters", message, paths[second], key=True)


def _unordered(graph: BodyGraph, writers: list[int], exclusive: list[int]) -> tuple[int, int] | None:
    every = 0
    for number in writers:
        every |= 1 << number
    for number in writers:
        others = every & ~(
            graph.upstream[number] | graph.downstream[number] | exclusive[number] | 1 << number
        )
        if others:
            return number, next(orders.bits(others))
    return None


def exclusive_sets(graph: BodyGraph) -> list[int]:
    """For each node those that cannot run when it does, as they are behind another port of a node before it."""
    behind: dict[int, dict[str, int]] = {}
    for edge in graph.forward:
        target = graph.of(edge.target)
        ports = behind.setdefault(graph.of(edge.source), {})
        ports[edge.port] = ports.get(edge.port, 0) | graph.downstream[target] | 1 << target
    others = {source: _behind_others(ports) for source, ports in behind.items()}
    exclusive = [0] * len(graph.nodes)
    for part in reversed(graph.components):
        for number in part:
            ways: int | None = None
            for edge in graph.wires.into(graph.nodes[number]):
                if edge.loopback:
                    continue
                source = graph.of(edge.source)
                way = exclusive[source] | others[source].get(edge.port, 0)
                ways = way if ways is None else ways & way
            exclusive[number] = ways or 0
    return exclusive


def _behind_others(ports: dict[str, int]) -> dict[str, int]:
    """For each port of a node what is only behind the others; `ended` goes with every port, an unknown one may be any."""
    rest = ports.get(ENDED, 0) | ports.get("", 0)
    chosen = [port for port in ports if port not in (ENDED, "")]
    # Of all ports but one: what stands before it in the list, and what stands after it.
    after = [0]
    for port in reversed(chosen):
        after.append(after[-1] | ports[port])
    found: dict[str, int] = {}
    before = 0
    for index, port in enumerate(chosen):
        found[port] = (before | after[len(chosen) - 1 - index]) & ~(ports[port] | rest)
        before |= ports[port]
    return found
