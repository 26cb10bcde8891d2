"""The part of a pod that decides anything, decoded from a watch without the rest (architecture.md: 1.2 KB a pod, not 47).

Names are those of the Kubernetes API. Fields that a server leaves out have the default that means "nothing said".
"""

from __future__ import annotations

import msgspec


class _View(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """Base: camelCase on the wire, whatever else is there is skipped."""


class Owner(_View):
    """An owner reference."""

    uid: str = ""
    kind: str = ""
    name: str = ""


class Metadata(_View):
    """What identifies a pod and what of it we write."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[Owner] = []
    deletion_timestamp: str | None = None


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
    conditions: list[Condition] = []
    container_statuses: list[Container] = []


class Spec(_View):
    """Where it runs."""

    node_name: str = ""


class Pod(_View):
    """A pod as the operator sees it."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: Spec = msgspec.field(default_factory=Spec)
    status: Status = msgspec.field(default_factory=Status)

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if it is there."""
        return next((each for each in self.status.conditions if each.type == kind), None)

    def container(self, name: str) -> Container:
        """How a container stands."""
        return next((each for each in self.status.container_statuses if each.name == name), Container())
