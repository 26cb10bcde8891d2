"""The policy on records (protocol.md 5): editors cannot forge a log or a status, and nothing of the cluster is in
the way of it.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from tests.support.stores import a_run
from tests.support.waiting import until

from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.log import head_name
from fairlead.kube.names import record_name

EDITOR = "somebody"
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: editor}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}
- {apiGroups: [fairlead.dev], resources: ["*"], verbs: ["*"]}
"""


@pytest.fixture
def uid(home, cluster):
    """A log of three events in a namespace where somebody may do everything with ConfigMaps and our kinds."""
    where = ("-n", home.namespace)
    cluster.kubectl(*where, "apply", "-f", "-", text=ROLE)
    cluster.kubectl(*where, "create", "rolebinding", "editor", "--role=editor", f"--user={EDITOR}")
    uid = home.born()
    home.run(home.raw_log.append(uid, 0, a_run(3)))
    until(lambda: _in_force(home, cluster), "the policy is in force")
    return uid


def _in_force(home, cluster):
    """A policy takes a moment after it was applied."""
    squat = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": record_name("head", "tried")}}
    words = ("-n", home.namespace, "create", "--dry-run=server", "-f", "-", "--as", EDITOR)
    try:
        cluster.kubectl(*words, text=json.dumps(squat))
    except subprocess.CalledProcessError as error:
        return "only the operator" in "".join(error.__notes__)
    return False


def refused(cluster, *words, text=None):
    """What the server says to the editor."""
    with pytest.raises(subprocess.CalledProcessError) as error:
        cluster.kubectl(*words, "--as", EDITOR, text=text)
    return "".join(error.value.__notes__)


def test_an_editor_cannot_write_a_log(home, cluster, uid):
    """Not its data, not its labels; not a new object with a name or a label of ours."""
    name, where = head_name(home.places.of(uid)), ("-n", home.namespace)
    squat = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": record_name("segment", "guessed")},
    }
    labelled = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mine", "labels": {"fairlead.dev/log": "head"}},
    }
    said = [
        refused(cluster, *where, "patch", "configmap", name, "--type=merge", "-p", '{"data": {"head": "x"}}'),
        refused(cluster, *where, "label", "configmap", name, "fairlead.dev/log-"),
        refused(cluster, *where, "create", "-f", "-", text=json.dumps(squat)),
        refused(cluster, *where, "create", "-f", "-", text=json.dumps(labelled)),
    ]

    assert ["only the operator of Fairlead writes its records" in one for one in said] == [True] * 4
    assert a_run(3) == home.run(home.another_log().read(uid))


def test_an_editor_cannot_write_a_status(home, cluster, uid):
    """But the spec, with which runs are paused and cancelled."""
    name, where = home.places.of(uid).name, ("-n", home.namespace)
    forged = '{"status": {"phase": "Succeeded"}}'
    said = refused(
        cluster, *where, "patch", "wfe", name, "--subresource=status", "--type=merge", "-p", forged
    )
    cluster.kubectl(
        *where, "patch", "wfe", name, "--type=merge", "-p", '{"spec": {"suspend": true}}', "--as", EDITOR
    )

    assert "only the operator of Fairlead" in said


def test_an_editor_goes_on_with_what_is_not_ours(home, cluster, uid):
    """ConfigMaps of one's own, also with a name that begins like ours; annotations on ours."""
    name, where = head_name(home.places.of(uid)), ("-n", home.namespace)
    cluster.kubectl(*where, "create", "configmap", "fairlead-settings", "--from-literal=a=b", "--as", EDITOR)
    cluster.kubectl(*where, "annotate", "configmap", name, "seen=yes", "--as", EDITOR)

    assert a_run(3) == home.run(home.another_log().read(uid))


def test_who_may_write_records_is_no_matter_of_names(home, cluster, uid):
    """The right is one of RBAC: whoever has it writes."""
    name, where = head_name(home.places.of(uid)), ("-n", home.namespace)
    role = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: writer}\n"
        "rules: [{apiGroups: [internal.fairlead.dev], resources: [records], verbs: [write]}]\n"
    )
    cluster.kubectl(*where, "apply", "-f", "-", text=role)
    cluster.kubectl(*where, "create", "rolebinding", "writer", "--role=writer", f"--user={EDITOR}")
    patch = ("patch", "configmap", name, "--type=merge", "-p", '{"data": {"head": "x"}}', "--as", EDITOR)

    def passes():
        try:
            return cluster.kubectl(*where, *patch)
        except subprocess.CalledProcessError:
            return ""

    assert until(passes, "a write of somebody with the right")


@pytest.mark.parametrize("how", ["background", "foreground", "orphan"])
def test_deletion_works_as_ever(home, cluster, uid, how):
    """Garbage collection takes the log with the execution, or leaves it without an owner where that is asked for."""
    place, where = home.places.of(uid), ("-n", home.namespace)
    cluster.kubectl(*where, "delete", "wfe", place.name, f"--cascade={how}", "--timeout=30s", "--as", EDITOR)

    def left():
        found = json.loads(cluster.kubectl(*where, "get", "configmap", "-o", "json"))["items"]
        return [one for one in found if one["metadata"]["name"] == head_name(place)]

    if how == "orphan":
        until(lambda: left() and not left()[0]["metadata"].get("ownerReferences"), "a log without an owner")
    else:
        until(lambda: not left(), "the log is gone")


def test_a_namespace_goes_with_everything_in_it(home, cluster, uid):
    """Nothing of ours keeps it."""
    cluster.kubectl("delete", "namespace", home.namespace, "--timeout=60s")

    assert "" == cluster.kubectl("get", "namespace", home.namespace, "--ignore-not-found")


def test_the_operator_writes_by_a_right_of_its_own(home, cluster, uid):
    """A cluster administrator has it, too: that is how damage is repaired."""
    name = head_name(home.places.of(uid))
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, name, {"metadata": {"labels": {"a": "b"}}}))

    assert a_run(3) == home.run(home.another_log().read(uid))
