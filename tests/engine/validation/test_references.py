"""Every name in an expression means something, and every expression compiles."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from tests.engine.validation.validation_support import check, workflow

from fairlead.engine.validation import validate_documents

CASES = {
    "expressions that do not compile": """
        nodes:
        - {name: a, if: "inputs.x >"}  # ExpressionInvalid: the expression ends too early
        - {name: b, if: "inputz.x && vrs.y"}  # UnknownName: did you mean 'inputs' # UnknownName: did you mean 'vars'
        - {name: c, log: {message: "${siz(inputs.x)}"}}  # UnknownFunction: there is no function 'siz'
        - {name: d, log: {message: "a ${1 + 'x'} b ${true + 1}"}}  # TypeMismatch: int and string # TypeMismatch: bool and int
        - {name: e, log: {message: "a ${inputs.x"}}  # ExpressionInvalid: '${' has no closing '}'
        - {name: f, log: {message: "$${inputs.x} is literal"}}
        - {name: g, if: "${inputs.x}"}  # ExpressionInvalid: a condition is bare CEL; expected the expression without ${ and }
        - {name: h, set: {x: ["${inputs.a}", {'y': "${lop.index}"}]}}  # UnknownName: there is no name 'lop'
        - {name: i, if: "pass.index > 1 && loop.index > 1"}  # ExpressionInvalid: reserved
        - {name: j, log: {message: "${nodes.sign-off.status}"}}  # UnknownName: a dash in a name is an underscore here
        - {name: sign-off, log: {message: "${}"}}  # ExpressionInvalid: the expression is empty
    """,
    "a condition is true or false": """
        inputs: {type: object, properties: {'n': {type: integer}, s: {type: string}, b: {type: boolean}}}
        nodes:
        - {name: a, if: "1"}  # TypeMismatch: a condition must be true or false
        - {name: b, if: "inputs.n"}  # TypeMismatch: a condition must be true or false
        - {name: c, run: {sh: ls}, when: "'x'"}  # TypeMismatch: a condition must be true or false
        - {name: d, if: "inputs.b"}
        - {name: e, if: "vars.anything"}
        - {name: f, while: {condition: "inputs.s + 'x'", nodes: [{name: g, log: {message: x}}]}}  # TypeMismatch: a condition must be true or false
        variables: {anything: 1}
    """,
    "one mistake in an expression does not hide another": """
        nodes:
        - {name: a, run: {sh: ls}}
        - {name: b, if: "inptus.x && nodes.nope.outputs.x"}  # UnknownName: did you mean 'inputs' # UnknownNode: nodes.nope
    """,
    "variables": """
        variables: {currency: EUR}
        nodes:
        - {name: a, log: {message: "${vars.currency} ${vars.curency}"}}  # UnknownVariable: the variable 'curency' is neither declared nor written anywhere; did you mean currency
        - {name: b, set: {one: 1}, store: {two: 2}}
        - {name: c, run: {sh: ls}, compensate: {set: {three: 3}}}
        - {name: d, log: {message: "${vars.one} ${vars.two} ${vars.three} ${vars.four}"}}  # UnknownVariable: 'four'
        outputs: {x: "${vars.five}"}  # UnknownVariable: 'five'
    """,
    "no variables at all": """
        nodes:
        - {name: a, log: {message: "${vars.x}"}}  # UnknownVariable: expected one that spec.variables, set or store writes
    """,
    "computed": """
        computed: {total: "1", other: "computed.totl"}  # UnknownComputed: there is no computed field 'totl'; did you mean total
        nodes:
        - {name: a, log: {message: "${computed.total} ${computed.sum}"}}  # UnknownComputed: expected one of total, other
    """,
    "inputs that the schema does not know": """
        inputs: {type: object, properties: {order: {type: object, properties: {id: {type: string}}, additionalProperties: false}}}
        nodes:
        - {name: a, log: {message: "${inputs.order.id} ${inputs.ordre.id}"}}  # warning UnknownProperty: did you mean 'order'
        - {name: b, log: {message: "${inputs.order.nr}"}}  # UnknownProperty: inputs.order has no property 'nr'
    """,
    "inputs without a schema": """
        nodes:
        - {name: a, log: {message: "${inputs.anything.goes}"}}
    """,
    "int and double": """
        inputs: {type: object, properties: {'n': {type: integer}, x: {type: number}}}
        nodes:
        - {name: a, log: {message: "${inputs.n * 2.5}"}}  # TypeMismatch: write double(
        - {name: b, log: {message: "${inputs.x * 2.5}"}}
    """,
    "nodes": """
        nodes:
        - {name: reserve, run: {sh: ls}}
        - {name: sign-off, approval: {roles: [r], expires: 1h}, after: [reserve]}
        - name: z
          after: [sign-off.approved]
          log:
            message: >-
              ${nodes.reserv.status}
              ${nodes.sign_off.outputs.decisions}
              ${nodes["sign-off"].status}
              ${nodes.sign_off.outputs.decision}
              ${nodes.reserve.staus}
              ${nodes.reserve.error.reson}
              ${nodes.reserve.outputs.anything}
              ${execution.name} ${workflow.version} ${execution.nam}
    """,
}


@pytest.mark.parametrize("spec", [spec for name, spec in CASES.items() if name != "nodes"])
def test_every_name_means_something(spec: str):
    """Each comment of the manifest is a finding of its line, and there is no other."""
    check(spec)


def test_what_stands_behind_a_node():
    """Misspelt nodes, their fields, their outputs and their errors are told with the nearest name."""
    check(
        CASES["nodes"],
        (
            13,
            "error",
            "UnknownNode",
            "nodes.reserv is read in node z, and there is no such node; did you mean reserve",
        ),
        (15, "error", "UnknownNode", "a dash in a name is an underscore here, expected nodes.sign_off"),
        (
            16,
            "warning",
            "UnknownOutput",
            "approval sign-off has no output 'decision'; did you mean decisions",
        ),
        (17, "error", "UnknownProperty", "did you mean 'status'"),
        (18, "error", "UnknownProperty", "did you mean 'reason'"),
        (20, "error", "UnknownProperty", "did you mean 'name'"),
    )


PLACES = [
    ("plain", "- {name: a, if: vars.x}", (6, 19)),
    ("quoted", '- {name: a, if: "1 == 1 && vars.x"}', (6, 30)),
    ("single quotes", "- {name: a, if: 'vars.x'}", (6, 20)),
    ("the second of two", '- {name: a, log: {message: "${vars.x} ${vars.y}"}}', (6, 33)),
    ("block", "- name: a\n  if: |\n    1 == 1\n      && vars.x", (9, 12)),
    ("block with a blank line first", "- name: a\n  if: |2-\n\n     1 == 1 && vars.x", (9, 18)),
    ("folded", "- name: a\n  if: >-\n    1 == 1\n    && vars.x", (9, 10)),
    ("over two lines", '- name: a\n  if: "1 == 1\n    && vars.x"', (8, 10)),
    ("a tag before it", "- name: a\n  if: !!str |\n    vars.x", (8, 7)),
    ("a script", '- name: a\n  run:\n    sh: |\n      echo\n      echo "${vars.x}"', (10, 15)),
]


@pytest.mark.parametrize("nodes, place", [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_a_finding_in_a_text_has_its_line_and_column_in_the_file(nodes: str, place: tuple[int, int]):
    """The place is that of the name within the expression, in whatever way the text is written."""
    report = validate_documents(workflow("nodes:\n" + nodes), "f.yaml")
    first = report.findings[0]
    assert (first.line, first.column) == place, str(first)
    assert first.file == "f.yaml"


def test_places_in_json():
    """A manifest in JSON has the same findings with their places."""
    text = (
        '{"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "a"},\n'
        ' "spec": {"nodes": [\n  {"name": "a", "if": "1 == 1 && vars.x"}]}}'
    )
    (finding,) = validate_documents(text).findings
    assert (finding.reason, finding.line, finding.column) == ("UnknownVariable", 3, 34)
