"""`fairlead validate`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairlead.apps.cli.failures import DONE, WRONG
from fairlead.apps.cli.options import AsDocument
from fairlead.apps.cli.terminal import document, out, say

if TYPE_CHECKING:
    from fairlead.model.findings import Finding

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", help="Manifests, or folders to look for some; - is stdin.", show_default=False
    ),
]

_SKIPPED = frozenset({"node_modules", "__pycache__"})


def validate(files: Files, output: AsDocument = None) -> int:
    """Say all that is wrong with manifests, all at once, without running anything.

    A line is FILE:LINE: error|warning Reason: message (path). Errors stop a run, warnings do not, but for NotSupportedYet: what
    it names is no mistake, and this release does not run it. In folders only files that
    hold manifests of Fairlead are looked at. Exit code 2 if there is an error.

    Examples:
      fairlead validate order.yaml
      fairlead validate workflows/ -o json | jq -r '.[].reason'
    """
    from fairlead.apps.cli.failures import shown
    from fairlead.apps.cli.sources import errors_of

    found: list[Finding] = []
    count = 0
    for file in files:
        for path in _files(file):
            count += 1
            findings = _validated(path)
            found += findings
            if output is None:
                for finding in findings:
                    out(shown(finding))
    if output is not None:
        document([_item(finding) for finding in found], output)
    errors = errors_of(found)
    say(_summary(count, errors, len(found) - errors))
    return WRONG if errors or not count else DONE


def _files(file: Path) -> Iterator[Path]:
    """The file, or all files of a folder that hold manifests of ours."""
    from fairlead.apps.cli.sources import SUFFIXES, holds_ours

    if not file.is_dir():
        yield file
        return
    for path in sorted(file.rglob("*")):
        inner = path.relative_to(file).parts
        hidden = any(part.startswith(".") or part in _SKIPPED for part in inner)
        if not hidden and path.suffix in SUFFIXES and path.is_file() and holds_ours(path):
            yield path


def _validated(path: Path) -> list[Finding]:
    """What is wrong, and as warnings what is right and does not run yet, in the order of the text."""
    from fairlead.apps.cli.sources import read_text, validated
    from fairlead.engine.validation import unsupported
    from fairlead.model.manifests import Workflow, WorkflowExecution

    report = validated(read_text(path), path)[0]
    not_yet = [
        replace(finding, severity="warning")
        for manifest, source in zip(report.documents, report.sources, strict=True)
        if isinstance(manifest, (Workflow, WorkflowExecution))
        for finding in unsupported(manifest, source)
    ]
    if not not_yet:
        return [*report.findings]
    return sorted([*report.findings, *not_yet], key=lambda finding: (finding.line, finding.column))


def _item(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "severity": finding.severity,
        "reason": finding.reason,
        "message": finding.message,
        "path": finding.path,
    }


def _summary(files: int, errors: int, warnings: int) -> str:
    from fairlead.apps.views.words import count

    if not files:
        return "no manifest of Fairlead was found"
    return f"{count(files, 'file')}: {count(errors, 'error')}, {count(warnings, 'warning')}"
