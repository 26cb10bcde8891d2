"""Guards: an expression is rewritten so that it pays for its work before it does it.

CEL's runtime has only a limit on iterations, and one iteration can take seconds. So, on the syntax tree:
- a comprehension asks first: `R.map(x, e)` becomes `bind(r, R, enter(site, size(r)) ? r.map(x, e) : false)`, which refuses
  more than 2,000 elements and pays for the iterations. Where `r` is a map it walks its keys in sorted order, because CEL's
  own order differs from process to process;
- an operation that grows with its operands asks first: `f(a, b)` becomes `bind(v, a, bind(w, b, pay(site, [v, w]) ? f(v, w) :
  false))`;
- so does a value put into a list or map, because sharing makes lists that are small in memory and endless when written out.

`enter` and `pay` are Python functions that raise when the work is spent; CEL's `||` may swallow that, so everything asks
again and is refused again, and the evaluation fails at its end. What they need beyond the values stands in a `Site`.

Most expressions need none of it: one without comprehensions and `optMap` does work that is bounded by its text and by what it
reads, and that is known before it runs: up to `cheap_below` bytes it runs as it was written.

Rules of this file: a rewritten expression means the same as the one it was made of; everything bound is bound once, so that
nothing is evaluated twice; a path or a name is not bound, for reading it again costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fairlead.engine.expressions import budget, costs
from fairlead.engine.expressions.budget import weight
from fairlead.engine.expressions.limits import COMPREHENSION, RANGE, WORK
from fairlead.engine.expressions.reads import Path, static_path
from fairlead.engine.expressions.syntax import (
    Call,
    Const,
    Entry,
    Fold,
    Ident,
    ListNode,
    MapNode,
    Node,
    Select,
    Tree,
    Type,
    walk,
)

ENTER: Final = "@enter"
PAY: Final = "@pay"
ALIVE: Final = "@alive"
KEYS: Final = "@keys"

_SCALARS = frozenset(("bool", "int", "uint", "double", "null", "timestamp", "duration"))
_NUMERIC = frozenset(("int", "uint", "double", "timestamp", "duration"))
_COMPARISONS = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))
_ADVICE = {
    "map": "use pluck(), flatten(), zip() or groupBy() of our list functions, or do it in a `run` node",
    "filter": "use groupBy() or unique() of our list functions, or do it in a `run` node",
    "all": "use min(), max() or unique() of our list functions, or do it in a `run` node",
    "exists": "use `in` with pluck(), or do it in a `run` node",
    "exists_one": "use groupBy() of our list functions, or do it in a `run` node",
}


@dataclass(frozen=True, slots=True)
class Value:
    """An operand of a site whose value the runtime hands over."""


@dataclass(frozen=True, slots=True)
class Read:
    """An operand that is a path into what the expression reads: its value is at hand, and its weight is found once."""

    path: Path


Operand = Value | Read | Const


@dataclass(frozen=True, slots=True)
class Site:
    """A guarded place: an operation with its operands, or a comprehension (`macro`) with the size of its body."""

    operation: str
    operands: tuple[Operand, ...] = ()
    body: int = 0
    appends: bool = False


# --- what the runtime calls ------------------------------------------------------------------------------------------


def enter(site_id: int, size: int) -> bool:
    """Pay for a comprehension over `size` elements. Raises when there are too many."""
    evaluation = budget.evaluation()
    site: Site = evaluation.sites[site_id]
    if size > COMPREHENSION:
        evaluation.stop(
            f"{site.operation}() would walk {size} elements, more than the {COMPREHENSION} that a comprehension may; "
            + _ADVICE.get(site.operation, "do it in a `run` node")
        )
    # Appending copies the list that was built so far, and the copies are kept to the end.
    evaluation.charge(size * (4 + site.body) + (size * size * 3 // 2 if site.appends else 0))
    return True


def alive() -> bool:
    """False once the evaluation was stopped: what would still be handed over, to be refused, is spared."""
    return budget.evaluation().stopped is None


def pay(site_id: int, values: list[Any]) -> bool:
    """Pay for an operation. `values` are those operands that are neither constants nor paths, in order."""
    evaluation = budget.evaluation()
    if evaluation.stopped is not None:
        raise budget.TooExpensive(evaluation.stopped)
    site: Site = evaluation.sites[site_id]
    given = iter(values)
    if site.operation in _SIMPLE:
        units = 1
        for operand in site.operands:
            if isinstance(operand, Value):
                units += weight(next(given))
            elif isinstance(operand, Read):
                keyed = site.operation == "@in" and type(evaluation.value_of(operand.path)) is dict
                units += 1 if keyed else evaluation.weight_of(operand.path)
        evaluation.charge(units)
        return True
    operands = [
        next(given)
        if isinstance(operand, Value)
        else operand.value
        if isinstance(operand, Const)
        else evaluation.value_of(operand.path)
        for operand in site.operands
    ]
    evaluation.charge(1 + costs.OF[site.operation](operands))
    return True


def keys(value: Mapping[Any, Any]) -> list[Any]:
    """The keys of a map in an order that is the same everywhere."""
    budget.evaluation().charge(weight(value))
    return sorted(value, key=lambda key: (type(key).__name__, key))


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[str, ...], ...], str]] = {
    ENTER: (enter, (("INT", "INT"),), "BOOL"),
    PAY: (pay, (("INT", "LIST"),), "BOOL"),
    ALIVE: (alive, ((),), "BOOL"),
    KEYS: (keys, (("MAP",),), "LIST"),
}
"""Functions of ours that no text can name: what runs, the argument kinds, the kind of the result."""

_SIMPLE = frozenset(name for name, cost in costs.OF.items() if cost is costs.OF["_+_"])


# --- rewriting -------------------------------------------------------------------------------------------------------


def guarded(tree: Tree, roots: frozenset[str]) -> tuple[Tree, tuple[Site, ...]]:
    """The expression with its guards, and the places that they speak of."""
    rewriter = _Rewriter(tree, roots, max(node.id for node in walk(tree.root)))
    root = rewriter.node(tree.root, frozenset())
    return tree.with_root(root), tuple(rewriter.sites)


def cheap_below(tree: Tree) -> int:
    """The bytes read up to which an expression cannot spend the work, whatever its values are, so that it needs no guards.

    None (-1) with a comprehension. Else, with m leaves of at most S bytes, no value is larger than m·S, or (m·S)^(g+1) after g
    operations that grow faster than their operands, and every operation does at most that much work.
    """
    leaves = operations = growing = literals = 0
    repetition = False
    for node in walk(tree.root):
        kind = type(node)
        if kind is Fold:
            return -1
        if isinstance(node, Const):
            leaves += 1
            if node.kind in ("string", "bytes"):
                literals += len(node.value)
                repetition = repetition or (node.kind == "string" and "{" in node.value)
        elif kind is Ident:
            leaves += 1
        elif isinstance(node, Call):
            operations += 1
            growing += node.function in costs.GROWING
            literals += 8 * RANGE if node.function == "range" else 0
        elif kind is not Select:
            operations += 1
    if growing and repetition:
        return -1  # a regular expression's repetitions are worth more than its length
    # A number may become text of some length.
    literals += 40 * leaves
    largest = int((WORK / max(1, operations)) ** (1 / (growing + 1))) // max(1, leaves)
    return max(-1, largest - literals)


class _Rewriter:
    """Builds the guarded tree; the given one is left as it is."""

    def __init__(self, tree: Tree, roots: frozenset[str], last_id: int) -> None:
        self.tree = tree
        self.roots = roots
        self.last_id = last_id
        self.bound_count = 0
        self.sites: list[Site] = []

    def id(self) -> int:
        self.last_id += 1
        return self.last_id

    def type(self, node: Node) -> Type:
        return self.tree.type_of(node)

    # One method per kind of node.

    def node(self, node: Node, local: frozenset[str]) -> Node:
        if isinstance(node, Select):
            return Select(node.id, self.node(node.operand, local), node.field, node.test)
        if isinstance(node, Call):
            return self.call(node, local)
        if isinstance(node, ListNode):
            elements = [
                self.node(each, local) if index in node.optional else self.kept(each, local)
                for index, each in enumerate(node.elements)
            ]
            return ListNode(node.id, elements, node.optional)
        if isinstance(node, MapNode):
            return MapNode(node.id, node.message, [self.entry(each, local) for each in node.entries])
        if isinstance(node, Fold):
            return self.fold(node, local)
        return node

    def entry(self, entry: Entry, local: frozenset[str]) -> Entry:
        key = self.node(entry.key, local) if entry.key is not None else None
        value = self.node(entry.value, local) if entry.optional else self.kept(entry.value, local)
        return Entry(entry.id, key, entry.field, value, entry.optional)

    def kept(self, value: Node, local: frozenset[str]) -> Node:
        """A value that is put into a list or map: paid for, unless it is small whatever happens."""
        if isinstance(value, Const) or self.type(value) in _SCALARS:
            return self.node(value, local)
        return self.paid("keep", [value], [0], lambda operands: operands[0], local)

    def call(self, node: Call, local: frozenset[str]) -> Node:
        operands = [*([node.target] if node.target is not None else []), *node.args]

        def rebuilt(parts: list[Node]) -> Node:
            if node.target is not None:
                return Call(node.id, node.function, parts[1:], parts[0])
            return Call(node.id, node.function, parts)

        charged = self.charged_operands(node, operands)
        if not charged:
            return rebuilt([self.node(each, local) for each in operands])
        return self.paid(node.function, operands, charged, rebuilt, local)

    def charged_operands(self, node: Call, operands: list[Node]) -> list[int]:
        """The indices of the operands that the cost of a call depends on; none where it costs next to nothing."""
        function = node.function
        if function not in costs.OF:
            return []
        types = [self.type(each) for each in operands]
        if function == "_+_":
            return [] if self.type(node) in _NUMERIC or any(kind in _NUMERIC for kind in types) else [0, 1]
        if function in _COMPARISONS:
            small = any(
                kind in _SCALARS or isinstance(each, Const)
                for kind, each in zip(types, operands, strict=True)
            )
            if small:
                return []
            # The smaller one bounds the work, so one is enough: that which is at hand, if there is one.
            return [1] if self.read(operands[1], frozenset()) else [0]
        if function == "@in":
            return [] if isinstance(operands[1], ListNode) else [1]
        if all(
            kind in _SCALARS or isinstance(each, Const) for kind, each in zip(types, operands, strict=True)
        ):
            return [] if function not in costs.GROWING else list(range(len(operands)))
        return list(range(len(operands)))

    def fold(self, node: Fold, local: frozenset[str]) -> Node:
        inner = local | {node.variable, node.variable2, node.accumulator}
        step = self.step(node, inner)
        condition, result = self.node(node.condition, inner), self.node(node.result, inner)
        init = self.node(node.init, local)
        if node.binds:
            return Fold(
                node.id,
                node.variable,
                node.range,
                node.accumulator,
                init,
                condition,
                step,
                result,
                node.variable2,
            )
        site = Site(macro_of(node), (), sum(1 for _ in walk(node.step)), isinstance(node.init, ListNode))
        self.sites.append(site)
        number = len(self.sites) - 1
        name = self.fresh()
        size = Call(self.id(), "size", [Ident(self.id(), name)])
        ask = Call(self.id(), ENTER, [Const(self.id(), "int", number), size])
        walked = self.walked(node.range, name)
        folded = Fold(
            node.id, node.variable, walked, node.accumulator, init, condition, step, result, node.variable2
        )
        return self.bind(name, self.node(node.range, local), self.when(ask, folded))

    def step(self, node: Fold, inner: frozenset[str]) -> Node:
        """The step of a comprehension. Appending to the result is not an addition: what it copies is paid for by `enter`."""
        return self.append(node.step, node, inner)

    def append(self, step: Node, fold: Fold, inner: frozenset[str]) -> Node:
        if isinstance(step, Call) and step.function == "_?_:_":
            condition, yes, no = step.args
            return Call(
                step.id, step.function, [self.node(condition, inner), self.append(yes, fold, inner), no]
            )
        if is_append(step, fold):
            assert isinstance(step, Call)
            assert isinstance(step.args[1], ListNode)
            added = step.args[1]
            element = added.elements[0]
            whole = isinstance(element, Ident) and element.name == fold.variable
            kept = element if whole else self.kept(element, inner)
            return Call(step.id, step.function, [step.args[0], ListNode(added.id, [kept])])
        return self.node(step, inner)

    def walked(self, range_: Node, name: str) -> Node:
        """What a comprehension walks: the list itself, or the sorted keys of a map."""
        kind = self.type(range_)
        if isinstance(kind, tuple) and kind[0] == "list":
            return Ident(self.id(), name)
        in_order = Call(self.id(), KEYS, [Ident(self.id(), name)])
        if isinstance(kind, tuple) and kind[0] == "map":
            return in_order
        is_map = Call(
            self.id(), "_==_", [Call(self.id(), "type", [Ident(self.id(), name)]), Ident(self.id(), "map")]
        )
        return Call(self.id(), "_?_:_", [is_map, in_order, Ident(self.id(), name)])

    # Building blocks.

    def paid(
        self, operation: str, operands: list[Node], charged: list[int], rebuild: Any, local: frozenset[str]
    ) -> Node:
        """`rebuild(operands)` behind a guard that pays for the operands with the given indices."""
        bindings: list[tuple[str, Node]] = []
        parts: list[Node] = []
        kinds: list[Operand] = []
        handed: list[Node] = []
        for index, operand in enumerate(operands):
            path = self.read(operand, local)
            rewritten = self.node(operand, local)
            if not isinstance(operand, Const) and path is None and not isinstance(operand, Ident):
                name = self.fresh()
                bindings.append((name, rewritten))
                rewritten = Ident(self.id(), name)
            parts.append(rewritten)
            if index in charged:
                kinds.append(
                    operand if isinstance(operand, Const) else Read(path) if path is not None else Value()
                )
                if isinstance(kinds[-1], Value):
                    handed.append(self.copy(rewritten))
        self.sites.append(Site(operation, tuple(kinds)))
        number = Const(self.id(), "int", len(self.sites) - 1)
        ask: Node = Call(self.id(), PAY, [number, ListNode(self.id(), handed)])
        if handed:
            ask = Call(self.id(), "_&&_", [Call(self.id(), ALIVE, []), ask])
        guarded = self.when(ask, rebuild(parts))
        for name, value in reversed(bindings):
            guarded = self.bind(name, value, guarded)
        return guarded

    def read(self, node: Node, local: frozenset[str]) -> Path | None:
        """The path of a node that is one into the scope, and not one through a name of a comprehension."""
        path = static_path(node)
        return path if path is not None and path[0] in self.roots and path[0] not in local else None

    def fresh(self) -> str:
        self.bound_count += 1
        return f"@v{self.bound_count}"

    def copy(self, node: Node) -> Node:
        return Ident(self.id(), node.name) if isinstance(node, Ident) else node

    def when(self, ask: Node, then: Node) -> Node:
        return Call(self.id(), "_?_:_", [ask, then, Const(self.id(), "bool", value=False)])

    def bind(self, name: str, value: Node, then: Node) -> Node:
        nothing = ListNode(self.id(), [])
        never = Const(self.id(), "bool", value=False)
        return Fold(self.id(), "#unused", nothing, name, value, never, Ident(self.id(), name), then)


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
