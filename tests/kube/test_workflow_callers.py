"""Workflows that name one another, and what executions get of them, on a real API server."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from tests.support.workflows import CURRENT, GOOD, WAITING, Flows, inlining, statuses

from fairlead.engine.graph import Graph
from fairlead.kube.client import WORKFLOWS
from fairlead.kube.workflows import Unusable, library
from fairlead.model.errors import Unavailable
from fairlead.model.manifests import Definition, canonical_json, digest

# ------------------------------------------------------------------------------------------------- workflows of workflows


def test_an_inlined_workflow_that_is_missing_is_waited_for(flows):
    """The caller is InProgress, names it, and is ready as soon as it comes; it waits again when it goes."""
    conditions = flows.apply("outer", inlining("inner"))
    assert WAITING == statuses(conditions)
    assert "waits for the Workflow inner" in conditions["Reconciling"]["message"]

    flows.apply("inner", GOOD)
    flows.becomes("outer", "Valid")
    flows.delete("inner")
    assert WAITING == statuses(flows.becomes("outer", "WorkflowNotFound"))


def test_a_workflow_that_is_started_may_come_later(flows):
    """That it is missing is a warning, which goes when it comes; inputs that do not fit it are an error then."""
    call = {"name": "b", "workflow": {"name": "child", "inputs": {"n": "one"}}}
    conditions = flows.apply("caller", {"nodes": [call]})
    assert CURRENT == statuses(conditions)
    assert (
        "1 warning: warning: spec.nodes[0].workflow.name: there is no Workflow 'child'"
        in conditions["Ready"]["message"]
    )

    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    flows.apply("child", {**GOOD, "inputs": schema})
    assert "by the schema of workflow child" in flows.becomes("caller", "WorkflowInvalid")["Ready"]["message"]
    flows.apply("child", GOOD)
    flows.becomes("caller", "Valid")


def test_what_is_wrong_with_an_inlined_workflow_is_wrong_with_its_callers(flows):
    """By way of another one as well, and until it is mended."""
    flows.apply("inner", GOOD)
    flows.apply("middle", inlining("inner"))
    assert CURRENT == statuses(flows.apply("outer", inlining("middle")))
    flows.apply("inner", {"nodes": [{"name": "a", "if": "1 +"}]})
    flows.becomes("middle", "WorkflowInvalid")
    flows.becomes("outer", "WorkflowInvalid")
    flows.apply("inner", GOOD)
    flows.becomes("middle", "Valid")
    flows.becomes("outer", "Valid")


def test_workflows_that_run_one_another_inline_are_told(flows):
    """All of a cycle, whichever came first, and one that runs itself."""
    flows.apply("a", inlining("b"))
    flows.apply("b", inlining("c"))
    flows.apply("c", inlining("a"))

    assert "a -> b -> c -> a" in flows.becomes("a", "WorkflowInvalid")["Ready"]["message"]
    for name in ("b", "c"):
        flows.becomes(name, "WorkflowInvalid")
    assert "runs itself inline" in flows.apply("self", inlining("self"))["Ready"]["message"]


# ---------------------------------------------------------------------------------------------------- what executions get


def test_a_workflow_is_found_as_it_is_now(flows):
    """Without anybody having seen it, and never an older one: each start asks."""
    flows.put("flow", GOOD)
    first = flows.get("flow")
    again = flows.get("flow")
    flows.put("flow", {"nodes": [{"name": "b", "set": {"x": 1}}]})
    second = flows.get("flow")

    assert first.spec is again.spec
    assert (1, 2) == (first.generation, second.generation)
    assert "b" == second.spec.nodes[0].name
    assert first.digest != second.digest


def test_a_missing_workflow_says_so(flows):
    """With what is near; and who waits for it is told when it comes."""
    flows.apply("order", GOOD)
    with pytest.raises(
        Unusable, match=r"there is no Workflow 'ordr' in namespace .*did you mean order"
    ) as missing:
        flows.get("ordr")
    flows.apply("ordr", GOOD)

    assert "WorkflowNotFound" == missing.value.reason
    assert {"ordr"} == missing.value.awaited
    assert "ordr" in flows.told
    assert flows.get("ordr").spec.nodes


def test_an_invalid_workflow_says_why(flows):
    """In the words of its condition, whether it was seen or not."""
    flows.put("bad", {"nodes": [{"name": "a", "if": "1 +"}]})
    with pytest.raises(
        Unusable, match=r"Workflow bad: the workflow cannot run, it has 1 error: spec.nodes\[0\].if"
    ) as wrong:
        flows.get("bad")

    assert "WorkflowInvalid" == wrong.value.reason
    assert {"bad"} == wrong.value.awaited


def test_a_hundred_executions_of_one_workflow_parse_it_once(flows, monkeypatch):
    """All at the same time; each has asked which version there is."""
    read = []
    whole = library._read

    def counted(body):
        read.append(body)
        return whole(body)

    monkeypatch.setattr(library, "_read", counted)
    flows.put("flow", GOOD)

    async def all_of_them():
        return await asyncio.gather(*(flows.workflows.get(flows.home.namespace, "flow") for _ in range(100)))

    assert 1 == len({id(found.spec) for found in flows.home.run(all_of_them())})
    assert 1 == len(read)


def test_what_is_kept_has_a_limit(home):
    """Those that were used last stay; the others are parsed anew and are the same."""
    flows = Flows(home, kept=600)
    specs = {
        f"flow-{number}": {"nodes": [{"name": "a", "log": {"message": f"{number}" * 200}}]}
        for number in range(5)
    }
    for name, spec in specs.items():
        flows.apply(name, spec)
    found = {name: flows.get(name) for name in specs}
    for name in specs:
        flows.pinned(name)
    library = flows.workflows._library
    flows.close()

    assert sum(len(kept.text) for kept in library._kept.values()) == library._size <= 600
    assert len(library._by_spec) == len(library._kept) == 2
    assert all(digest(found[name].spec) == found[name].digest == flows.get(name).digest for name in specs)


def test_a_workflow_that_inlines_nothing_is_pinned_as_it_is(flows):
    """Its bundle is its spec, byte for byte."""
    flows.put("flow", GOOD)
    bundle, _ = flows.pinned("flow")

    assert canonical_json(flows.get("flow").spec) == bundle.text
    assert f"sha256:{hashlib.sha256(bundle.text).hexdigest()}" == bundle.digest == flows.get("flow").digest


def test_what_runs_inline_is_pinned_with_it(flows):
    """All that is reached, by name, once; the graph can be built of it, and another version is another digest."""
    flows.put("leaf", GOOD)
    flows.put("left", inlining("leaf"))
    flows.put("right", inlining("leaf"))
    flows.put(
        "top", {"nodes": [*inlining("left", "right")["nodes"], {"name": "c", "workflow": {"name": "child"}}]}
    )
    bundle, text = flows.pinned("top")

    assert isinstance(bundle.definition, Definition)
    assert ["leaf", "left", "right"] == list(text["workflows"])
    assert Graph(bundle.definition).find("in-left/in-leaf/a").spec.run is not None
    assert bundle is flows.pinned("top")[0]
    flows.put("leaf", {"nodes": [{"name": "other", "set": {"x": 1}}]})
    changed, text = flows.pinned("top")
    assert bundle.digest != changed.digest
    assert "other" == text["workflows"]["leaf"]["nodes"][0]["name"]


def test_what_cannot_be_pinned_says_why(flows):
    """What is missing, also further down, and what is wrong by the time of the start."""
    flows.put("top", inlining("left"))
    flows.put("left", inlining("leaf"))
    with pytest.raises(Unusable, match="waits for the Workflow leaf") as missing:
        flows.get("top")
    assert {"top", "leaf"} == missing.value.awaited

    flows.put("leaf", GOOD)
    spec = flows.get("top").spec
    flows.put("leaf", {"nodes": [{"name": "a", "if": "1 +"}]})
    with pytest.raises(Unusable, match="workflow leaf has an error") as wrong:
        flows.home.run(flows.workflows.bundle(flows.home.namespace, spec))
    assert "WorkflowInvalid" == wrong.value.reason
    assert {"left", "leaf"} == wrong.value.awaited
    flows.put("leaf", inlining("left"))
    with pytest.raises(Unusable, match="inline, without end"):
        flows.home.run(flows.workflows.bundle(flows.home.namespace, spec))
    flows.home.run(flows.home.client.delete(WORKFLOWS, flows.home.namespace, "leaf"))
    with pytest.raises(Unusable, match="waits for the Workflow leaf"):
        flows.home.run(flows.workflows.bundle(flows.home.namespace, spec))


def test_a_definition_in_an_execution_is_looked_at_as_closely(flows):
    """All findings, with the path in the execution; and it may run Workflows of the namespace inline."""
    namespace = flows.home.namespace
    wrong_spec = {"nodes": [{"name": "a", "if": "1 +"}, {"name": "b", "if": "2 +"}]}
    with pytest.raises(
        Unusable, match=r"2 errors: spec.definition.nodes\[0\].if: .*spec.definition.nodes\[1\].if"
    ) as wrong:
        flows.home.run(flows.workflows.definition(namespace, wrong_spec))
    flows.put("leaf", GOOD)
    needs_inputs = {**inlining("leaf"), "inputs": {"type": "object", "required": ["n"]}}
    spec = flows.home.run(flows.workflows.definition(namespace, needs_inputs))
    bundle = flows.home.run(flows.workflows.bundle(namespace, spec))

    assert "WorkflowInvalid" == wrong.value.reason
    assert ["leaf"] == list(bundle.definition.workflows)


def test_an_object_that_cannot_be_read_is_told(flows, cluster):
    """The API server takes JSON that is nested 3,000 deep; whoever names it is told, and others are not held up."""
    deep = '{"x":' * 3000 + "1" + "}" * 3000
    text = (
        '{"apiVersion":"fairlead.dev/v1alpha1","kind":"Workflow","metadata":{"name":"deep"},'
        f'"spec":{{"nodes":[{{"name":"a","set":{{}}}}],"variables":{deep}}}}}'
    )
    path = f"/apis/fairlead.dev/v1alpha1/namespaces/{flows.home.namespace}/workflows"
    cluster.kubectl("create", "--raw", path, "-f", "-", text=text)

    with pytest.raises(Unusable, match=r"Workflow deep: .*nested more than 200 deep"):
        flows.get("deep")
    assert "nested more than 200 deep" in flows.apply("outer", inlining("deep"))["Ready"]["message"]


def test_when_the_api_server_is_away_nothing_is_decided(flows, monkeypatch):
    """A start hears Unavailable; a status is written once it answers again."""
    flows.put("flow", GOOD)
    body = flows.there("flow")
    request = flows.home.client.request

    async def away(*_, **__):
        raise Unavailable("it is away")

    monkeypatch.setattr(flows.home.client, "request", away)
    with pytest.raises(Unavailable, match="away"):
        flows.get("flow")
    flows.home.run(flows.workflows.seen(body))
    monkeypatch.setattr(flows.home.client, "request", request)

    flows.becomes("flow", "Valid")
