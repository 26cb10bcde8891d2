"""Workflows on a real API server: what their status says, when it is written, and what executions get of them."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.kube_faults import Fault
from tests.support.waiting import until
from tests.support.workflows import CURRENT, FAILED, GOOD, Flows, statuses

from fairlead.kube.client import WORKFLOWS
from fairlead.kube.workflows import library
from fairlead.model.manifests import digest
from fairlead.model.shown import UNSEEN_STATUS

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
    assert UNSEEN_STATUS["Workflow"] == flows.status("flow")
    flows.home.reign.number = 2
    flows.see("flow")

    assert CURRENT == statuses(flows.conditions("flow"))


def test_one_that_we_cannot_cope_with_stops_no_other(flows, monkeypatch):
    """It says so itself, among twenty good ones that are seen at the same time."""
    whole = library._read

    def read(body):
        if body["metadata"]["name"] == "poisoned":
            raise RuntimeError("unforeseen")
        return whole(body)

    monkeypatch.setattr(library, "_read", read)
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
    """Each node wrong, beside a small one: the loop is not held, all is counted, and the message is cut.

    They stand in a body, for which the API server needs no more time than we do; at the top it checks each for milliseconds.
    """
    nodes = [{"name": f"n{number}", "if": "1 +"} for number in range(9_999)]
    flows.put("large", {"nodes": [{"name": "each", "forEach": {"items": [1], "nodes": nodes}}]})
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
    assert "9,999 errors" in message
    assert message.endswith(" more")
    assert len(message.encode()) <= 32 << 10


def test_a_crowd_is_seen(flows):
    """100 at once, every tenth invalid: each gets what it deserves, with one write each."""
    names = [f"flow-{number}" for number in range(100)]
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

    assert 200 == flows.home.client.writes - before
    assert names[::10] == [name for name in names if flows.reason(name) == "WorkflowInvalid"]
    assert sorted(names) == sorted(flows.told)
