"""The pod of a delivery: what is in it and, as important, what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.pod_scenes import start_of

from fairlead.kube import names
from fairlead.kube.names import Place
from fairlead.kube.pods.manifests import INLINE, PodSettings, Wanted, pod_of
from fairlead.model.effects import StartAttempt

PLACE = Place("team", "order-1", "0b6d")
SETTINGS = PodSettings(runner_image="runner:1", http_settings={"FAIRLEAD_HTTP_ALLOW": "example.com"})


def wanted(start: StartAttempt) -> Wanted:
    return pod_of(start, PLACE, 7, SETTINGS)


def pod(node: dict[str, Any], inputs: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return wanted(start_of(node, inputs, **spec)).pod


def container(body: dict[str, Any]) -> dict[str, Any]:
    [only] = body["spec"]["containers"]
    return dict(only)


def env(body: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(body)["env"]}


SH = {"run": {"sh": "echo ${HOME} $(id)"}}


def test_the_name_says_the_delivery_and_the_annotation_says_it_whole():
    """130 bits of hash in the name; what is compared before a pod is taken for ours stands in full beside it."""
    body = pod(SH)

    assert names.record_name("pod", "uid-1/a/1/1") == body["metadata"]["name"]
    assert 26 == len(body["metadata"]["name"].removeprefix("fairlead-pod-"))
    assert "uid-1/a/1/1" == body["metadata"]["annotations"][names.IDENTITY]


def test_the_pod_belongs_to_its_execution():
    """Owner without blockOwnerDeletion, our finalizer, shard and epoch for the fence."""
    metadata = pod(SH)["metadata"]

    assert [{
        "apiVersion": "fairlead.dev/v1alpha1", "kind": "WorkflowExecution", "name": "order-1", "uid": "0b6d", "controller": True,
    }] == metadata["ownerReferences"]  # fmt: skip
    assert [names.RESULT_FINALIZER] == metadata["finalizers"]
    assert ("7", "a", "1", "true") == tuple(
        metadata["labels"][label] for label in (names.EPOCH, names.NODE, names.ATTEMPT, names.MANAGED)
    )


def test_the_pod_is_restricted_and_has_no_token():
    """Pod Security `restricted`, for our runner with a read-only root."""
    body = pod(SH)
    spec = body["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
    } == container(body)["securityContext"]  # fmt: skip


def test_a_resource_node_has_the_token_of_its_own_account():
    """It is the one kind that talks to the API server."""
    body = pod({"resource": {"action": "get", "manifest": {"kind": "Pod"}, "serviceAccountName": "reader"}})

    assert ("reader", True) == (
        body["spec"]["serviceAccountName"],
        body["spec"]["automountServiceAccountToken"],
    )


def test_a_script_arrives_as_it_was_written():
    """Kubernetes would replace `$(id)`: the dollar is doubled, which it reads as one."""
    document = env(pod(SH))["FAIRLEAD_NODE"]

    assert "$$(id)" in document
    assert "echo ${HOME} $(id)" == json.loads(document.replace("$$", "$"))["run"]["sh"]


def test_a_large_document_is_a_config_map_of_its_digest():
    """What does not fit into the pod is written before it, once for all pods that use the same."""
    node = {"run": {"python": "pass"}, "with": {"text": "${inputs.text}"}}
    found = wanted(start_of(node, {"text": "x" * INLINE}))

    [config_map] = found.before
    assert config_map["immutable"] is True
    assert "x" * INLINE == json.loads(config_map["data"]["node.json"])["inputs"]["text"]
    volume = next(each for each in found.pod["spec"]["volumes"] if "configMap" in each)
    assert config_map["metadata"]["name"] == volume["configMap"]["name"]
    assert "/fairlead/node/node.json" == env(found.pod)["FAIRLEAD_NODE_FILE"]
    assert "FAIRLEAD_NODE" not in env(found.pod)


def test_secrets_are_references():
    """No value of a Secret is ever in a pod's manifest."""
    body = pod(
        {
            "run": {
                "sh": "true",
                "envFrom": [{"secret": "db", "keys": {"PASSWORD": "password"}}, {"secret": "all"}],
                "files": [{"secret": "tls", "path": "/run/tls"}],
            }
        }
    )

    assert {"secretKeyRef": {"name": "db", "key": "password"}} == env(body)["PASSWORD"]
    assert [{"secretRef": {"name": "all"}}] == container(body)["envFrom"]
    assert {"name": "secret-0", "mountPath": "/run/tls", "readOnly": True} in container(body)["volumeMounts"]
    told = json.loads(env(body)["FAIRLEAD_HIDDEN"])
    assert told == {"env": ["PASSWORD"], "rest": True, "files": ["/run/tls"]}


def test_a_users_image_gets_files_and_its_own_words():
    """Inputs by the downward API, outputs as termination message; args are arguments, never text in a script."""
    body = pod(
        {
            "with": {"n": 1},
            "run": {
                "image": "acme/charge:1",
                "command": ["charge"],
                "args": ["${inputs.who}"],
                "env": {"A": "$(B)"},
            },
        },
        {"who": "; rm -rf / $(id)"},
    )

    assert ("acme/charge:1", ["charge"], ["; rm -rf / $$(id)"]) == (
        container(body)["image"], container(body)["command"], container(body)["args"],
    )  # fmt: skip
    assert '{"n":1}' == body["metadata"]["annotations"]["fairlead.dev/inputs"]
    assert ("$$(B)", "/fairlead/inputs/inputs.json", "/dev/termination-log") == (
        env(body)["A"], env(body)["FAIRLEAD_INPUTS"], env(body)["FAIRLEAD_OUTPUTS"],
    )  # fmt: skip
    assert "FAIRLEAD_NODE" not in env(body)


def test_the_pod_section_is_taken_over_leaf_by_leaf():
    """Nothing but what the model allows arrives."""
    section = {"nodeSelector": {"disk": "ssd"}, "labels": {"team": "red"}, "imagePullPolicy": "Always"}
    body = pod({"run": {"sh": "true", "pod": section}})

    assert ({"disk": "ssd"}, "Always") == (body["spec"]["nodeSelector"], container(body)["imagePullPolicy"])
    assert ("true", "red") == (body["metadata"]["labels"][names.MANAGED], body["metadata"]["labels"]["team"])
    assert "hostNetwork" not in body["spec"]


def test_a_label_of_ours_is_refused_in_the_pod_section():
    """A pod that its author marks as done would never be looked at again."""
    with pytest.raises(ValueError, match=r"'fairlead.dev/done' is Fairlead's to set"):
        pod({"run": {"sh": "true", "pod": {"labels": {names.DONE: "true"}}}})


def test_resources_come_from_the_node_then_from_the_defaults():
    """A pod that says nothing asks for little; a limit without a request is its own request."""
    own = pod({"run": {"sh": "true", "resources": {"cpu": "2", "limits": {"memory": "1Gi"}}}})
    defaults = pod(SH, defaults={"resources": {"memory": "64Mi"}})

    assert {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}} == container(own)["resources"]
    assert {"requests": {"memory": "64Mi", "cpu": "10m"}} == container(defaults)["resources"]


def test_only_requests_get_the_installs_http_settings():
    """Who needs nothing gets nothing."""
    asking = pod({"http": {"url": "https://example.com"}})

    assert "example.com" == env(asking)["FAIRLEAD_HTTP_ALLOW"]
    assert "FAIRLEAD_HTTP_ALLOW" not in env(pod(SH))


@pytest.mark.parametrize(("grace", "seconds"), [("2s", 3), ("1500ms", 3), ("30s", 31)])
def test_the_kubelet_waits_a_little_longer_than_the_runner(grace: str, seconds: int):
    """The runner's own limit comes first, so that it can still report."""
    assert seconds == pod({**SH, "terminationGrace": grace})["spec"]["terminationGracePeriodSeconds"]
