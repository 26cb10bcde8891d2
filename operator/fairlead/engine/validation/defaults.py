"""Defaults of a JSON Schema put in where an object lacks the property: `properties: {level: {type: string, default: info}}`.

Rules of this file: properties of the object, and of objects and items of lists in it that are given, are filled; what a default
brings is taken as it stands. `$ref` within the schema and `allOf` are followed. Nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead.engine.expressions.limits import DEPTH
from fairlead.engine.expressions.numbers import Normaliser


def with_defaults(value: Any, schema: Mapping[str, Any] | None) -> Any:
    """The value with what it lacks and the schema has a default for; the value itself is not changed."""
    return value if schema is None else _filled(value, [schema], Normaliser(schema), 0)


def _filled(value: Any, schemas: list[Mapping[str, Any]], known: Normaliser, depth: int) -> Any:
    if not schemas or depth > DEPTH or not isinstance(value, (dict, list)):
        return value
    flat = [each for schema in schemas for each in known.expand(schema)]
    if isinstance(value, list):
        items = [schema["items"] for schema in flat if isinstance(schema.get("items"), Mapping)]
        return [_filled(item, items, known, depth + 1) for item in value]
    inner: dict[str, list[Mapping[str, Any]]] = {}
    for schema in flat:
        properties = schema.get("properties")
        for name, each in properties.items() if isinstance(properties, Mapping) else ():
            if isinstance(each, Mapping):
                inner.setdefault(name, []).append(each)
    filled = {name: _filled(item, inner.get(name, []), known, depth + 1) for name, item in value.items()}
    for name, each in inner.items():
        given = [schema["default"] for schema in each if "default" in schema]
        if given:
            filled.setdefault(name, given[0])
    return filled
