"""Pods that cannot be made or cannot start: the run says why, waits or fails as it should, and stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.operators import Site, pod_node
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def others_go_on(served: Site, request: pytest.FixtureRequest):
    """Beside each, an execution that was there before runs to its end."""
    served.workflow(
        "beside",
        [
            {"name": "pause", "wait": {"for": "2s"}},
            {"name": "end", "log": {"message": "x"}, "after": ["pause"]},
        ],
    )
    name = request.node.name.replace("_", "-").lower()[:60].rstrip("-")
    served.execution(name, "beside")
    yield
    served.ended(name, "Succeeded")


def _held(site: Site, name: str, reason: str, *words: str) -> None:
    """Wait until the status says that a pod of a run is held, with reason and words."""

    def says(status: dict[str, Any]) -> bool:
        waits = [
            wait for wait in status.get("waitingFor", ()) if wait["kind"] == "pod" and wait["name"] == reason
        ]
        return bool(waits) and all(word in waits[0]["message"] for word in words)

    status = site.until(name, says, f"{name} is held: {reason}")
    assert status["phase"] == "Running"


@contextmanager
def _there(site: Site, manifest: dict[str, Any]) -> Iterator[None]:
    site.apply(manifest)
    try:
        yield
    finally:
        site.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], "--ignore-not-found")


def test_an_image_that_does_not_exist(served: Site):
    """While the kubelet tries to pull it the run waits and says so; it goes on when the image is there after all."""
    served.workflow("typo", [pod_node("pull", nowhere=True, run={"sh": "true"})])
    served.execution("typo-1", "typo")
    pod = served.pod("typo-1", "pull")
    said = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "acme/typo:1"'}
    served.play(pod, {"waiting": said}, "Pending")
    _held(served, "typo-1", "ImagePullFailed", "ImagePullBackOff", "acme/typo:1")
    served.end_pod(pod, outputs={})
    served.ended("typo-1", "Succeeded")


def test_an_image_that_cannot_be(served: Site):
    """A name that is no image fails the attempt: no waiting mends it."""
    served.workflow("nonsense", [pod_node("pull", nowhere=True)])
    served.execution("nonsense-1", "nonsense")
    said = {"reason": "InvalidImageName", "message": "couldn't parse image name"}
    served.play(served.pod("nonsense-1", "pull"), {"waiting": said}, "Pending")
    error = served.ended("nonsense-1", "Failed")["error"]
    assert (error["node"], error["reason"]) == ("pull", "ImagePullFailed")


def test_a_service_account_that_does_not_exist(served: Site):
    """The pod is refused, the run says by whom and why; once the account is there it starts."""
    run = {"serviceAccountName": "robot"}
    served.workflow("account", [pod_node("act", run=run)])
    served.execution("account-1", "account")
    _held(served, "account-1", "PodRefused", "robot", "not found")
    assert served.pods("account-1") == []
    served.kubectl("create", "serviceaccount", "robot")
    served.ended("account-1", "Succeeded")


def test_a_quota_without_room(served: Site):
    """No pod may be made: the run waits and says so, as QuotaExceeded; cancelled it ends, given room it starts."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    served.workflow("crowded", [pod_node("one")])
    with _there(served, quota):
        until(
            lambda: served.object("resourcequota", "none").get("status", {}).get("hard"),
            "the quota is in force",
        )
        served.execution("crowded-1", "crowded")
        served.execution("crowded-2", "crowded")
        _held(served, "crowded-1", "QuotaExceeded", "exceeded quota: none")
        _held(served, "crowded-2", "QuotaExceeded")
        served.patch("crowded-2", {"cancel": {"reason": "no room"}})
        served.ended("crowded-2", "Cancelled")
    served.ended("crowded-1", "Succeeded")


def test_an_admission_that_denies(served: Site):
    """A policy denies the pod: the run says which and why, as PodRefused; when the policy goes, the pod comes."""
    name = f"deny-{served.namespace}"
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    where = {"matchLabels": {"kubernetes.io/metadata.name": served.namespace}}
    policy = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": where},
        "validations": [{"expression": "false", "message": "no pods on Sundays"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    served.workflow("denied", [pod_node("one")])
    with (
        _there(served, {**about, "kind": "ValidatingAdmissionPolicy", "spec": policy}),
        _there(served, {**about, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding}),
    ):
        until(lambda: _is_denied(served), "the policy is in force")
        served.execution("denied-1", "denied")
        _held(served, "denied-1", "PodRefused", "no pods on Sundays")
    served.ended("denied-1", "Succeeded")


def _is_denied(site: Site) -> bool:
    container = {"name": "x", "image": "x"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "tried"},
        "spec": {"containers": [container]},
    }
    try:
        site.kubectl("create", "--dry-run=server", "-f", "-", text=json.dumps(pod))
    except Exception as refused:  # noqa: BLE001 - kubectl's own words are in the notes
        return "no pods on Sundays" in "".join(getattr(refused, "__notes__", []))
    return False


def test_a_pod_that_the_api_server_does_not_take(served: Site):
    """What no waiting mends fails the attempt, with the server's words."""
    run = {"pod": {"nodeSelector": {"not a label": "x"}}}
    served.workflow("unfit", [pod_node("one", run=run)])
    served.execution("unfit-1", "unfit")
    error = served.ended("unfit-1", "Failed")["error"]
    assert error["reason"] == "PodInvalid"
    assert "not a label" in error["message"]


def test_outputs_that_are_no_outputs(served: Site):
    """Too large ones (the runner says so), and a termination message that is no JSON, fail the node and are not tried again."""
    retry = {"maxAttempts": 3, "backoff": "none"}
    large = {
        "reason": "OutputTooLarge",
        "message": "the outputs are 2,000,000 bytes; expected at most 1,048,576",
    }
    said = {"annotations": {"fairlead.dev/kwok-message": "done, thanks"}}
    served.workflow("large", [pod_node("one", error=large, retry=retry)])
    served.workflow(
        "talking", [{"name": "one", "run": {"image": "acme/talk:1", "pod": said}, "retry": retry}]
    )
    served.execution("large-1", "large")
    served.execution("talking-1", "talking")
    error = served.ended("large-1", "Failed")["error"]
    assert (error["reason"], error["attempt"], "1,048,576" in error["message"]) == ("OutputTooLarge", 1, True)
    error = served.ended("talking-1", "Failed")["error"]
    assert (error["reason"], error["attempt"], "no JSON" in error["message"]) == ("OutputInvalid", 1, True)


def test_a_container_that_says_nothing(served: Site):
    """The runner was killed without a word: that is no success whatever its exit code, and it is delivered again."""
    served.workflow("mute", [pod_node("one", nowhere=True, maxDeliveries=2)])
    served.execution("mute-1", "mute")
    first = served.pod("mute-1", "one")
    served.play(first, {"terminated": {"exitCode": 0, "reason": "Completed"}}, "Succeeded")

    def second() -> list[dict[str, Any]]:
        others = [one for one in served.pods("mute-1") if one["metadata"]["uid"] != first["metadata"]["uid"]]
        return [one for one in others if "fairlead.dev/done" not in one["metadata"]["labels"]]

    [again] = until(second, "it is delivered again")
    served.play(again, {"terminated": {"exitCode": 0, "reason": "Completed"}}, "Succeeded")
    error = served.ended("mute-1", "Failed")["error"]
    assert error["reason"] == "NodeLost"
    log = [event["type"] for event in served.log("mute-1")]
    assert [kind for kind in log if kind in ("NodeLost", "DeadLettered")] == ["NodeLost", "DeadLettered"]
