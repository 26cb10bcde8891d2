"""What an expression must be wrong about, whatever its values turn out to be.

CEL's checker knows no more of `inputs.order` than that it may be anything. Here the tree is walked once more with what
schemas say: misspelt properties, an int times a double, a number plus a string, a condition that is a string. Rules of this
file: only what is sure is an error; what is likely is a warning; every method gives the shape of its node and adds to
`findings` on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fairlead.engine.expressions import kinds as kinds_of
from fairlead.engine.expressions import shapes
from fairlead.engine.expressions.diagnosis import OPERATORS, a_kind, nearest
from fairlead.engine.expressions.errors import cut
from fairlead.engine.expressions.kinds import NUMBERS
from fairlead.engine.expressions.reads import static_path
from fairlead.engine.expressions.shapes import ANY, Shape
from fairlead.engine.expressions.syntax import (
    Call,
    Const,
    Fold,
    Ident,
    ListNode,
    MapNode,
    Node,
    Select,
    macro_of,
)
from fairlead.engine.expressions.trees import Tree
from fairlead.engine.expressions.values import compact

_TEXT_MEMBERS = frozenset(
    ("contains", "startsWith", "endsWith", "matches", "replace", "split", "lowerAscii", "upperAscii", "trim", "charAt",
     "substring", "indexOf", "lastIndexOf", "format")
)  # fmt: skip
_SAME_LIST = frozenset(("sort", "unique"))
_PATHS = frozenset(("pluck", "sortBy", "groupBy"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `offset` counts characters from the start of the expression."""

    severity: Literal["error", "warning"]
    reason: str
    message: str
    offset: int


class Inference:
    """One walk over one expression."""

    def __init__(self, source: str, tree: Tree, roots: Mapping[str, Shape]) -> None:
        self.source = source
        self.tree = tree
        self.roots = roots
        self.findings: list[Finding] = []

    def run(self) -> Shape:
        """The shape of the whole."""
        return self.shape(self.tree.root, {})

    def condition(self, shape: Shape) -> None:
        """Say that the whole must be true or false."""
        if shape.never("bool"):
            self.error(
                self.tree.root, f"a condition must be true or false, but this one is {a_kind(str(shape))}"
            )

    def error(
        self, node: Node, message: str, reason: str = "TypeMismatch", offset: int | None = None
    ) -> None:
        self._add("error", node, message, reason, offset)

    def warn(self, node: Node, message: str, reason: str = "TypeMismatch", offset: int | None = None) -> None:
        self._add("warning", node, message, reason, offset)

    def _add(
        self, severity: Literal["error", "warning"], node: Node, message: str, reason: str, offset: int | None
    ) -> None:
        found = Finding(severity, reason, message, self.tree.offset_of(node) if offset is None else offset)
        if found not in self.findings:
            self.findings.append(found)

    # --- nodes -------------------------------------------------------------------------------------------------------

    def shape(self, node: Node, names: Mapping[str, Shape]) -> Shape:
        """The shape of a node; `names` are those that comprehensions around it gave."""
        if isinstance(node, Const):
            return shapes.of(node.kind)
        if isinstance(node, Ident):
            return self.ident(node, names)
        if isinstance(node, Select):
            return self.select(node, names)
        if isinstance(node, Call):
            return self.call(node, names)
        if isinstance(node, ListNode):
            parts = [self.shape(each, names) for each in node.elements]
            if not parts or node.optional:
                return shapes.list_of(ANY)
            whole = parts[0]
            for part in parts[1:]:
                whole = shapes.join(whole, part)
            return shapes.list_of(whole)
        if isinstance(node, MapNode):
            return self.map(node, names)
        return self.fold(node, names)

    def ident(self, node: Ident, names: Mapping[str, Shape]) -> Shape:
        name = node.name.removeprefix(".")
        if name in names:
            return names[name]
        return self.roots.get(name) or shapes.from_type(self.tree.type_of(node))

    def select(self, node: Select, names: Mapping[str, Shape]) -> Shape:
        operand = self.shape(node.operand, names)
        if operand.only("optional"):
            inner = self.property(node, node.operand, operand.elements(), node.field, unsure=True)
            return Shape(frozenset(("optional",)), element=lambda: inner)
        found = self.property(node, node.operand, operand, node.field, unsure=node.test)
        return shapes.of("bool") if node.test else found

    def property(self, node: Node, operand: Node, shape: Shape, name: str, *, unsure: bool) -> Shape:
        """What stands under a name; `unsure` where the author asks whether it is there."""
        offset = self.tree.offset_of(node)
        if not self.source.startswith(("[", "'", '"'), offset):
            # The runtime points at the dot, or at the parenthesis of has(…): the name comes after it.
            offset = max(offset, self.source.find(name, offset))
        if shape.never("map", "optional"):
            what = self.words(operand)
            self.error(node, f"{what} is {a_kind(str(shape))}, and only a map has a {name!r}", offset=offset)
            return ANY
        member = shape.key(name)
        if not member.known and not (unsure and member.possible):
            known = nearest(name, shape.names)
            hint = (
                f"did you mean {known!r}?"
                if known
                else f"its schema names {cut(', '.join(shape.names), 120) or 'none'}"
            )
            message = f"{self.words(operand)} has no property {name!r}; {hint}"
            (self.warn if member.possible else self.error)(node, message, "UnknownProperty", offset)
        return member.shape

    def map(self, node: MapNode, names: Mapping[str, Shape]) -> Shape:
        members: dict[str, Shape] = {}
        fixed = True
        for entry in node.entries:
            value = self.shape(entry.value, names)
            if entry.key is not None:
                self.shape(entry.key, names)
            if isinstance(entry.key, Const) and entry.key.kind == "string" and not entry.optional:
                members[entry.key.value] = value
            else:
                fixed = False
        return shapes.map_of(members) if fixed else shapes.of("map")

    def fold(self, node: Fold, names: Mapping[str, Shape]) -> Shape:
        if node.binds:
            return self.shape(node.result, {**names, node.accumulator: self.shape(node.init, names)})
        walked = self.shape(node.range, names)
        macro = macro_of(node)
        if walked.never("list", "map"):
            message = (
                f"{macro}() needs a list or a map, but {self.words(node.range)} is {a_kind(str(walked))}"
            )
            self.error(node, message)
        item = (
            walked.elements() if walked.only("list") else shapes.of("string") if walked.only("map") else ANY
        )
        inner = {**names, node.variable: item, node.accumulator: ANY}
        if macro in ("map", "filter"):
            return self.collected(node, macro, walked, inner)
        predicate = node.step.args[0] if macro == "exists_one" and isinstance(node.step, Call) else node.step
        if macro in ("all", "exists") and isinstance(node.step, Call) and len(node.step.args) == 2:
            predicate = node.step.args[1]
        self.predicate(predicate, inner, macro)
        return shapes.of("bool")

    def collected(self, node: Fold, macro: str, walked: Shape, inner: Mapping[str, Shape]) -> Shape:
        step = node.step
        if isinstance(step, Call) and step.function == "_?_:_":
            self.predicate(step.args[0], inner, macro)
            step = step.args[1]
        if macro == "filter":
            return walked if walked.only("list") else shapes.of("list")
        added = step.args[1] if isinstance(step, Call) and len(step.args) == 2 else step
        return self.shape(added, inner)

    def predicate(self, node: Node, names: Mapping[str, Shape], macro: str) -> None:
        found = self.shape(node, names)
        if found.never("bool"):
            self.error(
                node, f"{macro}() needs true or false for each element, but is given {a_kind(str(found))}"
            )

    # --- operators and functions -------------------------------------------------------------------------------------

    def call(self, node: Call, names: Mapping[str, Shape]) -> Shape:
        operands = [*([node.target] if node.target is not None else []), *node.args]
        given = [self.shape(each, names) for each in operands]
        if node.function == "dyn" and len(given) == 1:
            return given[0]
        found = self.operator(node, operands, given)
        if found is None and node.target is not None:
            found = self.member_call(node, operands, given)
        if found is not None:
            return found
        return shapes.from_type(self.tree.type_of(node))

    def operator(self, node: Call, operands: list[Node], given: list[Shape]) -> Shape | None:
        function = node.function
        if function in ("_+_", "_-_", "_*_", "_/_", "_%_"):
            return self.arithmetic(node, operands, given)
        if function in ("_<_", "_<=_", "_>_", "_>=_"):
            self.ordered(node, given)
            return shapes.of("bool")
        if function in ("_==_", "_!=_"):
            self.equal(node, operands, given)
            return shapes.of("bool")
        if function in ("_&&_", "_||_", "!_"):
            for operand, shape in zip(operands, given, strict=True):
                if shape.never("bool"):
                    op = OPERATORS[function]
                    self.error(
                        operand,
                        f"{op!r} needs true or false, but {self.words(operand)} is {a_kind(str(shape))}",
                    )
            return shapes.of("bool")
        if function == "_?_:_":
            if given[0].never("bool"):
                self.error(
                    operands[0],
                    f"the condition before '?' must be true or false, but it is {a_kind(str(given[0]))}",
                )
            return shapes.join(given[1], given[2])
        if function == "@in":
            if given[1].never("list", "map"):
                self.error(
                    node,
                    f"'in' needs a list or a map, but {self.words(operands[1])} is {a_kind(str(given[1]))}",
                )
            return shapes.of("bool")
        if function in ("_[_]", "_[?_]", "_?._"):
            return self.index(node, operands, given)
        return None

    def arithmetic(self, node: Call, operands: list[Node], given: list[Shape]) -> Shape:
        left, right = given
        if left.kinds is None or right.kinds is None:
            return shapes.from_type(self.tree.type_of(node))
        results = {
            kinds_of.arithmetic(node.function, one, other) for one in left.kinds for other in right.kinds
        } - {None}
        op = OPERATORS[node.function]
        if results:
            self.empty_sum(operands, given, op)
            kinds = frozenset(each for each in results if each is not None)
            element = (lambda: shapes.join(left.elements(), right.elements())) if kinds == {"list"} else None
            return Shape(kinds, element)
        if left.kinds | right.kinds == {"int", "double"} and node.function != "_%_":
            index = 0 if "int" in left.kinds else 1
            operand = operands[index]
            fix = (
                f"write {operand.value}.0"
                if isinstance(operand, Const)
                else f"write double({self.words(operand, plain=True)})"
            )
            other = self.words(operands[1 - index])
            message = f"{op!r} does not mix an int with a double: {self.words(operand)} is an int and {other} a double; {fix}"
            self.error(node, message)
            return shapes.of("double")
        sides = f"{self.words(operands[0])} ({left}) and {self.words(operands[1])} ({right})"
        hint = (
            "; write string(...) around the other side"
            if "string" in left.kinds | right.kinds and op == "+"
            else ""
        )
        self.error(node, f"{op!r} does not take {sides}{hint}")
        return ANY

    def empty_sum(self, operands: list[Node], given: list[Shape], op: str) -> None:
        """The sum of doubles is a double, but that of no elements is the int 0."""
        for index, operand in enumerate(operands):
            summed = isinstance(operand, Call) and operand.function == "sum" and given[index].only("double")
            if summed and given[1 - index].only("double"):
                message = f"sum() of no elements is the int 0, which {op!r} does not take beside a double: write double(….sum())"
                self.warn(operand, message, "EmptySum")

    def ordered(self, node: Call, given: list[Shape]) -> None:
        left, right = given
        if left.kinds is None or right.kinds is None:
            return
        fits = any(kinds_of.ordered(one, other) for one in left.kinds for other in right.kinds)
        if not fits:
            self.error(
                node,
                f"{OPERATORS[node.function]!r} does not compare {a_kind(str(left))} with {a_kind(str(right))}",
            )

    def equal(self, node: Call, operands: list[Node], given: list[Shape]) -> None:
        left, right = given
        if left.kinds is None or right.kinds is None:
            return
        alike = any(kinds_of.alike(one, other) for one in left.kinds for other in right.kinds)
        if not alike and "null" not in left.kinds | right.kinds:
            self.warn(node, f"{a_kind(str(left))} is never equal to {a_kind(str(right))}", "NeverEqual")
        for index, operand in enumerate(operands):
            allowed = given[1 - index].allowed
            if (
                allowed
                and isinstance(operand, Const)
                and operand.kind == "string"
                and operand.value not in allowed
            ):
                known = nearest(operand.value, [each for each in allowed if isinstance(each, str)])
                hint = (
                    f"did you mean {known!r}?"
                    if known
                    else f"its schema allows {cut(compact(list(allowed)), 120)}"
                )
                message = f"{self.words(operands[1 - index])} is never {operand.value!r}; {hint}"
                self.warn(operand, message, "NeverEqual")

    def index(self, node: Call, operands: list[Node], given: list[Shape]) -> Shape:
        target, key = operands
        shape = given[0].elements() if given[0].only("optional") else given[0]
        unsure = node.function != "_[_]" or given[0].only("optional")
        if isinstance(key, Const) and key.kind == "string":
            if shape.only("list"):
                self.error(
                    node,
                    f"{self.words(target)} is a list, and a list has numbers for its elements, not {key.value!r}",
                )
                return ANY
            found = self.property(node, target, shape, key.value, unsure=unsure)
        elif shape.only("list"):
            found = shape.elements()
        else:
            found = ANY
        return Shape(frozenset(("optional",)), element=lambda: found) if unsure else found

    def member_call(self, node: Call, operands: list[Node], given: list[Shape]) -> Shape | None:
        name, target = node.function, given[0]
        if name in _TEXT_MEMBERS:
            if target.never("string"):
                self.error(
                    node, f"{name}() needs a string, but {self.words(operands[0])} is {a_kind(str(target))}"
                )
            return None
        if name in ("orValue", "value") and target.only("optional"):
            return shapes.join(target.elements(), given[1]) if name == "orValue" else target.elements()
        return self.list_function(node, operands, given)

    def list_function(self, node: Call, operands: list[Node], given: list[Shape]) -> Shape | None:
        name, target = node.function, given[0]
        if name not in LIST_FUNCTIONS:
            return None
        if target.never("list"):
            self.error(node, f"{name}() needs a list, but {self.words(operands[0])} is {a_kind(str(target))}")
            return None
        item = target.elements()
        if name in _PATHS and len(operands) > 1:
            return self.by_path(node, operands[1], target, item)
        if name in ("sum", "avg") and item.never(*NUMBERS):
            self.error(node, f"{name}() needs numbers, but {self.words(operands[0])} holds {item}")
        if name == "sum":
            return (
                shapes.of("int") if item.only("int") else shapes.of("double") if item.only("double") else ANY
            )
        if name == "avg":
            return shapes.of("double")
        if name in ("min", "max"):
            return item
        if name in _SAME_LIST:
            return target
        if name == "flatten":
            return shapes.list_of(item.elements()) if item.only("list") else shapes.of("list")
        if name == "zip":
            return shapes.list_of(shapes.list_of(shapes.join(item, given[1].elements())))
        return None

    def by_path(self, node: Call, path: Node, target: Shape, item: Shape) -> Shape:
        found = item
        if isinstance(path, Const) and path.kind == "string":
            for step in path.value.split("."):
                found = self.property(path, node, found, step, unsure=False)
        else:
            found = ANY
        if node.function == "pluck":
            return shapes.list_of(found)
        return target if node.function == "sortBy" else shapes.values_of(target)

    def words(self, node: Node, *, plain: bool = False) -> str:
        """A node in the words of the author, as far as that is short."""
        path = static_path(node)
        if path is not None:
            return ".".join(path)
        if isinstance(node, Const) and node.kind in ("string", "int", "double", "bool", "null"):
            return cut(compact(node.value), 40)
        if plain:
            return "…"
        if isinstance(node, Call) and node.target is not None:
            return (
                f"{self.words(node.target)}.{node.function}()"
                if static_path(node.target)
                else f"what {node.function}() gives"
            )
        return "the value"


LIST_FUNCTIONS = frozenset(("sum", "min", "max", "avg", "sort", "unique", "flatten", "zip", *_PATHS))
