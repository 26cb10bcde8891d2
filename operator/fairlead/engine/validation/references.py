"""Every name in every expression must mean something at its place (api.md Expressions, semantics 16, 18, 34).

ExpressionInvalid, UnknownName, UnknownFunction, TypeMismatch, UnknownProperty, NeverEqual, EmptySum
                           what the expression itself says, with the schema of the inputs
NameOutOfPlace    error    a scope name where it makes no sense
UnknownNode       error    `nodes.X` and no node is called X there
NotUpstream       error    `nodes.X` and X may not have ended
UnknownVariable   error    `vars.x`, neither declared nor written anywhere
UnknownComputed   error    `computed.x` without such a field
UnknownOutput     warning  an output that nodes of this kind never have
ImpureComputed    error    `now`, `uuid()` and the like in computed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fairlead.engine.expressions.checks import Reference
from fairlead.engine.validation.bodies import RawNode, as_dict, as_list, as_text, underscored
from fairlead.engine.validation.computed import ComputedFields
from fairlead.engine.validation.fields import Field
from fairlead.engine.validation.formulas import Formulas
from fairlead.engine.validation.notes import Notes, listed
from fairlead.engine.validation.places import MEANT
from fairlead.engine.validation.sight import Sight
from fairlead.model.findings import Severity

_OUTPUTS = {
    "http": ("status", "headers", "body"),
    "resource": ("object",),
    "while": ("iterations",),
    "forEach": ("items", "failed"),
    "wait": ("event",),
    "approval": ("decisions",),
    **dict.fromkeys(("set", "log", "if", "switch", "emit"), ()),
}
"""Kind → the outputs that its nodes have, for those where these are known."""
_PURE_ONLY = "and a computed field depends on inputs, variables and nodes alone"


class References:
    """Checks the fields of one workflow, one after the other."""

    def __init__(
        self, formulas: Formulas, sight: Sight, variables: set[str], computed: ComputedFields, notes: Notes
    ) -> None:
        self._formulas = formulas
        self._sight = sight
        self._variables = variables
        self._computed = computed
        self._notes = notes
        self._checks: dict[str, Callable[[Field, Reference], None]] = {
            "nodes": self._node,
            "vars": self._variable,
            "computed": self._computed_field,
        }
        self._told: set[tuple[str, str]] = set()

    def check(self, field: Field) -> None:
        """All that is wrong with one field."""
        analysis = self._formulas.read(field.text, field.form, field.place.locals)
        self._told = set()
        for problem in analysis.problems:
            self._say(field, problem.offset, problem.reason, problem.message, problem.severity)
        for read in analysis.references:
            root = read.path[0]
            if root in field.place.locals:
                continue
            if root not in field.place.names:
                self._out_of_place(field, read)
            elif root in self._checks and len(read.path) > 1:
                self._checks[root](field, read)
            elif root == "nodes" and field.place.sight == "upstream":
                self._some_node(field, read)
        for call in analysis.calls if field.place.pure else ():
            if call.path == ("uuid",):
                message = f"uuid() stands in {field.place.what}, {_PURE_ONLY}"
                self._say(field, call.offset, "ImpureComputed", message)

    def _say(
        self, field: Field, offset: int, reason: str, message: str, severity: Severity = "error"
    ) -> None:
        if (reason, message) not in self._told:
            self._told.add((reason, message))
            self._notes.inside(severity, reason, message, field.path, field.text, offset)

    def _out_of_place(self, field: Field, read: Reference) -> None:
        root, place = read.path[0], field.place
        if place.pure:
            self._say(field, read.offset, "ImpureComputed", f"{root} stands in {place.what}, {_PURE_ONLY}")
            return
        where = MEANT.get(root, f"expected one of {listed(sorted(place.names))}")
        if field.form == "runner":
            where = f"the runner evaluates it and knows {listed(sorted(place.locals))} alone"
        message = f"{root} means nothing in {place.what}; {where}"
        self._say(field, read.offset, "NameOutOfPlace", message)

    # --- one method a root -------------------------------------------------------------------------------------------

    def _variable(self, field: Field, read: Reference) -> None:
        name = read.path[1]
        if name not in self._variables:
            none = "expected one that spec.variables, set or store writes"
            expected = self._notes.did_you_mean(name, sorted(self._variables), none)
            message = f"the variable {name!r} is neither declared nor written anywhere; {expected}"
            self._say(field, read.offset, "UnknownVariable", message)

    def _computed_field(self, field: Field, read: Reference) -> None:
        name, names = read.path[1], self._computed.names
        if name not in names:
            none = "expected a field of spec.computed, and there is none"
            message = f"there is no computed field {name!r}; {self._notes.did_you_mean(name, names, none)}"
            self._say(field, read.offset, "UnknownComputed", message)
            return
        for behind in () if field.place.pure else self._computed.nodes_behind(name):
            node = self._sight.find(self._computed.place, behind)
            why = self._sight.why_not(field.place, node) if node is not None else ""
            if why:
                message = f"computed.{name} reads nodes.{behind}, and {why}; expected a node that has ended"
                self._say(field, read.offset, "NotUpstream", message)

    def _node(self, field: Field, read: Reference) -> None:
        name = read.path[1]
        node = self._sight.find(field.place, name)
        if node is None:
            self._unknown_node(field, read)
            return
        why = self._sight.why_not(field.place, node)
        if why:
            message = f"nodes.{name} is read in {field.place.what}, and {why}; expected a node that has ended"
            self._say(field, read.offset, "NotUpstream", message)
        if len(read.path) > 3 and read.path[2] == "outputs":
            self._output(field, read, node)

    def _some_node(self, field: Field, read: Reference) -> None:
        message = (
            "which node is read is known only when it runs, and one that is not upstream may not have ended; "
            "expected nodes.NAME"
        )
        self._say(field, read.offset, "NotUpstream", message, "warning")

    def _unknown_node(self, field: Field, read: Reference) -> None:
        name, what = read.path[1], field.place.what
        elsewhere = self._sight.anywhere(name)
        if elsewhere is not None and elsewhere.body.kind == "finally":
            message = f"nodes.{name} is read in {what}, and it runs in finally; expected a node that has ended before"
            self._say(field, read.offset, "NotUpstream", message)
            return
        if elsewhere is not None and elsewhere.body.owner is not None:
            owner = underscored(elsewhere.body.owner.name)
            expected = f"it is inside {elsewhere.body.owner.name}, expected nodes.{owner}.outputs"
        elif "-" in name and self._sight.find(field.place, underscored(name)) is not None:
            expected = f"a dash in a name is an underscore here, expected nodes.{underscored(name)}"
        else:
            expected = self._notes.did_you_mean(name, self._sight.known(field.place))
        self._say(
            field,
            read.offset,
            "UnknownNode",
            f"nodes.{name} is read in {what}, and there is no such node; {expected}",
        )

    def _output(self, field: Field, read: Reference, node: RawNode) -> None:
        known, name = outputs_of(node), read.path[3]
        if known is not None and name not in known:
            expected = self._notes.did_you_mean(name, known, f"a node of kind {node.kind} has none")
            message = f"{node.kind} {node.name} has no output {name!r}; {expected}"
            self._say(field, read.offset, "UnknownOutput", message, "warning")


def outputs_of(node: RawNode) -> Sequence[str] | None:
    """The names of a node's outputs, None where only a run can tell."""
    if not node.readable or node.data.get("fallback") is not None:
        return None
    if node.kind == "parallel":
        return [as_text(as_dict(branch).get("name")) for branch in as_list(node.value.get("branches"))]
    return _OUTPUTS.get(node.kind) if node.outputs is None else node.outputs
