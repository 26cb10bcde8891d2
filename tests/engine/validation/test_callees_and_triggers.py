"""References to other manifests (semantics 38), what an execution gives them, and triggers."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.validation.validation_support import check, compare, expected

from fairlead.engine.validation import validate_documents
from fairlead.engine.validation.triggers import cron_problem
from fairlead.model.manifests import parse_manifest

CALLER = """\
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: caller}
spec:
  nodes:
"""
CALLEE = """\
---
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: callee}
spec:
  inputs: {type: object, required: [x], properties: {x: {type: integer}}, additionalProperties: false}
  nodes: [{name: 'n', log: {message: x}}]
"""


def other(name: str, **spec: Any) -> Any:
    """A workflow that stands beside the file."""
    nodes = spec.pop("nodes", [{"name": "n", "log": {"message": "x"}}])
    head = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": name}}
    return parse_manifest({**head, "spec": {"nodes": nodes, **spec}})


CALLS = {
    "inputs that fit": "  - {name: a, workflow: {name: callee, inputs: {x: 1}}}\n",
    "inputs with expressions are known only when it runs": '  - {name: a, workflow: {name: callee, inputs: {x: "${inputs.y}"}}}\n',
    "inputs that are missing": "  - {name: a, workflow: {name: callee}}  # InputsInvalid: x is missing; expected a whole number under that name (by the schema of workflow callee)\n",
    "inputs that do not fit": "  - {name: a, workflow: {name: callee, inputs: {x: \"1\", 'y': 2}}}"
    "  # InputsInvalid: '1' stands here; expected a whole number # InputsInvalid: 'y' is not known here\n",
    "a name that is not in the file": "  - {name: a, workflow: {name: caller2}}"
    "  # warning UnknownWorkflow: there is no Workflow 'caller2' in this file; expected it there, or beside it\n",
    "a name that is a template": '  - {name: a, workflow: {name: "${inputs.name}"}}\n',
    "inline with a template": '  - {name: a, workflow: {name: "${inputs.name}", inline: true}}  # NotAllowedHere: expected a name\n',
    "inline in itself": "  - {name: a, workflow: {name: caller, inline: true}}  # InlineCycle: workflow caller runs itself inline without end: caller -> caller\n",
    "a child of itself": "  - {name: a, workflow: {name: caller}}"
    "  # warning RecursiveCall: workflow caller starts itself through caller; expected it to come to an end: executions start each other at most 16 deep\n",
}


@pytest.mark.parametrize("node", CALLS.values(), ids=CALLS.keys())
def test_a_workflow_node_calls_a_workflow(node: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    text = CALLER + node + CALLEE
    compare(validate_documents(text).findings, expected(text))


def test_where_all_manifests_are_known_an_unknown_one_is_an_error():
    """With what stands beside the file, a workflow or a guard that is found nowhere stops the run."""
    text = CALLER + (
        "  - {name: a, workflow: {name: chidl}}  # UnknownWorkflow: there is no Workflow 'chidl'; did you mean child\n"
        "  - {name: b, run: {sh: ls}, guards: [g, h]}  # UnknownGuard: there is no WorkflowGuard 'h'; expected g\n"
        "  - {name: c, workflow: {name: child}}\n"
    )
    head = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "WorkflowGuard", "metadata": {"name": "g"}}
    guard = parse_manifest({**head, "spec": {"concurrency": 1}})
    compare(validate_documents(text, siblings=[other("child"), guard]).findings, expected(text))


def test_an_inline_cycle_through_others_is_found():
    """The caller runs a, a runs b, b runs caller, all inline."""
    text = (
        CALLER
        + "  - {name: 'n', workflow: {name: a, inline: true}}  # InlineCycle: workflow caller runs itself inline without end: caller -> a -> b -> caller\n"
    )
    calls = [
        other(name, nodes=[{"name": "n", "workflow": {"name": to, "inline": True}}])
        for name, to in (("a", "b"), ("b", "caller"))
    ]
    compare(validate_documents(text, siblings=calls).findings, expected(text))


def test_what_does_not_count_inline_is_a_warning():
    """Triggers, limits and retention of a workflow that runs inline are passed over, and told."""
    text = CALLER + "  - {name: 'n', workflow: {name: a, inline: true}}\n"
    siblings = [other("a", retention={"failed": "1h"}, runOnChange=True)]
    (finding,) = validate_documents(text, siblings=siblings).findings
    assert finding.reason == "WithoutEffect"
    assert "retention, runOnChange of workflow a do not count" in finding.message


EXECUTION = """\
---
apiVersion: fairlead.dev/v1alpha1
kind: WorkflowExecution
metadata: {name: run}
spec:
"""
RUNS = {
    "a workflow of the file": "  workflow: {name: callee}\n  inputs: {x: 1}\n",
    "inputs that do not fit": "  workflow: {name: callee}\n  inputs:\n    x: one  # InputsInvalid: 'one' stands here; expected a whole number\n",
    "no inputs": "  workflow: {name: callee}  # InputsInvalid: x is missing\n",
    "an unknown workflow": "  workflow: {name: calle}  # warning UnknownWorkflow: there is no Workflow 'calle'\n",
    "a definition": "  definition:\n    inputs: {required: ['y']}\n    nodes:\n    - {name: a, after: [b], log: {message: x}}"
    "  # UnknownNode: there is no node 'b'\n  inputs: {x: 1}  # InputsInvalid: y is missing\n",
}


@pytest.mark.parametrize("spec", RUNS.values(), ids=RUNS.keys())
def test_an_execution_gives_what_its_workflow_wants(spec: str):
    """Each comment of the manifest is a finding, and there is no other."""
    text = CALLEE.removeprefix("---\n") + EXECUTION + spec
    report = validate_documents(text)
    found = [(finding.severity, finding.reason) for finding in report.findings]
    assert found == [(severity, reason) for _, severity, reason, _ in expected(text)]
    for finding, (*_, part) in zip(report.findings, expected(text), strict=True):
        assert part in finding.message


def test_inputs_that_come_later_are_not_missed_yet():
    """With more inputs to come, what the execution's manifest gives is not checked against the schema."""
    text = CALLEE.removeprefix("---\n") + EXECUTION + "  workflow: {name: callee}\n"
    assert validate_documents(text).errors
    assert not validate_documents(text, more_inputs=True).errors


def test_triggers():
    """Names stand once, time tables and time zones can be read."""
    check("""
        triggers:
        - {name: a, schedule: {cron: "30 4 * * mon-fri", timeZone: Europe/Berlin}}
        - {name: a, schedule: {cron: "*/5 * * * *"}}  # DuplicateName: two triggers are named 'a'
        - {name: b, schedule: {cron: "61 * * * *"}}  # BadCron: '61' is no minute; expected 0 to 59
        - {name: c, schedule: {cron: "@daily", timeZone: "+02:00"}}  # BadCron: has 1 fields; expected five # BadTimeZone: '+02:00' is no time zone
        nodes: [{name: 'n', log: {message: x}}]
    """)


@pytest.mark.parametrize(
    "text", ["* * * * *", "0,30 1-5 L jan-mar/2 0", "5 0 * 8 sun#2", "0 0 1 1 7", "1-59/2 * * * 1,3"]
)
def test_cron_expressions_that_can_be_read(text: str):
    """Lists, ranges, steps and names are understood."""
    assert cron_problem(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "a * * * *",
    ],
)
def test_cron_expressions_that_cannot(text: str):
    """What is out of range or no number is told."""
    assert "expected" in cron_problem(text)
