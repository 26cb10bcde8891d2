"""Every place of a workflow where an expression may stand, with the text that stands there and what it sees.

Rules of this file: the tables below say which fields are templates and which are bare CEL; nothing is judged here. A text comes
with its path, so that a finding can point at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairlead.engine.validation import places
from fairlead.engine.validation.bodies import RawBody, RawGraph, RawNode, as_dict, as_list
from fairlead.engine.validation.places import Place
from fairlead.engine.validation.wiring import RawEdge
from fairlead.model.documents import Path

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "run": ("image", "args", "env", "workingDir"),
    "http": ("url", "query", "headers", "body"),
    "notify": ("title", "body"),
    "resource": ("manifest",),
    "log": ("message",),
    "switch": ("value",),
    "forEach": ("items",),
    "wait": ("until",),
    "approval": ("message",),
    "emit": ("type", "subject", "data"),
    "workflow": ("name", "inputs"),
    "finish": ("result", "reason"),
}
"""Kind → its fields that are templates. `set` is one as a whole."""

_CONDITIONS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "http": (("expect", ("status", "headers", "body")),),
    "resource": (("success", ("object",)), ("failure", ("object",))),
}
"""Kind → its fields that are conditions of the runner's, with the names that they know."""


@dataclass(frozen=True, slots=True)
class Field:
    """One text. `form` is `template`, `condition` (bare CEL that gives true or false), `formula` (bare CEL) or `runner` (a
    condition that the runner evaluates, which knows CEL alone and the names of its place).
    """

    text: str
    path: Path
    place: Place
    form: str


class Fields:
    """Walks a workflow. `loops` are the ids of nodes between the ends of a loopback; `edges` all edges with a condition."""

    def __init__(self, graph: RawGraph, edges: list[RawEdge], loops: frozenset[int]) -> None:
        self.graph = graph
        self.edges = edges
        self.loops = loops
        self._inside = {id(body): places.names_inside(body, loops) for body in graph.bodies}

    def __iter__(self) -> Iterator[Field]:
        yield from self._of_spec()
        for body in self.graph.bodies:
            for node in body.nodes:
                yield from self._of_node(node)
            if body.kind in ("forEach", "branch"):
                yield from self._of_body(body)
        for edge in self.edges:
            if edge.when:
                place = self.of(edge.source).also(
                    f"the when of connection {edge.id}", "outputs", "error", itself=True
                )
                yield Field(edge.when, (*edge.path, "when"), place, "condition")

    def of(self, node: RawNode) -> Place:
        """What a node's own fields see."""
        body = node.body
        names, locals_ = self._inside[id(body)]
        if id(node) in self.loops:
            names |= {"pass"}
        users = tuple(body.stand_ins.get(node.name, ()))
        if users:
            names |= {"error"}
        in_finally = body.inside("finally")
        sight: places.Sight = "all" if in_finally else "upstream"
        return Place(node.label, body, node, places.ALWAYS | names, locals_, sight, False, users)

    def _of_spec(self) -> Iterator[Field]:
        spec, path, root = self.graph.spec, self.graph.path, self.graph.root
        start = Place("the initial variables", root, None, places.BEFORE_START, sight="none")
        yield from _templates(spec.get("variables"), (*path, "variables"), start)
        for name, text in as_dict(spec.get("computed")).items():
            if isinstance(text, str):
                place = Place(f"computed.{name}", root, None, places.PURE, sight="all", pure=True)
                yield Field(text, (*path, "computed", name), place, "formula")
        end = Place("the workflow's outputs", root, None, places.ALWAYS, sight="all")
        yield from _templates(spec.get("outputs"), (*path, "outputs"), end)
        retry = Place("defaults.retry", root, None, (places.ALWAYS - {"nodes"}) | {"error"}, sight="none")
        yield from _retry(as_dict(spec.get("defaults")), (*path, "defaults"), retry)
        key = Place("concurrency.key", root, None, places.BEFORE_START, sight="none")
        concurrency = as_dict(spec.get("concurrency"))
        yield from _templates(concurrency.get("key"), (*path, "concurrency", "key"), key)
        told = Place("a notification", root, None, places.ALWAYS | {"outputs", "error"}, sight="all")
        for index, item in enumerate(as_list(spec.get("notifications"))):
            for field in ("title", "body"):
                yield from _templates(as_dict(item).get(field), (*path, "notifications", index, field), told)
        yield from self._of_triggers(as_list(spec.get("triggers")), (*path, "triggers"))

    def _of_triggers(self, triggers: list[Any], path: Path) -> Iterator[Field]:
        place = Place("a trigger", self.graph.root, None, places.ON_EVENT, sight="none")
        for index, trigger in enumerate(triggers):
            data, here = as_dict(trigger), (*path, index)
            yield from _templates(data.get("inputs"), (*here, "inputs"), place)
            for cause in ("event", "webhook"):
                yield from _condition(as_dict(data.get(cause)), "when", (*here, cause), place)
            yield from _templates(as_dict(data.get("event")).get("dedupe"), (*here, "event", "dedupe"), place)

    def _of_node(self, node: RawNode) -> Iterator[Field]:
        data, path, place = node.data, node.path, self.of(node)
        yield from _condition(data, "when", path, place)
        yield from _templates(data.get("with"), (*path, "with"), place)
        after = place.also(f"the store of {node.label}", "outputs", itself=True)
        yield from _templates(data.get("store"), (*path, "store"), after)
        yield from _templates(as_dict(data.get("cache")).get("key"), (*path, "cache", "key"), place)
        yield from _retry(data, path, place.also(f"the retry of {node.label}", "error"))
        yield from self._of_kind(node, place)
        undo = as_dict(data.get("compensate"))
        if undo:
            yield from self._of_compensate(node, undo, place)

    def _of_kind(self, node: RawNode, place: Place) -> Iterator[Field]:
        path, kind = node.path, node.kind
        if kind == "if":
            yield from _condition(node.data, "if", path, place)
        elif kind == "set":
            yield from _templates(node.data["set"], (*path, "set"), place)
        elif kind:
            yield from _of_value(kind, node.value, (*path, kind), place)
        if kind == "while":
            yield from _condition(
                node.value, "condition", (*path, "while"), self._condition_place(node, place)
            )
        elif kind == "wait":
            waited = place.also(f"the match of {node.label}", "event")
            event = as_dict(node.value.get("event"))
            yield from _condition(event, "match", (*path, "wait", "event"), waited)

    def _condition_place(self, node: RawNode, place: Place) -> Place:
        """A while's condition sees its body, as it was left by the pass before."""
        if not node.bodies:
            return place.also(f"the condition of {node.label}", "pass")
        what = f"the condition of {node.label}"
        return Place(what, node.bodies[0], None, place.names | {"pass"}, place.locals)

    def _of_compensate(self, node: RawNode, undo: dict[str, Any], place: Place) -> Iterator[Field]:
        path: Path = (*node.path, "compensate")
        undone = place.also(f"the compensate of {node.label}", "outputs", "error", itself=True)
        yield from _templates(undo.get("with"), (*path, "with"), undone)
        yield from _templates(undo.get("set"), (*path, "set"), undone)
        yield from _retry(undo, path, undone)
        for kind in ("run", "http", "notify", "resource"):
            yield from _of_value(kind, as_dict(undo.get(kind)), (*path, kind), undone)

    def _of_body(self, body: RawBody) -> Iterator[Field]:
        owner = body.owner
        assert owner is not None
        names, locals_ = self._inside[id(body)]
        what = f"the outputs of {owner.label}"
        place = Place(what, body, None, places.ALWAYS | names, locals_)
        yield from _templates(body.outputs, (*body.path, "outputs"), place)


def _of_value(kind: str, value: dict[str, Any], path: Path, place: Place) -> Iterator[Field]:
    for field in _TEMPLATES.get(kind, ()):
        if field in value and not (kind == "workflow" and field == "name" and value.get("inline") is True):
            yield from _templates(value[field], (*path, field), place)
    for field, locals_ in _CONDITIONS.get(kind, ()):
        if field in value:
            there = Place(
                f"the {field} of {place.what}", place.body, None, frozenset(), frozenset(locals_), "none"
            )
            yield from _condition(value, field, path, there, "runner")
    if kind == "switch":
        for index, case in enumerate(as_list(value.get("cases"))):
            here = (*path, "cases", index)
            yield from _condition(as_dict(case), "when", here, place)
            yield from _templates(as_dict(case).get("equals"), (*here, "equals"), place)


def _retry(owner: dict[str, Any], path: Path, place: Place) -> Iterator[Field]:
    retry = as_dict(owner.get("retry"))
    for field in ("retryOn", "noRetryOn"):
        yield from _condition(retry, field, (*path, "retry"), place)


def _condition(
    owner: dict[str, Any], field: str, path: Path, place: Place, form: str = "condition"
) -> Iterator[Field]:
    text = owner.get(field)
    if isinstance(text, str) and text:
        yield Field(text, (*path, field), place, form)


def _templates(value: Any, path: Path, place: Place) -> Iterator[Field]:
    """The texts with `${` in a JSON value, in order; without recursion."""
    todo: list[tuple[Any, Path]] = [(value, path)]
    while todo:
        item, here = todo.pop()
        if isinstance(item, str):
            if "${" in item:
                yield Field(item, here, place, "template")
        elif isinstance(item, dict):
            todo.extend((inner, (*here, key)) for key, inner in reversed(item.items()))
        elif isinstance(item, list):
            todo.extend((inner, (*here, index)) for index, inner in reversed(list(enumerate(item))))
