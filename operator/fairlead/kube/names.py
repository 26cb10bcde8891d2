"""Names, labels and annotations of what Fairlead puts into a cluster (protocol 13).

Every object's name is `fairlead-KIND-HASH`: 130 bits of the SHA-256 of its whole identity in base32. The identity itself
stands in an annotation and is compared before an object is taken for ours: a hash is an address, not a proof.
"""

from __future__ import annotations

import base64
import hashlib

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

MANAGED = f"{GROUP}/managed"
"""Label of everything the operator creates."""
SHARD = f"{GROUP}/shard"
EXECUTION_UID = f"{GROUP}/execution-uid"
EPOCH = f"{GROUP}/epoch"
DONE = f"{GROUP}/done"
"""Label of a pod whose end is in the log."""
NODE = f"{GROUP}/node"
"""Label with the node's own name; the instance id stands in IDENTITY."""
ATTEMPT = f"{GROUP}/attempt"

EXECUTION = f"{GROUP}/execution"
"""Annotation with the execution's name, which may be longer than a label's value."""
IDENTITY = f"{GROUP}/identity"
"""Annotation with the delivery id: `UID/INSTANCE/ATTEMPT/DELIVERY`."""

RESULT_FINALIZER = f"{GROUP}/result"
"""Holds a pod until its result is in the log."""

SHARDS = 64


def object_name(kind: str, *identity: str) -> str:
    """The name of an object of ours, for example `fairlead-pod-…`; the same identity gives the same name."""
    digest = hashlib.sha256("\0".join(identity).encode()).digest()
    return f"fairlead-{kind}-{base64.b32encode(digest).decode().lower()[:26]}"


def shard_of(uid: str) -> str:
    """The shard of an execution, two digits: a hash of its uid, for ever the same."""
    return f"{int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8]) % SHARDS:02d}"
