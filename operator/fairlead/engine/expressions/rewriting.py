"""The guards of an expression put into its tree: see `guards.py` for what they are and why.

Rules of this file: a rewritten expression means the same as the one it was made of, which stays as it is; everything bound is
bound once, so that nothing is evaluated twice; a path or a name is not bound, for reading it again costs nothing.
"""

from __future__ import annotations

from typing import Any

from fairlead.engine.expressions import costs
from fairlead.engine.expressions.guards import ALIVE, ENTER, KEYS, PAY, Operand, Read, Site, Value
from fairlead.engine.expressions.limits import RANGE, WORK
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
    Type,
    is_append,
    macro_of,
    walk,
)
from fairlead.engine.expressions.trees import Tree

_SCALARS = frozenset(("bool", "int", "uint", "double", "null", "timestamp", "duration"))
_NUMERIC = frozenset(("int", "uint", "double", "timestamp", "duration"))
_COMPARISONS = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))


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
