"""Writes that race (semantics 19), and scripts that look like templates (semantics 7)."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check

CASES = {
    "writes from parallel items": """
        nodes:
        - name: a
          forEach:
            items: [1, 2]
            nodes:
            - {name: b, run: {sh: ls}, store: {x: "${outputs.x}"}}  # SharedWrite: the variable x is written from inside forEach a (maxParallel other than 1)
            - {name: c, while: {condition: "vars.x", nodes: [{name: d, set: {'y': 1}}]}}  # SharedWrite: the variable y
        - {name: e, forEach: {items: [1], maxParallel: 1, nodes: [{name: f, set: {z: 1}}]}}
        - {name: g, while: {condition: "vars.z", nodes: [{name: h, set: {z: 2}}]}, after: [e]}
        - name: i
          parallel:
            branches:
            - {name: left, nodes: [{name: j, set: {v: 1}}]}  # SharedWrite: the variable v is written from inside parallel i
            - {name: right, nodes: [{name: k, forEach: {items: [1], maxParallel: 1, nodes: [{name: l, set: {w: 1}}]}}]}  # SharedWrite: w
    """,
    "writers without order": """
        nodes:
        - {name: a, set: {x: 1, 'y': 1}}
        - {name: b, set: {x: 2}}  # warning UnorderedWriters: a and b both write the variable x and neither comes first
        - {name: c, set: {x: 3, 'y': 3}, after: [a]}
    """,
    "writers in order": """
        nodes:
        - {name: a, set: {x: 1}}
        - {name: b, run: {sh: ls}, after: [a], store: {x: 2}}
        - {name: c, run: {sh: ls}, after: [b]}
        - {name: d, set: {x: 3}, after: [c]}
    """,
    "writers behind different ports of one node": """
        nodes:
        - {name: a, if: "inputs.x"}
        - {name: b, set: {x: 1}, after: [a.true]}
        - {name: c, run: {sh: ls}, after: [a.false]}
        - {name: d, set: {x: 2}, after: [c]}
        - {name: e, set: {x: 3}, after: [c.failed]}
        - {name: f, set: {x: 4}, join: any, after: [b, d, e]}
    """,
    "writers that can meet in spite of ports": """
        nodes:
        - {name: a, if: "inputs.x"}
        - {name: b, set: {x: 1}, after: [a.true]}
        - {name: z, run: {sh: ls}}
        - {name: c, set: {x: 2}, join: any, after: [a.false, z]}  # warning UnorderedWriters: b and c both write the variable x
        - {name: d, set: {'y': 1}, after: [a.true]}
        - {name: e, set: {'y': 2}, after: [a.ended]}  # warning UnorderedWriters: d and e both write the variable y
    """,
    "a container writes what is inside it, a fallback for its node": """
        nodes:
        - {name: a, while: {condition: "vars.x", nodes: [{name: b, set: {x: 1}}]}}
        - {name: c, run: {sh: ls}, fallback: d}
        - {name: d, set: {x: 2}}  # warning UnorderedWriters: a and c both write the variable x
    """,
    "scripts": """
        nodes:
        - {name: a, run: {sh: "echo ${HOME} ${x:-1} ${#a} ${input.x} ${inputs} ${now}"}}
        - {name: b, run: {sh: "echo ${inputs.x}"}}  # ScriptTemplate: ${inputs...} stands in a script, which is no template; expected with
        - {name: c, run: {python: "print('${vars[0]}')"}}  # ScriptTemplate: read as inputs["..."]
        - {name: d, run: {image: i, command: [echo, "${nodes.a.outputs.x}"], args: ["${nodes.d.status}"]}}  # ScriptTemplate: ${nodes...} # NotUpstream: nodes.d
        - {name: e, run: {sh: ls}, compensate: {run: {sh: "echo ${error.reason}"}}}  # ScriptTemplate: ${error...}
    """,
}


@pytest.mark.parametrize("spec", CASES.values(), ids=CASES.keys())
def test_writes_and_scripts(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)


def test_each_place_of_a_script_is_told():
    """A script of several lines has a finding in each line that looks like a template."""
    spec = """
        nodes:
        - name: a
          run:
            sh: |
              for i in 1 2; do
                echo "${execution.name}"
                echo "${i}" "${outputs["x"]}"
              done
    """
    first, second = (
        (11, "error", "ScriptTemplate", "${execution...}"),
        (12, "error", "ScriptTemplate", "${outputs...}"),
    )
    check(spec, first, second)
