"""Names stand once in their body and those around it (semantics 18); a fallback is outside of the graph (semantics 2)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "names": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: a, run: {sh: ls}}  # DuplicateName: the name 'a' stands twice: the workflow has a node of this name already, in line 7
        - {name: a, run: {sh: ls}}  # DuplicateName: stands twice
        - name: one
          while:
            condition: "true"
            nodes:
            - {name: x, run: {sh: ls}}
            - {name: a, run: {sh: ls}}  # DuplicateName: the workflow around it has a node of this name
            - {name: one, run: {sh: ls}}  # DuplicateName: the workflow around it
        - name: two
          parallel:
            branches:
            - {name: left, nodes: [{name: x, run: {sh: ls}}]}
            - {name: right, nodes: [{name: x, run: {sh: ls}}]}
        finally:
        - {name: two, run: {sh: ls}}  # DuplicateName: the workflow around it
        - {name: b_b, run: {sh: ls}}  # BadName: no name
        - {name: b-b, run: {sh: ls}}  # NameCollision: 'b_b' and 'b-b' are both b_b in expressions
    """,
    "a good fallback": """
        nodes:
        - {name: a, run: {sh: ls}, fallback: b, with: {x: "${inputs.x}"}}
        - {name: b, run: {sh: ls}, with: {why: "${error.reason}", x: "${nodes.a.attempts}"}, store: {v: "${outputs.y}"}}
        - {name: c, run: {sh: ls}, after: [a], fallback: b}
    """,
    "fallbacks that are none": """
        nodes:
        - {name: a, run: {sh: ls}, fallback: bb}  # UnknownNode: there is no node 'bb' in the workflow
        - {name: c, run: {sh: ls}, fallback: c}  # BadFallback: node c names itself as fallback
        - {name: d, if: "true", fallback: e}  # NotAllowedHere: is of kind if, and a fallback cannot choose its port
        - {name: e, run: {sh: ls}}
        - {name: f, finish: {result: x}, fallback: e}  # NotAllowedHere: node f is a finish, for which nothing can stand in
        - name: g
          forEach:
            items: [1]
            nodes: [{name: h, run: {sh: ls}, fallback: e}]  # CrossesBody: node 'e' is in the workflow; expected a fallback in the body of g
    """,
    "what a fallback may not have": """
        nodes:
        - {name: a, run: {sh: ls}, fallback: b}
        - {name: b, run: {sh: ls}, fallback: c}  # BadFallback: node b stands in for a and is outside of the graph; expected no fallback
        - {name: c, run: {sh: ls}, after: [a]}  # BadFallback: node c stands in for b and is outside of the graph; expected no connection
        - {name: d, run: {sh: ls}, fallback: e}
        - {name: e, run: {sh: ls}, join: any}  # warning JoinWithoutEffect: which stands in for d
        - {name: f, run: {sh: ls}}
        connections:
        - {from: e, to: f}  # BadFallback: node e stands in for d and is outside of the graph
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_names_and_fallbacks(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)
