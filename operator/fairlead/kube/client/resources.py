"""Kinds of objects, and the paths of the API server under which they are."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced kind: `api_version` as manifests have it (`v1`, `apps/v1`), `kind`, and its plural in paths."""

    api_version: str
    kind: str
    plural: str

    @property
    def root(self) -> str:
        """Where the group is served."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of an object, of all objects of a namespace, or (None) of all namespaces."""
        parts = [self.root]
        if namespace is not None:
            parts.append(f"namespaces/{quote(namespace, safe='')}")
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


def asked_for(path: str) -> tuple[str, bool]:
    """The plural of the kind that a path of an API server is about (`pods`, `pods/log`), and whether it is all of them.

    A path that is about no kind (what is served, the version) has none: "".
    """
    parts = path.split("/")
    parts = parts[4:] if parts[1] == "apis" else parts[3:] if parts[1] == "api" else []
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    if not parts:
        return "", False
    return f"{parts[0]}/{parts[2]}" if len(parts) > 2 else parts[0], len(parts) == 1


CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
PODS = Resource("v1", "Pod", "pods")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
EXECUTIONS = Resource("fairlead.dev/v1alpha1", "WorkflowExecution", "workflowexecutions")
WORKFLOWS = Resource("fairlead.dev/v1alpha1", "Workflow", "workflows")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
