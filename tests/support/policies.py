"""Admission policies of somebody else's in a namespace: what a cluster may deny us, for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.clusters import Cluster
from tests.support.waiting import until

ADMISSION = "admissionregistration.k8s.io/v1"


@contextmanager
def denying(
    cluster: Cluster, namespace: str, rule: dict[str, Any], unless: str, in_force: Callable[[], bool]
) -> Iterator[None]:
    """Inside, requests that fit a rule are denied in a namespace `unless` an expression holds; once `in_force` says so."""
    name = f"deny-{namespace}"
    about = {"apiVersion": ADMISSION, "metadata": {"name": name}}
    policy = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector(namespace)},
        "validations": [{"expression": unless, "message": "not on Sundays"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    bodies = [
        {**about, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**about, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]
    with there(cluster, *bodies):
        until(in_force, f"the policy of {namespace} is in force")
        yield


@contextmanager
def broken_webhook(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Inside, pods of a namespace are asked about at a webhook where nobody answers."""
    hook = {
        "name": "broken.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/review"},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
        ],
        "namespaceSelector": selector(namespace),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    body = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"broken-{namespace}"},
        "webhooks": [hook],
    }
    pod = {"metadata": {"name": "tried"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    tried = json.dumps({"apiVersion": "v1", "kind": "Pod", **pod})

    def asked() -> bool:
        words = ("--namespace", namespace, "create", "--dry-run=server", "-f", "-")
        return refused_with("failed calling webhook", lambda: cluster.kubectl(*words, text=tried))

    with there(cluster, body):
        until(asked, f"the webhook of {namespace} is asked")
        yield


@contextmanager
def there(cluster: Cluster, *bodies: dict[str, Any]) -> Iterator[None]:
    """Inside, objects of the whole cluster are there."""
    try:
        for body in bodies:
            cluster.kubectl("apply", "-f", "-", text=json.dumps(body))
        yield
    finally:
        for body in reversed(bodies):
            cluster.kubectl("delete", body["kind"], body["metadata"]["name"], "--ignore-not-found")


def refused_with(words: str, request: Callable[[], object]) -> bool:
    """Whether a kubectl is refused with some words."""
    try:
        request()
    except Exception as refused:  # noqa: BLE001 - kubectl's own words are in the notes
        return words in "".join(getattr(refused, "__notes__", []))
    return False


def selector(namespace: str) -> dict[str, Any]:
    """The one namespace."""
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
