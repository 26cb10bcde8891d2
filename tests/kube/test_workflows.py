"""Workflows on a real API server: what their status says, when it is written, and what executions get of them."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from tests.support.kube_faults import Fault
from tests.support.waiting import until
from tests.support.workflows import GOOD, Flows, inlining

from fairlead.engine.graph import Graph
from fairlead.kube.client import WORKFLOWS
from fairlead.kube.workflows import Unusable
from fairlead.model.errors import Unavailable
from fairlead.model.manifests import Definition, canonical_json, digest


@pytest.fixture
def flows(home):
    """Workflows that somebody looks after."""
    made = Flows(home)
    yield made
    made.close()


def statuses(conditions):
    return {kind: each["status"] for kind, each in conditions.items()}


CURRENT = {"Ready": "True", "Reconciling": "False", "Stalled": "False"}
WAITING = {"Ready": "False", "Reconciling": "True", "Stalled": "False"}
FAILED = {"Ready": "False", "Reconciling": "False", "Stalled": "True"}


# ------------------------------------------------------------------------------------------------------------- the status


def test_a_good_workflow_is_ready(flows):
    """With its digest and the generation that it speaks of; the spec and the metadata of its author are not touched."""
    conditions = flows.apply("good", GOOD)
    there = flows.there("good")

    assert CURRENT == statuses(conditions)
    assert "Valid" == conditions["Ready"]["reason"]
    assert digest(flows.get("good").spec) == there["status"]["digest"]
    assert 1 == there["status"]["observedGeneration"] == there["metadata"]["generation"]
    assert GOOD == there["spec"]
    assert not {"labels", "annotations", "finalizers"} & there["metadata"].keys()


def test_all_findings_are_told_at_once(flows):
    """Misspelt fields, wrong expressions, unknown nodes, deep in a body too; a digest is not told."""
    spec = {
        "nodes": [
            {"name": "a", "run": {"sh": "true"}, "retri": {"maxAttempts": 2}},
            {"name": "b", "if": "inputs.x >"},
            {"name": "c", "while": {"condition": "true", "nodes": [{"name": "d", "set": 3}, {"nme": "e"}]}},
            {"name": "ask", "approval": {"roles": ["finance"]}},
        ],
        "connections": [{"from": "a", "to": "nowhere"}],
    }
    conditions = flows.apply("bad", spec)
    message = conditions["Ready"]["message"]

    assert FAILED == statuses(conditions)
    assert {"WorkflowInvalid"} == {each["reason"] for each in conditions.values()}
    for path in (
        "nodes[0].retri",
        "nodes[1].if",
        "nodes[2].while.nodes[0].set",
        "nodes[2].while.nodes[1]",
        "connections[0].to",
    ):
        assert f"spec.{path}" in message
    assert "did you mean retry?" in message
    assert "digest" not in flows.status("bad")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"nodes": []}, "spec.nodes"),
        ({}, "spec.nodes"),
        ({"nodes": [{"name": "a"}]}, "spec.nodes[0]"),
        ({"nodes": [{"name": "a", "set": {}}, {"name": "a", "set": {}}]}, "'a'"),
        ({"nodes": [{"name": "a", "set": {}, "after": ["b"]}, {"name": "b", "set": {}, "after": ["a"]}]}, "cycle"),
        ({"nodes": [{"name": "a", "log": {"message": "${nodes.zz.outputs}"}}]}, "zz"),
        ({**GOOD, "inputs": {"type": "objct"}}, "spec.inputs.type"),
        ({**GOOD, "timeout": "soon"}, "spec.timeout"),
        ({**GOOD, "variables": {"n": 1e300, "big": 2**63}}, "64 bits"),
        ({**GOOD, "nodes": [{"name": "a", "run": {"sh": "true"}, "guards": ["database"]}]}, "not supported yet"),
        ("text", "spec"),
        (["a", "list"], "spec"),
        (None, "spec"),
        ({"nodes": {"a": 1}, "finally": 3, "connections": "none"}, "spec.nodes"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_told(flows, spec, words):
    """Also what the schema of the API server would not have let in: an older one may have."""
    flows.put("bad", GOOD)
    flows.see("bad", spec=spec)
    conditions = flows.conditions("bad")

    assert FAILED == statuses(conditions)
    assert words in conditions["Ready"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": None},
        {"metadata": {"name": "x"}},
        {"metadata": {"name": 1, "namespace": [], "uid": {}, "generation": "1", "resourceVersion": ""}},
    ],
)
def test_what_is_no_object_is_passed_over(flows, body):
    """Nothing is raised and nothing written."""
    flows.home.run(flows.workflows.seen(body))

    assert 0 == flows.home.client.writes


def test_a_new_generation_is_judged_anew(flows):
    """And the time of a condition is that at which its status changed."""
    first = flows.apply("flow", {"nodes": [{"name": "a", "if": "1 +"}]})
    second = flows.apply("flow", {"nodes": [{"name": "a", "if": "2 +"}]})
    third = flows.apply("flow", GOOD)

    assert [1, 2, 3] == [each["Ready"]["observedGeneration"] for each in (first, second, third)]
    assert first["Ready"]["lastTransitionTime"] == second["Ready"]["lastTransitionTime"]
    assert second["Ready"]["lastTransitionTime"] < third["Ready"]["lastTransitionTime"]
    assert second["Reconciling"]["lastTransitionTime"] == third["Reconciling"]["lastTransitionTime"]


def test_what_the_status_says_already_is_not_written_again(flows):
    """Neither when our own write comes back, nor when another process starts over."""
    flows.apply("flow", GOOD)
    writes = flows.home.client.writes
    for _ in range(3):
        flows.see("flow")
    another = Flows(flows.home)
    another.see("flow")
    another.close()

    assert writes == flows.home.client.writes


def test_a_status_that_was_spoilt_is_put_right(flows):
    """By whoever may write statuses; what is not ours stays."""
    flows.apply("flow", GOOD)
    patch = {"status": {"digest": "sha256:0", "conditions": [], "triggers": [{"name": "nightly"}]}}
    flows.home.run(
        flows.home.client.patch(WORKFLOWS, flows.home.namespace, "flow", patch, subresource="status")
    )
    flows.see("flow")

    assert CURRENT == statuses(flows.conditions("flow"))
    assert [{"name": "nightly"}] == flows.status("flow")["triggers"]


def test_somebody_else_writes_at_the_same_time(flows):
    """A conflict is read again: the status speaks of what is there in the end."""
    flows.put("flow", GOOD)
    old = flows.there("flow")
    flows.put("flow", {"nodes": [{"name": "b", "if": "1 +"}]})
    flows.home.run(flows.workflows.seen(old))

    assert 2 == flows.status("flow")["observedGeneration"]
    assert "WorkflowInvalid" == flows.reason("flow")


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_write_without_an_answer_is_settled_by_reading(flows, fault):
    """It is there once, whether it had arrived or not."""
    flows.put("flow", GOOD)
    faults = iter([fault])
    flows.home.client.fate = lambda *_: next(faults, Fault.NONE)
    flows.see("flow")

    assert CURRENT == statuses(flows.becomes("flow", "Valid"))


def test_a_workflow_that_is_gone_is_fine(flows):
    """Nothing is written, nothing is tried again, and who waited is told."""
    flows.apply("flow", GOOD)
    body = flows.there("flow")
    flows.delete("flow")
    flows.home.run(flows.workflows.seen({**body, "metadata": {**body["metadata"], "generation": 2}}))

    until(lambda: not flows.workflows._again, "nothing is left to be looked at")
    assert flows.there("flow") is None
    assert "flow" == flows.told[-1]


def test_a_workflow_of_another_uid_under_the_name_is_another_one(flows):
    """Also if its generation is lower."""
    flows.apply("flow", GOOD)
    flows.apply("flow", {"nodes": [{"name": "b", "set": {}}]})
    flows.home.run(flows.home.client.delete(WORKFLOWS, flows.home.namespace, "flow"))
    conditions = flows.apply("flow", {"nodes": [{"name": "a", "if": "1 +"}]})

    assert FAILED == statuses(conditions)
    assert 1 == flows.status("flow")["observedGeneration"]


def test_who_does_not_lead_writes_nothing(flows):
    """The fence is asked before each write; once we lead, it is made good."""
    flows.put("flow", GOOD)
    flows.home.reign.number = None
    flows.see("flow")
    assert {} == flows.status("flow")
    flows.home.reign.number = 2
    flows.see("flow")

    assert CURRENT == statuses(flows.conditions("flow"))


def test_one_that_we_cannot_cope_with_stops_no_other(flows, monkeypatch):
    """It says so itself, among twenty good ones that are seen at the same time."""
    from fairlead.kube.workflows import library

    def examined(shaped, known, inlined):
        if shaped.manifest.metadata.name == "poisoned":
            raise RuntimeError("unforeseen")
        return whole(shaped, known, inlined)

    whole = library.examine_object
    monkeypatch.setattr(library, "examine_object", examined)
    names = [
        *(f"good-{number}" for number in range(10)),
        "poisoned",
        *(f"more-{number}" for number in range(10)),
    ]
    for name in names:
        flows.put(name, GOOD)

    async def see_all():
        bodies = [(await flows.workflows._library.fetch(flows.home.namespace, name))[0] for name in names]
        await asyncio.gather(*(flows.workflows.seen(body) for body in bodies))

    flows.home.run(see_all())

    assert "unforeseen" in flows.conditions("poisoned")["Ready"]["message"]
    assert {"poisoned": "WorkflowInvalid"} == {
        name: flows.reason(name) for name in names if flows.reason(name) != "Valid"
    }


def test_ten_thousand_nodes_leave_the_others_their_turn(flows):
    """Each node wrong, beside a small one: the loop is not held, all is counted, and the message is cut."""
    nodes = [{"name": f"n{number}", "if": "1 +"} for number in range(10_000)]
    flows.put("large", {"nodes": nodes})
    flows.put("small", GOOD)

    async def see_both():
        large = asyncio.ensure_future(flows.workflows.seen(large_body))
        await flows.workflows.seen(small_body)
        was_first = not large.done()
        await large
        return was_first

    large_body, small_body = flows.there("large"), flows.there("small")

    assert flows.home.run(see_both())
    assert "Valid" == flows.reason("small")
    message = flows.conditions("large")["Ready"]["message"]
    assert "10,000 errors" in message
    assert message.endswith(" more")
    assert len(message.encode()) <= 32 << 10


def test_a_crowd_is_seen(flows):
    """300 at once, every tenth invalid: each gets what it deserves, with one write each."""
    names = [f"flow-{number}" for number in range(300)]
    before = flows.home.client.writes

    async def make_and_see(name, number):
        spec = GOOD if number % 10 else {"nodes": [{"name": "a", "if": "1 +"}]}
        body = {
            "apiVersion": WORKFLOWS.api_version,
            "kind": WORKFLOWS.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        await flows.home.client.create(WORKFLOWS, flows.home.namespace, body)
        await flows.workflows.seen((await flows.workflows._library.fetch(flows.home.namespace, name))[0])

    async def all_of_them():
        await asyncio.gather(*(make_and_see(name, number) for number, name in enumerate(names)))

    flows.home.run(all_of_them())

    assert 600 == flows.home.client.writes - before
    assert names[::10] == [name for name in names if flows.reason(name) == "WorkflowInvalid"]
    assert sorted(names) == sorted(flows.told)


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
    from fairlead.kube.workflows import library

    read: list[object] = []
    whole = library.read_object
    monkeypatch.setattr(library, "read_object", lambda data: (read.append(data), whole(data))[1])
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
    with pytest.raises(
        Unusable, match=r"2 errors: spec.definition.nodes\[0\].if: .*spec.definition.nodes\[1\].if"
    ) as wrong:
        wrong_spec = {"nodes": [{"name": "a", "if": "1 +"}, {"name": "b", "if": "2 +"}]}
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

    with pytest.raises(Unusable, match="Workflow deep: the object cannot be read"):
        flows.get("deep")
    assert "the object cannot be read" in flows.apply("outer", inlining("deep"))["Ready"]["message"]


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
