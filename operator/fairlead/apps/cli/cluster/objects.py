"""WorkflowExecution objects as the API server gives them, read with care: a status is what somebody wrote."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import msgspec

from fairlead.kube.client import Metadata
from fairlead.kube.kinship import parent_of, wanted_of
from fairlead.kube.names import Place
from fairlead.model.children import Parent
from fairlead.model.commands import Wish
from fairlead.model.state import PENDING
from fairlead.model.times import parse_time

Json = dict[str, Any]
_COUNTS = ("total", "done", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class ExecutionObject:
    """One object; as a row of a list it says what its status says."""

    raw: Json

    @property
    def metadata(self) -> Json:
        """Its metadata."""
        found: Json = self.raw["metadata"]
        return found

    @property
    def spec(self) -> Json:
        """Its spec."""
        return _map(self.raw.get("spec"))

    @property
    def status(self) -> Json:
        """Its status, empty before the operator has written one."""
        return _map(self.raw.get("status"))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.metadata["namespace"])

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.metadata["uid"])

    @property
    def place(self) -> Place:
        """Where it is, and whether it is said to have a log."""
        return Place(self.namespace, self.name, self.uid, started=self.last_seq > 0)

    @property
    def workflow(self) -> str:
        """The Workflow that it runs, empty for a definition of its own."""
        return str(_map(self.spec.get("workflow")).get("name", ""))

    @property
    def phase(self) -> str:
        """The phase that was published last."""
        return str(self.status.get("phase") or PENDING)

    @property
    def created_at(self) -> int:
        """When the API server took it in."""
        return _time(self.metadata.get("creationTimestamp")) or 0

    @property
    def started_at(self) -> int | None:
        """When the run began."""
        return _time(self.status.get("startedAt"))

    @property
    def finished_at(self) -> int | None:
        """When it ended."""
        return _time(self.status.get("finishedAt"))

    @property
    def parent_of(self) -> Parent | None:
        """Whose node has started it."""
        return parent_of(msgspec.convert(self.metadata, Metadata, strict=False))

    @property
    def wanted(self) -> Wish:
        """What that execution wants of it."""
        return wanted_of(_map(self.metadata.get("annotations")))

    @property
    def parent(self) -> str:
        """The name of the execution whose node has started it, empty if none has."""
        found = self.parent_of
        return found.name if found is not None else ""

    @property
    def last_seq(self) -> int:
        """The event that the status speaks of."""
        found = _map(self.status.get("log")).get("sequence")
        return found if isinstance(found, int) else 0

    @property
    def progress(self) -> Json:
        """Counts of nodes, empty before there are any."""
        found = _map(self.status.get("progress"))
        return found if all(isinstance(found.get(name), int) for name in _COUNTS) else {}

    @property
    def observed(self) -> int:
        """The generation of the spec that the operator has acted on."""
        found = self.status.get("observedGeneration")
        return found if isinstance(found, int) and found > 0 else 1

    def without_status(self) -> Json:
        """The object as a person wants to see it: without its status, and without what only servers read."""
        metadata = {name: value for name, value in self.metadata.items() if name != "managedFields"}
        return {
            "apiVersion": self.raw.get("apiVersion", ""),
            "kind": self.raw.get("kind", ""),
            "metadata": metadata,
            "spec": self.spec,
        }

    def published(self) -> Json:
        """The status as it was published, with what is known of one that has none yet."""
        born = {"phase": PENDING}
        if "creationTimestamp" in self.metadata:
            born["createdAt"] = str(self.metadata["creationTimestamp"])
        return {**born, **self.status}


def _map(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _time(text: Any) -> int | None:
    with contextlib.suppress(ValueError, TypeError):
        return parse_time(text) if text else None
    return None
