"""What an expression reads: the static paths of its names, found once, so that only those parts are handed to the runtime.

A path starts at a root (`nodes`) and goes on through `.name`, `["name"]`, `.?name`, `[?"name"]` and `has(…)`; it ends where
the next step is not known before it runs (`items[0]`, `nodes[vars.x]`, `.map(…)`), and then the whole value there is read.
"""

from __future__ import annotations

from collections.abc import Mapping

from fairlead.engine.expressions.syntax import Call, Const, Fold, Ident, Node, Select, children
from fairlead.engine.expressions.trees import Tree

Path = tuple[str, ...]
Wanted = Mapping[str, "Wanted | None"]


def read_paths(root: Node, roots: frozenset[str]) -> tuple[Path, ...]:
    """The shortest set of paths that covers all reads, sorted."""
    found: list[tuple[Path, Node]] = []
    _collect(root, frozenset(), roots, found)
    return shortest({path for path, _ in found})


def references(tree: Tree, roots: frozenset[str]) -> list[tuple[Path, int]]:
    """Every path that is read, with the offset of its first name, in the order of the text."""
    found: list[tuple[Path, Node]] = []
    _collect(tree.root, frozenset(), roots, found)
    placed = [(path, tree.offset_of(_first(node))) for path, node in found]
    return sorted(set(placed), key=lambda each: (each[1], each[0]))


def _first(node: Node) -> Ident:
    """The name at which a path starts."""
    while not isinstance(node, Ident):
        node = next(children(node))
    return node


def shortest(paths: set[Path]) -> tuple[Path, ...]:
    """The paths without those that begin with another one of them."""
    kept: list[Path] = []
    for path in sorted(paths):
        if not kept or path[: len(kept[-1])] != kept[-1]:
            kept.append(path)
    return tuple(kept)


def static_path(node: Node) -> Path | None:
    """The path that a node is, from whatever name it starts at; None for anything else."""
    steps: list[str] = []
    while True:
        if isinstance(node, Ident):
            steps.append(node.name.removeprefix("."))
            return tuple(reversed(steps))
        if isinstance(node, Select):
            steps.append(node.field)
            node = node.operand
        elif isinstance(node, Call) and node.function in ("_?._", "_[_]", "_[?_]") and len(node.args) == 2:
            key = node.args[1]
            if not isinstance(key, Const) or key.kind != "string":
                return None
            steps.append(key.value)
            node = node.args[0]
        else:
            return None


def _collect(
    node: Node, bound: frozenset[str], roots: frozenset[str], found: list[tuple[Path, Node]]
) -> None:
    path = static_path(node)
    if path is not None:
        # `.inputs` with a dot before it is the root, whatever a comprehension around it calls its variable.
        absolute = _first(node).name.startswith(".")
        if path[0] in roots and (absolute or path[0] not in bound):
            found.append((path, node))
        return
    if isinstance(node, Fold):
        _collect(node.range, bound, roots, found)
        _collect(node.init, bound, roots, found)
        inner = bound | {node.variable, node.variable2, node.accumulator}
        for part in (node.condition, node.step, node.result):
            _collect(part, inner, roots, found)
        return
    for child in children(node):
        _collect(child, bound, roots, found)


def as_tree(paths: tuple[Path, ...]) -> dict[str, Wanted | None]:
    """The paths as nested names; None where the whole value is wanted."""
    tree: dict[str, object] = {}
    for path in paths:
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})  # type: ignore[assignment]
        place[path[-1]] = None
    return tree  # type: ignore[return-value]
