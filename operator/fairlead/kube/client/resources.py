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


CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
PODS = Resource("v1", "Pod", "pods")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
EXECUTIONS = Resource("fairlead.dev/v1alpha1", "WorkflowExecution", "workflowexecutions")
WORKFLOWS = Resource("fairlead.dev/v1alpha1", "Workflow", "workflows")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
