"""The CRDs are generated, fresh, structural, and say what the API server itself is to refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead.apps.crds import write_crds
from fairlead.model.crds import crd_text, crds
from fairlead.model.manifests import KINDS, NODE_KINDS
from fairlead.model.manifests.nodes import Node
from fairlead.model.manifests.outline import fields
from fairlead.model.manifests.workflow import WorkflowSpec

ROOT = Path(__file__).parents[2]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
CRDS = crds()
FOLDERS = ("crds", "charts/fairlead/files/crds")
# What a structural schema may say: https://kubernetes.io/docs has the list; $ref, oneOf, default and the like are not in it.
ALLOWED = {
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minItems", "maxItems", "items", "properties", "additionalProperties", "required", PRESERVE,
    "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-validations",
}  # fmt: skip


SHORT_NAMES = {
    "Workflow": "fwf",
    "WorkflowExecution": "wfe",
    "WorkflowEvent": "wfev",
    "WorkflowApproval": "wfa",
    "WorkflowGuard": "wfg",
}


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a kind."""
    crd = CRDS[f"fairlead.dev_{kind.lower()}s.yaml"]
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def spec_of(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = schema_of(kind)["properties"]["spec"]
    return spec


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[{key}]")


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("file", CRDS)
def test_crds_are_fresh(file: str, folder: str) -> None:
    """What stands in crds/ and in the chart is what the model generates; `make crds` writes it anew."""
    assert (ROOT / folder / file).read_text(encoding="utf-8") == crd_text(CRDS[file])


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_other_crds_lie_there(folder: str) -> None:
    """A kind that is gone leaves no file behind."""
    assert sorted(path.name for path in (ROOT / folder).glob("*.yaml")) == sorted(CRDS)


@pytest.mark.parametrize("file", CRDS)
def test_client_side_apply_takes_them(file: str) -> None:
    """`kubectl apply` keeps a copy in an annotation of at most 262,144 bytes; a file stays under 200 KB."""
    assert len(crd_text(CRDS[file]).encode()) < 200_000


@pytest.mark.parametrize("file", CRDS)
def test_files_are_plain_yaml(file: str) -> None:
    """A file reads back as what was generated, without anchors."""
    text = crd_text(CRDS[file])
    assert yaml.safe_load(text) == CRDS[file]
    assert re.search(r"^[^#]*[:-] [&*]\w", text, re.MULTILINE) is None


@pytest.mark.parametrize("kind, short", SHORT_NAMES.items())
def test_names(kind: str, short: str) -> None:
    """Each kind has its short name, the category, its scope and the status subresource."""
    crd = CRDS[f"fairlead.dev_{kind.lower()}s.yaml"]
    names = crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{kind.lower()}s.fairlead.dev"
    assert (names["kind"], names["shortNames"], names["categories"]) == (kind, [short], ["fairlead"])
    assert crd["spec"]["scope"] == "Namespaced"
    assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_columns_of_executions() -> None:
    """`kubectl get wfe` shows phase, progress, what it waits for, age."""
    columns = CRDS["fairlead.dev_workflowexecutions.yaml"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Phase", "Progress", "Waiting for", "Age"]


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_structural(kind: str) -> None:
    """Every schema has a type or says that it has none, and no word that a structural schema forbids; a status has a default."""
    for path, schema in walk(schema_of(kind)):
        assert set(schema) <= ALLOWED | ({"default"} if path == ".status" else set()), path
        assert "type" in schema or schema.get(PRESERVE) or schema.get("x-kubernetes-int-or-string"), path
        if schema.get("type") == "array":
            assert "items" in schema, path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert isinstance(schema.get("exclusiveMinimum", True), bool), path
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), path


@pytest.mark.parametrize("kind", KINDS)
def test_no_object_of_a_spec_is_pruned(kind: str) -> None:
    """An unknown field at any depth of a spec is kept, so that it can be refused by name and not lost in silence."""
    for path, schema in walk(spec_of(kind)):
        if "properties" in schema:
            assert schema.get(PRESERVE) is True, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_spec_is_described(kind: str) -> None:
    """`kubectl explain` has a sentence for every field."""
    for path, schema in walk(spec_of(kind)):
        if not path.endswith("]"):
            assert schema.get("description"), path


def test_nodes_are_typed_once() -> None:
    """The top-level nodes have all fields; those in bodies, finally, compensate and definition are opaque objects."""
    spec = spec_of("Workflow")
    node = spec["properties"]["nodes"]["items"]["properties"]
    assert set(node) == set(fields(Node))
    assert set(spec["properties"]) == set(fields(WorkflowSpec))
    inner = [
        spec["properties"]["finally"]["items"],
        node["while"]["properties"]["nodes"]["items"],
        node["forEach"]["properties"]["nodes"]["items"],
        node["parallel"]["properties"]["branches"]["items"]["properties"]["nodes"]["items"],
        node["compensate"],
        spec_of("WorkflowExecution")["properties"]["definition"],
    ]
    for schema in inner:
        assert (schema["type"], schema[PRESERVE], "properties" in schema) == ("object", True, False)


def test_exactly_one_kind_is_a_rule_with_our_sentence() -> None:
    """A node with no or two kinds is refused by one CEL rule that names all kinds; the list is atomic and limited."""
    nodes = spec_of("Workflow")["properties"]["nodes"]
    assert (nodes["maxItems"], nodes["x-kubernetes-list-type"]) == (10_000, "atomic")
    (rule,) = nodes["items"]["x-kubernetes-validations"]
    assert re.findall(r"has\(self\.(\w+)\)", rule["rule"]) == list(NODE_KINDS)
    assert rule["message"] == "a node needs exactly one of " + ", ".join(NODE_KINDS)


def test_what_must_not_change() -> None:
    """The rules stand at spec level and hold for removal too; cancel, suspend and redrive may change freely."""
    rules = [rule["rule"] for rule in spec_of("WorkflowExecution")["x-kubernetes-validations"]]
    for field in ("inputs", "workflow", "definition"):
        rule = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        assert rule in rules
        assert spec_of("WorkflowExecution")["properties"][field]["type"] == "object"
    assert not any(word in rule for rule in rules for word in ("cancel", "suspend", "redrive"))
    assert spec_of("WorkflowApproval")["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"


def test_written_to_a_folder(tmp_path: Path) -> None:
    """The command writes the five files, also into a folder that is not there yet."""
    written = write_crds(tmp_path / "a" / "b")
    assert [path.name for path in written] == list(CRDS)
    assert all(
        yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "CustomResourceDefinition"
        for path in written
    )
