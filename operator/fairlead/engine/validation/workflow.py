"""Everything that can be known of one workflow before it runs, beyond its shape.

Each rule has a module and looks at all of the workflow; none stops another one. What is unreadable is passed over: the shape
check has told of it.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine.validation.bodies import RawBody, RawGraph, as_dict
from fairlead.engine.validation.callees import Known, check_calls
from fairlead.engine.validation.computed import ComputedFields
from fairlead.engine.validation.cycles import check_cycles
from fairlead.engine.validation.endless import check_endless
from fairlead.engine.validation.fallbacks import check_fallbacks
from fairlead.engine.validation.fields import Fields
from fairlead.engine.validation.formulas import Formulas
from fairlead.engine.validation.given import check_constants, check_given
from fairlead.engine.validation.graphs import BodyGraph
from fairlead.engine.validation.inlines import check_inlines
from fairlead.engine.validation.names import check_names
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.orders import bits
from fairlead.engine.validation.placement import check_placement
from fairlead.engine.validation.reach import check_reach
from fairlead.engine.validation.references import References
from fairlead.engine.validation.schemas import check_form_schema, check_inputs_schema, schema_problems
from fairlead.engine.validation.scripts import check_scripts
from fairlead.engine.validation.sight import Sight
from fairlead.engine.validation.triggers import check_triggers
from fairlead.engine.validation.variables import check_writes, known_variables
from fairlead.engine.validation.wiring import RawEdge, wire
from fairlead.model.documents import Path


def check_spec(
    spec: dict[str, Any], path: Path, notes: Notes, *, name: str = "", known: Known | None = None
) -> None:
    """All findings about the spec of a workflow that stands at `path` of its document."""
    graph = RawGraph(spec, path)
    bodies = [_check_body(body, graph, notes) for body in graph.bodies]
    check_names(graph, notes)
    check_placement(graph, notes)
    check_scripts(graph, notes)
    check_writes(graph, bodies, notes)
    check_triggers(graph, notes)
    known = known or Known()
    check_calls(graph, name, known, notes)
    check_inlines(graph, name, known, notes)
    _check_schemas(graph, notes)
    _check_expressions(graph, bodies, notes)


def _check_body(body: RawBody, graph: RawGraph, notes: Notes) -> BodyGraph:
    wires = wire(body, graph, notes)
    ordered = BodyGraph(wires)
    check_cycles(ordered, notes)
    check_endless(ordered, graph, notes)
    check_reach(ordered, notes)
    check_fallbacks(wires, graph, notes)
    return ordered


def _check_schemas(graph: RawGraph, notes: Notes) -> None:
    if isinstance(graph.spec.get("inputs"), dict):
        check_inputs_schema(graph.spec["inputs"], (*graph.path, "inputs"), notes)
    for node in graph.nodes():
        form = as_dict(node.data.get("approval")).get("form")
        if isinstance(form, dict):
            check_form_schema(form, (*node.path, "approval", "form"), notes)


def _check_expressions(graph: RawGraph, bodies: list[BodyGraph], notes: Notes) -> None:
    inputs = graph.spec.get("inputs")
    formulas = Formulas(inputs if isinstance(inputs, dict) and not schema_problems(inputs) else None)
    computed = ComputedFields(graph, formulas)
    computed.check_cycles(notes)
    references = References(formulas, Sight(bodies), known_variables(graph), computed, notes)
    edges: list[RawEdge] = [edge for body in bodies for edge in body.wires.edges]
    loops = frozenset(id(body.nodes[number]) for body in bodies for number in bits(body.repeated))
    for field in Fields(graph, edges, loops):
        references.check(field)
        check_given(field, formulas, notes)
    check_constants(graph, notes)
