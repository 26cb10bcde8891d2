"""Fields stand on the nodes they are meant for (semantics 8, 11, 24, 25, 38)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "when": """
        nodes:
        - {name: a, run: {sh: ls}, when: "inputs.x"}
        - {name: b, if: "inputs.x", when: "inputs.y"}  # NotAllowedHere: when is not allowed on a node of kind if; put the condition on the connection
        - {name: c, switch: {cases: [{name: x, when: "true"}]}, when: "inputs.y"}  # NotAllowedHere: kind switch
        - {name: d, approval: {roles: [x]}, when: "inputs.y"}  # NotAllowedHere: kind approval
        - {name: e, finish: {result: x}, when: "inputs.y"}  # NotAllowedHere: kind finish
        - {name: f, set: {x: 1}, when: "inputs.y"}
    """,
    "with": """
        nodes:
        - {name: a, run: {sh: ls}, with: {x: 1}}
        - {name: b, set: {x: 1}, with: {x: 1}}  # NotAllowedHere: with is not allowed on a node of kind set; its own fields take templates
        - {name: c, workflow: {name: w}, with: {x: 1}}  # NotAllowedHere: expected workflow.inputs # warning UnknownWorkflow: no Workflow 'w' in this file
    """,
    "guards": """
        nodes:
        - {name: a, run: {sh: ls}, guards: [g]}  # warning UnknownGuard: there is no WorkflowGuard 'g' in this file
        - {name: b, while: {condition: "true", nodes: [{name: c, run: {sh: ls}}]}, guards: [g]}  # NotAllowedHere: put them on the nodes that run in a pod
    """,
    "fields without effect": """
        nodes:
        - {name: a, log: {message: x}, retry: {maxAttempts: 3}}  # warning WithoutEffect: retry has no effect on a node of kind log
        - {name: b, set: {x: 1}, timeout: 1m}  # warning WithoutEffect: timeout has no effect on a node of kind set
        - {name: c, approval: {roles: [r]}, timeout: 1m}  # warning WithoutEffect: expected approval.expires
        - {name: d, wait: {for: 1s}, timeout: 1m}  # warning WithoutEffect: expected wait.timeout
        - {name: e, if: "inputs.x", maxDeliveries: 3, cache: {key: k}}  # warning WithoutEffect: maxDeliveries # NotAllowedHere: cache
        - {name: f, while: {condition: "true", nodes: [{name: g, run: {sh: ls}}]}, retry: {maxAttempts: 2}, timeout: 1h}
    """,
    "fields of the workflow without effect": """
        defaults: {timeout: 10m}  # warning WithoutEffect: defaults have no effect, as no node runs in a pod
        finallyTimeout: 1m  # warning WithoutEffect: finallyTimeout has no effect without finally
        concurrency: {maxNodes: 3, key: "${inputs.x}"}  # warning WithoutEffect: key has no effect without maxExecutions
        nodes:
        - {name: a, log: {message: x}}
    """,
    "defaults reach nodes in bodies": """
        defaults: {timeout: 10m}
        nodes:
        - {name: a, forEach: {items: [1], nodes: [{name: b, run: {sh: ls}}]}}
    """,
    "finish in finally": """
        nodes:
        - {name: a, finish: {result: done}}
        finally:
        - {name: b, finish: {result: done}}  # NotAllowedHere: node b is a finish in finally
        - {name: c, forEach: {items: [1], nodes: [{name: d, finish: {result: x}}]}}  # NotAllowedHere: node d is a finish in finally
    """,
    "an expiry after the end": """
        timeout: 1h
        nodes:
        - {name: a, approval: {roles: [x], expires: 24h}}  # warning ExpiresTooLate: expires is 24h, longer than the workflow's timeout of 1h
        - {name: b, approval: {roles: [x], expires: 1h}}
        - {name: c, wait: {event: {type: x}, timeout: 2h}}  # warning ExpiresTooLate: timeout is 2h
    """,
    "items": """
        nodes:
        - {name: a, forEach: {items: inputs.xs, nodes: [{name: b, run: {sh: ls}}]}}  # WrongType: items is the text 'inputs.xs'; expected a list
    """,
    "retry with one attempt": """
        nodes:
        - {name: a, run: {sh: ls}, retry: {backoff: fixed}}  # warning RetryWithoutEffect: maxAttempts
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_fields_stand_where_they_are_meant(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)
