"""References to other manifests: Workflows that are called or run, and WorkflowGuards (semantics 38).

What is known is what stands in the same file and, if the caller gives it, beside it. A name found nowhere is an error if both
were looked through, else a warning: it may be in the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fairlead.engine.validation.bodies import RawGraph, RawNode, as_dict, as_list, as_text
from fairlead.engine.validation.inputs import problems_against
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.schemas import schema_problems
from fairlead.model.children import MAX_DEPTH
from fairlead.model.documents import Path
from fairlead.model.manifests import Manifest, Workflow, WorkflowGuard, plain


@dataclass(frozen=True)
class Callee:
    """What a caller has to know of a Workflow."""

    name: str
    spec: dict[str, Any]

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The schema of its inputs; None if there is none that can be used, which is told where it stands."""
        schema = self.spec.get("inputs")
        return schema if isinstance(schema, dict) and not schema_problems(schema) else None

    @cached_property
    def _graph(self) -> RawGraph:
        return RawGraph(self.spec, ("spec",))

    @cached_property
    def calls(self) -> tuple[tuple[str, int], ...]:
        """The workflows that it runs inline, once for each node, with the depth of the body that the node stands in."""
        return tuple(
            (as_text(node.value.get("name")), node.body.depth)
            for node in self._graph.nodes()
            if node.kind == "workflow" and node.value.get("inline") is True
        )

    @cached_property
    def called(self) -> frozenset[str]:
        """The workflows that it runs inline or starts."""
        return frozenset(
            as_text(node.value.get("name")) for node in self._graph.nodes() if node.kind == "workflow"
        )

    @cached_property
    def depth(self) -> int:
        """How deep its bodies are nested."""
        return max(body.depth for body in self._graph.bodies)

    @cached_property
    def nodes(self) -> int:
        """How many nodes it has, at all depths."""
        return sum(len(body.nodes) for body in self._graph.bodies)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the nodes of its own graph."""
        return frozenset(self._graph.root.by_name)


@dataclass(slots=True)
class Known:
    """The manifests that can be referred to.

    `complete`: there are no others. `namespace`: they are those of a namespace, where others may appear; its guards are None
    where nobody has looked. `more_inputs`: the inputs of an execution are not all in its manifest. `broken`: workflows whose
    shape is wrong, with the first error; `verdicts`: the first error of those that were looked at, or an empty text.
    """

    workflows: dict[str, Callee] = field(default_factory=dict)
    guards: set[str] | None = field(default_factory=set)
    complete: bool = False
    namespace: str = ""
    more_inputs: bool = False
    broken: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)

    def take(self, data: Any) -> None:
        """A manifest's plain data; the first of a name counts."""
        kind, name = as_dict(data).get("kind"), as_text(as_dict(as_dict(data).get("metadata")).get("name"))
        if kind == "Workflow" and name:
            spec = as_dict(data.get("spec"))
            self.workflows.setdefault(name, Callee(name, spec))
        elif kind == "WorkflowGuard" and name and self.guards is not None:
            self.guards.add(name)


def known_manifests(documents: Iterable[Any], siblings: Iterable[Manifest] | None) -> Known:
    """What the documents of a file, and the manifests beside it, bring."""
    known = Known(complete=siblings is not None)
    for data in documents:
        known.take(data)
    for manifest in siblings or ():
        if isinstance(manifest, (Workflow, WorkflowGuard)):
            known.take({**plain(manifest), "kind": manifest.kind})
    return known


def check_calls(graph: RawGraph, own_name: str, known: Known, notes: Notes) -> None:
    """The Workflows that nodes call, and the guards that they name."""
    for node in graph.nodes():
        if node.kind == "workflow" and node.readable:
            _check_call(node, own_name, known, notes)
        if known.guards is None:
            continue
        for index, guard in enumerate(as_list(node.data.get("guards"))):
            if isinstance(guard, str) and node.in_pod and guard not in known.guards:
                path = (*node.path, "guards", index)
                _unknown(notes, known, "WorkflowGuard", guard, sorted(known.guards), path)


def check_run(spec: dict[str, Any], known: Known, notes: Notes) -> None:
    """The Workflow that an execution runs, and the inputs that it gives."""
    name = as_text(as_dict(spec.get("workflow")).get("name"))
    definition = spec.get("definition")
    if name and name not in known.workflows:
        path = ("spec", "workflow", "name")
        _unknown(notes, known, "Workflow", name, sorted(known.workflows), path)
        return
    target = known.workflows[name] if name else Callee("", as_dict(definition))
    inputs = spec.get("inputs", {})
    if isinstance(inputs, dict) and not known.more_inputs:
        for place, message in problems_against(target.schema, inputs):
            notes.error("InputsInvalid", message, ("spec", "inputs", *place))


def _unknown(notes: Notes, known: Known, kind: str, name: str, names: list[str], path: Path) -> None:
    reason = "UnknownWorkflow" if kind == "Workflow" else "UnknownGuard"
    if known.complete:
        message = f"there is no {kind} {name!r}; {notes.did_you_mean(name, names)}"
        notes.error(reason, message, path)
    elif known.namespace:
        message = f"there is no {kind} {name!r} in namespace {known.namespace}; expected it there before it is needed"
        notes.warning(reason, message, path)
    else:
        message = f"there is no {kind} {name!r} in this file; expected it there, or beside it when it runs"
        notes.warning(reason, message, path)


def _check_call(node: RawNode, own_name: str, known: Known, notes: Notes) -> None:
    call, path = node.value, (*node.path, "workflow")
    name = as_text(call.get("name"))
    inline = call.get("inline") is True
    if "${" in name:
        if inline:
            message = f"an inline workflow is pinned when the run starts, and {name!r} is a template; expected a name"
            notes.error("NotAllowedHere", message, (*path, "name"))
        return
    if not name:
        return
    if not inline and own_name and own_name in _reached(name, known):
        message = (
            f"workflow {own_name} starts itself through {name}; expected it to come to an end: "
            f"executions start each other at most {MAX_DEPTH} deep"
        )
        notes.warning("RecursiveCall", message, (*path, "name"))
    callee = known.workflows.get(name)
    if callee is None:
        _unknown(notes, known, "Workflow", name, sorted(known.workflows), (*path, "name"))
        return
    _check_given(node, callee, notes)


def _check_given(node: RawNode, callee: Callee, notes: Notes) -> None:
    """Inputs without expressions are checked in full, others only by their names."""
    given = node.value.get("inputs", {})
    if not isinstance(given, dict) or callee.schema is None:
        return
    path = (*node.path, "workflow", "inputs")
    templated = {name for name, value in given.items() if _has_template(value)}
    for place, message in problems_against(callee.schema, given):
        if not place or place[0] not in templated:
            notes.error(
                "InputsInvalid", f"{message} (by the schema of workflow {callee.name})", (*path, *place)
            )


def _has_template(value: Any) -> bool:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str) and "${" in item:
            return True
        todo.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
    return False


def _reached(start: str, known: Known) -> set[str]:
    """All workflows that run where this one runs, inline or as executions of their own."""
    seen, todo = {start}, [start]
    while todo:
        callee = known.workflows.get(todo.pop())
        following = (callee.called if callee is not None else frozenset()) - seen
        seen |= following
        todo += following
    return seen
