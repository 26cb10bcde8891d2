"""The deliveries that a leader looks after: what is known of each, and the pods that wait to be created."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

from fairlead.kube.pods.causes import Verdict
from fairlead.kube.pods.manifests import pod_name
from fairlead.kube.pods.views import Pod
from fairlead.model.effects import StartAttempt


@dataclass(slots=True)
class Delivery:
    """One delivery of one attempt, from the order to run it until its end is in the log."""

    uid: str
    start: StartAttempt
    name: str = field(init=False)
    pod: Pod | None = None  # as it was last seen
    pod_uid: str = ""
    stopping: bool = False
    queued: bool = False
    creating: bool = False  # a request for its pod is under way
    taken_up: bool = False  # somebody before us may have asked for its pod
    told: Verdict | None = None
    untold_start: bool = False
    tries: int = 0
    ended_at: float = 0.0  # when its pod was first seen to have ended, by the monotonic clock

    def __post_init__(self) -> None:
        self.name = pod_name(self.start.id)
        self.pod_uid = self.start.handle

    @property
    def with_runner(self) -> bool:
        """Whether our own runner is in the container."""
        return "image" not in self.start.document.get("run", {})

    def is_of(self, pod: Pod) -> bool:
        """Whether a pod was made for it: the whole identity, and the owner."""
        about = pod.metadata
        return about.identity == self.start.id and any(
            owner.uid == self.uid for owner in about.owner_references
        )

    def is_given_up(self, pod: Pod) -> bool:
        """Whether the author would rather have the work twice than wait for a node that may never answer."""
        if self.start.placement.get("onNodeLost") != "redeliver":
            return False
        condition = pod.condition("DisruptionTarget")
        return condition is not None and condition.reason == "DeletionByTaintManager"


class Deliveries:
    """By the name of their pods, and by execution."""

    def __init__(self) -> None:
        self._by_name: dict[str, Delivery] = {}
        self._by_uid: dict[str, dict[str, Delivery]] = {}
        self._ended: dict[str, dict[str, Delivery]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, delivery: Delivery) -> None:
        """From now on it is looked after."""
        self._by_name[delivery.name] = delivery
        self._by_uid.setdefault(delivery.uid, {})[delivery.name] = delivery

    def named(self, name: str) -> Delivery | None:
        """The delivery whose pod has a name."""
        return self._by_name.get(name)

    def of(self, uid: str) -> list[Delivery]:
        """Those of an execution."""
        return list(self._by_uid.get(uid, {}).values())

    def ended(self, delivery: Delivery) -> None:
        """Its end was told."""
        self._ended.setdefault(delivery.uid, {})[delivery.name] = delivery

    def ended_of(self, uid: str) -> list[Delivery]:
        """Those of an execution whose end was told: they are few, whatever the size of the run."""
        return list(self._ended.get(uid, {}).values())

    def remove(self, delivery: Delivery) -> None:
        """Its end is in the log."""
        self._by_name.pop(delivery.name, None)
        of_ended = self._ended.get(delivery.uid, {})
        of_ended.pop(delivery.name, None)
        if not of_ended:
            self._ended.pop(delivery.uid, None)
        of_run = self._by_uid.get(delivery.uid, {})
        of_run.pop(delivery.name, None)
        if not of_run:
            self._by_uid.pop(delivery.uid, None)


class CreationQueue:
    """Pods to create: by priority, then executions in turn, then in order of arrival, so that none starves another."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Delivery]] = []
        self._arrival = itertools.count()
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, uid: str) -> bool:
        """Whether an execution has any in it."""
        return uid in self._waiting

    def push(self, delivery: Delivery) -> None:
        """Put one at the end of its execution's line."""
        delivery.queued = True
        place = self._waiting.get(delivery.uid, 0)
        self._waiting[delivery.uid] = place + 1
        heapq.heappush(self._heap, (-delivery.start.priority, place, next(self._arrival), delivery))

    def pop(self) -> Delivery | None:
        """The next one that is still wanted, if there is one."""
        while self._heap:
            delivery = heapq.heappop(self._heap)[3]
            left = self._waiting.get(delivery.uid, 1) - 1
            if left > 0:
                self._waiting[delivery.uid] = left
            else:
                self._waiting.pop(delivery.uid, None)
            if delivery.queued:
                delivery.queued = False
                return delivery
        return None
