"""The workflows that nodes call, read from a real API server: as closely looked at as from a file, and live."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.driver import spec_of
from tests.support.kube_home import KubernetesHome

from fairlead.kube import callees as kube_callees
from fairlead.kube.callees import Callees
from fairlead.kube.client import WORKFLOWS
from fairlead.model import reasons
from fairlead.model.manifests import WorkflowSpec, definition_of, plain
from fairlead.runtime.children import Refused

NODES: list[dict[str, Any]] = [{"name": "x", "set": {"y": 1}}]


def apply(home: KubernetesHome, name: str, **spec: Any) -> None:
    """A Workflow, made or changed."""
    body = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": {"name": name}}
    path, params = WORKFLOWS.path(home.namespace, name), {"fieldManager": "tests", "force": "true"}
    content = "application/apply-patch+yaml"
    work = home.client.request("PATCH", path, body={**body, "spec": spec}, params=params, content=content)
    home.run(work)


def inline(name: str) -> list[dict[str, Any]]:
    return [{"name": "call", "workflow": {"name": name, "inline": True}}]


def called(home: KubernetesHome, name: str, callees: Callees | None = None) -> WorkflowSpec:
    return home.run((callees or Callees(home.client)).workflow(home.namespace, name))


def refused(home: KubernetesHome, name: str, callees: Callees | None = None) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        called(home, name, callees)
    return error.value.reason, str(error.value)


def test_a_workflow_is_given_as_it_is_now(home):
    """A change counts for the next one who calls it, also in a process that has read it before."""
    callees = Callees(home.client)
    apply(home, "other", nodes=NODES)
    assert plain(spec_of(nodes=NODES)) == plain(called(home, "other", callees))
    assert called(home, "other", callees) is called(home, "other", callees)

    apply(home, "other", nodes=NODES, version="2")
    assert "2" == called(home, "other", callees).version
    home.run(home.client.delete(WORKFLOWS, home.namespace, "other"))
    assert reasons.WORKFLOW_NOT_FOUND == refused(home, "other", callees)[0]


def test_a_workflow_comes_with_those_that_it_inlines(home):
    """All of them, as they are now: a change of the innermost counts."""
    callees = Callees(home.client)
    apply(home, "outer", nodes=inline("middle"))
    apply(home, "middle", nodes=inline("inner"))
    apply(home, "inner", nodes=NODES)
    specs = {name: called(home, name) for name in ("middle", "inner")}
    inlined = {"inner": specs["inner"], "middle": spec_of(nodes=inline("inner"))}
    assert plain(definition_of(spec_of(nodes=inline("middle")), inlined)) == plain(
        called(home, "outer", callees)
    )

    apply(home, "inner", nodes=NODES, version="2")
    changed = plain(called(home, "outer", callees))
    assert "2" == changed["workflows"]["inner"]["version"]


@pytest.mark.parametrize(
    "name, said",
    [
        ("othr", "there is no workflow 'othr'; did you mean other?"),
        ("zzz", "there is no workflow 'zzz'; expected another, other"),
        ("Not A/Name?", "there is no workflow 'Not A/Name?'; expected another, other"),
        ("x" * 300, "; expected another, other"),
    ],
)  # fmt: skip
def test_a_name_that_nobody_has_is_refused_with_the_nearest(home, name, said):
    """Of the names in the namespace, whatever the text is that was evaluated."""
    for known in ("other", "another"):
        apply(home, known, nodes=NODES)
    reason, message = refused(home, name)

    assert (reasons.WORKFLOW_NOT_FOUND, True) == (reason, message.endswith(said))


def test_a_namespace_without_workflows_is_told_as_such(home):
    """There is no name to suggest."""
    expected = "there is no workflow 'other'; expected one in the namespace"
    assert (reasons.WORKFLOW_NOT_FOUND, expected) == refused(home, "other")


@pytest.mark.parametrize(
    "nodes, said",
    [
        ([{"name": "x", "set": {"y": 1}, "timout": "5m"}], "UnknownField: 'timout' is no field of a node"),
        ([{"name": "x", "set": {"y": "${vars.}"}}], "ExpressionInvalid: "),
        ([{"name": "x", "log": {"message": "hi"}, "after": ["nobody"]}], "UnknownNode: "),
        ([{"name": "x", "approval": {"roles": ["boss"]}}], "NotSupportedYet: nodes of kind approval"),
        (inline("other"), "InlineCycle: workflow other runs itself inline without end"),
        (inline("missing"), "UnknownWorkflow: workflow missing, which runs inline, is not there"),
        (inline("wrong"), "workflow wrong, which runs inline, cannot run: UnknownField: 'timout'"),
        (inline("unknown"), "InvalidWorkflow: workflow unknown has an error: spec.nodes[0].after[0]: UnknownNode: "),
        (inline("later"), "workflow later, which runs inline, cannot run: NotSupportedYet: "),
    ],
)  # fmt: skip
def test_a_workflow_that_cannot_run_is_refused_with_the_first_finding(home, nodes, said):
    """Of its own or of one that it inlines."""
    apply(home, "wrong", nodes=[{"name": "x", "set": {"y": 1}, "timout": "5m"}])
    apply(home, "unknown", nodes=[{"name": "x", "log": {"message": "hi"}, "after": ["nobody"]}])
    apply(home, "later", nodes=[{"name": "x", "approval": {"roles": ["boss"]}}])
    apply(home, "other", nodes=nodes)
    reason, message = refused(home, "other")

    assert (reasons.WORKFLOW_INVALID, True) == (reason, message.startswith("workflow other cannot run: ")), (
        message
    )
    assert said in message


def test_a_workflow_that_was_wrong_is_looked_at_again_when_it_changes(home):
    """Also when what was missing comes."""
    callees = Callees(home.client)
    apply(home, "other", nodes=inline("missing"))
    assert reasons.WORKFLOW_INVALID == refused(home, "other", callees)[0]
    apply(home, "missing", nodes=NODES)

    assert ["missing"] == list(plain(called(home, "other", callees))["workflows"])


def test_the_word_of_a_status_does_not_count(home):
    """Only the spec is looked at, whatever stands beside it."""
    apply(home, "other", nodes=NODES)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "Wrong",
        "message": "no",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"status": {"conditions": [condition]}}
    home.run(home.client.patch(WORKFLOWS, home.namespace, "other", status, subresource="status"))

    assert plain(spec_of(nodes=NODES)) == plain(called(home, "other"))


def test_a_nest_without_end_is_a_finding(home):
    """A poisoned Workflow is no crash of whoever calls it."""
    deep = '{"a":' * 3000 + "1" + "}" * 3000
    about = {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": {"name": "other"}}
    spec = msgspec.Raw(f'{{"nodes": [{{"name": "x", "set": {{"y": {deep}}}}}]}}'.encode())
    home.run(home.client.create(WORKFLOWS, home.namespace, {**about, "spec": spec}))
    apply(home, "another", nodes=NODES)

    assert reasons.WORKFLOW_INVALID == refused(home, "other")[0]
    assert refused(home, "nobody")[1].endswith("expected another, other")


def test_few_are_kept(home, monkeypatch):
    """What was examined is forgotten, oldest first; it is read again."""
    monkeypatch.setattr(kube_callees, "KEPT", 1)
    callees = Callees(home.client)
    for name in ("other", "another"):
        apply(home, name, nodes=NODES)
    first = called(home, "other", callees)
    called(home, "another", callees)

    assert first is not called(home, "other", callees)
    assert plain(first) == plain(called(home, "other", callees))
