"""Which rights lack: what a denial is, when it is told, and when it is over."""

from __future__ import annotations

import pytest

from fairlead.kube.client import Ambiguous, Forbidden, Right, Rights
from fairlead.kube.client.errors import Request
from fairlead.kube.client.rights import right_of
from fairlead.model.errors import FairleadError

DENIED = Forbidden(
    'create /api/v1/namespaces/shop/pods was answered 403 Forbidden: pods is forbidden: User "x" cannot create resource "pods"'
    ' in API group "" in the namespace "shop"; expected a role that allows it'
)
PODS = Request("create", "/api/v1/namespaces/shop/pods")


@pytest.mark.parametrize(
    ("verb", "path", "right"),
    [
        ("create", "/api/v1/namespaces/shop/pods", "create pods in namespace shop"),
        ("get", "/api/v1/namespaces/shop/pods", "list pods in namespace shop"),
        ("get", "/api/v1/pods", "list pods in all namespaces"),
        ("watch", "/api/v1/namespaces/shop/pods", "watch pods in namespace shop"),
        ("get", "/api/v1/namespaces/shop/pods/a/log", "get pods/log in namespace shop"),
        ("get", "/api/v1/namespaces/shop", "get namespaces in all namespaces"),
        (
            "patch",
            "/apis/fairlead.dev/v1alpha1/namespaces/shop/workflows/a/status",
            "patch workflows/status of fairlead.dev in namespace shop",
        ),
        ("get", "/apis/fairlead.dev/v1alpha1", "None"),
        ("get", "/version", "None"),
    ],
)
def test_the_right_that_a_request_needs(verb: str, path: str, right: str):
    """Verb, resource with its part, group and namespace, from the path alone."""
    assert str(right_of(Request(verb, path))) == right


def test_a_right_lacks_until_it_is_used():
    """It is remembered and told once, for its namespace alone, and over when the same is allowed."""
    told: list[str] = []
    rights = Rights(wall=lambda: 7)
    rights.when_changed = told.append
    for _ in range(2):
        rights.denied(PODS, DENIED)
    assert rights.of("shop") == [(Right("create", "pods", "", "shop"), 7)]
    assert rights.of("other") == []
    rights.allowed(Request("delete", "/api/v1/namespaces/shop/pods/a"))
    assert told == ["shop"]
    rights.allowed(PODS)
    assert rights.of("shop") == []
    assert told == ["shop", "shop"]


@pytest.mark.parametrize(
    "error",
    [
        Forbidden(
            'create /… was answered 403 Forbidden: pods "a" is forbidden: exceeded quota: none; expected a role'
        ),
        Forbidden("create /… was answered 401 Unauthorized: Unauthorized; expected credentials"),
        Ambiguous("create /… was sent and not answered"),
    ],
)
def test_other_refusals_are_no_lack_of_a_right(error: FairleadError):
    """A quota, an admission, credentials, an outage."""
    rights = Rights()
    rights.denied(PODS, error)
    assert rights.missing == {}
