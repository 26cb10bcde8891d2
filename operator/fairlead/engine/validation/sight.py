"""Which nodes an expression may read at its place (semantics 16, 18): upstream of the reader, in its body and outward."""

from __future__ import annotations

from fairlead.engine.validation.bodies import RawBody, RawNode, underscored
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.places import Place


class Sight:
    """Finds nodes by the names that expressions use, and tells whether they may be read."""

    def __init__(self, graphs: list[BodyGraph]) -> None:
        self._graphs = {id(graph.body): graph for graph in graphs}
        self._names: dict[int, dict[str, RawNode]] = {}
        self._all: dict[str, RawNode] = {}
        self._known: dict[int, list[str]] = {}
        for graph in graphs:
            names: dict[str, RawNode] = {}
            for node in graph.nodes:
                if node.name:
                    names.setdefault(underscored(node.name), node)
            self._names[id(graph.body)] = names
            for name, node in names.items():
                self._all.setdefault(name, node)

    def find(self, place: Place, name: str) -> RawNode | None:
        """The node that a name means at a place."""
        for body in place.body.outward():
            found = self._names[id(body)].get(name)
            if found is not None:
                return found
        return None

    def anywhere(self, name: str) -> RawNode | None:
        """A node of this name in whatever body."""
        return self._all.get(name)

    def known(self, place: Place) -> list[str]:
        """All names of nodes that mean something at a place."""
        known = self._known.get(id(place.body))
        if known is None:
            known = [name for body in place.body.outward() for name in self._names[id(body)]]
            self._known[id(place.body)] = known
        return known

    def why_not(self, place: Place, node: RawNode) -> str:
        """Why a place may not read a node, or an empty text if it may."""
        if place.sight == "none":
            return f"no node has ended when {place.what} is evaluated"
        users = node.body.stand_ins.get(node.name)
        if users and node is not place.reader:
            owner = underscored(users[0].name)
            return f"it stands in for {users[0].name}, whose outputs are its own: read nodes.{owner}"
        if place.sight == "all" or place.body.inside("finally"):
            return ""
        readers = place.stands_for or (place.reader,)
        if place.stands_for and node in (*readers, place.reader):
            return ""
        return next((why for reader in readers if (why := self._why_not(place, reader, node))), "")

    def _why_not(self, place: Place, reader: RawNode | None, node: RawNode) -> str:
        body: RawBody | None = place.body
        itself = place.sees_itself
        while body is not None and body is not node.body:
            reader, body, itself = body.owner, body.outer, False
        if body is None or reader is None:
            return ""
        if reader is not place.reader and not itself and reader.name in body.stand_ins:
            return self._why_not_inside(body, body.stand_ins[reader.name], node)
        if reader is node:
            if itself or self._ordered(body, reader, node):
                return ""
            inside = "what stands inside it" if reader is not place.reader else "it"
            return f"it has not ended when {inside} is evaluated"
        if self._ordered(body, reader, node):
            return ""
        return f"it is not upstream of {reader.name}: no path of connections leads from {node.name} to {reader.name}"

    def _why_not_inside(self, body: RawBody, users: list[RawNode], node: RawNode) -> str:
        """What is inside of a fallback sees what the nodes see that it stands in for, and these."""
        for user in users:
            if user is not node and not self._ordered(body, user, node):
                return f"it is not upstream of {user.name}: no path of connections leads from {node.name} to {user.name}"
        return ""

    def _ordered(self, body: RawBody, reader: RawNode, node: RawNode) -> bool:
        graph = self._graphs[id(body)]
        number, other = graph.of(reader), graph.of(node)
        if graph.upstream[number] >> other & 1 or graph.ordered_after(number) >> other & 1:
            return True
        # Something unknown may lie between them: its own finding is enough.
        return bool(graph.lost_targets >> number & 1 or graph.lost_sources >> other & 1)
