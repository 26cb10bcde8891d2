"""Names, labels and owners of the objects that we write (protocol.md 13, 18).

Rules of this file
- A name is `fairlead-<kind>-<26 letters of base32>`, 130 bits of a hash over the full identity: never made of names that
  people give.
- Every object says whose it is: labels with the uid and the shard of its execution, an owner reference with that uid, and the
  execution's name as an annotation for those who read.
- blockOwnerDeletion is never set: nothing needs it, and some clusters demand a right for it.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from typing import Any

from fairlead.kube.client.resources import EXECUTIONS

SHARDS = 64

EXECUTION_UID = "fairlead.dev/execution-uid"
SHARD = "fairlead.dev/shard"
MANAGED = "fairlead.dev/managed"
EPOCH = "fairlead.dev/epoch"
LOG = "fairlead.dev/log"
"""What part of a log it is: `head` (`closed` once the execution has ended), `segment`, or another kind of record."""
EXECUTION = "fairlead.dev/execution"
"""Annotation with the execution's name, which may be longer than a label's value."""
DONE = "fairlead.dev/done"
"""Label of a pod whose end is in the log."""
NODE = "fairlead.dev/node"
"""Label with the node's own name; the instance id stands in IDENTITY."""
ATTEMPT = "fairlead.dev/attempt"
IDENTITY = "fairlead.dev/identity"
"""Annotation with the delivery id: `UID/INSTANCE/ATTEMPT/DELIVERY`. A hash is an address and no proof: this is compared."""
RESULT_FINALIZER = "fairlead.dev/result"
"""Holds a pod until its result is in the log."""
EXECUTION_FINALIZER = "fairlead.dev/execution"
"""Holds an execution that has started something, until its pods are let go of."""
PARENT = "fairlead.dev/parent"
"""Annotation of an execution that a node has started: `model.children.Parent` as JSON."""
RETENTION = "fairlead.dev/retention"
"""Annotation of a closed head: how long what is left of the run is kept, see `retention`."""
IMPORTING = "fairlead.dev/importing"
"""Annotation of an execution whose log is just being written by `fairlead import`: nobody begins it, or touches it."""
LEASE = "fairlead"
"""The Lease by which operators agree on a leader, where nothing else is said."""
OPERATOR = "fairlead.dev/operator"
"""Label of the Leases of operators."""
SERVED = "fairlead.dev/served"
"""Annotation of such a Lease: the namespace that its holder serves, `*` for all."""
ROOT = "fairlead.dev/root"
"""Label of an execution that a node has started: the uid of the first execution of its tree."""
WANTED = "fairlead.dev/wanted"
"""Annotation of a child: what its parent wants of it (`kube.kinship`)."""
EXPIRES = "fairlead.dev/expires"
"""Label of a cache entry: the microsecond of the epoch from which on it is not good any more."""

_LETTERS = 26


@dataclass(frozen=True, slots=True)
class Place:
    """Where an execution is: its namespace, name and the uid of the object; `started` if its status says that it has a log."""

    namespace: str
    name: str
    uid: str
    started: bool = False


def record_name(kind: str, *identity: str) -> str:
    """The name of an object, derived from everything that makes it what it is."""
    digest = hashlib.sha256("\0".join((kind, *identity)).encode()).digest()
    return f"fairlead-{kind}-{b32encode(digest).decode().lower()[:_LETTERS]}"


def shard_of(uid: str) -> int:
    """The shard of an execution, for ever: a hash of its uid."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big") % SHARDS


def shard_label(shard: int) -> str:
    """A shard as the value of a label: two digits."""
    return f"{shard:02d}"


def selected_by(uid: str) -> dict[str, str]:
    """The labels by which the pods of an execution are found."""
    return {MANAGED: "true", EXECUTION_UID: uid, SHARD: shard_label(shard_of(uid))}


def metadata(place: Place, name: str, kind: str, epoch: int) -> dict[str, Any]:
    """The metadata of an object that belongs to an execution; `kind` is empty but for records of its log."""
    shared = shared_metadata(place.namespace, name, kind, epoch)
    own = {EXECUTION_UID: place.uid, SHARD: shard_label(shard_of(place.uid))}
    return {
        **shared,
        "labels": {**shared["labels"], **own},
        "annotations": {EXECUTION: place.name},
        "ownerReferences": [owner_reference(place.name, place.uid)],
    }


def shared_metadata(namespace: str, name: str, kind: str, epoch: int) -> dict[str, Any]:
    """The metadata of an object of ours that belongs to no execution."""
    labels = {MANAGED: "true", EPOCH: str(epoch), **({LOG: kind} if kind else {})}
    return {"name": name, "namespace": namespace, "labels": labels}


def owner_reference(name: str, uid: str) -> dict[str, Any]:
    """What makes an object go when an execution goes."""
    owner = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind}
    return {**owner, "name": name, "uid": uid, "controller": True}
