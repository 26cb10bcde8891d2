"""A document becomes a manifest and findings: all of them at once, each in one sentence at its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.model.shape_support import HEAD, shaped, workflow_of

from fairlead.model.documents import path_text, read_documents
from fairlead.model.manifests import WorkflowExecution
from fairlead.model.shape_limits import MAX_DEFINITION, MAX_NODES, nodes_of
from fairlead.model.shapes import check_shape, read_shapes

BAD_SET = "spec: {nodes: [{name: x, set: 1}]}"


def test_a_good_manifest() -> None:
    """A manifest that is right has no findings, and is what was written."""
    shape = shaped(HEAD + "spec: {nodes: [{name: x, set: {a: 1}}]}")
    assert (shape.ok, shape.findings, shape.doubtful) == (True, (), frozenset())
    assert workflow_of(shape).spec.nodes[0].set_ == {"a": 1}


EVERYTHING = """\
apiVersion: fairlead.dev/v1alpha1
kind: Workflow
metadata: {name: Bad_Name, lables: {}}
spec:
  timout: 5m
  variables: {2x: 1, ok: 1}
  nodes:
  - name: reserve
    runn: {sh: "x", env: {A: 1}}
    retry: {maxAttempts: 0, backof: fixed}
  - name: My_Node
    set: {a: 1}
    log: {message: x}
  - name: third
    timeout: 30
    foobar: 1
  - run: {image: 5, command: [a, 1]}
  - just text
  - name: sw
    switch: {cases: [{name: default, when: "a"}, {name: a}]}
  - name: loop
    forEach:
      items: "${x}"
      nodes: [{name: in, set: {}}, {name: q, if: true}]
      connections: [{from: a, too: b}]
  connections:
  - {from: third}
  - {to: third, from: loop, loopback: {maxIterations: x}}
  triggers: [{name: t}]
"""


ALL_TOLD = """\
3:18 BadName metadata.name
3:28 UnknownField metadata.lables
5:3 UnknownField spec.timout
6:15 BadName spec.variables.2x
9:5 UnknownField spec.nodes[0].runn
9:30 WrongType spec.nodes[0].runn.env.A
10:26 OutOfRange spec.nodes[0].retry.maxAttempts
10:29 UnknownField spec.nodes[0].retry.backof
11:5 KindWanted spec.nodes[1]
11:11 BadName spec.nodes[1].name
14:5 KindWanted spec.nodes[2]
15:14 BadDuration spec.nodes[2].timeout
16:5 UnknownField spec.nodes[2].foobar
17:5 MissingField spec.nodes[3].name
17:18 WrongType spec.nodes[3].run.image
17:34 WrongType spec.nodes[3].run.command[1]
18:5 WrongType spec.nodes[4]
20:22 ReservedName spec.nodes[5].switch.cases[0]
20:50 ExactlyOneWanted spec.nodes[5].switch.cases[1]
24:22 BadName spec.nodes[6].forEach.nodes[0].name
24:50 WrongType spec.nodes[6].forEach.nodes[1].if
25:31 UnknownField spec.nodes[6].forEach.connections[0].too
27:5 MissingField spec.connections[0].to
28:55 WrongType spec.connections[1].loopback.maxIterations
29:14 ExactlyOneWanted spec.triggers[0]
"""


def test_everything_at_once() -> None:
    """All that is wrong is told in one go, in the order of the text, with the place of the key or the value, and no echo."""
    shape = shaped(EVERYTHING)
    found = "".join(f"{f.line}:{f.column} {f.reason} {f.path}\n" for f in shape.findings)
    assert found == ALL_TOLD


def test_the_best_reading() -> None:
    """What can be understood stays: nodes keep names and kinds, misspelt fields count as what they mean."""
    spec = workflow_of(shaped(EVERYTHING)).spec
    assert [(node.name, node.kind) for node in spec.nodes] == [
        ("reserve", "run"),
        ("My_Node", "set"),
        ("third", "set"),
        ("unnamed-3", "run"),
        ("unnamed-4", "set"),
        ("sw", "switch"),
        ("loop", "forEach"),
    ]
    assert spec.timeout == 300_000_000
    assert spec.nodes[0].run is not None
    assert spec.nodes[0].run.sh == "x"
    loop = spec.nodes[6].for_each
    assert loop is not None
    assert [(node.name, node.kind) for node in loop.nodes] == [("in", "set"), ("q", "if")]
    assert loop.connections[0].to == "b"


def test_doubtful_places() -> None:
    """What was mended is known, so that nobody builds findings on it."""
    doubtful = {path_text(path) for path in shaped(EVERYTHING).doubtful}
    assert {"spec.nodes[4]", "spec.nodes[2].set", "spec.nodes[5].switch", "spec.connections[0]"} <= doubtful
    assert not any(path.startswith("spec.nodes[6].forEach.items") for path in doubtful)


def test_findings_of_others_keep_their_places() -> None:
    """A finding about a mended manifest is placed in the text as it was written, also behind an item that was dropped."""
    shape = shaped(EVERYTHING)
    connection = workflow_of(shape).spec.connections[0]
    assert connection.from_ == "loop"
    finding = shape.finding("error", "Unknown", "m", ("spec", "connections", 0, "from"))
    assert (finding.path, finding.line, finding.column, finding.file) == (
        "spec.connections[1].from",
        28,
        23,
        "f.yaml",
    )
    renamed = shape.finding("error", "Unknown", "m", ("spec", "timeout"), at_key=True)
    assert (renamed.path, renamed.line) == ("spec.timout", 5)


@pytest.mark.parametrize(
    "text, expected, mended",
    [
        ("hello", ["1 WrongType"], False),
        ("[1]", ["1 WrongType"], False),
        ("kind: Workflow", ["1 MissingField"] * 3, False),
        ("apiVersion: v1\nkind: ConfigMap", ["2 UnknownKind"], False),
        (HEAD, ["1 MissingField"], False),
        (HEAD + "spec: 5", ["4 WrongType"], False),
        (HEAD + "spec: {nodes: 5}", ["4 WrongType"], True),
        (HEAD.replace("kind: Workflow", "kind: workflow") + BAD_SET, ["2 UnknownKind", "4 WrongType"], True),
        (HEAD.replace("alpha1", "") + BAD_SET, ["1 UnknownApiVersion", "4 WrongType"], True),
        (HEAD.replace("metadata: {name: a}\n", "") + BAD_SET, ["1 MissingField", "3 WrongType"], True),
        (HEAD.replace("{name: a}", "{}") + BAD_SET, ["3 MissingField", "4 WrongType"], True),
    ],
)  # fmt: skip
def test_heads(text: str, expected: list[str], mended: bool) -> None:
    """A wrong head does not hide what is wrong below, where the kind can be guessed."""
    (shape,), _ = read_shapes(text)
    assert [f"{f.line} {f.reason}" for f in shape.findings] == expected
    assert (shape.manifest is not None) is mended
    assert not shape.ok


def test_executions_are_mended_too() -> None:
    """An inline definition is checked as a workflow is."""
    text = (
        HEAD.replace("Workflow", "WorkflowExecution")
        + "spec: {definition: {nodes: [{name: x, rum: {sh: y}}]}, inputs: 5}"
    )
    shape = shaped(text)
    assert [f.path for f in shape.findings] == ["spec.definition.nodes[0].rum", "spec.inputs"]
    assert isinstance(shape.manifest, WorkflowExecution)
    assert shape.manifest.spec.definition is not None
    assert shape.manifest.spec.definition.nodes[0].kind == "run"


def test_a_body_too_deep_is_mended() -> None:
    """A ninth body is told, and the rest is still checked."""
    nodes = "{name: leaf, set: {}}"
    for level in range(9):
        nodes = f"{{name: n{level}, while: {{condition: a, nodes: [{nodes}]}}}}"
    shape = shaped(HEAD + f"spec: {{nodes: [{nodes}, {{name: z, set: 5}}]}}")
    assert [f.reason for f in shape.findings] == ["TooDeep", "WrongType"]
    assert len(list(nodes_of(workflow_of(shape).spec))) == 10


def test_what_the_text_told_is_not_told_again() -> None:
    """A number that does not fit is one finding, though what stands in for it may be out of range."""
    shapes, findings = read_shapes(
        HEAD + f"spec: {{nodes: [{{name: x, set: {{}}, maxDeliveries: {'9' * 30}}}]}}"
    )
    assert [f.reason for f in findings] == ["NumberTooLarge"]
    assert shapes[0].findings == ()


def test_each_document_has_its_own_findings() -> None:
    """Two documents of one file do not mix."""
    good = HEAD + "spec: {nodes: [{name: x, set: {}}]}\n"
    shapes, findings = read_shapes(good + "---\n" + good.replace("set", "st"))
    assert findings == []
    assert [shape.ok for shape in shapes] == [True, False]
    assert shapes[1].findings[0].line == 9


def test_the_number_of_nodes_is_limited() -> None:
    """10,000 nodes at all depths fit, 10,001 are told; the manifest is there all the same."""
    for count, reasons in ((MAX_NODES, []), (MAX_NODES + 1, ["TooManyNodes"])):
        inner = "".join(f"      - {{name: n{i}, set: {{}}}}\n" for i in range(count - 2))
        text = (
            HEAD
            + "spec:\n  finally: [{name: z, set: {}}]\n  nodes:\n  - name: loop\n    while:\n      condition: a\n      nodes:\n"
            + inner
        )
        shape = shaped(text)
        assert [f.reason for f in shape.findings] == reasons
        assert len(list(nodes_of(workflow_of(shape).spec))) == count


def test_the_size_of_a_definition_is_limited() -> None:
    """Over 1 MiB of canonical JSON is told, in both homes of a definition."""
    script = "x" * MAX_DEFINITION
    body = f"{{nodes: [{{name: x, run: {{sh: {script}}}}}]}}"
    execution = HEAD.replace("Workflow", "WorkflowExecution")
    for text in (HEAD + f"spec: {body}", execution + f"spec: {{definition: {body}}}"):
        assert [f.reason for f in shaped(text).findings] == ["DefinitionTooLarge"]


FIELDS = st.sampled_from(
    [
        "name",
        "set",
        "run",
        "if",
        "while",
        "forEach",
        "nodes",
        "connections",
        "from",
        "to",
        "when",
        "retry",
        "timeout",
        "join",
        "after",
        "maxAttempts",
        "sh",
        "cases",
    ]
)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from(["", "a", "b.true", "5s", "${x}", "all"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=25,
)


@given(
    st.dictionaries(
        st.sampled_from(["nodes", "connections", "finally", "timeout", "triggers", "x"]), ODD, max_size=4
    )
)
def test_any_data_is_told_or_read(spec: dict[str, Any]) -> None:
    """Whatever stands in a spec, it is a manifest without errors or one with findings, never an exception."""
    (document,), _ = read_documents("{}")
    head = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "a"}}
    document = type(document)(head | {"spec": spec}, document.spot)
    shape = check_shape(document)
    assert shape.ok or any(finding.severity == "error" for finding in shape.findings)
    if "nodes" in spec and isinstance(spec["nodes"], list) and spec["nodes"]:
        assert shape.manifest is not None
