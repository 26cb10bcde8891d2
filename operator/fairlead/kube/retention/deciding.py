"""What is written down when a run ends, and what is due when. Pure; times and durations are microseconds.

    pods of a node     `retention.pods` after the end of their container, also while the run goes on
    log, outputs       `retention.succeeded|failed|cancelled` after the end of the run
    WorkflowExecution  with them, if the operator made it (a node, a trigger or a fork did); one that a person or a tool has
                       applied stays with its last status: a tool that finds it missing would run it again (semantics 9)

Rules of this file
- The annotation of a closed head says all that a later decision takes, so that nobody folds a log to find out that it is kept.
- It speaks of the log up to one event: a run that has gone on since is not judged by it.
- A child that its parent waited for is kept while its parent is: a redrive of the parent may want it.
"""

from __future__ import annotations

import msgspec

from fairlead.kube import names
from fairlead.kube.client import Metadata
from fairlead.kube.client.replies import OwnerReference
from fairlead.model.children import Parent
from fairlead.model.manifests import Retention as Policy
from fairlead.model.state import CANCELLED, FAILED, SUCCEEDED
from fairlead.model.times import parse_time


class Kept(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How long what is left of a run is kept: all of it `until` then, its pods for `pods` after their own end.

    `seq` is the last event of the log that this speaks of; `ours`: the execution goes as well; `parent` waited for it.
    """

    seq: int
    until: int
    pods: int
    ours: bool = False
    parent: Parent | None = None


_decoder = msgspec.json.Decoder(Kept)


def kept(
    policy: Policy,
    phase: str,
    finished_at: int,
    *,
    seq: int,
    by_operator: bool,
    parent: Parent | None = None,
) -> Kept:
    """What is to be written down of a run that ended in `phase`."""
    stays = {SUCCEEDED: policy.succeeded, FAILED: policy.failed, CANCELLED: policy.cancelled}[phase]
    waited_for = parent if parent is not None and parent.wait else None
    return Kept(seq, finished_at + stays, policy.pods, by_operator, waited_for)


def written(note: Kept) -> str:
    """The value of the annotation."""
    return msgspec.json.encode(note).decode()


def read(head: Metadata) -> Kept | None:
    """What a head's annotation says; None if there is none that can be read: then the log tells."""
    try:
        return _decoder.decode(head.annotations[names.RETENTION])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return None


def due(note: Kept, now: int) -> bool:
    """Whether the time of all that is left of a run has come."""
    return now >= note.until


class _Terminated(msgspec.Struct, rename="camel", gc=False):
    finished_at: str | None = None


class _ContainerState(msgspec.Struct, gc=False):
    terminated: _Terminated | None = None


class _ContainerStatus(msgspec.Struct, gc=False):
    state: _ContainerState = msgspec.field(default_factory=_ContainerState)


class _PodStatus(msgspec.Struct, rename="camel", gc=False):
    container_statuses: list[_ContainerStatus] = []


class DonePod(msgspec.Struct, gc=False):
    """What retention reads of a pod."""

    metadata: Metadata
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)

    @property
    def ended_at(self) -> int:
        """When its container ended; one that never ran ended when it was made."""
        ends = [one.state.terminated for one in self.status.container_statuses]
        times = [end.finished_at for end in ends if end is not None and end.finished_at]
        return parse_time(max(times, default=self.metadata.creation_timestamp))


def pod_due(pod: DonePod, stays: int, now: int) -> bool:
    """Whether the time of a pod has come whose end is in the log; what is being deleted needs nobody."""
    return pod.metadata.deletion_timestamp is None and now >= pod.ended_at + stays


def belongs(owners: list[OwnerReference], uid: str) -> bool:
    """Whether an object is that execution's: a label alone may have been set by anybody."""
    return any(owner.uid == uid for owner in owners)
