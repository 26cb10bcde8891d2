"""Workflows and executions that make no sense: each says why in its status, within seconds, and stops no other."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from tests.support.operators import API, Operator, Site, execution_of, pod_node
from tests.support.waiting import until

from fairlead.kube.names import record_name

CROWD = 30


@pytest.fixture(autouse=True)
def others_go_on(request: pytest.FixtureRequest):
    """After each piece of bad input, an execution beside it runs to its end."""
    yield
    if "served" in request.fixturenames:
        served = request.getfixturevalue("served")
        served.workflow("good", [pod_node("one")])
        name = re.sub(r"[^a-z0-9]+", "-", f"good-{request.node.name}".lower())[:60].rstrip("-")
        served.execution(name, "good")
        served.ended(name, "Succeeded")


def _waits(site: Site, name: str, reason: str, *words: str) -> dict[str, Any]:
    """Wait until an execution is Pending and says why; the conditions by type."""
    status = site.until(
        name,
        lambda found: found.get("phase") == "Pending" and found["conditions"][0]["reason"] == reason,
        f"{name} says {reason}",
    )
    conditions = {one["type"]: one for one in status["conditions"]}
    assert all(word in conditions["Ready"]["message"] for word in words), json.dumps(status)
    assert status["waitingFor"][0]["message"]
    return conditions


def _invalid(site: Site, name: str, *words: str) -> None:
    """Wait until a Workflow is said to be invalid, with all of some words."""

    def ready() -> dict[str, Any]:
        conditions = site.object("fwf", name).get("status", {}).get("conditions", [])
        found: dict[str, Any] = {one["type"]: one for one in conditions}.get("Ready", {})
        return found

    until(lambda: ready().get("reason") == "WorkflowInvalid", f"{name} is said to be invalid")
    message = ready()["message"]
    assert [word for word in words if word not in message] == [], message


def test_a_workflow_with_several_mistakes(served: Site):
    """Its conditions say all of them; an execution of it waits, is stalled, and starts when the workflow is mended."""
    served.workflow(
        "wrong",
        [
            {"name": "a", "set": {"x": "${inputs..y}"}},
            {"name": "b", "log": {"message": "hi"}, "after": ["nobody"]},
            {"name": "c", "if": "1 +"},
            {"name": "d", "log": {"message": "${nodes.c.outputs.n}"}},
        ],
    )
    _invalid(
        served, "wrong", "spec.nodes[0].set.x", "nobody", "spec.nodes[2].if", "spec.nodes[3]", "4 errors"
    )
    served.execution("of-wrong", "wrong")
    conditions = _waits(served, "of-wrong", "WorkflowInvalid", "nobody")
    assert conditions["Stalled"]["status"] == "True"
    served.workflow("wrong", [pod_node("a", outputs={"n": 1})], outputs={"n": "${nodes.a.outputs.n}"})
    assert served.ended("of-wrong", "Succeeded")["outputs"] == {"n": 1}


def test_a_pod_section_outside_the_list(served: Site):
    """hostNetwork, a volume or a security context are refused by name, in bodies too, where the API server sees nothing."""
    for field, value in (
        ("hostNetwork", True),
        ("volumes", [{"name": "x"}]),
        ("securityContext", {"runAsUser": 0}),
    ):
        inner = {"name": "x", "run": {"sh": "true", "pod": {field: value}}}
        body = {"forEach": {"items": [1], "nodes": [inner]}}
        manifest = {
            "apiVersion": API,
            "kind": "Workflow",
            "metadata": {"name": f"wide-{field.lower()}"},
            "spec": {"nodes": [{"name": "each", **body}, inner | {"name": "y"}]},
        }
        served.kubectl("apply", "--validate=false", "-f", "-", text=json.dumps(manifest))
        _invalid(
            served,
            f"wide-{field.lower()}",
            f"spec.nodes[0].forEach.nodes[0].run.pod.{field}",
            f"spec.nodes[1].run.pod.{field}",
        )
    served.execution("wide-1", "wide-hostnetwork")
    _waits(served, "wide-1", "WorkflowInvalid", "hostNetwork")
    assert served.pods("wide-1") == []


def test_a_workflow_that_is_missing(served: Site):
    """Its execution waits, in progress, and says for what, in an Event too; it starts when the workflow comes."""
    served.execution("early", "comes-later")
    conditions = _waits(served, "early", "WorkflowNotFound", "comes-later")
    notes = (
        "get",
        "events",
        "--field-selector=involvedObject.name=early,reason=WorkflowNotFound",
        "-o",
        "yaml",
    )
    until(lambda: "comes-later" in served.kubectl(*notes), "`kubectl describe` says it")
    assert (conditions["Stalled"]["status"], conditions["Reconciling"]["status"]) == ("False", "True")
    served.workflow("comes-later", [pod_node("one")])
    served.ended("early", "Succeeded")


@pytest.mark.parametrize(
    "spec", [{"workflow": {"name": "never-comes"}}, {"workflow": {"name": "x"}, "inputs": {"n": 1}}]
)
def test_a_cancel_of_what_could_not_begin(served: Site, spec):
    """It is over, without ever having had a log; a Workflow that comes later starts nothing."""
    name = f"unwanted-{len(spec)}"
    if "inputs" in spec:
        served.workflow("x", [pod_node("one")], inputs={"type": "object", "additionalProperties": False})
    served.apply({"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": name}, "spec": spec})
    served.until(name, lambda status: status.get("phase") == "Pending", "it waits")
    served.patch(name, {"cancel": {"reason": "not wanted"}})
    status = served.ended(name, "Cancelled")
    conditions = {each["type"]: each for each in status["conditions"]}
    assert "not wanted" in conditions["Ready"]["message"]
    assert conditions["Stalled"]["status"] == "True"
    assert "waitingFor" not in status
    assert "finalizers" not in served.object("wfe", name)["metadata"]
    served.workflow(spec["workflow"]["name"], [pod_node("one")], inputs={"type": "object"})
    served.execution(f"{name}-beside", spec["workflow"]["name"])
    served.ended(f"{name}-beside", "Succeeded")
    assert served.status(name) == status
    assert served.pods(name) == []
    served.patch(name, {"cancel": None})  # latched: nobody can take it back but by a redrive
    served.until(name, lambda status: status["observedGeneration"] == 3, "it was heard")
    assert served.status(name) == {**status, "observedGeneration": 3}
    assert "finalizers" not in served.object("wfe", name)["metadata"]
    served.patch(name, {"redrive": 1})
    served.until(name, lambda status: status["phase"] == "Succeeded", "it has run")


def test_inputs_that_do_not_fit(served: Site):
    """The execution never starts and says which field is wrong, with value and expectation; so too after the workflow changed."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    served.workflow("strict", [pod_node("one")], inputs=schema)
    served.execution("text", "strict", inputs={"n": "many"})
    served.execution("none", "strict")
    conditions = _waits(served, "text", "InputsInvalid", "inputs.n", "many", "whole number")
    assert conditions["Stalled"]["status"] == "True"
    _waits(served, "none", "InputsInvalid", "n")
    assert served.pods("text") == []
    assert "finalizers" not in served.object("wfe", "text")["metadata"]
    served.workflow("strict", [pod_node("one")], inputs={"type": "object"})
    served.ended("text", "Succeeded")
    served.ended("none", "Succeeded")


def test_an_inline_definition_that_cannot_run(served: Site):
    """The same for a definition in the execution itself: nobody can mend it, it is stalled until it is deleted."""
    definition = {"nodes": [{"name": "a", "log": {"message": "x"}, "after": ["b"]}]}
    about = {"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": "own"}}
    served.apply({**about, "spec": {"definition": definition}})
    conditions = _waits(served, "own", "WorkflowInvalid", "'b'")
    assert conditions["Stalled"]["status"] == "True"
    served.kubectl("delete", "wfe", "own", "--timeout=30s")


def test_a_spec_that_makes_no_sense(served: Site):
    """What the CRD lets through and the model does not (a field that nobody knows, in a definition) is named."""
    about = {"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": "odd"}}
    definition = {"nodes": [{"name": "a", "log": {"message": "x"}, "timout": "5m"}]}
    manifest = {**about, "spec": {"definition": definition}}
    served.kubectl("create", "--validate=false", "-f", "-", text=json.dumps(manifest))
    _waits(served, "odd", "SpecInvalid", "spec.definition.nodes[0].timout", "timeout")


def test_a_wish_that_makes_no_sense(served: Site):
    """A patch that the API server refuses changes nothing."""
    served.workflow("steady", [pod_node("one", nowhere=True)])
    served.execution("steady-1", "steady")
    pod = served.pod("steady-1", "one")
    with pytest.raises(subprocess.CalledProcessError):
        served.patch("steady-1", {"suspend": "perhaps"})
    served.end_pod(pod, outputs={})
    served.ended("steady-1", "Succeeded")


@pytest.mark.timeout(180, func_only=True)
def test_a_crowd_with_one_poisoned(cluster, site: Site, tmp_path):
    """Of thirty executions at once one has a head that cannot be read: it says so and is frozen, the others run to their end."""
    site.workflow("good", [pod_node("one")])
    crowd = [execution_of(f"run-{number}", "good") for number in range(CROWD)]
    site.apply({"apiVersion": "v1", "kind": "List", "items": crowd})
    uid = site.object("wfe", "run-7")["metadata"]["uid"]
    labels = {"fairlead.dev/log": "head", "fairlead.dev/execution-uid": uid}
    squat = {"name": record_name("head", uid), "labels": labels}
    site.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": squat, "data": {"head": "{"}})
    operator = Operator(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    operator.start()
    try:
        operator.until_leading()

        def phases() -> dict[str, str]:
            return {
                one["metadata"]["name"]: one.get("status", {}).get("phase", "") for one in site.objects("wfe")
            }

        until(lambda: list(phases().values()).count("Succeeded") == CROWD - 1, "all others have ended", 120)
        status = site.until("run-7", lambda found: found.get("conditions"), "it says why")
        assert (status["conditions"][0]["reason"], status["conditions"][2]["status"]) == (
            "LogDamaged",
            "True",
        )
        assert site.pods("run-7") == []
        site.kubectl("delete", "wfe", "run-7", "--timeout=30s")
    finally:
        operator.stop()
