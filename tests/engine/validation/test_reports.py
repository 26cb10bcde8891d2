"""Validation says all it finds at once, in the order of the text, and a misspelt field hides nothing."""

# A line of a manifest and what is found there stand side by side.
# ruff: noqa: E501

from __future__ import annotations

import json

from tests.engine.validation.validation_support import check, compare, expected, workflow

from fairlead.engine.validation import validate_documents
from fairlead.engine.validation.report import validate_workflow
from fairlead.model.documents import read_documents
from fairlead.model.manifests import Workflow, WorkflowExecution

TEN = """
    timeuot: 1h  # UnknownField: did you mean timeout
    inputs: {type: objct}  # BadSchema: did you mean object
    nodes:
    - {name: a, run: {sh: "echo ${inputs.x}"}, store: {v: 1}}  # ScriptTemplate: ${inputs...}
    - {name: b, if: "vras.v", after: [a]}  # UnknownName: did you mean 'vars'
    - {name: c, log: {message: "${vars.w}"}, after: [b]}  # PortWanted: expected b.true # UnknownVariable: 'w'
    - {name: c, log: {message: x}, timeout: 10 minutes}  # DuplicateName: 'c' stands twice # BadDuration: '10 minutes' # warning WithoutEffect: timeout
    - {name: d, run: {sh: ls}, after: [f]}
    - {name: e, run: {sh: ls}, after: [d, nowhere]}  # UnknownNode: there is no node 'nowhere'
    - {name: f, run: {sh: ls}, after: [e]}  # Cycle: cycle
    - {name: g, finish: {result: x}, when: "true"}  # NotAllowedHere: when
    - {name: h, run: {sh: ls}, join: {atLeast: 2}, after: [a], with: {x: "${nodes.c.status}"}}  # JoinUnreachable: wants 2 # NotUpstream: nodes.c
"""


def test_ten_mistakes_are_ten_findings():
    """Shapes, graph, expressions, schema: one pass finds them all, each in its line, in the order of the lines."""
    report = check(TEN)
    assert len({finding.reason for finding in report.findings if finding.severity == "error"}) == 13
    lines = [finding.line for finding in report.findings]
    assert lines == sorted(lines)
    assert report.errors
    assert report.documents == (None,)
    assert report.runnable is None


def test_a_misspelt_field_is_checked_as_the_one_that_was_meant():
    """Findings inside a misspelt field come too, with the path as it is written."""
    report = check("""
        conections:  # UnknownField: did you mean connections
        - {fron: a, to: b}  # UnknownField: did you mean from
        - {from: a, to: x}  # UnknownNode: there is no node 'x'
        nodes:
        - {name: a, rnu: {sh: ls}, wth: {x: "${nodes.b.status}"}}  # UnknownField: run # UnknownField: with # NotUpstream: nodes.b
        - {name: b, run: {sh: ls}, with: {x: "${nodes.a.status}"}}
        otputs: {o: "${nodes.c.status}"}  # UnknownField: did you mean outputs # UnknownNode: nodes.c
    """)
    assert {finding.path for finding in report.findings} >= {
        "spec.conections[1].to",
        "spec.nodes[0].wth.x",
        "spec.otputs.o",
    }


def test_warnings_do_not_stop_a_run():
    """A manifest with warnings alone can be run."""
    report = check("nodes: [{name: a, run: {sh: ls}, join: any}]  # warning JoinWithoutEffect: join")
    assert not report.errors
    assert isinstance(report.documents[0], Workflow)
    assert report.runnable == (report.documents[0], report.sources[0])


FIRST = workflow("nodes: [{name: a, run: {sh: ls}}]\n")
SECOND = workflow("nodes: [{name: b, run: {sh: ls}}]\n").replace("sample", "other")


def test_several_documents():
    """Each document has its manifest and its findings; the first that can be run is the one to run."""
    execution = (
        FIRST.replace("kind: Workflow\n", "kind: WorkflowExecution\n")
        .replace("nodes:", "definition: {nodes:")
        .rstrip()
        + "}\n"
    )
    report = validate_documents("---\n".join([execution.replace("sample", "run"), FIRST, SECOND]))
    assert report.findings == ()
    assert [type(each) for each in report.documents] == [WorkflowExecution, Workflow, Workflow]
    assert report.runnable is not None and isinstance(report.runnable[0], WorkflowExecution)


def test_a_broken_document_does_not_hide_the_others():
    """The findings of each document are told, and the good ones are there."""
    text = (
        FIRST.replace("run:", "rum:")
        + "---\n"
        + SECOND.replace("name: b", "name: b, after: [c]")
        + "---\n"
        + SECOND.replace("other", "third")
    )
    report = validate_documents(text)
    assert [finding.reason for finding in report.findings] == ["UnknownField", "UnknownNode"]
    assert [each is None for each in report.documents] == [True, True, False]


def test_one_name_twice_in_a_file():
    """Two workflows of one name are told; a workflow and an execution may share one."""
    text = FIRST + "---\n" + FIRST
    (finding,) = validate_documents(text).findings
    assert (finding.reason, finding.line, finding.path) == ("DuplicateName", 9, "metadata.name")
    assert "in line 3" in finding.message


def test_documents_of_others_are_passed_over():
    """A ConfigMap beside a workflow is a warning; alone it is an error."""
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
    report = validate_documents(FIRST + "---\n" + config)
    compare(
        report.findings, [(8, "warning", "ForeignDocument", "ConfigMap of v1 is none of Fairlead's kinds")]
    )
    assert not report.errors
    assert validate_documents(config).errors
    assert validate_documents(FIRST.replace("fairlead.dev", "fairled.dev") + "---\n" + SECOND).errors


def test_texts_that_are_no_manifest():
    """Whatever the text is, there is an error and no manifest."""
    for text in (
        "",
        "---\n",
        "[]",
        "3",
        "{",
        "a: b: c",
        "\x00",
        b"\xff\xfe\x00",
        b"\xff",
        "kind: Workflow",
        "x" * 5_000_000,
    ):
        report = validate_documents(text)
        assert report.errors, text[:10]
        assert set(report.documents) <= {None}


def test_ten_thousand_nodes_and_one_more():
    """10,000 nodes in a chain pass, with an expression in each; one more is refused."""

    def chain(count: int) -> str:
        nodes = [
            {
                "name": f"n{i}",
                "set": {"v": 1},
                "when": "vars.v > 0",
                **({"after": [f"n{i - 1}"]} if i else {}),
            }
            for i in range(count)
        ]
        head = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}}
        return json.dumps({**head, "spec": {"nodes": nodes}})

    assert validate_documents(chain(10_000)).findings == ()
    (finding,) = validate_documents(chain(10_001)).findings
    assert finding.reason == "TooManyNodes"
    assert "10,001 nodes; expected at most 10,000" in finding.message


def test_a_large_definition_is_refused():
    """More than 1 MiB of canonical JSON is one finding."""
    (finding,) = validate_documents(
        workflow("nodes: [{name: a, run: {sh: %s}}]" % ("x" * 1_100_000))
    ).findings
    assert finding.reason == "DefinitionTooLarge"


def test_bodies_nested_too_deep():
    """Nine bodies in one another are refused, without a crash at ninety."""
    for depth in (9, 60):
        body = {"name": "leaf", "log": {"message": "x"}}
        for number in range(depth):
            body = {"name": f"n{number}", "while": {"condition": "true", "nodes": [body]}}
        (finding,) = validate_documents(workflow("nodes: " + json.dumps([body]))).findings
        assert finding.reason == "TooDeep"


def test_a_spec_of_its_own():
    """`validate_workflow` gives the findings beyond the shape, with the places of the document it is given."""
    text = workflow("nodes: [{name: a, run: {sh: ls}, after: [b], nonsense: 1}]")
    (document,), _ = read_documents(text)
    (finding,) = validate_workflow(document.data, document, "f.yaml")
    assert (finding.reason, finding.file, finding.line) == ("UnknownNode", "f.yaml", 5)
    assert expected(text) == []
