"""Kinds of objects, and the paths of the API server under which they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
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


class Target(NamedTuple):
    """What a path of an API server is about; `resource` is the plural of a kind, with its part (`pods`, `pods/log`).

    A path that is about no kind (what is served, the version) has no resource. An empty namespace is none.
    """

    group: str = ""
    namespace: str = ""
    resource: str = ""
    everything: bool = False

    def verb(self, verb: str) -> str:
        """The verb by which rights are given for a request: to get everything is to list."""
        return "list" if verb == "get" and self.everything else verb


def target_of(path: str) -> Target:
    """Read a path."""
    group, namespace = "", ""
    match path.strip("/").split("/"):
        case ["api", _, *parts]:
            pass
        case ["apis", group, _, *parts]:
            pass
        case _:
            return Target()
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts:
        return Target()
    return Target(group, namespace, "/".join([parts[0], *parts[2:3]]), everything=len(parts) == 1)


CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
PODS = Resource("v1", "Pod", "pods")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
EXECUTIONS = Resource("fairlead.dev/v1alpha1", "WorkflowExecution", "workflowexecutions")
WORKFLOWS = Resource("fairlead.dev/v1alpha1", "Workflow", "workflows")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
