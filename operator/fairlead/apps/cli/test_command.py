"""`fairlead test`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.apps.cli.failures import DONE, FAILED
from fairlead.apps.cli.options import AsDocument
from fairlead.apps.cli.terminal import GREEN, RED, document, out, painted

if TYPE_CHECKING:
    from fairlead.model.cases import CaseFile
    from fairlead.runtime.cases import CaseOutcome


def test(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The workflow.", show_default=False)],
    cases: Annotated[Path, typer.Argument(metavar="CASES", help="The file of cases.", show_default=False)],
    output: AsDocument = None,  # noqa: PT028 - a command, no test
) -> int:
    """Run test cases of a workflow: node results are given, nothing is executed, time is virtual.

    A node that would run and has no result fails its case. Exit code 1 if a case fails.

    Example:
      fairlead test order.yaml order-cases.yaml

    A case:
      cases:
      - name: a retry saves the day
        inputs: {n: 3}
        nodes: {charge: [{fail: {exitCode: 1}}, {outputs: {id: 7}, after: 2s}]}
        expect: {phase: Succeeded, path: [charge, report], outputs: {id: 7}}
    """
    from fairlead.apps.cli.sources import read_source
    from fairlead.engine.graph import compile_workflow
    from fairlead.runtime.cases import run_case

    source = read_source(file)
    graph = compile_workflow(source.workflow, source.name)
    outcomes = [run_case(graph, case, source.callees) for case in read_cases(cases).cases]
    failed = [outcome for outcome in outcomes if outcome.failures]
    if output is not None:
        document([_row(outcome) for outcome in outcomes], output.value)
    else:
        for outcome in outcomes:
            _print(outcome)
        out(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return FAILED if failed else DONE


def read_cases(path: Path) -> CaseFile:
    """The cases of a file; warnings are told. Raises InvalidInput with all findings."""
    from pydantic import ValidationError

    from fairlead.apps.cli.failures import tell
    from fairlead.apps.cli.sources import errors_of, read_text, refuse
    from fairlead.model.cases import CaseFile
    from fairlead.model.documents import read_documents
    from fairlead.model.errors import InvalidInput
    from fairlead.model.manifests import parse_spec
    from fairlead.model.shapes import shape_findings

    documents, findings = read_documents(read_text(path), str(path))
    if errors_of(findings):
        raise refuse(findings)
    tell(findings)
    if len(documents) != 1:
        raise InvalidInput(f"{path} has {len(documents)} documents; expected one with `cases`")
    try:
        return parse_spec(CaseFile, documents[0].data)
    except ValidationError as error:
        raise refuse(shape_findings(error, documents[0], CaseFile)) from None


def _row(outcome: CaseOutcome) -> dict[str, object]:
    from fairlead.engine.derived import readable

    return {
        "name": outcome.name,
        "passed": not outcome.failures,
        "failures": outcome.failures,
        "events": [readable(event) for event in outcome.events],
    }


def _print(outcome: CaseOutcome) -> None:
    if not outcome.failures:
        out(f"{painted('ok', GREEN, sys.stdout)}      {outcome.name}")
        return
    out(f"{painted('FAILED', RED, sys.stdout)}  {outcome.name}")
    for failure in outcome.failures:
        out(f"        {failure}")
