"""One object as an API server gives it: no text, no places, nothing beside it but what the caller has looked up.

Rules of this file
- It is found out as much as of a file (`report`), and what this release does not run is told too: nobody looks at it again before
  it runs.
- Whatever the object has become, findings come of it and nothing raises: a cluster stores what no validation of ours has seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairlead.engine.validation.bodies import RawGraph, as_dict
from fairlead.engine.validation.callees import Callee, Known, check_calls
from fairlead.engine.validation.inlines import check_inlines
from fairlead.engine.validation.notes import Notes
from fairlead.engine.validation.report import findings_of
from fairlead.engine.validation.unsupported import unsupported, unsupported_inline
from fairlead.model.document_tree import MAX_DEPTH, MAX_VALUES, Document
from fairlead.model.findings import Finding
from fairlead.model.manifests import Workflow, WorkflowExecution, WorkflowSpec, plain
from fairlead.model.shape_limits import nodes_of
from fairlead.model.shapes import Shaped, check_shape

_NOWHERE = (0, 0, None)
_NUMBERS = re.compile(r"\d+|\D+")


@dataclass(frozen=True, slots=True)
class References:
    """The Workflows that one names: those that it runs `inlined`, and those that it starts as executions of their own."""

    inlined: tuple[str, ...] = ()
    called: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, what runs inline first."""
        return tuple(dict.fromkeys((*self.inlined, *self.called)))


def read_object(data: dict[str, Any]) -> Shaped:
    """The manifest of an object's data, with the findings of its shape."""
    wrong = _boundless(data)
    if wrong is not None:
        return Shaped(None, (wrong,), Document({}, _NOWHERE))
    return check_shape(Document(data, _NOWHERE))


def spec_of(shaped: Shaped) -> WorkflowSpec | None:
    """The workflow in it, if there is one and its shape is right."""
    manifest = shaped.manifest
    if not shaped.ok:
        return None
    if isinstance(manifest, WorkflowExecution):
        return manifest.spec.definition
    return manifest.spec if isinstance(manifest, Workflow) else None


def references_of(data: Any) -> References:
    """What the data of a workflow's spec names, as far as it can be read; a name that is a template is left out."""
    callee = Callee("", as_dict(data))
    inlined = {name for name, _ in callee.calls}
    names = sorted(name for name in callee.called if name and "${" not in name)
    return References(
        tuple(name for name in names if name in inlined), tuple(name for name in names if name not in inlined)
    )


def references_in(spec: WorkflowSpec) -> References:
    """As `references_of`, for a spec."""
    calls = [node.workflow for _, node in nodes_of(spec) if node.workflow is not None]
    inlined = {call.name for call in calls if call.inline}
    started = {call.name for call in calls if "${" not in call.name} - inlined
    return References(tuple(sorted(inlined)), tuple(sorted(started)))


def examine_object(shaped: Shaped, known: Known, inlined: dict[str, WorkflowSpec]) -> list[Finding]:
    """All findings about an object, in the order of its fields; `inlined` are the workflows that run in it."""
    found = findings_of(shaped, known)
    if isinstance(shaped.manifest, (Workflow, WorkflowExecution)) and shaped.ok:
        found += unsupported(shaped.manifest)
        for name in sorted(inlined):
            found += unsupported_inline(name, inlined[name])
    return sorted(dict.fromkeys(found), key=_place)


def examine_inlines(spec: WorkflowSpec, known: Known, inlined: dict[str, WorkflowSpec]) -> list[Finding]:
    """What is wrong with the workflows that run inline in a spec that is sound by itself, errors alone."""
    data = plain(spec)
    notes = Notes(Document(data, _NOWHERE))
    graph = RawGraph(data, ("spec",))
    check_calls(graph, "", known, notes)
    check_inlines(graph, "", known, notes)
    found = [finding for finding in notes.findings if finding.severity == "error"]
    for name in sorted(inlined):
        found += unsupported_inline(name, inlined[name])
    return sorted(dict.fromkeys(found), key=_place)


def _place(finding: Finding) -> tuple[bool, list[tuple[bool, int, str]]]:
    """Errors before warnings, and by path with `[2]` before `[10]`."""
    parts = [
        (part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _NUMBERS.findall(finding.path)
    ]
    return finding.severity != "error", parts


def _boundless(data: dict[str, Any]) -> Finding | None:
    """What no reader of texts would have let in: data that is nested without end, or has no end."""
    todo: list[tuple[Any, int]] = [(data, 0)]
    count = 0
    while todo:
        value, depth = todo.pop()
        count += 1
        if depth > MAX_DEPTH:
            return _finding("TooDeep", f"the object is nested more than {MAX_DEPTH} deep; expected less")
        if count > MAX_VALUES:
            return _finding(
                "TooManyValues", f"the object has more than {MAX_VALUES:,} values; expected fewer"
            )
        if isinstance(value, dict):
            todo += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            todo += [(item, depth + 1) for item in value]
    return None


def _finding(reason: str, message: str) -> Finding:
    return Finding("error", reason, message, "spec")
