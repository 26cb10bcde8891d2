"""From pydantic's JSON Schema to the structural schemas that apiextensions.k8s.io/v1 demands.

Rules (semantics 3, 4, 39):
- no `$ref`, no `oneOf`, no `default`; what may be several types is untyped and preserved, or int-or-string;
- the nodes of a workflow are typed once, at the top; bodies, `finally`, `compensate` and `definition` are objects
  whose content only our own model checks;
- no object of a spec is pruned: an unknown field reaches the operator, which refuses it and names the nearest one.
"""

from __future__ import annotations

from typing import Any

from fairlead.model.manifests.parsing import adapter

Schema = dict[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEPT = (
    "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
    "x-kubernetes-int-or-string", PRESERVE,
)  # fmt: skip
# An API server reads bounds as floats; int64's own are not exact there, and say nothing that the type does not.
_LARGEST_BOUND = 2**53


def structural(cls: Any, *, pruned: bool = False) -> Schema:
    """The structural schema of a manifest type; `pruned` for a status, which only the operator writes."""
    schema = adapter(cls).json_schema(by_alias=True, mode="validation")
    return _Converter(schema.get("$defs", {}), pruned=pruned).convert(schema, typed_nodes=True)


def opaque_object(description: str) -> Schema:
    """An object that the API server keeps as it is."""
    return {"description": description, "type": "object", PRESERVE: True}


class _Converter:
    def __init__(self, definitions: dict[str, Schema], *, pruned: bool) -> None:
        self.definitions = definitions
        self.pruned = pruned

    def convert(self, schema: Schema, *, typed_nodes: bool) -> Schema:
        """One schema; `typed_nodes` says that a list of nodes met in it is the typed one, at the top."""
        name, plain = self._resolved(schema)
        if name == "Compensate":
            return opaque_object(plain["description"])
        result: Schema = {"description": plain["description"]} if "description" in plain else {}
        result |= {key: plain[key] for key in _KEPT if key in plain and not _is_vast(plain[key])}
        if "const" in plain:
            result["enum"] = [plain["const"]]
        self._bounds(plain, result)
        if "items" in plain:
            result["items"] = self._items(plain["items"], typed_nodes=typed_nodes)
        if isinstance(plain.get("additionalProperties"), dict):
            result["additionalProperties"] = self.convert(plain["additionalProperties"], typed_nodes=False)
        if "properties" in plain:
            result |= self._object(name, plain)
        return result

    def _object(self, name: str, plain: Schema) -> Schema:
        at_top = name == "WorkflowSpec"
        properties = {
            field: self._field(field, schema, typed_nodes=at_top and field == "nodes")
            for field, schema in plain["properties"].items()
        }
        result: Schema = {"properties": properties}
        if plain.get("required"):
            result["required"] = plain["required"]
        if not self.pruned:
            result[PRESERVE] = True
        return result

    def _field(self, field: str, schema: Schema, *, typed_nodes: bool) -> Schema:
        if field == "definition":
            return opaque_object(schema["description"])
        return self.convert(schema, typed_nodes=typed_nodes)

    def _items(self, schema: Schema, *, typed_nodes: bool) -> Schema:
        name, plain = self._resolved(schema)
        if name == "Node" and not typed_nodes:
            return opaque_object("A node, checked by the operator.")
        return self.convert(plain if name == "" else schema, typed_nodes=typed_nodes)

    def _resolved(self, schema: Schema) -> tuple[str, Schema]:
        """The name of the type and the schema without references and without `or null`."""
        own = {key: value for key, value in schema.items() if key == "description"}
        if "anyOf" in schema:
            options = [option for option in schema["anyOf"] if option.get("type") != "null"]
            if len(options) != 1:
                raise ValueError(f"a structural schema cannot say {schema!r}; give the type a WithJsonSchema")
            name, inner = self._resolved(options[0])
            return name, {**inner, **own}
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return name, {**self._resolved(self.definitions[name])[1], **own}
        return schema.get("title", "") if "properties" in schema else "", schema

    @staticmethod
    def _bounds(plain: Schema, result: Schema) -> None:
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if exclusive in plain:
                result[bound], result[exclusive] = plain[exclusive], True


def _is_vast(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= _LARGEST_BOUND
