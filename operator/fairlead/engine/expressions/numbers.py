"""Which numbers of a JSON value are ints and which are doubles: the author's schema decides, not the way they were written.

`1.0` comes back from `kubectl apply` as `1`, and 23 digits as a float. So on entry a number with an integral value is an int
unless the JSON Schema for its place says `type: number`; then it is a float. Ints beyond 64 bits, NaN and infinities are
refused.

Followed: properties, patternProperties, additionalProperties, items, prefixItems, allOf, and $ref to this schema's own $defs
(or any local pointer). Under anyOf, oneOf and if/then/else the place has no one schema, and `number` counts only if every
branch that speaks of numbers says it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from fairlead.engine.expressions.limits import DEPTH, INT_MAX, INT_MIN

Schema = Mapping[str, Any]


def normalise(value: Any, schema: Schema | bool | None) -> Any:
    """The value with ints and floats as the schema says. Raises ValueError with the path and the value."""
    root = schema if isinstance(schema, Mapping) else None
    return Normaliser(root).walk(value, [root] if root else [], "", 0)


class Normaliser:
    """Walks values and schemas of one root schema side by side."""

    def __init__(self, root: Schema | None) -> None:
        self.root = root
        self.flat: dict[int, list[Schema]] = {}

    def walk(self, value: Any, schemas: list[Schema], path: str, depth: int) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        if schemas:
            schemas = [each for schema in schemas for each in self.expand(schema)]
        if kind is int or kind is float:
            return number(value, any(map(_says_number, schemas)), path)
        if depth > DEPTH:
            raise ValueError(f"{path[:80] or 'the value'}… is nested deeper than {DEPTH} levels")
        if kind is list:
            return [
                self.walk(item, _items(schemas, index), f"{path}[{index}]", depth + 1)
                for index, item in enumerate(value)
            ]
        if kind is dict:
            return {
                key: self.walk(item, _members(schemas, key), f"{path}.{key}" if path else str(key), depth + 1)
                for key, item in value.items()
            }
        raise ValueError(f"{path or 'the value'} is a {kind.__name__}, expected a JSON value")

    def expand(self, schema: Schema) -> list[Schema]:
        """The schema and those that hold for the same place: $ref, allOf, and what all branches agree on."""
        known = self.flat.get(id(schema))
        if known is None:
            known = []
            # Set before it is filled, so that a schema that refers to itself at the same place ends here.
            self.flat[id(schema)] = known
            known.append(schema)
            for part in self._parts(schema):
                if isinstance(part, Mapping):
                    known.extend(each for each in self.expand(part) if not any(each is one for one in known))
        return known

    def _parts(self, schema: Schema) -> list[Any]:
        parts: list[Any] = [self.resolve(schema["$ref"])] if isinstance(schema.get("$ref"), str) else []
        all_of = schema.get("allOf")
        if isinstance(all_of, list):
            parts.extend(all_of)
        for word in ("anyOf", "oneOf"):
            branches = schema.get(word)
            if isinstance(branches, list):
                parts.extend(self._agreed(branches))
        return parts

    def _agreed(self, branches: list[Any]) -> list[Any]:
        """The branches that are not about null, if none of them speaks of integers."""
        spoken = [each for each in branches if isinstance(each, Mapping) and each.get("type") != "null"]
        return [] if any(_types(each) & {"integer"} for each in spoken) else spoken

    def resolve(self, reference: str) -> Any:
        """The part of this schema that a local `$ref` points to; None where it points outside or nowhere."""
        if self.root is None or not reference.startswith("#"):
            return None
        place: Any = self.root
        for raw in reference[1:].split("/")[1:]:
            step = raw.replace("~1", "/").replace("~0", "~")
            if isinstance(place, Mapping):
                place = place.get(step)
            elif isinstance(place, list) and step.isdigit() and int(step) < len(place):
                place = place[int(step)]
            else:
                return None
        return place


def number(value: float, wants_float: bool, path: str) -> int | float:
    """One number as its place wants it. Raises ValueError when neither CEL nor JSON can hold it."""
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{path or 'the value'} is {value}, which JSON cannot hold")
        if wants_float or not value.is_integer():
            return value
        value = int(value)
    if wants_float:
        try:
            return float(value)
        except OverflowError:
            raise ValueError(
                f"{path or 'the value'} has {len(str(abs(value)))} digits, more than a double can hold"
            ) from None
    if not INT_MIN <= value <= INT_MAX:
        raise ValueError(
            f"{path or 'the value'} is {_digits(value)}, beyond the 64 bits of an int; "
            "say `type: number` in its schema, or use a string"
        )
    return value


def _digits(value: float) -> str:
    """A whole number as a message shows it: beyond some digits, how many there are."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:20]}... ({len(text)} digits)"


def _types(schema: Schema) -> set[str]:
    said = schema.get("type")
    if isinstance(said, str):
        return {said}
    return {each for each in said if isinstance(each, str)} if isinstance(said, list) else set()


def _says_number(schema: Schema) -> bool:
    types = _types(schema)
    return "number" in types and "integer" not in types


def _items(schemas: list[Schema], index: int) -> list[Schema]:
    out: list[Schema] = []
    for schema in schemas:
        prefix = schema.get("prefixItems")
        chosen = prefix[index] if isinstance(prefix, list) and index < len(prefix) else schema.get("items")
        if isinstance(chosen, Mapping):
            out.append(chosen)
    return out


def _members(schemas: list[Schema], key: Any) -> list[Schema]:
    out: list[Schema] = []
    for schema in schemas:
        properties = schema.get("properties")
        found = [properties[key]] if isinstance(properties, Mapping) and key in properties else []
        patterns = schema.get("patternProperties")
        if isinstance(patterns, Mapping):
            found += [inner for pattern, inner in patterns.items() if _matches(pattern, key)]
        if not found:
            found = [schema.get("additionalProperties")]
        out.extend(each for each in found if isinstance(each, Mapping))
    return out


def _matches(pattern: Any, key: Any) -> bool:
    try:
        return re.search(pattern, key) is not None
    except (re.error, TypeError):
        return False
