"""From FILE to what runs: the manifest, and what it refers to.

Rules of this file
- In a text of several documents the first Workflow or WorkflowExecution runs.
- What a manifest refers to is found in the same text, else in the `*.yaml`, `*.yml`, `*.json` of its folder. These are not even
  read unless a name is missing; one that cannot be read is passed over, and named if the name stays missing.
- An error anywhere in the text, or about a manifest that is used, refuses it: nothing is started. Warnings do not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fairlead.apps.cli.callees import workflows_of
from fairlead.apps.cli.failures import Refused
from fairlead.engine.validation import Report, unsupported, unsupported_inline, validate_documents
from fairlead.model.documents import MAX_BYTES, read_documents
from fairlead.model.errors import InvalidInput
from fairlead.model.findings import Finding
from fairlead.model.manifests import (
    GROUP,
    Definition,
    ExecutionSpec,
    Manifest,
    Workflow,
    WorkflowExecution,
    WorkflowGuard,
    WorkflowSpec,
    definition_of,
)
from fairlead.model.shape_limits import nodes_of
from fairlead.model.shapes import check_shape

SUFFIXES = (".yaml", ".yml", ".json")
_UNRESOLVED = frozenset({"UnknownGuard", "UnknownWorkflow"})
_OURS = f"{GROUP}/".encode()
_ENOUGH = MAX_BYTES + 1
"""Bytes of a text that are read at most."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a text says to run: a workflow, and the WorkflowExecution that asked for it if there is one.

    `callees` are the workflows that its nodes may start, each a spec or why it cannot run.
    """

    name: str
    workflow: WorkflowSpec
    warnings: tuple[Finding, ...] = ()
    execution: WorkflowExecution | None = None
    callees: dict[str, WorkflowSpec | str] = field(default_factory=dict)

    @property
    def asked(self) -> ExecutionSpec | None:
        """The spec of the execution, if there is one."""
        return self.execution.spec if self.execution is not None else None


@dataclass(slots=True)
class Beside:
    """The manifests in a folder beside a file, each with the file that it came from.

    `broken`: Workflows whose shape is wrong, with the first error; what is found of them is a best reading, never to be run.
    """

    found: list[tuple[Workflow | WorkflowGuard, Path]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def looked(self, file: Path) -> list[tuple[Manifest, Path]]:
        """What is beside a file, which is looked for unless it was."""
        return [*(self.found or look_beside(file).found)]

    def workflow(self, name: str) -> tuple[Workflow, Path] | None:
        """The first Workflow of a name."""
        for manifest, path in self.found:
            if isinstance(manifest, Workflow) and manifest.metadata.name == name:
                return manifest, path
        return None


def read_source(file: Path) -> Source:
    """What a file says to run, fit to run. Raises InvalidInput, with all findings if there are any."""
    text = read_text(file)
    report, beside = validated(text, file)
    if report.errors:
        raise refuse(report.findings, beside)
    runnable = report.runnable
    if runnable is None:
        raise InvalidInput(f"{label(file)} has {_kinds(report)}; expected a Workflow or a WorkflowExecution")
    manifest, document = runnable
    source = _source(manifest, report, file, beside)
    not_yet = [*unsupported(manifest, document)]
    if isinstance(manifest, WorkflowExecution) and manifest.spec.definition is None:
        not_yet += unsupported(source.workflow)
    if isinstance(source.workflow, Definition):
        not_yet += [
            each
            for name, spec in source.workflow.workflows.items()
            for each in unsupported_inline(name, spec)
        ]
    if not_yet:
        raise Refused(not_yet, f"{label(file)} uses what this release does not run; nothing was started")
    callees, warnings = workflows_of(source.workflow, report, lambda: beside.looked(file))
    return replace(source, callees=callees, warnings=tuple(dict.fromkeys((*source.warnings, *warnings))))


def read_graph(file: Path) -> Source:
    """As `read_source`, also for workflows that this release does not run: to be looked at."""
    report, beside = validated(read_text(file), file)
    if report.errors:
        raise refuse(report.findings, beside)
    if report.runnable is None:
        raise InvalidInput(f"{label(file)} has {_kinds(report)}; expected a Workflow or a WorkflowExecution")
    return _source(report.runnable[0], report, file, beside)


def validated(text: bytes, file: Path) -> tuple[Report, Beside]:
    """All that is wrong with a text; the folder is looked at only if a name is missing."""
    report = validate_documents(text, label(file))
    if not any(finding.reason in _UNRESOLVED for finding in report.findings):
        return report, Beside()
    beside = look_beside(file)
    siblings = [manifest for manifest, _ in beside.found]
    return validate_documents(text, label(file), siblings=siblings, broken=beside.broken), beside


def refuse(findings: Sequence[Finding], beside: Beside | None = None) -> Refused:
    """The refusal of a text with errors."""
    errors = sum(1 for finding in findings if finding.severity == "error")
    file = next((finding.file for finding in findings if finding.file), "the text")
    missing = any(finding.reason in _UNRESOLVED for finding in findings)
    passed_over = (
        f"; passed over: {'; '.join(beside.unreadable)}" if beside and beside.unreadable and missing else ""
    )
    count = "an error" if errors == 1 else f"{errors} errors"
    return Refused(findings, f"{file} has {count}, nothing was started{passed_over}")


def label(file: Path) -> str:
    """What findings call a file."""
    return "stdin" if str(file) == "-" else str(file)


def read_text(file: Path, what: str = "", most: int = _ENOUGH) -> bytes:
    """The bytes of a file that the user named; `-` is stdin. Raises InvalidInput.

    One that is too large, /dev/zero for instance, is read no further than shows that it is; `most` -1 reads all.
    """
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(most)
        with file.open("rb") as source:
            return source.read(most)
    except IsADirectoryError:
        raise InvalidInput(f"{what}{file} is a folder; expected a file") from None
    except FileNotFoundError:
        raise InvalidInput(f"{what}{file} does not exist; expected a file{_near(file)}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{what}{file} cannot be read ({why}); expected a readable file") from None


def look_beside(file: Path) -> Beside:
    """The Workflows and guards in the files beside one."""
    beside = Beside()
    folder = Path() if str(file) == "-" else file.parent
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and path.is_file() and not _same(path, file):
            _take(path, beside)
    return beside


def holds_ours(path: Path) -> bool:
    """Whether a file names our API group; one that cannot be read does not."""
    try:
        return _OURS in path.read_bytes()
    except OSError:
        return False


def _take(path: Path, beside: Beside) -> None:
    try:
        with path.open("rb") as source:
            text = source.read(_ENOUGH)
    except OSError as error:
        beside.unreadable.append(f"{path} ({error.strerror})")
        return
    if _OURS not in text:
        return
    documents, findings = read_documents(text, str(path))
    broken = next((finding for finding in findings if finding.severity == "error"), None)
    if broken is not None:
        beside.unreadable.append(f"{path}:{broken.line} ({broken.reason})")
    for document in documents:
        data = document.data
        if not isinstance(data, dict) or data.get("kind") not in ("Workflow", "WorkflowGuard"):
            continue
        shaped = check_shape(document)
        manifest = shaped.manifest
        if isinstance(manifest, (Workflow, WorkflowGuard)):
            beside.found.append((manifest, path))
            if shaped.first_error is not None and manifest.metadata.name:
                beside.broken.setdefault(manifest.metadata.name, f"{path}: {shaped.first_error}")


def _source(manifest: Workflow | WorkflowExecution, report: Report, file: Path, beside: Beside) -> Source:
    warnings = tuple(report.findings)
    if isinstance(manifest, Workflow):
        return Source(_name(manifest), pinned(manifest.spec, report, beside), warnings)
    if manifest.spec.definition is not None:
        return Source("", pinned(manifest.spec.definition, report, beside), warnings, manifest)
    assert manifest.spec.workflow is not None
    wanted = manifest.spec.workflow.name
    for other in report.documents:
        if isinstance(other, Workflow) and other.metadata.name == wanted:
            return Source(wanted, pinned(other.spec, report, beside), warnings, manifest)
    return _from_beside(wanted, manifest, report, beside)


def pinned(spec: WorkflowSpec, report: Report, beside: Beside) -> WorkflowSpec:
    """The spec with all workflows that it runs inline, which validation has found; they are looked for in the text first."""
    here = [manifest for manifest in report.documents if isinstance(manifest, Workflow)]
    there = [manifest for manifest, _ in beside.found if isinstance(manifest, Workflow)]
    known: dict[str, WorkflowSpec] = {}
    for manifest in (*here, *there):
        known.setdefault(manifest.metadata.name or "", manifest.spec)
    needed: dict[str, WorkflowSpec] = {}
    todo = [spec]
    for each in todo:
        for _, node in nodes_of(each):
            if node.inlined and node.inlined not in needed:
                needed[node.inlined] = known[node.inlined]
                todo.append(needed[node.inlined])
    return definition_of(spec, needed) if needed else spec


def _from_beside(wanted: str, execution: WorkflowExecution, first: Report, beside: Beside) -> Source:
    """The workflow of another file is looked at as closely as the file itself."""
    place = beside.workflow(wanted)
    assert place is not None, "validation has found it"
    path = place[1]
    siblings = [manifest for manifest in first.documents if manifest is not None]
    siblings += [manifest for manifest, _ in beside.found]
    report = validate_documents(path.read_bytes(), str(path), siblings=siblings, broken=beside.broken)
    for other in report.documents:
        if isinstance(other, Workflow) and other.metadata.name == wanted:
            told = [finding for finding in report.findings if finding.reason != "ForeignDocument"]
            return Source(wanted, pinned(other.spec, first, beside), (*first.findings, *told), execution)
    raise refuse(report.findings)


def _kinds(report: Report) -> str:
    """What a text has that cannot run."""
    kinds = [type(manifest).__name__ for manifest in report.documents if manifest is not None]
    return f"only {', '.join(dict.fromkeys(kinds))}" if kinds else "nothing that runs"


def _name(workflow: Workflow) -> str:
    return workflow.metadata.name or (workflow.metadata.generate_name or "").rstrip("-")


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _near(file: Path) -> str:
    """A file beside with nearly that name."""
    from difflib import get_close_matches

    try:
        names = [other.name for other in file.parent.iterdir()]
    except OSError:
        return ""
    near = get_close_matches(file.name, names, n=1, cutoff=0.8)
    return f", perhaps {file.parent / near[0]}" if near else ""


def errors_of(findings: Iterable[Finding]) -> int:
    """How many errors there are."""
    return sum(1 for finding in findings if finding.severity == "error")
