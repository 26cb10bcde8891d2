"""A workflow's data as bodies of nodes, read leniently: what is unreadable is left out, everything else is there.

Rules of this file: the shape check has told what is wrong with types and fields, so nothing is told here and nothing raises. A
node without a readable name has the name "", one without exactly one kind has the kind "". Paths lead into the data given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from fairlead.model.documents import Path
from fairlead.model.manifests import NODE_KINDS, POD_KINDS
from fairlead.model.manifests.parsing import MAX_BODY_DEPTH

_KINDS = frozenset(NODE_KINDS)


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value if it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def underscored(name: str) -> str:
    """A node's name as expressions write it."""
    return name.replace("-", "_")


class RawNode:
    """One node of a body."""

    __slots__ = ("bodies", "body", "data", "index", "kind", "name", "outputs", "path", "ports")

    def __init__(self, body: RawBody, index: int, data: dict[str, Any], path: Path) -> None:
        self.body = body
        self.index = index
        self.data = data
        self.path = path
        self.name = as_text(data.get("name"))
        kinds = [key for key in data if key in _KINDS and data[key] is not None]
        self.kind = kinds[0] if len(kinds) == 1 else ""
        self.bodies: list[RawBody] = []
        self.ports: dict[str, None] | Literal[False] | None = None  # see ports.py; False: unknown
        self.outputs: list[str] | None = None  # of the workflow that it inlines, if that is known

    @property
    def in_pod(self) -> bool:
        """Whether its work is done by a runner; unknown kinds may be."""
        return self.kind in POD_KINDS or not self.kind

    @property
    def value(self) -> dict[str, Any]:
        """What stands in the field of its kind, if that is an object."""
        return as_dict(self.data.get(self.kind)) if self.kind else {}

    @property
    def label(self) -> str:
        """The node in a sentence."""
        return f"node {self.name or self.index}"

    @property
    def readable(self) -> bool:
        """Whether its kind is known and what stands there has the right form."""
        if self.kind in ("", "if"):
            return bool(self.kind) and isinstance(self.data["if"], str)
        return isinstance(self.data[self.kind], dict)


class RawBody:
    """A graph of nodes: the workflow's own, `finally`, or that of a while, a forEach or a branch.

    `path` is where `connections` and `outputs` stand; `outer` is the body whose names are in scope here too.
    """

    def __init__(
        self, kind: str, path: Path, data: dict[str, Any], outer: RawBody | None, owner: RawNode | None
    ) -> None:
        self.kind = kind
        self.path = path
        self.outer = outer
        self.owner = owner
        self.connections = as_list(data.get("connections")) if kind != "finally" else []
        self.outputs = as_dict(data.get("outputs")) if kind != "finally" else {}
        self.nodes: list[RawNode] = []
        self.by_name: dict[str, RawNode] = {}
        self.stand_ins: dict[str, list[RawNode]] = {}
        field = "finally" if kind == "finally" else "nodes"
        for index, item in enumerate(as_list(data.get(field))):
            if isinstance(item, dict):
                self._take(RawNode(self, index, item, (*path, field, index)))

    def _take(self, node: RawNode) -> None:
        self.nodes.append(node)
        if node.name:
            self.by_name.setdefault(node.name, node)
        fallback = node.data.get("fallback")
        if isinstance(fallback, str) and fallback != node.name:
            self.stand_ins.setdefault(fallback, []).append(node)

    @property
    def label(self) -> str:
        """The body in a sentence."""
        if self.owner is None:
            return "finally" if self.kind == "finally" else "the workflow"
        return f"the body of {self.owner.name or self.owner.index}"

    @cached_property
    def depth(self) -> int:
        """How many bodies of containers it stands in, itself included."""
        return sum(body.owner is not None for body in self.outward())

    @cached_property
    def names(self) -> list[str]:
        """The names of its nodes, each once."""
        return list(self.by_name)

    def outward(self) -> Iterator[RawBody]:
        """This body, then those around it."""
        body: RawBody | None = self
        while body is not None:
            yield body
            body = body.outer

    @property
    def inside_loop(self) -> bool:
        """Whether it is the body of a while, whose nodes see those of the pass before."""
        return self.kind == "while"

    def inside(self, *kinds: str) -> bool:
        """Whether this body, or one around it, is of one of these kinds."""
        return any(body.kind in kinds for body in self.outward())


class RawGraph:
    """All bodies of a workflow's spec, the outer ones before those inside."""

    def __init__(self, spec: dict[str, Any], path: Path) -> None:
        self.spec = spec
        self.path = path
        self.root = RawBody("workflow", path, spec, None, None)
        self.finally_ = RawBody("finally", path, spec, self.root, None)
        self.bodies: list[RawBody] = []
        todo = [self.finally_, self.root]
        depth = {id(self.root): 0, id(self.finally_): 0}
        while todo:
            body = todo.pop()
            self.bodies.append(body)
            if depth[id(body)] == MAX_BODY_DEPTH:
                continue
            for node in body.nodes:
                node.bodies = list(_inner(node))
                for inner in node.bodies:
                    depth[id(inner)] = depth[id(body)] + 1
                    todo.append(inner)

    def nodes(self) -> Iterator[RawNode]:
        """Every node at every depth."""
        for body in self.bodies:
            yield from body.nodes

    def named(self, name: str) -> RawNode | None:
        """Some node of this name, in whatever body."""
        return next((body.by_name[name] for body in self.bodies if name in body.by_name), None)


def _inner(node: RawNode) -> Iterator[RawBody]:
    if node.kind in ("while", "forEach"):
        yield RawBody(node.kind, (*node.path, node.kind), node.value, node.body, node)
    elif node.kind == "parallel":
        for number, branch in enumerate(as_list(node.value.get("branches"))):
            if isinstance(branch, dict):
                path = (*node.path, "parallel", "branches", number)
                yield RawBody("branch", path, branch, node.body, node)
