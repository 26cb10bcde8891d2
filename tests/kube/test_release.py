"""`fairlead release` on a real API server: what an absent operator holds goes, and nothing else changes."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.cli import Cli
from tests.support.kube_runs import done_pod, execution
from tests.support.waiting import until

from fairlead.kube import names
from fairlead.kube.client import EXECUTIONS, LEASES, PODS
from fairlead.model.errors import NotFound

LONG = pytest.mark.timeout(240, func_only=True)
"""For those that take several commands, each a process."""
FOREIGN = "example.com/theirs"


@pytest.fixture
def cli(tmp_path, cluster):
    """The command line as a cluster administrator; its Lease is the test's alone, since the cluster is shared."""
    found = Cli(tmp_path)
    found.env |= {"KUBECONFIG": str(cluster.kubeconfig)}
    return found


@pytest.fixture
def held(home):
    """Two executions with a pod each, all with our finalizer, one of each with a foreign one too."""
    places = [home.places.of(home.born()) for _ in range(2)]
    for number, place in enumerate(places):
        others = [FOREIGN] if number else []
        finalizers = {"metadata": {"finalizers": [names.EXECUTION_FINALIZER, *others]}}
        home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, finalizers))
        pod = done_pod(home, place, 1)
        finalizers = {"metadata": {"finalizers": [names.RESULT_FINALIZER, *others]}}
        home.run(home.client.patch(PODS, home.namespace, pod, finalizers))
    return places


def release(cli, home, *words):
    """The command, with a Lease of the test's own."""
    return cli("release", *words, "--lease", home.namespace)


def finalizers(home, resource):
    body = home.run(home.client.get(resource, home.namespace))
    return [one["metadata"].get("finalizers", []) for one in json.loads(body).get("items", [])]


def lease(home, holder, age, **fields):
    """A Lease that was renewed so many seconds ago."""
    at = (
        (datetime.now(UTC) - timedelta(seconds=age)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
    spec = {"holderIdentity": holder, "renewTime": at, "leaseDurationSeconds": 15, **fields}
    metadata = {"name": home.namespace, "namespace": home.namespace}
    body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
    try:
        home.run(home.client.patch(LEASES, home.namespace, home.namespace, {"spec": spec}))
    except NotFound:
        home.run(home.client.create(LEASES, home.namespace, body))


@LONG
def test_all_of_a_namespace_is_released(cli, home, held):
    """Foreign finalizers and labels stay as they are, it says how many there were, and again there is nothing to do."""
    done = release(cli, home, "--all", "-n", home.namespace)

    assert (0, "released 2 pods and 2 executions\n") == (done.returncode, done.stdout), done.stderr
    assert [[], [FOREIGN]] == sorted(finalizers(home, PODS))
    assert [[], [FOREIGN]] == sorted(finalizers(home, EXECUTIONS))
    again = release(cli, home, "--all", "-n", home.namespace)
    assert (0, "released 0 pods and 0 executions\n") == (again.returncode, again.stdout)


@LONG
def test_one_execution_alone_is_released(cli, home, held):
    """With its pods; one that is not there is named."""
    done = release(cli, home, held[0].name, "-n", home.namespace)

    assert (0, "released 1 pod and 1 execution\n") == (done.returncode, done.stdout), done.stderr
    assert 1 == sum(names.RESULT_FINALIZER in one for one in finalizers(home, PODS))
    missing = release(cli, home, "nobody", "-n", home.namespace)
    assert (2, True) == (missing.returncode, '"nobody" not found' in missing.stderr)


@LONG
def test_a_namespace_goes_without_an_operator(cli, home, held, cluster):
    """Protocol 7: it is stuck in Terminating with managed pods and executions, until they are released."""
    for place in held[1:]:  # foreign finalizers are not ours to drop
        home.run(
            home.client.patch(
                EXECUTIONS,
                home.namespace,
                place.name,
                {"metadata": {"finalizers": [names.EXECUTION_FINALIZER]}},
            )
        )
    for one in json.loads(home.run(home.client.get(PODS, home.namespace)))["items"]:
        only = {"metadata": {"finalizers": [names.RESULT_FINALIZER]}}
        home.run(home.client.patch(PODS, home.namespace, one["metadata"]["name"], only))
    cluster.kubectl("delete", "namespace", home.namespace, "--wait=false")
    until(lambda: all(_going(home, PODS)), "its pods are to go, and stay")

    done = release(cli, home, "--all", "-n", home.namespace)

    assert 0 == done.returncode, done.stderr
    until(lambda: _is_gone(home, cluster), "the namespace is gone", 60)


def _going(home, resource):
    found = json.loads(home.run(home.client.get(resource, home.namespace))).get("items", [])
    return [bool(one["metadata"].get("deletionTimestamp")) for one in found]


def _is_gone(home, cluster):
    return not cluster.kubectl("get", "namespace", home.namespace, "--ignore-not-found")


@LONG
def test_it_refuses_while_an_operator_leads(cli, home, held):
    """Its Lease is fresh, or is renewed while we look although its times are old; --force and a dead one pass."""
    lease(home, "operator-0_abcd", 1)
    words = ("--all", "-n", home.namespace)
    refused = release(cli, home, *words)
    assert 2 == refused.returncode
    assert f"operator operator-0_abcd leads (Lease {home.namespace}/{home.namespace})" in refused.stderr
    assert 2 == sum(names.RESULT_FINALIZER in one for one in finalizers(home, PODS))

    async def renewing():
        for age in range(1_000_000):
            spec = {"spec": {"renewTime": f"2020-01-01T00:00:00.{age:06}Z"}}
            await home.client.patch(LEASES, home.namespace, home.namespace, spec)

    lease(home, "operator-0_abcd", 3600)
    work = asyncio.run_coroutine_threadsafe(renewing(), home._loop)
    try:
        assert 2 == release(cli, home, *words).returncode
    finally:
        work.cancel()

    one = release(cli, home, held[0].name, "-n", home.namespace, "--force")
    assert "released 1 pod and 1 execution\n" == one.stdout
    lease(home, "operator-0_abcd", 3600)
    assert "released 1 pod and 1 execution\n" == release(cli, home, *words).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected --all, or the ID of one execution"),
        (("order", "--all"), "order and --all are given; expected one of them"),
        (("--all", "-A", "-n", "x"), "-A and -n x are given; expected one of them"),
    ],
)
def test_what_is_meant_has_to_be_said(cli, words, said):
    """Nothing is released by accident."""
    done = cli("release", *words)

    assert (2, True) == (done.returncode, said in done.stderr), done.stderr


def as_someone(cli, home, cluster):
    """The environment of an account of the namespace; it may read pods and executions everywhere, and change pods here."""
    rules = [("", "pods"), ("fairlead.dev", "workflowexecutions")]
    reads = [{"apiGroups": [group], "resources": [kind], "verbs": ["get", "list"]} for group, kind in rules]
    changes = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]
    rbac, where = "rbac.authorization.k8s.io/v1", ("-n", home.namespace)
    cluster_role = {"kind": "ClusterRole", "metadata": {"name": home.namespace}, "rules": reads}
    role = {"kind": "Role", "metadata": {"name": home.namespace}, "rules": changes}
    for one in (cluster_role, role):
        cluster.kubectl(*where, "apply", "-f", "-", text=json.dumps({"apiVersion": rbac, **one}))
    cluster.kubectl(*where, "create", "serviceaccount", "someone")
    who = f"--serviceaccount={home.namespace}:someone"
    cluster.kubectl("create", "clusterrolebinding", home.namespace, f"--clusterrole={home.namespace}", who)
    cluster.kubectl(*where, "create", "rolebinding", "someone", f"--role={home.namespace}", who)
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": cluster.kubectl(*where, "create", "token", "someone").strip()}
    mine = cli.folder / "kubeconfig"
    mine.write_text(json.dumps(config))
    mine.chmod(0o600)
    return {"KUBECONFIG": os.fspath(mine)}


@LONG
def test_what_refuses_is_counted_and_stops_no_other(cli, home, held, cluster):
    """Somebody who may change the pods of one namespace and nothing else, and asks for all of them."""
    env = as_someone(cli, home, cluster)
    unknown = cli("release", "--all", "-n", home.namespace, **env)
    done = cli("release", "--all", "--force", "-A", **env)
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", home.namespace)

    assert (5, True) == (unknown.returncode, "whether an operator leads cannot be told" in unknown.stderr)
    assert (5, "released 2 pods and 0 executions\n") == (done.returncode, done.stdout)
    assert "could not be released, first: " in done.stderr
    assert (execution(home, held[0]) or {})["metadata"]["finalizers"]


def test_a_change_in_between_is_seen(home, held):
    """Somebody adds a finalizer while we take ours away: both are respected."""
    from fairlead.kube.releasing import release_all

    place, raced = held[0], list[str]()

    async def meanwhile(method, path):
        if "workflowexecutions" in path and place.name in path and not raced:
            raced.append(path)
            both = {"metadata": {"finalizers": [names.EXECUTION_FINALIZER, FOREIGN]}}
            await home.client.patch(EXECUTIONS, home.namespace, place.name, both)

    home.client.between = meanwhile
    done = home.run(release_all(home.client, home.namespace))
    home.client.between = None

    assert (2, 2, 0) == (done.pods, done.executions, done.refused)
    assert [[FOREIGN], [FOREIGN]] == finalizers(home, EXECUTIONS)
