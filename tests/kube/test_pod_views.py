"""What is kept of a pod, and what many pods share."""

from __future__ import annotations

import json

import msgspec
import pytest

from fairlead.kube import names
from fairlead.kube.pods.views import Pod

UID = "8c5f1a52-7f0b-4d32-9a1d-2f2f7d4a2f12"


def sent(**metadata: object) -> bytes:
    """A pod as a watch sends it."""
    body = {
        "metadata": {
            "name": "p",
            "namespace": "some-namespace",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {names.EXECUTION_UID: UID, names.SHARD: "07", "app": "theirs"},
            "annotations": {names.IDENTITY: f"{UID}/a/1/1", "note": "theirs"},
            "ownerReferences": [{"kind": "WorkflowExecution", "name": "order", "uid": UID}],
            "finalizers": [names.RESULT_FINALIZER],
            **metadata,
        },
        "spec": {"nodeName": "some-node", "containers": [{"name": "node"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready")],
            "containerStatuses": [{"name": "node", "state": {"running": {}}}],
        },
    }
    return json.dumps(body).encode()


def decoded(body: bytes) -> Pod:
    return msgspec.json.decode(body, type=Pod)


def test_what_we_read_of_a_pod_is_kept():
    """Its shard, whose it is, its delivery, and the conditions that decide something."""
    found = decoded(sent())

    assert (found.shard, found.metadata.labels.execution_uid) == ("07", UID)
    assert found.metadata.identity == f"{UID}/a/1/1"
    assert [owner.uid for owner in found.metadata.owner_references] == [UID]
    assert found.metadata.finalizers == (names.RESULT_FINALIZER,)
    assert [each.type for each in found.status.conditions] == ["Ready"]


def test_what_pods_have_in_common_is_kept_once():
    """Two pods of one execution on one node hold the same strings: that is most of what a pod would take."""
    one, other = decoded(sent()), decoded(sent(name="q", uid="v"))

    for read in (
        lambda pod: pod.metadata.namespace,
        lambda pod: pod.metadata.labels.execution_uid,
        lambda pod: pod.metadata.owner_references[0].uid,
        lambda pod: pod.spec.node_name,
        lambda pod: pod.status.conditions[0].type,
        lambda pod: pod.status.container_statuses[0].name,
    ):
        assert read(one) is read(other)


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "resourceVersion"])
def test_a_pod_says_which_one_it_is(field: str):
    """An answer without what identifies a pod makes no sense, rather than being a pod without a name."""
    body = json.loads(sent())
    del body["metadata"][field]

    with pytest.raises(msgspec.ValidationError, match=field):
        decoded(json.dumps(body).encode())


ENDED: dict[str, object] = {"terminated": {"exitCode": 0}}
RUNS: dict[str, object] = {"running": {}}


@pytest.mark.parametrize(
    ("phase", "states", "ended"),
    [
        ("Succeeded", [], True),
        ("Failed", [], True),
        ("Running", [ENDED], True),
        ("Running", [ENDED, RUNS], False),
        ("Running", [RUNS], False),
        ("Pending", [{"waiting": {}}], False),
        ("Pending", [], False),
    ],
)
def test_a_pod_has_ended_with_its_last_container(phase: str, states: list[object], ended: bool):
    """Also while its phase says that it runs, as a kubelet tells it for a moment: what has ended keeps its log."""
    statuses = [{"name": f"c{number}", "state": state} for number, state in enumerate(states)]
    body = json.loads(sent()) | {"status": {"phase": phase, "containerStatuses": statuses}}
    assert decoded(json.dumps(body).encode()).status.has_ended is ended
