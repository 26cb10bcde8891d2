"""Validation of a whole text: every document of it, everything found at once, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.engine.validation.bodies import as_dict, as_text
from fairlead.engine.validation.callees import Known, check_run, known_manifests
from fairlead.engine.validation.notes import Notes, lines_of
from fairlead.engine.validation.spelling import corrected
from fairlead.engine.validation.workflow import check_spec
from fairlead.model.documents import Document, Path
from fairlead.model.findings import Finding
from fairlead.model.manifests import GROUP, KINDS, Manifest, Workflow, WorkflowExecution
from fairlead.model.shapes import Shaped, read_shapes


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found. `documents` has the manifest of each document, None where it has an error."""

    findings: tuple[Finding, ...]
    documents: tuple[Manifest | None, ...]
    sources: tuple[Document, ...]

    @property
    def errors(self) -> bool:
        """Whether something was found that stops a run."""
        return any(finding.severity == "error" for finding in self.findings)

    @property
    def runnable(self) -> tuple[Workflow | WorkflowExecution, Document] | None:
        """The first Workflow or WorkflowExecution without errors, with its source; what `run` runs."""
        for manifest, source in zip(self.documents, self.sources, strict=True):
            if isinstance(manifest, (Workflow, WorkflowExecution)):
                return manifest, source
        return None


def validate_documents(
    text: str | bytes,
    file: str = "",
    *,
    siblings: Iterable[Manifest] | None = None,
    broken: Mapping[str, str] | None = None,
    more_inputs: bool = False,
) -> Report:
    """All that can be known of the manifests in a text before they run.

    `siblings` are the manifests beside the file, if the caller looked for them: then a Workflow that is found nowhere is an
    error, else a warning. `broken` are Workflows among them whose shape is wrong, with the first error. `more_inputs`: an
    execution gets more inputs than its manifest has, so these are not checked here.
    """
    shapes, findings = read_shapes(text, file)
    lines = lines_of(text if isinstance(text, str) else text.decode(errors="replace"))
    spelt = [_corrected(shaped) for shaped in shapes]
    known = known_manifests([data for data, _ in spelt], siblings)
    known.more_inputs = more_inputs
    known.broken = {**(broken or {}), **_broken(shapes)}
    ours = [not _is_foreign(data) for data, _ in spelt]
    every = list(findings)
    documents: list[Manifest | None] = []
    for shaped, (data, renamed), is_ours in zip(shapes, spelt, ours, strict=True):
        notes = Notes(shaped.document, file, lines, renamed)
        if is_ours or not any(ours):
            _check_document(data, known, notes)
            own = _without_echoes([*shaped.findings, *notes.findings])
        else:
            message = f"{data['kind']} of {data['apiVersion']} is none of Fairlead's kinds and is passed over"
            notes.warning("ForeignDocument", message, ("kind",))
            own = notes.findings
        every += own
        is_good = is_ours and all(finding.severity != "error" for finding in own)
        documents.append(shaped.manifest if is_good else None)
    every += _repeated(shapes, file)
    return Report(tuple(in_order(every)), tuple(documents), tuple(shaped.document for shaped in shapes))


def validate_workflow(
    data: Any, positions: Document, file: str = "", *, known: Known | None = None, lines: Sequence[str] = ()
) -> list[Finding]:
    """The findings about one manifest's data beyond its shape."""
    notes = Notes(positions, file, lines)
    _check_document(data, known or Known(), notes)
    return in_order(notes.findings)


def findings_of(shaped: Shaped, known: Known) -> list[Finding]:
    """All findings about one object that stands alone, as validation of a text has them; `known` gets it too."""
    data, renamed = _corrected(shaped)
    known.take(data)
    notes = Notes(shaped.document, renamed=renamed)
    _check_document(data, known, notes)
    return _without_echoes([*shaped.findings, *notes.findings])


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of the text, each once; those without a place come first."""
    return sorted(dict.fromkeys(findings), key=lambda each: (each.line, each.column, each.path, each.reason))


def _broken(shapes: Iterable[Shaped]) -> dict[str, str]:
    """The Workflows of a text whose shape is wrong, with the first error of each."""
    found: dict[str, str] = {}
    for shaped in shapes:
        wrong = shaped.first_error
        name = as_text(as_dict(as_dict(shaped.document.data).get("metadata")).get("name"))
        if wrong is not None and name:
            found.setdefault(name, wrong)
    return found


def _is_foreign(data: Any) -> bool:
    """Whether a document belongs to somebody else, as a ConfigMap in the same file."""
    version, kind = as_dict(data).get("apiVersion"), as_dict(data).get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return False
    return kind not in KINDS and not version.startswith(f"{GROUP}/")


def _corrected(shaped: Shaped) -> tuple[Any, dict[Path, str]]:
    data = shaped.document.data
    cls = KINDS.get(as_text(as_dict(data).get("kind")))
    return corrected(data, cls, shaped.doubtful) if cls is not None else (data, {})


def _check_document(data: Any, known: Known, notes: Notes) -> None:
    kind, spec = as_dict(data).get("kind"), as_dict(as_dict(data).get("spec"))
    if kind == "Workflow":
        name = as_text(as_dict(data.get("metadata")).get("name"))
        check_spec(spec, ("spec",), notes, name=name, known=known)
    elif kind == "WorkflowExecution":
        if isinstance(spec.get("definition"), dict):
            check_spec(spec["definition"], ("spec", "definition"), notes, known=known)
        check_run(spec, known, notes)


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """The findings without those of the same reason at the same place: the shape check is heard first."""
    seen: set[tuple[str, str, int, int]] = set()
    kept: list[Finding] = []
    for finding in findings:
        key = (finding.reason, finding.path, finding.line, finding.column)
        if key not in seen or finding.reason not in _TOLD_BY_SHAPES:
            kept.append(finding)
        seen.add(key)
    return kept


_TOLD_BY_SHAPES = frozenset({"DuplicateName", "NotAllowedHere"})


def _repeated(shapes: Sequence[Shaped], file: str) -> list[Finding]:
    """Objects of one kind and name that stand twice in a text."""
    found: list[Finding] = []
    seen: dict[tuple[Any, Any, Any], int] = {}
    for shaped in shapes:
        data = as_dict(shaped.document.data)
        metadata = as_dict(data.get("metadata"))
        name = as_text(metadata.get("name"))
        key = (as_text(data.get("kind")), name, as_text(metadata.get("namespace")))
        line, column = shaped.document.value_place(("metadata", "name"))
        if name and key in seen:
            message = (
                f"{key[0]} {name!r} stands in this file already, in line {seen[key]}; expected each name once"
            )
            found.append(Finding("error", "DuplicateName", message, "metadata.name", file, line, column))
        seen.setdefault(key, line)
    return found
