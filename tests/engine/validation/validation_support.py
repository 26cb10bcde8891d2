"""Manifests with what is expected of each line written beside it.

A comment `# Reason: part of the message` at the end of a line says which finding stands there, `# Reason: ... # Reason: ...`
several; `# warning Reason: part` a warning. A test fails for a finding that is missing and for one that is not expected.
"""

from __future__ import annotations

import re
import textwrap

from fairlead.engine.validation import Report, validate_documents
from fairlead.model.findings import Finding

HEAD = """\
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: sample}
spec:
"""
_MARK = re.compile(r"# (?P<severity>warning )?(?P<reason>[A-Z][A-Za-z]+): (?P<part>[^#]*[^# ])")
Expected = tuple[int, str, str, str]


def workflow(spec: str) -> str:
    """The text of a workflow with this spec."""
    return HEAD + textwrap.indent(textwrap.dedent(spec), "  ")


def expected(text: str) -> list[Expected]:
    """What the comments of a text say: line, severity, reason, part of the message."""
    return [
        (number, (mark["severity"] or "error").strip(), mark["reason"], mark["part"])
        for number, line in enumerate(text.split("\n"), start=1)
        for mark in _MARK.finditer(line)
    ]


def compare(findings: list[Finding] | tuple[Finding, ...], wanted: list[Expected]) -> None:
    """Fail for findings that are missing, or that nobody expects."""
    rest = list(findings)
    missing: list[Expected] = []
    for line, severity, reason, part in wanted:
        fits = [
            each
            for each in rest
            if (each.line, each.severity, each.reason) == (line, severity, reason) and part in each.message
        ]
        if fits:
            rest.remove(fits[0])
        else:
            missing.append((line, severity, reason, part))
    shown = "\n".join(str(each) for each in rest)
    assert not missing, f"missing: {missing}\nfound:\n{shown}"
    assert not rest, f"not expected:\n{shown}"


def check(spec: str, *more: Expected) -> Report:
    """Validate a workflow with this spec, whose comments say all that is found."""
    text = workflow(spec)
    report = validate_documents(text)
    compare(report.findings, [*expected(text), *more])
    return report
