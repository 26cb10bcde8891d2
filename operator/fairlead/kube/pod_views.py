"""Pods as we see them: a projection that is decoded from a list or a watch without ever building the rest (1 KiB a pod).

Only labels and annotations of our own are kept.
"""

from __future__ import annotations

import msgspec

from fairlead.kube import names
from fairlead.kube.client.replies import OwnerReference

SUCCEEDED, FAILED = "Succeeded", "Failed"
NODE, DONE, IDENTITY = "fairlead.dev/node", "fairlead.dev/done", "fairlead.dev/identity"


class PodLabels(
    msgspec.Struct,
    gc=False,
    rename={
        "execution_uid": names.EXECUTION_UID,
        "shard": names.SHARD,
        "epoch": names.EPOCH,
        "node": NODE,
        "done": DONE,
    },
):
    """The labels that we use."""

    execution_uid: str = ""
    shard: str = ""
    epoch: str = ""
    node: str = ""
    done: str = ""


class PodAnnotations(msgspec.Struct, gc=False, rename={"identity": IDENTITY}):
    """The annotations that we use."""

    identity: str = ""


class PodMetadata(msgspec.Struct, rename="camel", gc=False):
    """Whose the pod is, and whether it is going."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: PodLabels = msgspec.field(default_factory=PodLabels)
    annotations: PodAnnotations = msgspec.field(default_factory=PodAnnotations)
    owner_references: list[OwnerReference] = []
    finalizers: list[str] = []
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None


class Condition(msgspec.Struct, gc=False):
    """Such as PodScheduled, or DisruptionTarget with the reason of a disruption."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class Waiting(msgspec.Struct, gc=False):
    """Why a container has not started."""

    reason: str = ""
    message: str = ""


class Running(msgspec.Struct, rename="camel", gc=False):
    """Since when it runs."""

    started_at: str | None = None


class Terminated(msgspec.Struct, rename="camel", gc=False):
    """How a container ended; `message` is its termination message."""

    exit_code: int
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(msgspec.Struct, gc=False):
    """One of three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """A container by its name."""

    name: str
    state: ContainerState = msgspec.field(default_factory=ContainerState)


class PodSpec(msgspec.Struct, rename="camel", gc=False):
    """Where it runs."""

    node_name: str = ""


class PodStatus(msgspec.Struct, rename="camel", gc=False):
    """How it is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = []
    container_statuses: list[ContainerStatus] = []
    start_time: str | None = None


class PodView(msgspec.Struct, gc=False):
    """What we keep of a pod."""

    metadata: PodMetadata
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def shard(self) -> str:
        """The value of its shard label."""
        return self.metadata.labels.shard

    def condition(self, type: str) -> Condition | None:
        """The condition of a type, if it is true."""
        return next(
            (one for one in self.status.conditions if one.type == type and one.status == "True"), None
        )
