"""The nodes of an expression's syntax tree, as cel-spec's `syntax.proto` has them.

Rules of this file: nodes are plain and mutable only by whoever made them; every node keeps the id by which a `Tree` (see
`trees.py`) speaks of it. Macros such as `map` and `exists` are gone when a tree is made: what they became is a `Fold`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

ConstKind = Literal["null", "bool", "int", "uint", "double", "string", "bytes"]


@dataclass(slots=True)
class Const:
    """A literal."""

    id: int
    kind: ConstKind
    value: Any


@dataclass(slots=True)
class Ident:
    """A name."""

    id: int
    name: str


@dataclass(slots=True)
class Select:
    """`operand.field`, or with `test` what is within `has(...)`."""

    id: int
    operand: Node
    field: str
    test: bool = False


@dataclass(slots=True)
class Call:
    """A function or operator (`_+_`, `_[_]`, …); `target` is set for the member form."""

    id: int
    function: str
    args: list[Node]
    target: Node | None = None


@dataclass(slots=True)
class ListNode:
    """`[a, ?b]`; `optional` are the indices of the elements written with a question mark."""

    id: int
    elements: list[Node]
    optional: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One entry of a map (`key`) or of a message (`field`)."""

    id: int
    key: Node | None
    field: str
    value: Node
    optional: bool = False


@dataclass(slots=True)
class MapNode:
    """`{k: v}`, or a message when `message` is not empty."""

    id: int
    message: str
    entries: list[Entry]


@dataclass(slots=True)
class Fold:
    """A comprehension: what the macros `map`, `filter`, `all`, `exists`, `exists_one` and `optMap` become."""

    id: int
    variable: str
    range: Node
    accumulator: str
    init: Node
    condition: Node
    step: Node
    result: Node
    variable2: str = ""

    @property
    def binds(self) -> bool:
        """True where it only gives a value a name and walks nothing (`optMap`)."""
        return isinstance(self.range, ListNode) and not self.range.elements


Node = Const | Ident | Select | Call | ListNode | MapNode | Fold

# Types are small values: a name, or a tuple of a name and its parameters: "int", ("list", "dyn"), ("optional", "int").
Type = str | tuple[Any, ...]


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below a node, in the order in which they are written down in the tree."""
    if isinstance(node, Select):
        yield node.operand
    elif isinstance(node, Call):
        if node.target is not None:
            yield node.target
        yield from node.args
    elif isinstance(node, ListNode):
        yield from node.elements
    elif isinstance(node, MapNode):
        for entry in node.entries:
            if entry.key is not None:
                yield entry.key
            yield entry.value
    elif isinstance(node, Fold):
        yield from (node.range, node.init, node.condition, node.step, node.result)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(children(current))


def is_append(step: Node, fold: Fold) -> bool:
    """True for `accumulator + [element]`, the step of `map` and `filter`."""
    return (
        isinstance(step, Call)
        and step.function == "_+_"
        and isinstance(step.args[0], Ident)
        and step.args[0].name == fold.accumulator
        and isinstance(step.args[1], ListNode)
        and len(step.args[1].elements) == 1
    )


def macro_of(fold: Fold) -> str:
    """The macro that a comprehension was written as."""
    if isinstance(fold.init, ListNode):
        step = (
            fold.step.args[1] if isinstance(fold.step, Call) and fold.step.function == "_?_:_" else fold.step
        )
        if step is not fold.step and isinstance(step, Call) and isinstance(step.args[1], ListNode):
            element = step.args[1].elements[0]
            return "filter" if isinstance(element, Ident) and element.name == fold.variable else "map"
        return "map"
    if isinstance(fold.init, Const) and fold.init.kind == "bool":
        return "all" if fold.init.value else "exists"
    return "exists_one"
