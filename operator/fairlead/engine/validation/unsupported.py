"""What this release knows and does not run yet. Later releases shrink the tables of this file to nothing.

NotSupportedYet  error   a field that would change what a run does
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fairlead.model.documents import Document, Path, path_text
from fairlead.model.findings import Finding
from fairlead.model.manifests import (
    CompensationPolicy,
    ExecutionSpec,
    Node,
    Workflow,
    WorkflowExecution,
    WorkflowSpec,
)
from fairlead.model.shape_limits import nodes_of

KINDS = ("approval", "emit")
"""Node kinds that are not run."""

NODE_FIELDS: dict[str, Callable[[Node], bool]] = {
    "compensate": lambda node: node.compensate is not None,
    "guards": lambda node: bool(node.guards),
    "breaker": lambda node: node.breaker is not None,
    "rateLimit": lambda node: node.rate_limit is not None,
    "concurrency": lambda node: node.concurrency is not None,
    "wait.event": lambda node: node.wait is not None and node.wait.event is not None,
}
"""Fields of nodes, and when they are used."""

SPEC_FIELDS: dict[str, Callable[[WorkflowSpec], bool]] = {
    "concurrency.maxExecutions": lambda spec: (
        spec.concurrency is not None and spec.concurrency.max_executions is not None
    ),
    "concurrency.key": lambda spec: spec.concurrency is not None and spec.concurrency.key is not None,
    "concurrency.whenFull": lambda spec: (
        spec.concurrency is not None and spec.concurrency.when_full != "queue"
    ),
    "compensation": lambda spec: spec.compensation != CompensationPolicy(),
    "triggers": lambda spec: bool(spec.triggers),
    "runOnChange": lambda spec: spec.run_on_change,
    "notifications": lambda spec: bool(spec.notifications),
}
"""Fields of a workflow's spec, and when they are used."""

EXECUTION_FIELDS: dict[str, Callable[[ExecutionSpec], bool]] = {
    "from": lambda spec: spec.from_ is not None,
    "migrate": lambda spec: spec.migrate is not None,
}
"""Fields of an execution's spec, and when they are used."""

Runnable = Workflow | WorkflowExecution | WorkflowSpec | ExecutionSpec


def unsupported(manifest: Runnable, document: Document | None = None) -> list[Finding]:
    """One finding for each field used that this release does not run, with its place if the document is given."""
    found = [_finding(path, what, document) for path, what in _used(manifest)]
    return sorted(found, key=lambda finding: (finding.line, finding.column))


def unsupported_inline(name: str, spec: WorkflowSpec) -> list[Finding]:
    """As `unsupported`, for a workflow that runs inline: only its nodes and connections count."""
    return [
        _finding(path, f"{what} in workflow {name}, which runs inline,", None)
        for path, what in _of_graph(spec, ("spec",))
    ]


def _used(manifest: Runnable) -> Iterator[tuple[Path, str]]:
    if isinstance(manifest, (Workflow, WorkflowExecution)):
        yield from _used(manifest.spec)
    elif isinstance(manifest, ExecutionSpec):
        yield from _fields(EXECUTION_FIELDS, manifest, ("spec",))
        if manifest.definition is not None:
            yield from _of_spec(manifest.definition, ("spec", "definition"))
    else:
        yield from _of_spec(manifest, ("spec",))


def _of_spec(spec: WorkflowSpec, path: Path) -> Iterator[tuple[Path, str]]:
    yield from _fields(SPEC_FIELDS, spec, path)
    yield from _of_graph(spec, path)


def _of_graph(spec: WorkflowSpec, path: Path) -> Iterator[tuple[Path, str]]:
    for inner, node in nodes_of(spec):
        here = (*path, *inner)
        if node.kind in KINDS:
            yield (*here, node.kind), f"nodes of kind {node.kind}"
        yield from _fields(NODE_FIELDS, node, here)


def _fields(table: dict[str, Callable[[Any], bool]], owner: Any, path: Path) -> Iterator[tuple[Path, str]]:
    for name, used in table.items():
        if used(owner):
            yield (*path, *name.split(".")), name


def _finding(path: Path, what: str, document: Document | None) -> Finding:
    place = document.place(path) if document is not None else (0, 0)
    message = f"{what} is not supported yet; expected a workflow without it"
    if what.startswith("nodes"):
        message = f"{what} are not supported yet; expected a workflow without them"
    return Finding(
        "error",
        "NotSupportedYet",
        message,
        path_text(path),
        document.file if document is not None else "",
        *place,
    )
