"""Admission policies of somebody else's in a namespace: what a cluster may deny us, for a while."""

from __future__ import annotations

import contextlib
import json
import socket
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
    pod = {"metadata": {"name": "tried"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    tried = json.dumps({"apiVersion": "v1", "kind": "Pod", **pod})

    def asked() -> bool:
        words = ("--namespace", namespace, "create", "--dry-run=server", "-f", "-")
        return refused_with("failed calling webhook", lambda: cluster.kubectl(*words, text=tried))

    with there(cluster, _webhook(f"broken-{namespace}", namespace, "https://127.0.0.1:1/review")):
        until(asked, f"the webhook of {namespace} is asked")
        yield


@contextmanager
def hanging_webhook(cluster: Cluster, namespace: str, labels: dict[str, str]) -> Iterator[None]:
    """Inside, pods of a namespace with some labels are asked about where a connection is made, and then not a word is said."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}/review"
        hook = _webhook(f"hanging-{namespace}", namespace, url)
        hook["webhooks"][0] |= {"objectSelector": {"matchLabels": labels}, "timeoutSeconds": 30}
        about = {"name": "tried", "labels": labels}
        spec = {"containers": [{"name": "x", "image": "x"}]}
        tried = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}

        def asked() -> bool:
            words = ("--namespace", namespace, "--request-timeout=500ms", "create", "--dry-run=server")
            with contextlib.suppress(Exception):  # it hangs, as it should
                cluster.kubectl(*words, "-f", "-", text=json.dumps(tried))
            deaf.settimeout(0.1)
            try:
                deaf.accept()[0].close()
            except TimeoutError:
                return False
            return True

        with there(cluster, hook):
            until(asked, f"the webhook of {namespace} is asked")
            yield


def _webhook(name: str, namespace: str, url: str) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    hook = {
        "name": "broken.example.com",
        "clientConfig": {"url": url},
        "rules": [rule],
        "namespaceSelector": selector(namespace),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }


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
