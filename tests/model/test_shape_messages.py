"""What is said of one thing that is wrong in a manifest."""

from __future__ import annotations

import re

import pytest
from tests.model.shape_support import HEAD, shaped

from fairlead.model.wording import nearest_name


def told(spec: str) -> list[str]:
    """The findings of a spec in flow style, as `reason path: message`."""
    return [f"{f.reason} {f.path}: {f.message}" for f in shaped(HEAD + "spec: " + spec).findings]


MESSAGES = [
    (
        "{nodes: [{name: x, set: {}, timout: 5m}]}",
        "UnknownField spec.nodes[0].timout: 'timout' is no field of a node; did you mean timeout?",
    ),
    (
        "{nodes: [{name: x, set: {}, on_error: fail}]}",
        "UnknownField spec.nodes[0].on_error: 'on_error' is no field of a node; did you mean onError?",
    ),
    (
        "{nodes: [{name: x, set: {}}], conections: []}",
        "UnknownField spec.conections: 'conections' is no field of spec; did you mean connections?",
    ),
    (
        "{nodes: [{name: x, set: {}, retry: {xyzzy: 1, maxAttempts: 2}}]}",
        (
            "UnknownField spec.nodes[0].retry.xyzzy: 'xyzzy' is no field of retry; expected one of maxAttempts, "
            "backoff, initialDelay, maxDelay, multiplier, jitter, retryOn, noRetryOn, budget"
        ),
    ),
    (
        "{nodes: [{set: {}}]}",
        "MissingField spec.nodes[0].name: a node has no name; expected name: name, unique in its body",
    ),
    (
        "{nodes: [{name: x}]}",
        (
            "KindWanted spec.nodes[0]: node x has no kind; expected exactly one of run, http, notify, resource, "
            "set, log, if, switch, while, forEach, parallel, wait, approval, emit, workflow, finish"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}, retry: {maxAttempts: 0}}]}",
        "OutOfRange spec.nodes[0].retry.maxAttempts: 0 is out of range; expected at least 1",
    ),
    (
        "{nodes: [{name: x, set: {}, retry: {maxAttempts: 2, jitter: 1.5}}]}",
        "OutOfRange spec.nodes[0].retry.jitter: 1.5 is out of range; expected at most 1",
    ),
    (
        "{nodes: [{name: x, set: {}, timeout: 30}]}",
        (
            "BadDuration spec.nodes[0].timeout: 30 is no duration; expected text such as 90s, 1h30m or 500ms, "
            "perhaps 30s"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}, timeout: 5 min}]}",
        (
            "BadDuration spec.nodes[0].timeout: '5 min' is no duration; expected Go style such as 90s, 1h30m or "
            "500ms"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}, when: false}]}",
        'WrongType spec.nodes[0].when: false is a boolean; expected text, in quotes: "false"',
    ),
    (
        "{nodes: [{name: x, set: {}, join: most}]}",
        (
            "WrongType spec.nodes[0].join: 'most' is not allowed here; expected all, any or {atLeast: n} with n "
            "of 1 or more"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}, onError: abort}]}",
        "UnknownValue spec.nodes[0].onError: 'abort' is not allowed here; expected one of fail, continue",
    ),
    (
        "{nodes: [{name: x, set: {}, onError: contineu}]}",
        (
            "UnknownValue spec.nodes[0].onError: 'contineu' is not allowed here; expected one of fail, continue, "
            "perhaps continue"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}, onError: }]}",
        "UnknownValue spec.nodes[0].onError: null is not allowed here; expected one of fail, continue",
    ),
    (
        "{nodes: {}}",
        "WrongType spec.nodes: {} stands here; expected a list",
    ),
    (
        "{nodes: }",
        "WrongType spec.nodes: null stands here; expected a list",
    ),
    (
        "{nodes: []}",
        "TooFew spec.nodes: the list has 0 items; expected at least 1",
    ),
    (
        "{nodes: [{name: x, run: {image: ''}}]}",
        "EmptyText spec.nodes[0].run.image: the text is empty; expected at least one character",
    ),
    (
        "{nodes: [{name: Bad_Name, set: {}}]}",
        (
            "BadName spec.nodes[0].name: 'Bad_Name' is no name; expected at most 63 lower-case letters, digits "
            "and dashes that start with a letter and do not end with a dash"
        ),
    ),
    (
        "{nodes: [{name: x, run: {}}]}",
        "ExactlyOneWanted spec.nodes[0].run: run has none of them; expected exactly one of python, sh, image",
    ),
    (
        "{nodes: [{name: x, set: {}}], triggers: [{name: t, event: {type: a}, webhook: {path: /x}}]}",
        (
            "ExactlyOneWanted spec.triggers[0]: trigger t has event and webhook; expected exactly one of "
            "schedule, event, webhook"
        ),
    ),
    (
        "{nodes: [{name: x, set: {}}], failFast: 'no'}",
        "WrongType spec.failFast: 'no' is text; expected true or false",
    ),
    (
        "{nodes: [{name: x, set: {}}], priority: high}",
        "WrongType spec.priority: 'high' is text; expected a whole number",
    ),
    (
        "{nodes: [{name: x, set: {}, retry: {backoff: fixed}}]}",
        (
            "RetryWithoutEffect spec.nodes[0].retry: retry has maxAttempts 1 and so never tries again; expected "
            "maxAttempts of 2 or more"
        ),
    ),
]


@pytest.mark.parametrize("spec, expected", MESSAGES)
def test_messages(spec: str, expected: str) -> None:
    """One thing wrong is one finding: reason, path, value, what was expected, the nearest name."""
    assert told(spec) == [expected]


@pytest.mark.parametrize("spec, expected", MESSAGES)
def test_messages_are_ours(spec: str, expected: str) -> None:
    """No message has an address or a word of the library that checks."""
    for line in told(spec):
        assert (
            re.search(r"https?:|pydantic|Input should|dataclass|__|\bdict\b|\bstr\b|\btuple\b", line) is None
        )


@pytest.mark.parametrize(
    "name, known, expected",
    [
        ("timout", ["timeout", "after"], "timeout"),
        ("max_attempts", ["maxAttempts"], "maxAttempts"),
        ("ForEach", ["forEach"], "forEach"),
        ("for-each", ["forEach"], "forEach"),
        ("expo", ["none", "exponential"], "exponential"),
        ("zzz", ["timeout"], ""),
        ("akt", ["act"], "act"),
        ("retention", ["definition", "workflow"], ""),
        ("x", [], ""),
    ],
)
def test_nearest_names(name: str, known: list[str], expected: str) -> None:
    """The nearest name forgives case, dashes, a letter or two, and a missing end."""
    assert nearest_name(name, known) == expected
