"""Runs that have ended, as a leader leaves them on a cluster: execution, log, definition, status, pods that are done."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from tests.support.kube_home import KubernetesHome

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, PODS, Resource
from fairlead.kube.names import Place
from fairlead.kube.parts import digest_of
from fairlead.model import events as e
from fairlead.model.children import Parent
from fairlead.model.errors import NotFound
from fairlead.model.times import format_time

ENDS: dict[str, e.Event] = {
    "Succeeded": e.ExecutionCompleted(),
    "Failed": e.ExecutionFailed(error=e.Error(reason="NonZeroExit")),
    "Cancelled": e.ExecutionCancelled(),
}


def definition(**retention: str) -> bytes:
    """A definition that says how long its runs are kept."""
    spec = {"nodes": [{"name": "n", "set": {"x": 1}}], **({"retention": retention} if retention else {})}
    return json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()


def ended(
    home: KubernetesHome,
    phase: str,
    at: int,
    *,
    parent: Parent | None = None,
    shown: bool = True,
    **retention: str,
) -> Place:
    """A run that ended at a time, its status shown, with a large value beside its log."""
    uid = home.born()
    place, form = home.places.of(uid), definition(**retention)
    home.run(home.definitions.pin(uid, form))
    home.run(home.blobs.keep(uid, {digest_of(b"large"): b"large"}))
    events = [
        e.ExecutionCreated(
            seq=1, at=at, name=place.name, uid=uid, digest=digest_of(form), runtime="test", parent=parent
        ),
        e.ExecutionStarted(seq=2, at=at, nodes=1),
        msgspec.structs.replace(ENDS[phase], seq=3, at=at),
    ]
    home.run(home.raw_log.append(uid, 0, events))
    if shown:
        status = {"phase": phase, "finishedAt": format_time(at), "log": {"sequence": 3, "segments": 0}}
        home.run(home.statuses.publish(uid, status))
    return place


def done_pod(home: KubernetesHome, place: Place, ended_at: int, name: str = "node") -> str:
    """A pod of a run, done, whose container ended at a time; its name."""
    metadata = names.metadata(place, names.record_name("pod", place.uid, name), "", home.reign.epoch())
    metadata["labels"][names.DONE] = "true"
    body = {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": metadata,
        "spec": {"schedulerName": "nobody", "containers": [{"name": "node", "image": "none"}]},
    }
    home.run(home.client.create(PODS, place.namespace, body))
    at = format_time(ended_at).partition(".")[0].rstrip("Z") + "Z"
    state = {"terminated": {"exitCode": 0, "finishedAt": at, "startedAt": at}}
    status = {
        "phase": "Succeeded",
        "containerStatuses": [
            {
                "name": "node",
                "image": "none",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
            }
        ],
    }
    home.run(
        home.client.patch(PODS, place.namespace, metadata["name"], {"status": status}, subresource="status")
    )
    return str(metadata["name"])


def left(home: KubernetesHome, resource: Resource, place: Place | None = None) -> list[str]:
    """The names of the objects of a kind, of one run or of all."""
    params = {"labelSelector": f"{names.EXECUTION_UID}={place.uid}"} if place is not None else {}
    body = home.run(home.client.get(resource, home.namespace, params=params))
    found = json.loads(body)["items"]
    return sorted(one["metadata"]["name"] for one in found if one["metadata"]["name"] != "kube-root-ca.crt")


def execution(home: KubernetesHome, place: Place) -> dict[str, Any] | None:
    """The object, None if it is gone."""
    try:
        found: dict[str, Any] = json.loads(home.run(home.client.get(EXECUTIONS, place.namespace, place.name)))
    except NotFound:
        return None
    return found


def head(home: KubernetesHome, place: Place) -> dict[str, Any]:
    """The head of a log."""
    name = names.record_name("head", place.uid)
    found: dict[str, Any] = json.loads(home.run(home.client.get(CONFIG_MAPS, place.namespace, name)))
    return found
