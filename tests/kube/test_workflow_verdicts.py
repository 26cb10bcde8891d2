"""What is said of a Workflow: kstatus conditions with all findings, bounded, and the same each time."""

from __future__ import annotations

import pytest

from fairlead.kube.workflows.verdicts import BRIEF, MESSAGE, says_already, status_of, verdict_of
from fairlead.model import reasons
from fairlead.model.findings import Finding
from fairlead.model.times import SECOND, format_time

NOW = 1_790_000_000 * SECOND
ERROR = Finding(
    "error", "UnknownField", "'retri' is no field of a node; did you mean retry?", "spec.nodes[0].retri"
)
WARNING = Finding("warning", "RetryWithoutEffect", "retry has maxAttempts 1", "spec.defaults.retry")


def shown(status):
    return {each["type"]: each["status"] for each in status["conditions"]}


@pytest.mark.parametrize(
    ("findings", "missing", "reason", "ready", "reconciling", "stalled"),
    [
        ((), (), "Valid", "True", "False", "False"),
        ((WARNING,), (), "Valid", "True", "False", "False"),
        ((), ("inner",), "WorkflowNotFound", "False", "True", "False"),
        ((ERROR, WARNING), (), "WorkflowInvalid", "False", "False", "True"),
        ((ERROR,), ("inner",), "WorkflowInvalid", "False", "False", "True"),
    ],
)
def test_conditions_by_kstatus(findings, missing, reason, ready, reconciling, stalled):
    """Current, InProgress or Failed, with a reason of the closed list."""
    status = status_of(verdict_of(findings, missing, "sha256:1"), 7, None, NOW)

    assert {"Ready": ready, "Reconciling": reconciling, "Stalled": stalled} == shown(status)
    assert {reason} == {each["reason"] for each in status["conditions"]}
    assert reason in reasons.MEANINGS
    assert {7} == {
        status["observedGeneration"],
        *(each["observedGeneration"] for each in status["conditions"]),
    }


def test_the_message_has_all_findings():
    """How many there are, then each with its path; warnings are called so."""
    message = verdict_of((ERROR, WARNING)).message

    assert message == (
        "the workflow cannot run, it has 1 error and 1 warning: spec.nodes[0].retri: 'retri' is no field of a node; "
        "did you mean retry?; warning: spec.defaults.retry: retry has maxAttempts 1"
    )
    assert "the workflow can run" == verdict_of(()).message
    assert "waits for the Workflows a, b of its namespace" in verdict_of((), ("a", "b")).message


def test_a_message_is_cut_and_says_how_much_is_left_out():
    """32 KiB for Ready and 1 KiB for the others, in bytes, whatever the letters."""
    findings = [Finding("error", "X", "\U0001f600" * 60, f"spec.nodes[{number}]") for number in range(10_000)]
    verdict = verdict_of(findings)
    for text, limit in ((verdict.message, MESSAGE), (verdict.brief, BRIEF)):
        told = text.count("spec.nodes[")
        assert len(text.encode()) <= limit
        assert len(text.encode()) > limit - 400
        assert text.endswith(f"; and {10_000 - told:,} more")


def test_one_finding_that_is_too_long_is_cut_itself():
    """And the others are counted."""
    long = Finding("error", "X", "\u00e4" * 40_000, "spec")
    alone, two = verdict_of([long]).message, verdict_of([long, ERROR]).message

    assert len(alone.encode()) <= MESSAGE
    assert alone.endswith("...")
    assert two.endswith("...; and 1 more")


def test_a_status_that_says_it_already_is_known():
    """Also years later; not for another generation, digest, message, or when a condition has no time."""
    verdict = verdict_of((WARNING,), (), "sha256:1")
    there = status_of(verdict, 1, None, NOW)
    again = status_of(verdict, 1, there, NOW + 10**12)

    assert there == again
    assert says_already(there, again)
    assert says_already({**there, "triggers": [{"name": "t"}]}, again)
    assert not says_already(there, status_of(verdict, 2, there, NOW))
    assert not says_already(there, status_of(verdict_of((), (), "sha256:1"), 1, there, NOW))
    assert not says_already(there, status_of(verdict_of((WARNING,), (), "sha256:2"), 1, there, NOW))
    del there["conditions"][0]["lastTransitionTime"]
    assert not says_already(there, again)


def test_transition_times_stay_as_long_as_the_status_does():
    """The reason and the message may change before."""
    first = status_of(verdict_of((ERROR,)), 1, None, NOW)
    second = status_of(verdict_of((ERROR, WARNING)), 2, first, NOW + SECOND)
    third = status_of(verdict_of(()), 3, second, NOW + 2 * SECOND)

    times = [
        [each["lastTransitionTime"] for each in status["conditions"]] for status in (first, second, third)
    ]
    assert times[0] == times[1]
    assert [format_time(NOW + 2 * SECOND), format_time(NOW), format_time(NOW + 2 * SECOND)] == times[2]


@pytest.mark.parametrize(
    "before",
    [None, "x", [], {}, {"conditions": 3}, {"conditions": [None, 1, {}, {"type": {}, "status": []}]},
     {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "yesterday"}]},
     {"conditions": [{"type": ["Ready"], "lastTransitionTime": 5}]}],
)  # fmt: skip
def test_whatever_stands_there_is_written_over(before):
    """A status that somebody has spoilt is put right."""
    wanted = status_of(verdict_of(()), 1, before, NOW)

    assert not says_already(before, wanted)
    assert {format_time(NOW)} == {each["lastTransitionTime"] for each in wanted["conditions"]}
