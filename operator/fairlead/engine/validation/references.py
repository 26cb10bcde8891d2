"""Every name in every expression must mean something at its place (api.md Expressions, semantics 16, 18, 34).

    ExpressionInvalid, UnknownName, UnknownFunction, TypeMismatch   the text does not compile
    NameOutOfPlace    error    a scope name where it makes no sense
    UnknownNode       error    `nodes.X` and no node is called X there
    NotUpstream       error    `nodes.X` and X may not have ended
    UnknownVariable   error    `vars.x`, neither declared nor written anywhere
    UnknownComputed   error    `computed.x` without such a field
    UnknownInput      error or warning, by the schema's additionalProperties
    UnknownOutput     warning  an output that nodes of this kind never have
    ImpureComputed    error    `now`, `uuid()` and the like in computed
    ComputedCycle     error    computed fields that read one another
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairlead.engine.validation import schema_walk
from fairlead.engine.validation.bodies import RawGraph, RawNode, as_dict, as_list, as_text, underscored
from fairlead.engine.validation.computed import ComputedFields
from fairlead.engine.validation.fields import Field
from fairlead.engine.validation.formulas import Formula, ReadPath, read_text
from fairlead.engine.validation.notes import Notes, listed
from fairlead.engine.validation.places import MEANT
from fairlead.engine.validation.sight import Sight
from fairlead.model.findings import Severity

_NODE_FIELDS = ("outputs", "status", "attempts", "startedAt", "finishedAt", "error")
_ERROR_FIELDS = ("reason", "message", "exitCode")
_FIELDS = {
    "execution": ("name", "uid", "phase", "createdAt", "startedAt"),
    "workflow": ("name", "version", "digest"),
    "pass": ("index", "parent"),
    "error": _ERROR_FIELDS,
}
_OUTPUTS = {
    "http": ("status", "headers", "body"),
    "resource": ("object",),
    "while": ("iterations",),
    "forEach": ("items", "failed"),
    "wait": ("event",),
    "approval": ("decisions",),
    **{kind: () for kind in ("set", "log", "if", "switch", "emit")},
}
"""Kind → the outputs that its nodes have, for those where these are known."""
_IMPURE = frozenset({"now", "item", "index", "pass", "event", "outputs", "error"})


class References:
    """Checks the fields of one workflow, one after the other."""

    def __init__(
        self, graph: RawGraph, sight: Sight, variables: set[str], computed: ComputedFields, notes: Notes
    ) -> None:
        self._sight = sight
        self._variables = variables
        self._computed = computed
        self._notes = notes
        self._schema: Any = graph.spec.get("inputs")
        self._checks = {
            "nodes": self._node,
            "vars": self._variable,
            "computed": self._computed_field,
            "inputs": self._input,
        }

    def check(self, field: Field) -> None:
        """All that is wrong with one field."""
        formulas, mistakes = read_text(field.text, field.form, field.place.locals)
        for mistake in mistakes:
            self._notes.inside("error", mistake.reason, mistake.message, field.path, field.text, mistake.offset)
        for formula in formulas:
            for read in formula.expression.reads:
                self._read(field, formula, read)
            if field.place.pure and "uuid" in formula.expression.source:
                self._no_chance(field, formula)

    def _say(
        self, field: Field, formula: Formula, read: ReadPath, reason: str, message: str, severity: Severity = "error"
    ) -> None:
        offset = formula.place_of(read)
        self._notes.inside(severity, reason, message, field.path, field.text, offset)

    def _read(self, field: Field, formula: Formula, read: ReadPath) -> None:
        root, place = read[0], field.place
        if root in place.locals:
            return
        if root not in place.names:
            self._out_of_place(field, formula, read)
        elif root in self._checks:
            self._checks[root](field, formula, read)
        elif root in _FIELDS and len(read) > 1 and read[1] not in _FIELDS[root]:
            message = f"{root} has no {read[1]!r}; {self._notes.did_you_mean(read[1], _FIELDS[root])}"
            self._say(field, formula, read, "UnknownName", message)

    def _out_of_place(self, field: Field, formula: Formula, read: ReadPath) -> None:
        root, place = read[0], field.place
        if place.pure and root in _IMPURE:
            message = f"{root} stands in {place.what}, and a computed field depends on inputs, vars and nodes alone"
            self._say(field, formula, read, "ImpureComputed", message)
            return
        known = f"expected one of {listed(sorted(place.names))}"
        message = f"{root} means nothing in {place.what}; {MEANT.get(root, known)}"
        self._say(field, formula, read[:1], "NameOutOfPlace", message)

    def _no_chance(self, field: Field, formula: Formula) -> None:
        for function, offset in formula.calls(("uuid",)):
            message = f"{function}() stands in {field.place.what}, and a computed field depends on inputs, vars and nodes alone"
            self._notes.inside("error", "ImpureComputed", message, field.path, field.text, offset)

    # --- one method a root -------------------------------------------------------------------------------------------

    def _variable(self, field: Field, formula: Formula, read: ReadPath) -> None:
        if len(read) < 2 or read[1] in self._variables:
            return
        expected = self._notes.did_you_mean(
            read[1], sorted(self._variables), "expected one that spec.variables, set or store writes"
        )
        message = f"the variable {read[1]!r} is neither declared nor written anywhere; {expected}"
        self._say(field, formula, read[:2], "UnknownVariable", message)

    def _input(self, field: Field, formula: Formula, read: ReadPath) -> None:
        unknown = schema_walk.unknown_name(self._schema, read[1:]) if isinstance(self._schema, dict) else None
        if unknown is None:
            return
        owner, name = ".".join(read[: unknown.step + 1]), read[unknown.step + 1]
        expected = self._notes.did_you_mean(name, unknown.known, "expected no name there")
        message = f"the schema of {owner} has no {name!r}; {expected}"
        severity: Severity = "error" if unknown.refused else "warning"
        self._say(field, formula, read[: unknown.step + 2], "UnknownInput", message, severity)

    def _computed_field(self, field: Field, formula: Formula, read: ReadPath) -> None:
        names = self._computed.names
        if len(read) < 2:
            return
        if read[1] not in names:
            expected = self._notes.did_you_mean(read[1], names, "expected a field of spec.computed, and there is none")
            message = f"there is no computed field {read[1]!r}; {expected}"
            self._say(field, formula, read[:2], "UnknownComputed", message)
            return
        if field.place.pure:
            return
        for name in self._computed.nodes_behind(read[1]):
            node = self._sight.find(self._computed.place, name)
            why = self._sight.why_not(field.place, node) if node is not None else ""
            if why:
                message = f"computed.{read[1]} reads nodes.{name}, and {why}; expected it to have ended"
                self._say(field, formula, read[:2], "NotUpstream", message)

    def _node(self, field: Field, formula: Formula, read: ReadPath) -> None:
        if len(read) < 2:
            self._any_node(field, formula, read)
            return
        node = self._sight.find(field.place, read[1])
        if node is None:
            self._unknown_node(field, formula, read)
            return
        why = self._sight.why_not(field.place, node)
        if why:
            message = f"{field.place.what} reads nodes.{read[1]}, and {why}; expected a node that has ended"
            self._say(field, formula, read[:2], "NotUpstream", message)
        self._node_field(field, formula, read, node)

    def _any_node(self, field: Field, formula: Formula, read: ReadPath) -> None:
        if field.place.sight == "upstream":
            message = (
                "which node is read is known only when it runs, and one that is not upstream may not have ended; "
                "expected nodes.NAME"
            )
            self._say(field, formula, read, "NotUpstream", message, "warning")

    def _unknown_node(self, field: Field, formula: Formula, read: ReadPath) -> None:
        name = read[1]
        elsewhere = self._sight.anywhere(name)
        if elsewhere is not None and elsewhere.body.kind == "finally":
            message = f"{field.place.what} reads nodes.{name}, which runs in finally, when all else has ended"
            self._say(field, formula, read[:2], "NotUpstream", message)
            return
        if elsewhere is not None and elsewhere.body.owner is not None:
            owner = underscored(elsewhere.body.owner.name)
            expected = f"it is inside {elsewhere.body.owner.name}: expected nodes.{owner}.outputs"
        elif "-" in name and self._sight.find(field.place, underscored(name)) is not None:
            expected = f"a dash is an underscore here: expected nodes.{underscored(name)}"
        else:
            expected = self._notes.did_you_mean(name, self._sight.known(field.place))
        message = f"there is no node {name!r} in sight of {field.place.what}; {expected}"
        self._say(field, formula, read[:2], "UnknownNode", message)

    def _node_field(self, field: Field, formula: Formula, read: ReadPath, node: RawNode) -> None:
        if len(read) < 3:
            return
        if read[2] not in _NODE_FIELDS:
            expected = self._notes.did_you_mean(read[2], _NODE_FIELDS)
            message = f"nodes.{read[1]} has no {read[2]!r}; {expected}"
            self._say(field, formula, read[:3], "UnknownName", message)
        elif len(read) > 3 and read[2] == "error" and read[3] not in _ERROR_FIELDS:
            message = f"an error has no {read[3]!r}; {self._notes.did_you_mean(read[3], _ERROR_FIELDS)}"
            self._say(field, formula, read[:4], "UnknownName", message)
        elif len(read) > 3 and read[2] == "outputs":
            known = outputs_of(node)
            if known is not None and read[3] not in known:
                expected = self._notes.did_you_mean(read[3], known, f"a node of kind {node.kind} has none")
                message = f"{node.kind} {node.name} has no output {read[3]!r}; {expected}"
                self._say(field, formula, read[:4], "UnknownOutput", message, "warning")


def outputs_of(node: RawNode) -> Sequence[str] | None:
    """The names of a node's outputs, None where only a run can tell."""
    if not node.readable or node.data.get("fallback") is not None:
        return None
    if node.kind == "parallel":
        return [as_text(as_dict(branch).get("name")) for branch in as_list(node.value.get("branches"))]
    return _OUTPUTS.get(node.kind)
