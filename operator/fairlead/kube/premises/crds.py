"""Whether the CRDs that the API server serves have all that this release relies on.

Rules of this file
- What is served is read from /openapi/v3, which whoever is authenticated may read: no right on CRDs is needed, which are objects
  of the cluster.
- Every field that our own CRDs have has to be there, and the subresource `status`; what is served may have more.
- A description, a limit or a default that differs is not looked for: those of a newer release do no harm here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fairlead.kube.client import EXECUTIONS, WORKFLOWS, Resource
from fairlead.model.crds import schema_of

USED = (WORKFLOWS, EXECUTIONS)
"""The kinds without which nothing works."""
PATH = f"/openapi/v3{WORKFLOWS.root}"
FIX = "apply those of this release: `fairlead crds | kubectl apply --server-side -f -`"
_SHOWN = 3

Json = Mapping[str, Any]


def lacking(served: Json, kinds: Sequence[Resource] = USED) -> str:
    """What the OpenAPI document of our group lacks, in one sentence; empty if nothing."""
    return "; ".join(said for kind in kinds if (said := _lacking(served, kind)))


def _lacking(served: Json, kind: Resource) -> str:
    schema = _schema(served, kind)
    if schema is None:
        return f"the API server does not serve {kind.kind}"
    parts = [] if _has_status(served, kind) else ["the subresource status"]
    parts += [f"the field {path}" for path in _missing(schema_of(kind.kind), schema, "")]
    if not parts:
        return ""
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return f"the CRD of {kind.kind} is older than this release: it lacks {', '.join(parts[:_SHOWN])}{more}"


def _schema(served: Json, kind: Resource) -> Json | None:
    group, _, version = kind.api_version.partition("/")
    wanted = {"group": group, "kind": kind.kind, "version": version}
    schemas: Mapping[str, Json] = served.get("components", {}).get("schemas", {})
    return next(
        (one for one in schemas.values() if wanted in one.get("x-kubernetes-group-version-kind", ())), None
    )


def _has_status(served: Json, kind: Resource) -> bool:
    return f"{kind.root}/namespaces/{{namespace}}/{kind.plural}/{{name}}/status" in served.get("paths", {})


def _missing(own: Json, served: Json, path: str) -> Iterator[str]:
    """The fields of ours that are not served; of one that is not there, not those inside it."""
    there = served.get("properties", {})
    for name, schema in own.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        if name not in there:
            yield place
        elif place != "metadata":
            yield from _missing(schema, there[name], place)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        inner, other = own.get(key), served.get(key)
        if isinstance(inner, Mapping) and isinstance(other, Mapping):
            yield from _missing(inner, other, path + mark)
