"""Workflows that nodes run inline: what can be known of them before anything starts (semantics 18, 37, 38).

InlineCycle         error    workflows that run one another inline, without end; the chain is named
InvalidWorkflow     error    the workflow has an error of its own; the first is told
TooDeep             error    bodies in bodies deeper than 8, those of inlined workflows counted
TooManyNodes        error    more than 10,000 nodes, each inlined graph counted as often as it is named
DefinitionTooLarge  error    what is pinned together is larger than 1 MiB
DuplicateName       error    a fallback of the node has the name of a node of the workflow: both would be `NODE/NAME`
WithoutEffect       warning  parts of the workflow that do not count where it runs inline

Rules of this file: a workflow is looked at by itself, as if it were run, once per text; what is wrong with it is told in full
where it stands, and in one sentence at each node that names it. A workflow that is not known counts as one without nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import ValidationError

from fairlead.engine.validation.bodies import RawGraph, RawNode, as_dict, as_text
from fairlead.engine.validation.callees import Callee, Known
from fairlead.engine.validation.notes import Notes
from fairlead.model.documents import Document, Path
from fairlead.model.manifests import WorkflowSpec, canonical_json, parse_spec
from fairlead.model.manifests.parsing import MAX_BODY_DEPTH
from fairlead.model.shape_limits import MAX_DEFINITION, MAX_NODES

_WITHOUT_EFFECT = (
    "triggers", "concurrency", "retention", "compensation", "notifications", "runOnChange", "checkpoint", "priority",
)  # fmt: skip
"""Parts of a Workflow that do not count where it runs inline."""


def check_inlines(graph: RawGraph, own_name: str, known: Known, notes: Notes) -> None:
    """All that is wrong with the workflows that a workflow runs inline."""
    nodes = [
        node for node in graph.nodes() if _inlined(node) in known.workflows or _inlined(node) == own_name
    ]
    sound: list[RawNode] = []
    for node in nodes:
        name = _inlined(node)
        if not name:
            continue
        chain = _chain(name, own_name, known) if own_name else []
        if chain:
            shown = " -> ".join([own_name, *chain])
            message = f"workflow {own_name} runs itself inline without end: {shown}; expected no cycle"
            notes.error("InlineCycle", message, _name_of(node))
        elif _check_one(node, known.workflows[name], known, notes):
            node.outputs = list(as_dict(known.workflows[name].spec.get("outputs")))
            sound.append(node)
    _check_size(graph, sound, known, notes)


def _inlined(node: RawNode) -> str:
    call = node.value if node.kind == "workflow" and node.readable else {}
    return as_text(call.get("name")) if call.get("inline") is True else ""


def _name_of(node: RawNode) -> Path:
    return (*node.path, "workflow", "name")


def _check_one(node: RawNode, callee: Callee, known: Known, notes: Notes) -> bool:
    """Whether the workflow is sound, so that its nodes can be counted."""
    cycle = _cycle_below(callee.name, known)
    if cycle:
        message = f"workflow {callee.name} has an error: it runs {' -> '.join(cycle)} inline, without end"
        notes.error("InvalidWorkflow", message, _name_of(node))
        return False
    depth = node.body.depth + 1 + _depth(callee.name, known)
    if depth > MAX_BODY_DEPTH:
        message = f"bodies are nested {depth} deep with those of workflow {callee.name}; expected at most {MAX_BODY_DEPTH}"
        notes.error("TooDeep", message, _name_of(node))
        return False
    wrong = _wrong(callee, known)
    if wrong:
        message = f"workflow {callee.name} has an error: {wrong}"
        notes.error("InvalidWorkflow", message, _name_of(node))
    fallback = as_text(node.data.get("fallback"))
    if fallback in callee.names:
        message = (
            f"the fallback {fallback} of {node.label} and a node of workflow {callee.name} would both be "
            f"{node.name}/{fallback}; expected another name"
        )
        notes.error("DuplicateName", message, (*node.path, "fallback"))
    unused = [part for part in _WITHOUT_EFFECT if part in callee.spec]
    if unused:
        message = f"{', '.join(unused)} of workflow {callee.name} do not count where it runs inline; expected none of them"
        notes.warning("WithoutEffect", message, _name_of(node))
    return not wrong


# --- who runs whom ---------------------------------------------------------------------------------------------------


def _calls(name: str, known: Known) -> Iterator[tuple[str, int]]:
    """The workflows that one runs inline, once for each node, with the depth of the body that the node stands in."""
    callee = known.workflows.get(name)
    yield from callee.calls if callee is not None else ()


def _chain(start: str, target: str, known: Known) -> list[str]:
    """The shortest way from one workflow to another by what runs inline, both included; empty if there is none."""
    before: dict[str, str] = {start: ""}
    todo = [start]
    for name in todo:
        if name == target:
            chain = [name]
            while before[chain[-1]]:
                chain.append(before[chain[-1]])
            return chain[::-1]
        for other, _ in _calls(name, known):
            if other not in before:
                before[other] = name
                todo.append(other)
    return []


def _reached(start: str, known: Known) -> list[str]:
    """All workflows that run where this one runs inline, itself included."""
    found = dict.fromkeys([start])
    todo = [start]
    for name in todo:
        new = [other for other, _ in _calls(name, known) if other not in found]
        found.update(dict.fromkeys(new))
        todo += dict.fromkeys(new)
    return list(found)


def _cycle_below(start: str, known: Known) -> list[str]:
    """A workflow that is reached from one and runs itself inline, with the way back to it."""
    for name in _reached(start, known):
        for other, _ in _calls(name, known):
            back = _chain(other, name, known)
            if back:
                return [name, *back]
    return []


def _ordered(start: str, known: Known) -> list[str]:
    """All that is reached, each after those that it runs inline; there is no cycle among them."""
    done: dict[str, None] = {}
    todo = [start]
    while todo:
        name = todo[-1]
        waiting = [other for other, _ in _calls(name, known) if other not in done]
        if waiting:
            todo += dict.fromkeys(waiting)
        else:
            done[todo.pop()] = None
    return list(done)


def _depth(start: str, known: Known) -> int:
    """How deep bodies are nested in a workflow with all that it runs inline."""
    depths: dict[str, int] = {}
    for name in _ordered(start, known):
        callee = known.workflows.get(name)
        inner = (depth + 1 + depths[other] for other, depth in _calls(name, known))
        depths[name] = max(callee.depth if callee is not None else 0, *inner, 0)
    return depths[start]


def _nodes(start: str, known: Known) -> int:
    """How many nodes a workflow has with all that it runs inline, each as often as it does."""
    counts: dict[str, int] = {}
    for name in _ordered(start, known):
        callee = known.workflows.get(name)
        own = callee.nodes if callee is not None else 0
        counts[name] = own + sum(counts[other] for other, _ in _calls(name, known))
    return counts[start]


# --- limits ----------------------------------------------------------------------------------------------------------


def _check_size(graph: RawGraph, inlining: list[RawNode], known: Known, notes: Notes) -> None:
    if not inlining:
        return
    total = sum(len(body.nodes) for body in graph.bodies)
    for node in inlining:
        total += _nodes(_inlined(node), known)
        if total > MAX_NODES:
            message = f"the workflow has more than {MAX_NODES:,} nodes with those that it runs inline; expected at most that"
            notes.error("TooManyNodes", message, _name_of(node))
            break
    names = dict.fromkeys(name for node in inlining for name in _reached(_inlined(node), known))
    specs = [graph.spec, *(known.workflows[name].spec for name in names if name in known.workflows)]
    if sum(len(json.dumps(spec, separators=(",", ":"))) for spec in specs) < MAX_DEFINITION // 2:
        return
    size = sum(map(_canonical_size, specs))
    if size > MAX_DEFINITION:
        message = (
            f"the workflow and those that it runs inline have {size:,} bytes of canonical JSON together; "
            f"expected at most {MAX_DEFINITION:,}"
        )
        notes.error("DefinitionTooLarge", message, _name_of(inlining[0]))


def _canonical_size(spec: object) -> int:
    try:
        return len(canonical_json(parse_spec(WorkflowSpec, spec)))
    except ValidationError:  # told where it stands
        return 0


def _wrong(callee: Callee, known: Known) -> str:
    """The first error of a workflow by itself, or an empty text."""
    from fairlead.engine.validation.workflow import check_spec  # it looks at each workflow as at the first

    if callee.name in known.broken:
        return known.broken[callee.name]
    if callee.name not in known.verdicts:
        known.verdicts[callee.name] = ""
        notes = Notes(Document(callee.spec, (0, 0, None)))
        check_spec(as_dict(callee.spec), ("spec",), notes, name=callee.name, known=known)
        first = next((finding for finding in notes.findings if finding.severity == "error"), None)
        if first is not None:
            known.verdicts[callee.name] = f"{first.path}: {first.reason}: {first.message}"
    return known.verdicts[callee.name]
