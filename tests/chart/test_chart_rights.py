"""The rights that the chart gives its operator: what it does is allowed, and what is allowed it does.

An operator with the chart's service account does a bit of everything, then the API server's audit log is compared with the roles.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.cluster.clusters import SYSTEM, Cluster, apply_ours
from tests.cluster.plane import ControlPlane
from tests.cluster.played import played_nodes
from tests.support.charts import RELEASE, Helm
from tests.support.installs import Install, Used, granted, installed
from tests.support.operators import Site, pod_node
from tests.support.waiting import until

UNSEEN = {
    ("internal.fairlead.dev", "records"): {"write"},  # asked by the policy `records`, of the authorizer alone
}
"""What is granted and never stands in an audit log, and why."""
LONG = 200.0
"""Seconds: retention looks once a minute."""
SHORT = {"succeeded": "1s", "failed": "1s", "cancelled": "1s", "pods": "1s"}
BROKEN = {"reason": "NonZeroExit", "message": "again", "exitCode": 1}


class Ground(NamedTuple):
    """Where the chart is installed and where runs are: one namespace, or an install for all and the namespace of a team."""

    cluster: Cluster
    install: str
    runs: str
    everywhere: bool


@pytest.fixture(params=[False, True], ids=["namespaced", "clusterWide"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """An install for all namespaces would run what other tests have in theirs: it gets a cluster of its own."""
    if not request.param:
        name = request.getfixturevalue("namespace")
        yield Ground(request.getfixturevalue("cluster"), name, name, everywhere=False)
        return
    with (
        ControlPlane(tmp_path / "plane") as plane,
        played_nodes(plane.kubeconfig, tmp_path / "plane", remove=False),
    ):
        cluster = Cluster("a control plane of its own", plane.kubeconfig, plane.audit_log)
        apply_ours(cluster.kubeconfig)
        for name in (SYSTEM, "team"):
            cluster.add_namespace(name)
        yield Ground(cluster, SYSTEM, "team", everywhere=True)


def _runs(site: Site) -> None:
    """Runs that end by themselves: attempts, retries, children, cached results, large values, results in logs, retention."""
    retry = {"maxAttempts": 3, "initialDelay": "6s", "jitter": 0}
    site.workflow(
        "child", [pod_node("one", outputs={"x": 5})], outputs={"x": "${nodes.one.outputs.x}"}, retention=SHORT
    )
    site.workflow(
        "parent",
        [
            {"name": "calls", "workflow": {"name": "child"}},
            {"name": "freed", "workflow": {"name": "child", "wait": False}, "after": ["calls"]},
            pod_node("stubborn", "freed", error=BROKEN, retry=retry, onError="continue"),
        ],
        retention=SHORT,
    )
    site.execution("parent-1", "parent")
    site.workflow(
        "cached",
        [pod_node("find", outputs={"a": 1}, cache={"key": "k", "ttl": "1s"})],
        inputs={"type": "object"},
    )
    site.execution("cached-1", "cached")
    site.execution("large-1", "cached", inputs={"text": "x" * 200_000})
    site.execution("early-1", "late")
    logged = {
        "annotations": {
            "fairlead.dev/kwok-message": json.dumps({"log": {"lines": 1, "bytes": 2, "sha256": "0" * 64}})
        }
    }
    site.workflow("logged", [{"name": "loud", "run": {"sh": "true", "pod": logged}}])
    site.execution("logged-1", "logged")
    site.workflow("late", [pod_node("after")])


def _wishes(site: Site) -> None:
    """What people want of runs: suspend, resume, cancel, redrive, delete; a child is steered with its parent."""
    site.workflow("long", [pod_node("long", runs="1h"), pod_node("next", "long")])
    site.workflow("caller", [{"name": "call", "workflow": {"name": "long"}}])
    for name, workflow in (("pause-1", "caller"), ("stop-1", "long"), ("gone-1", "long"), ("held-1", "long")):
        site.execution(name, workflow)
    for name in ("stop-1", "gone-1", "held-1"):
        site.pod(name, "long")
    site.patch("pause-1", {"suspend": True})
    site.until("pause-1", lambda status: status["phase"] == "Suspended", "it is suspended")
    site.patch("pause-1", {"suspend": False, "cancel": {"reason": "enough"}})
    site.ended("pause-1", "Cancelled")
    site.patch("stop-1", {"cancel": {"reason": "enough"}})
    site.ended("stop-1", "Cancelled")
    site.patch("stop-1", {"cancel": None, "redrive": 1})
    site.until("stop-1", lambda status: status["phase"] == "Running", "it runs again")
    site.kubectl("delete", "wfe", "gone-1", "--timeout=60s")


def _tampering(site: Site) -> None:
    """Somebody takes the log of a run away, deletes a pod, changes the labels of another, and writes a status."""
    [pod] = site.pods("held-1")
    site.kubectl("label", "pod", pod["metadata"]["name"], "fairlead.dev/managed-")
    until(
        lambda: "fairlead.dev/managed" in site.pods("held-1")[0]["metadata"]["labels"], "it is labelled again"
    )
    site.kubectl(
        "patch",
        "wfe",
        "held-1",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status": {"phase": "Failed"}}',
    )
    site.until("held-1", lambda status: status["phase"] == "Running", "its status is right again")
    uid = site.object("wfe", "stop-1")["metadata"]["uid"]
    site.kubectl("delete", "configmap", "-l", f"fairlead.dev/execution-uid={uid},fairlead.dev/log=head")
    site.until("stop-1", lambda found: found["conditions"][0]["reason"] == "LogMissing", "it is frozen")


def _rules(install: Install, *, everywhere: bool) -> Used:
    whole = (
        ("clusterrole", f"operator.{install.namespace}.{RELEASE}.fairlead.dev")
        if everywhere
        else ("role", RELEASE)
    )
    roles = [install.site.object(*named) for named in (whole, ("role", f"{RELEASE}-lease"))]
    return granted([rule for role in roles for rule in role["rules"]])


def _lacking(wanted: Used, there: Used) -> Used:
    found = {key: verbs - there.get(key, set()) for key, verbs in wanted.items()}
    return {key: verbs for key, verbs in found.items() if verbs}


@pytest.mark.timeout(600, func_only=True)
def test_the_roles_of_the_chart_are_the_least_that_works(ground: Ground, tmp_path: Path):
    """Nothing that the operator asks for is denied, and every verb of its roles is used; of those for all namespaces too."""
    cluster = ground.cluster
    if cluster.audit_log is None:
        pytest.skip(f"{cluster.origin} shows no audit log")
    with installed(cluster, ground.install, tmp_path, clusterWide=ground.everywhere) as install:
        site = Site(cluster.kubeconfig, ground.runs)
        rules = partial(_rules, install, everywhere=ground.everywhere)
        one, two = install.operator("one"), install.operator("two")
        one.start()
        one.until_leading()
        two.start()
        try:
            _runs(site)
            _wishes(site)
            site.ended("cached-1", "Succeeded")
            site.execution("cached-2", "cached")
            _tampering(site)
            # A second note of one kind about one run, by one leader, is counted on the first.
            until(
                lambda: any(event.get("series") for event in site.objects("events.events.k8s.io")), "a series"
            )
            assert one.stop() == 0
            two.until_leading()
            for name in ("parent-1", "cached-2", "large-1", "early-1"):
                site.ended(name)  # not `logged-1`: a played node keeps no logs of containers
            asked: dict[str, Any] = {}

            def all_is_used() -> bool:
                asked["used"], asked["refused"] = install.used()
                return not _lacking(rules(), {**asked["used"], **UNSEEN})

            try:
                until(all_is_used, "every verb is used", LONG)
            except AssertionError:
                unused = _lacking(rules(), {**asked["used"], **UNSEEN})
                raise AssertionError(f"granted and never used: {unused}") from None
            assert asked["refused"] == []
            assert _lacking(asked["used"], rules()) == {}
        finally:
            one.stop()
            two.stop()
            site.kubectl("delete", "wfe", "--all", "--wait=false")
            install.helm.ok("uninstall", RELEASE, "--namespace", ground.install, "--no-hooks")


def _set_verb(install: Install, resource: str, verb: str, *, granted: bool) -> None:
    """Take a verb out of the operator's Role, or put it back; until the API server knows."""
    site = install.site
    role = site.object("role", RELEASE)
    [rule] = [rule for rule in role["rules"] if rule["resources"] == [resource]]
    others = [one for one in rule["verbs"] if one != verb]
    rule["verbs"] = [*others, verb] if granted else others
    site.apply(role)
    user = f"system:serviceaccount:{site.namespace}:{RELEASE}"
    group = rule["apiGroups"][0]
    named = f"{resource}.{group}" if group else resource
    words = ("auth", "can-i", verb, named, "--as", user)

    def known() -> bool:
        try:
            return site.kubectl(*words).strip() == "yes"
        except subprocess.CalledProcessError:  # it exits so when it says no
            return False

    until(lambda: known() is granted, f"{verb} {resource} is {'granted' if granted else 'taken away'}")


def _permitted(status: dict[str, Any]) -> str:
    """What the condition says that lacks; empty if nothing does."""
    found = [one for one in status.get("conditions", ()) if one["type"] == "Permitted"]
    assert all((one["status"], one["reason"]) == ("False", "Forbidden") for one in found)
    return str(found[0]["message"]) if found else ""


@pytest.mark.timeout(300, func_only=True)
@pytest.mark.parametrize(
    ("resource", "verb", "named"),
    [
        ("events", "create", "create events of events.k8s.io in namespace {}"),
        ("pods", "create", "create pods in namespace {}"),
    ],
)
def test_an_operator_without_one_right(
    cluster: Cluster, namespace: str, tmp_path: Path, resource: str, verb: str, named: str
):
    """It names the verb in its log, once, and in a condition; what does not need it goes on; given back, all does."""
    with installed(cluster, namespace, tmp_path) as install:
        site, operator = install.site, install.operator("one")
        operator.start()
        try:
            operator.until_leading()
            _set_verb(install, resource, verb, granted=False)
            site.workflow(
                "held", [{"name": "first", "wait": {"for": "1s"}}, pod_node("one", "first", nowhere=True)]
            )
            site.workflow("plain", [{"name": "only", "log": {"message": "x"}}])
            site.execution("held-1", "held")
            said = named.format(namespace)
            status = site.until(
                "held-1", lambda status: said in _permitted(status), "a condition names the verb"
            )
            assert status["phase"] == "Running"
            assert operator.said("a right is missing") == operator.said(f'"right": "{said}"') == 1
            site.execution("plain-1", "plain")
            site.ended("plain-1", "Succeeded")

            _set_verb(install, resource, verb, granted=True)
            site.patch("held-1", {"suspend": True})
            site.patch("held-1", {"suspend": False})
            site.end_pod(site.pod("held-1", "one"), outputs={})
            site.execution("plain-2", "held")
            site.until(
                "plain-2",
                lambda status: status.get("phase") == "Running" and not _permitted(status),
                "it is gone",
            )
            site.ended("held-1", "Succeeded")
            assert operator.said("a right that was missing is there") == 1
        finally:
            operator.stop()


def test_what_people_may_do(cluster: Cluster, namespace: str, tmp_path: Path):
    """By the cluster's own roles in a namespace: view reads, edit writes too; nobody may write records, statuses or approvals."""
    may = {
        "view": {("get", "workflowexecutions"), ("list", "workflows"), ("watch", "workflowapprovals")},
        "edit": {("create", "workflows"), ("patch", "workflowexecutions"), ("delete", "workflowexecutions")},
    }
    never = [
        ("write", "records", "internal.fairlead.dev"),
        ("patch", "workflowexecutions/status"),
        ("update", "workflows/status"),
        ("create", "workflowapprovals"),
    ]
    with installed(cluster, namespace, tmp_path) as install:
        for role in ("view", "edit", "admin"):
            words = ("create", "rolebinding", role, "--clusterrole", role, "--user", f"{role}er")
            install.site.kubectl(*words)

        def can(user: str, verb: str, what: str, group: str = "fairlead.dev") -> bool:
            resource, _, part = what.partition("/")
            about = {
                "namespace": namespace,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": part,
            }
            review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
            body = json.dumps({**review, "spec": {"user": user, "resourceAttributes": about}})
            return bool(
                json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", text=body))["status"]["allowed"]
            )

        for role, ranks in (("view", ("view",)), ("edit", ("view", "edit")), ("admin", ("view", "edit"))):
            for right in set().union(*(may[rank] for rank in ranks)):
                until(partial(can, f"{role}er", *right), f"{role} may {' '.join(right)}")
            for denied in never:
                assert not can(f"{role}er", *denied), f"{role} may {' '.join(denied)}"
        for right in may["edit"]:
            assert not can("viewer", *right)
        operator = f"system:serviceaccount:{namespace}:{RELEASE}"
        assert [can(operator, *denied) for denied in never] == [True, True, False, False]


@pytest.mark.parametrize("everywhere", [False, True], ids=["namespaced", "clusterWide"])
def test_what_nobody_gets(everywhere: bool, tmp_path: Path):
    """No role of the chart holds Secrets, exec, wildcards, or the right to give rights; people get no records and no status."""
    manifests = Helm(tmp_path).manifests(values={"clusterWide": everywhere})
    roles = [one for one in manifests if one["kind"] in {"Role", "ClusterRole"}]
    assert len(roles) == 6
    for role in roles:
        rights = granted(role["rules"])
        resources = {resource for _, resource in rights}
        verbs = set().union(*rights.values())
        assert not resources & {
            "*",
            "secrets",
            "pods/exec",
            "pods/attach",
            "pods/ephemeralcontainers",
            "nodes",
        }
        assert not verbs & {"*", "bind", "escalate", "impersonate"}
        assert not {group for group, _ in rights} & {"*", "rbac.authorization.k8s.io", "apiextensions.k8s.io"}
        if any("aggregate" in label for label in role["metadata"]["labels"]):
            assert {group for group, _ in rights} == {"fairlead.dev"}
            assert not any("/" in resource for resource in resources)
