"""The managed pods that a watch shows, by the execution that they belong to."""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.kube.names import Place
from fairlead.kube.pods.views import Pod


class PodIndex:
    """Pods whose end is not in the log yet, as far as the watch knows."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, Pod]] = {}

    def put(self, pod: Pod) -> str:
        """A pod as it is now; the uid of its execution."""
        uid = pod.metadata.labels.execution_uid
        self._pods.setdefault(uid, {})[pod.metadata.name] = pod
        return uid

    def drop(self, pod: Pod) -> str:
        """A pod that is gone; the uid of its execution."""
        uid = pod.metadata.labels.execution_uid
        of_run = self._pods.get(uid, {})
        known = of_run.get(pod.metadata.name)
        if known is not None and known.metadata.uid == pod.metadata.uid:
            del of_run[pod.metadata.name]
            if not of_run:
                del self._pods[uid]
        return uid

    def of(self, uid: str) -> dict[str, Pod]:
        """Those of an execution, by name."""
        return dict(self._pods.get(uid, {}))

    def all(self) -> Iterator[tuple[str, Pod]]:
        """Every pod with the uid of its execution, as of now."""
        return iter([(uid, pod) for uid, pods in self._pods.items() for pod in pods.values()])

    @staticmethod
    def place_of(pod: Pod) -> Place | None:
        """Where the execution of a pod is, by what the pod says; None if it does not say it."""
        about = pod.metadata
        uid, name = about.labels.execution_uid, about.execution
        return Place(about.namespace, name, uid) if uid and name else None
