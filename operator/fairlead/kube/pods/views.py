"""The part of a pod that decides anything, decoded from a watch without the rest (architecture.md: 1.2 KB a pod, not 47).

Rules of this file
- Names are those of the Kubernetes API. Fields that a server leaves out have the default that means "nothing said"; only a pod
  that does not say which one it is makes no sense.
- Of labels and annotations only those are kept that we read, of conditions only those that decide something.
- A leader holds one of these for every pod that is not done: what many pods have in common (a namespace, a node, the uid of their
  execution) is one string for all of them, and lists that nobody changes are tuples.
"""

from __future__ import annotations

from sys import intern

import msgspec

from fairlead.kube import names
from fairlead.kube.client.replies import OwnerReference

DECIDING = frozenset({"PodScheduled", "Ready", "DisruptionTarget"})
"""Types of conditions that are kept."""


class _View(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """Base: camelCase on the wire, whatever else is there is skipped."""


class Labels(
    msgspec.Struct,
    gc=False,
    rename={
        "execution_uid": names.EXECUTION_UID,
        "shard": names.SHARD,
        "managed": names.MANAGED,
        "done": names.DONE,
    },
):
    """The labels that we read."""

    execution_uid: str = ""
    shard: str = ""
    managed: str = ""
    done: str = ""


class Annotations(
    msgspec.Struct, gc=False, rename={"identity": names.IDENTITY, "execution": names.EXECUTION}
):
    """The annotations that we read."""

    identity: str = ""
    execution: str = ""


class Metadata(_View, kw_only=True):
    """What identifies a pod and what of it we write."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    labels: Labels = msgspec.field(default_factory=Labels)
    own_annotations: Annotations = msgspec.field(default_factory=Annotations, name="annotations")
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()
    deletion_timestamp: str | None = None

    @property
    def identity(self) -> str:
        """The delivery that it is for."""
        return self.own_annotations.identity

    @property
    def execution(self) -> str:
        """The name of the execution that it is for."""
        return self.own_annotations.execution

    def share(self) -> None:
        """What many pods have in common is one string for all."""
        self.namespace = intern(self.namespace)
        self.labels.execution_uid = intern(self.labels.execution_uid)
        self.labels.shard = intern(self.labels.shard)
        self.labels.managed = intern(self.labels.managed)
        self.own_annotations.execution = intern(self.own_annotations.execution)
        self.finalizers = tuple(map(intern, self.finalizers))
        for owner in self.owner_references:
            owner.uid = intern(owner.uid)


class Waiting(_View):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class Running(_View):
    """A container that runs."""

    started_at: str | None = None


class Terminated(_View):
    """A container that has ended."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(_View):
    """Exactly one of the three is given, or none."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class Container(_View):
    """One container of the pod."""

    name: str = ""
    ready: bool = False
    state: ContainerState = msgspec.field(default_factory=ContainerState)


class Condition(_View):
    """A condition of the pod."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class Status(_View):
    """What kubelet and scheduler say."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[Container, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more. A kubelet may tell of the end of the containers before that of the pod."""
        ends = [each.state.terminated is not None for each in self.container_statuses]
        return self.phase in ("Succeeded", "Failed") or (bool(ends) and all(ends))

    def share(self) -> None:
        """Only the conditions that decide; words that many pods have in common are one string for all."""
        self.phase = intern(self.phase)
        self.conditions = tuple([each for each in self.conditions if each.type in DECIDING])
        for condition in self.conditions:
            condition.type, condition.status = intern(condition.type), intern(condition.status)
        for container in self.container_statuses:
            container.name = intern(container.name)


class Spec(_View):
    """Where it runs."""

    node_name: str = ""


class Pod(_View):
    """A pod as the operator sees it."""

    metadata: Metadata
    spec: Spec = msgspec.field(default_factory=Spec)
    status: Status = msgspec.field(default_factory=Status)

    def __post_init__(self) -> None:
        self.metadata.share()
        self.status.share()
        self.spec.node_name = intern(self.spec.node_name)

    @property
    def shard(self) -> str:
        """The value of its shard label, as `kube.watching` wants it of a view."""
        return self.metadata.labels.shard

    def is_watched_for(self, uid: str) -> bool:
        """Whether its labels say that it is of an execution, which is where it is looked for, and that its end is awaited."""
        labels = self.metadata.labels
        found = {
            names.MANAGED: labels.managed,
            names.EXECUTION_UID: labels.execution_uid,
            names.SHARD: labels.shard,
        }
        return found == names.selected_by(uid) and labels.done != "true"

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if it is there and decides something."""
        return next((each for each in self.status.conditions if each.type == kind), None)

    def container(self, name: str) -> Container:
        """How a container stands."""
        return next((each for each in self.status.container_statuses if each.name == name), Container())
