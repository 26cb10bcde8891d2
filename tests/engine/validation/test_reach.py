"""Nodes that no entry point leads to, and nodes that can never run (semantics 2, 14)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "several entry points": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        - {name: c, run: {sh: ls}, join: {atLeast: 2}, after: [a, b]}
    """,
    "a join of more than there are": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, run: {sh: ls}}
        - name: c
          run: {sh: ls}
          join: {atLeast: 3}  # JoinUnreachable: the join of c wants 3 connections and there are 2; expected at most that
          after: [a, b]
        - {name: d, run: {sh: ls}, join: {atLeast: 1}}  # JoinUnreachable: wants 1 connections and there are 0
    """,
    "a join of ports that exclude each other": """
        nodes:
        - {name: a, if: "inputs.x"}
        - {name: b, run: {sh: ls}}
        - name: c
          run: {sh: ls}
          join: {atLeast: 3}  # JoinUnreachable: wants 3 connections and at most 2 of its 3 can be taken together
          after: [a.true, a.false, b]
        - name: d
          run: {sh: ls}
          join: {atLeast: 2}
          after: [b.done, b.ended]
    """,
    "a join of nothing": """
        nodes:
        - {name: a, run: {sh: ls}, join: all}  # warning JoinWithoutEffect: join has no effect on a: no connection leads to it
        - {name: b, run: {sh: ls}, join: any, after: [a]}  # warning JoinWithoutEffect: one connection leads to it
        - {name: c, run: {sh: ls}, join: any, after: [a, b]}
    """,
    "conditions that never hold": """
        nodes:
        - {name: a, if: "true"}
        - {name: b, log: {message: b}, after: [a.false]}  # warning NeverRuns: a.false>b is never taken, as the condition is always true
        - {name: c, log: {message: c}, after: [b]}  # warning NeverRuns: b.done>c is never taken, as b never runs
        - {name: d, log: {message: d}, when: "false", after: [a.true]}  # warning NeverRuns: its when is always false
        - {name: e, log: {message: e}, after: [d]}
        - {name: f, log: {message: f}}  # warning NeverRuns: a.true>f is never taken, as its when is always false
        connections:
        - {from: a.true, to: f, when: "false"}
    """,
    "ports that are never taken": """
        nodes:
        - {name: ask, approval: {roles: [r]}}
        - {name: late, log: {message: x}, after: [ask.expired]}  # warning NeverRuns: ask.expired>late is never taken, as it has no expires
        - {name: again, approval: {roles: [r], expires: 1h, onExpire: rejected}, after: [ask.approved]}
        - {name: later, log: {message: x}, after: [again.expired]}  # warning NeverRuns: as on expiry it takes rejected
        - {name: nap, wait: {for: 1m}}
        - {name: never, log: {message: x}, after: [nap.expired]}  # warning NeverRuns: as it has no timeout
        - {name: some, log: {message: x}, join: any, after: [nap.expired, nap]}
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_every_node_can_run(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)
