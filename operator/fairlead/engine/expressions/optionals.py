"""Where optional values (`a.?b`, `xs[?0]`, `optional.of(x)`) may stand, and where not.

CEL's runtime for Python cannot hand an optional value over: as a result it is a TypeError, and within a list that a function of
ours is given it leaves an exception behind that breaks the next call. CEL's checker does not tell either (`xs[?0]` is `dyn` to
it). So an optional value may only be unwrapped, chained, or put into a list or map with `?`, and the tree is searched for others.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.engine.expressions.syntax import Call, Fold, ListNode, MapNode, Node, Select, children, walk
from fairlead.engine.expressions.trees import Tree

_CHAINS = frozenset(("_?._", "_[?_]"))
_MAKERS = frozenset(("optional.of", "optional.none", "optional.ofNonZeroValue"))
_UNWRAPPED = frozenset(("orValue", "hasValue", "value", "or"))


def may_occur(serialised: bytes) -> bool:
    """False where an expression surely has no optional values, found without looking at its tree."""
    return b"optional" in serialised or b"_[?_]" in serialised or b"_?._" in serialised


def misused(tree: Tree) -> list[Node]:
    """The nodes that are optional where a plain value must be."""
    search = _Search(tree)
    found = [tree.root] if search.is_optional(tree.root) else []
    for node in walk(tree.root):
        found.extend(each for each in search.plain_children(node) if search.is_optional(each))
    return found


class _Search:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.known: dict[int, bool] = {}

    def is_optional(self, node: Node) -> bool:
        """True where a node's value is optional, whatever the checker calls it."""
        if node.id not in self.known:
            self.known[node.id] = self._is_optional(node)
        return self.known[node.id]

    def _is_optional(self, node: Node) -> bool:
        kind = self.tree.type_of(node)
        if isinstance(kind, tuple) and kind[0] == "optional":
            return True
        if isinstance(node, Select):
            return not node.test and self.is_optional(node.operand)
        if isinstance(node, Fold):
            return node.binds and self.is_optional(node.result)
        if not isinstance(node, Call):
            return False
        if node.function == "_[_]":
            return self.is_optional(node.args[0])
        if node.function == "_?_:_":
            return self.is_optional(node.args[1]) or self.is_optional(node.args[2])
        return (
            node.function in _CHAINS
            or node.function in _MAKERS
            or (node.function == "or" and node.target is not None)
        )

    def plain_children(self, node: Node) -> Iterator[Node]:
        """The children of a node that must not be optional."""
        if isinstance(node, Select):
            return
        if isinstance(node, ListNode):
            yield from (each for index, each in enumerate(node.elements) if index not in node.optional)
        elif isinstance(node, MapNode):
            yield from (entry.key for entry in node.entries if entry.key is not None)
            yield from (entry.value for entry in node.entries if not entry.optional)
        elif isinstance(node, Fold):
            yield from (node.range, node.init)
            if not node.binds:
                yield node.step
        elif isinstance(node, Call) and node.target is not None and node.function in _UNWRAPPED:
            if node.function != "or":
                yield from node.args
        elif isinstance(node, Call) and (node.function in _CHAINS or node.function == "_[_]"):
            yield from node.args[1:]
        elif isinstance(node, Call) and node.function == "_?_:_":
            yield node.args[0]
        else:
            yield from children(node)
