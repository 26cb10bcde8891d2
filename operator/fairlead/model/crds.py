"""The CustomResourceDefinitions of the five kinds, generated from the manifest types.

What the API server itself is to refuse stands here as CEL: that a node has exactly one kind (no `oneOf`, whose message
says nothing: semantics 5) and that what a run was started with does not change (semantics 6: at spec level, or removing a
field would unlock it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from fairlead.model.crd_schema import Schema, structural
from fairlead.model.manifests.execution import ExecutionSpec
from fairlead.model.manifests.guard import GuardSpec
from fairlead.model.manifests.messages import ApprovalSpec, EventSpec
from fairlead.model.manifests.metadata import GROUP, VERSION
from fairlead.model.manifests.nodes import NODE_KINDS
from fairlead.model.manifests.parsing import KINDS
from fairlead.model.manifests.status import ExecutionStatus, GuardStatus, IntakeStatus, WorkflowStatus
from fairlead.model.manifests.workflow import WorkflowSpec
from fairlead.model.shape_limits import MAX_NODES
from fairlead.model.shown import UNSEEN_STATUS

_HEADER = "# Generated from operator/fairlead/model by `make crds`. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes out what occurs several times, without anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a CRD says besides its schema. A column is (name, type, path)."""

    name: str
    short_name: str
    spec: type[Any]
    status: type[Any]
    columns: tuple[tuple[str, str, str], ...]

    @property
    def plural(self) -> str:
        return f"{self.name.lower()}s"


def _condition(type_: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].status'


_KINDS = (
    _Kind(
        "Workflow", "fwf", WorkflowSpec, WorkflowStatus,
        (("Version", "string", ".spec.version"), ("Ready", "string", _condition("Ready"))),
    ),
    _Kind(
        "WorkflowExecution", "wfe", ExecutionSpec, ExecutionStatus,
        (
            ("Phase", "string", ".status.phase"),
            ("Progress", "integer", ".status.progress.percent"),
            ("Waiting for", "string", ".status.waitingFor[0].message"),
        ),
    ),
    _Kind(
        "WorkflowEvent", "wfev", EventSpec, IntakeStatus,
        (("Type", "string", ".spec.type"), ("Source", "string", ".spec.source"), ("Subject", "string", ".spec.subject")),
    ),
    _Kind(
        "WorkflowApproval", "wfa", ApprovalSpec, IntakeStatus,
        (
            ("Execution", "string", ".spec.execution.name"),
            ("Node", "string", ".spec.node"),
            ("Decision", "string", ".spec.decision"),
            ("User", "string", ".spec.user"),
            ("Accepted", "string", _condition("Accepted")),
        ),
    ),
    _Kind(
        "WorkflowGuard", "wfg", GuardSpec, GuardStatus,
        (("Concurrency", "integer", ".spec.concurrency"), ("State", "string", ".status.state")),
    ),
)  # fmt: skip


def crds() -> dict[str, dict[str, Any]]:
    """The five CRDs by file name."""
    return {f"{GROUP}_{kind.plural}.yaml": _crd(kind) for kind in _KINDS}


def crd_text(crd: dict[str, Any]) -> str:
    """A CRD as the YAML of its file."""
    return _HEADER + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def schema_of(name: str) -> Schema:
    """The schema of a kind."""
    return next(_schema(kind) for kind in _KINDS if kind.name == name)


def _crd(kind: _Kind) -> dict[str, Any]:
    names = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "shortNames": [kind.short_name],
        "categories": ["fairlead"],
    }
    columns = [{"name": name, "type": type_, "jsonPath": path} for name, type_, path in kind.columns]
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            *columns,
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "schema": {"openAPIV3Schema": _schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _schema(kind: _Kind) -> Schema:
    spec, status = structural(kind.spec), structural(kind.status, pruned=True)
    if kind.name in UNSEEN_STATUS:
        status["default"] = UNSEEN_STATUS[kind.name]
    if kind.name == "Workflow":
        _limit_nodes(spec["properties"]["nodes"])
    if kind.name == "WorkflowExecution":
        spec["x-kubernetes-validations"] = [
            _one_graph(),
            *map(_constant, ("workflow", "definition", "inputs")),
        ]
    if kind.name == "WorkflowApproval":
        spec["x-kubernetes-validations"] = [
            {
                "rule": "self == oldSelf",
                "message": "a decision cannot be changed; create another WorkflowApproval",
            }
        ]
    return {
        "description": KINDS[kind.name].__doc__,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _limit_nodes(nodes: Schema) -> None:
    """One list, replaced as a whole; the limit makes the rule on its items affordable for the API server."""
    nodes["maxItems"] = MAX_NODES
    nodes["x-kubernetes-list-type"] = "atomic"
    given = ", ".join(f"has(self.{kind})" for kind in NODE_KINDS)
    nodes["items"]["x-kubernetes-validations"] = [
        {
            "rule": f"[{given}].filter(x, x).size() == 1",
            "message": f"a node needs exactly one of {', '.join(NODE_KINDS)}",
        }
    ]


def _one_graph() -> Schema:
    return {
        "rule": "has(self.workflow) != has(self.definition)",
        "message": "the execution needs exactly one of workflow, definition",
    }


def _constant(field: str) -> Schema:
    rule = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    return {"rule": rule, "message": f"{field} cannot be changed; create another WorkflowExecution"}
