"""From plain JSON data to a manifest and back to canonical JSON.

`parse_manifest` and `parse_spec` raise pydantic's ValidationError, which `shapes.py` words. The canonical
form is the manifest without what equals a default, durations in Go form, keys sorted, no spaces: two
manifests that mean the same have one digest.
"""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails

from fairlead.model.manifests.base import refusal, replaced, shown
from fairlead.model.manifests.execution import WorkflowExecution
from fairlead.model.manifests.guard import WorkflowGuard
from fairlead.model.manifests.messages import WorkflowApproval, WorkflowEvent
from fairlead.model.manifests.metadata import API_VERSION
from fairlead.model.manifests.nodes import Node
from fairlead.model.manifests.workflow import Workflow, WorkflowSpec

Manifest = Workflow | WorkflowExecution | WorkflowEvent | WorkflowApproval | WorkflowGuard
KINDS: dict[str, type[Manifest]] = {
    "Workflow": Workflow,
    "WorkflowExecution": WorkflowExecution,
    "WorkflowEvent": WorkflowEvent,
    "WorkflowApproval": WorkflowApproval,
    "WorkflowGuard": WorkflowGuard,
}
MAX_BODY_DEPTH = 8
T = TypeVar("T")
Place = tuple[str | int, ...]


@cache
def adapter(cls: Any) -> TypeAdapter[Any]:
    """The validator of a manifest type, built once."""
    return TypeAdapter(cls)


def parse_manifest(data: object, context: str | None = None) -> Manifest:
    """The manifest in plain JSON data, by its apiVersion and kind. Raises ValidationError."""
    if not isinstance(data, dict):
        raise _error(
            "manifest",
            "WrongType",
            f"{shown(data)} is no manifest; expected an object with apiVersion and kind",
            (),
        )
    kind = data.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        near = get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) else []
        hint = f"; did you mean {near[0]}?" if near else ""
        raise _unknown(data, "kind", "UnknownKind", f"one of {', '.join(KINDS)}{hint}")
    if data.get("apiVersion") != API_VERSION:
        raise _unknown(data, "apiVersion", "UnknownApiVersion", API_VERSION)
    for place, nodes in graphs_of(data):
        deep = too_deep(nodes)
        if deep is not None:
            sentence = f"bodies are nested more than {MAX_BODY_DEPTH} deep; expected less, or a workflow node"
            raise _error(cls.__name__, "TooDeep", sentence, (*place, *deep))
    return parse_spec(cls, data, context)


def parse_spec(cls: type[T], data: object, context: str | None = None) -> T:
    """One manifest type from plain JSON data. Raises ValidationError."""
    kind: Any = cls
    value: T = adapter(kind).validate_python(data, context=context, by_alias=True, by_name=False)
    return value


def plain(value: object) -> Any:
    """A manifest, or a part of one, as plain JSON data: camelCase, what equals a default left out."""
    cls: Any = type(value)
    return adapter(cls).dump_python(value, mode="json", by_alias=True, exclude_defaults=True)


def canonical_json(value: object) -> bytes:
    """The one compact form of a manifest or a part of one."""
    return _canonical(plain(value))


def _canonical(data: Any) -> bytes:
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: object) -> str:
    """`sha256:<hex>` of the canonical form."""
    return _digest(canonical_json(value))


def _digest(form: bytes) -> str:
    return "sha256:" + hashlib.sha256(form).hexdigest()


def node_digest(node: Node) -> str:
    """`digest` of a node, without the 50 ms that a serialiser for nodes alone would take to build: that of specs has one."""
    data: list[Any] = plain(replaced(_blank(), nodes=(node,)))["nodes"]
    return _digest(_canonical(data[0]))


@cache
def _blank() -> WorkflowSpec:
    return parse_spec(WorkflowSpec, {"nodes": [{"name": "a", "set": {}}]})


def graphs_of(data: dict[str, Any]) -> list[tuple[Place, list[Any]]]:
    """The lists of nodes at the top of a manifest's data, with their places, as far as the shape is right."""
    spec = data.get("spec")
    if data.get("kind") == "WorkflowExecution" and isinstance(spec, dict):
        prefix: Place = ("spec", "definition")
        spec = spec.get("definition")
    else:
        prefix = ("spec",)
    if not isinstance(spec, dict):
        return []
    found: list[tuple[Place, Any]] = [((*prefix, key), spec.get(key)) for key in ("nodes", "finally")]
    return [(place, nodes) for place, nodes in found if isinstance(nodes, list)]


def too_deep(nodes: list[Any]) -> Place | None:
    """The place of the first body beyond the depth limit, in data of any shape; without recursion."""
    todo: list[tuple[Place, list[Any], int]] = [((), nodes, 0)]
    while todo:
        place, body, depth = todo.pop()
        for index, node in enumerate(body):
            if not isinstance(node, dict):
                continue
            for inner_place, inner in _bodies(node):
                if depth == MAX_BODY_DEPTH:
                    return (*place, index, *inner_place)
                todo.append(((*place, index, *inner_place), inner, depth + 1))
    return None


def _bodies(node: dict[str, Any]) -> list[tuple[Place, list[Any]]]:
    found: list[tuple[Place, Any]] = []
    found.extend(
        ((kind, "nodes"), owner.get("nodes"))
        for kind in ("while", "forEach")
        if isinstance(owner := node.get(kind), dict)
    )
    if isinstance(owner := node.get("parallel"), dict) and isinstance(
        branches := owner.get("branches"), list
    ):
        found.extend(
            (("parallel", "branches", number, "nodes"), branch.get("nodes"))
            for number, branch in enumerate(branches)
            if isinstance(branch, dict)
        )
    return [(place, nodes) for place, nodes in found if isinstance(nodes, list)]


def _unknown(data: dict[str, Any], field: str, reason: str, expected: str) -> ValidationError:
    if field not in data:
        return _error("manifest", "MissingField", f"{field} is missing; expected {expected}", (field,))
    sentence = f"{field} is {shown(data[field])}; expected {expected}"
    return _error("manifest", reason, sentence, (field,))


def _error(title: str, reason: str, sentence: str, place: Place) -> ValidationError:
    return ValidationError.from_exception_data(
        title, [InitErrorDetails(type=refusal(reason, sentence), loc=place, input=None)]
    )
