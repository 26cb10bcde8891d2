"""From a document to a manifest, and from pydantic's errors to findings.

A misspelt field hides no other finding: what is wrong is mended in a copy (`mending.py`) and the rest is
checked again, until a manifest stands. It is the best reading of what the author meant: good for looking for
more findings, never for running.
"""

from __future__ import annotations

import copy
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fairlead.model.documents import Document, Path, path_text, read_documents
from fairlead.model.findings import Finding, Severity
from fairlead.model.manifests.parsing import KINDS, Manifest, parse_manifest
from fairlead.model.manifests.scalars import NAMES_UNCHECKED
from fairlead.model.mending import Mender
from fairlead.model.shape_limits import limit_findings
from fairlead.model.wording import Problem, nearest_name, problems_of

_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Shaped:
    """What came of a document.

    `manifest` is None if nothing could be made of it. If `findings` has an error it is a best reading;
    `doubtful` are the paths of what was mended, where other findings may be echoes of errors told already.
    """

    manifest: Manifest | None
    findings: tuple[Finding, ...]
    document: Document
    doubtful: frozenset[Path] = frozenset()
    mender: Mender | None = None

    def finding(
        self, severity: Severity, reason: str, message: str, path: Path, *, at_key: bool = False
    ) -> Finding:
        """A finding at a path of the manifest: placed in the text, also where mending moved what it speaks of."""
        original = self.mender.original(path) if self.mender is not None else path
        return _placed(Problem(reason, message, original, severity, at_key), self.document)

    @property
    def first_error(self) -> str | None:
        """The first error as one sentence with its path."""
        errors = (finding for finding in self.findings if finding.severity == "error")
        return next((f"{each.path}: {each.reason}: {each.message}" for each in errors), None)

    @property
    def ok(self) -> bool:
        """True if the manifest is what the author wrote, without errors."""
        return self.manifest is not None and all(finding.severity != "error" for finding in self.findings)


def read_shapes(text: str | bytes, file: str = "") -> tuple[list[Shaped], list[Finding]]:
    """All documents of a text, each with its own findings, and the findings of the text itself."""
    documents, findings = read_documents(text, file)
    reported = {(finding.line, finding.column) for finding in findings if finding.severity == "error"}
    return [check_shape(document, reported) for document in documents], findings


def check_shape(document: Document, reported: AbstractSet[tuple[int, int]] = frozenset()) -> Shaped:
    """The manifest of a document with all findings of its shape, in the order of the text.

    `reported` are places where something is wrong already: what stands there is not told twice.
    """
    try:
        manifest = parse_manifest(document.data)
    except ValidationError as error:
        return _mended(document, error, reported)
    return Shaped(
        manifest, tuple(_placed(problem, document) for problem in limit_findings(manifest)), document
    )


def shape_findings(error: ValidationError, document: Document, cls: type[Any]) -> list[Finding]:
    """The findings of one ValidationError of this document, which should be of this type, in the order of the text."""
    return _sorted([_placed(problem, document) for problem in problems_of(error, cls)])


def _mended(document: Document, error: ValidationError, reported: AbstractSet[tuple[int, int]]) -> Shaped:
    data = copy.deepcopy(document.data)
    if isinstance(data, dict) and isinstance(data.get("kind"), str):
        data["kind"] = nearest_name(data["kind"], list(KINDS)) or data["kind"]
    cls = _type_of(data)
    problems = problems_of(error, cls)
    mender = Mender(data, cls)
    found = list(problems)
    manifest: Manifest | None = None
    for _ in range(_ROUNDS):
        if not mender.mend(problems):
            break
        try:
            manifest = parse_manifest(mender.data, context=NAMES_UNCHECKED)
            break
        except ValidationError as again:
            problems = problems_of(again, cls)
            found += [told for problem in problems if (told := mender.news(problem)) is not None]
    if manifest is not None:
        found += [told for problem in limit_findings(manifest) if (told := mender.news(problem)) is not None]
    findings = [_placed(problem, document) for problem in found]
    findings = [finding for finding in findings if (finding.line, finding.column) not in reported]
    return Shaped(manifest, tuple(_sorted(findings)), document, mender.doubtful(), mender)


def _type_of(data: object) -> type[Manifest] | None:
    return KINDS.get(str(data.get("kind"))) if isinstance(data, dict) else None


def _placed(problem: Problem, document: Document) -> Finding:
    find = document.place if problem.at_key else document.value_place
    line, column = find(problem.path)
    where = path_text(problem.path)
    return Finding(problem.severity, problem.reason, problem.message, where, document.file, line, column)


def _sorted(findings: list[Finding]) -> list[Finding]:
    unique = {(finding.path, finding.reason, finding.message): finding for finding in findings}
    return sorted(unique.values(), key=lambda finding: (finding.line, finding.column, finding.path))
