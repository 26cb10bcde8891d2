"""Computed fields: which read one another, and which nodes stand behind each (semantics 34)."""

from __future__ import annotations

from fairlead.engine.validation import orders
from fairlead.engine.validation.bodies import RawGraph, as_dict
from fairlead.engine.validation.formulas import Formulas
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.places import PURE, Place

_NO_LOCALS: frozenset[str] = frozenset()


class ComputedFields:
    """The `computed` of one workflow."""

    def __init__(self, graph: RawGraph, formulas: Formulas) -> None:
        self._path = (*graph.path, "computed")
        self._reads: dict[str, set[str]] = {}
        self._nodes: dict[str, set[str]] = {}
        fields = as_dict(graph.spec.get("computed"))
        self.names: list[str] = list(fields)
        for name, text in fields.items():
            reads = formulas.read(text, "formula", _NO_LOCALS).reads if isinstance(text, str) else ()
            pairs = [read for read in reads if len(read) > 1]
            self._reads[name] = {read[1] for read in pairs if read[0] == "computed"} & fields.keys()
            self._nodes[name] = {read[1] for read in pairs if read[0] == "nodes"}
        self.place = Place("a computed field", graph.root, None, PURE, sight="all", pure=True)
        self._behind: dict[str, list[str]] = {}

    def nodes_behind(self, name: str) -> list[str]:
        """The nodes that a field reads, itself or through others, as expressions name them."""
        found = self._behind.get(name)
        if found is None:
            seen, todo = {name}, [name]
            while todo:
                following = self._reads[todo.pop()] - seen
                seen |= following
                todo += following
            found = self._behind[name] = sorted(set().union(*(self._nodes[each] for each in seen)))
        return found

    def check_cycles(self, notes: Notes) -> None:
        """Fields that read themselves through others."""
        numbers = {name: number for number, name in enumerate(self.names)}
        after = [sorted(numbers[other] for other in self._reads[name]) for name in self.names]
        for part in orders.components(after):
            if len(part) > 1 or part[0] in after[part[0]]:
                cycle = orders.shortest_cycle_through(after, part[0], set(part))
                shown = " -> ".join(self.names[number] for number in [*cycle, cycle[0]])
                message = (
                    f"the computed fields {shown} read one another in a cycle; expected each to end somewhere"
                )
                notes.error("ComputedCycle", message, (*self._path, self.names[part[0]]))
