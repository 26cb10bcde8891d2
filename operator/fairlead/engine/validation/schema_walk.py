"""What a JSON Schema says about a path of names, as far as it says it outright.

Followed: properties, patternProperties, additionalProperties, $ref within the schema, allOf. Where anyOf, oneOf, if or a $ref to
somewhere else has a say, nothing is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairlead.engine.expressions.numbers import Schema

_OPEN = ("anyOf", "oneOf", "if", "dependentSchemas", "$dynamicRef", "unevaluatedProperties")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that the schema does not have: at which step of the path, what is there, and whether others are refused."""

    step: int
    known: tuple[str, ...]
    refused: bool


def unknown_name(schema: Any, path: tuple[str, ...]) -> Unknown | None:
    """The first step of a path that leads to nothing the schema knows, or None."""
    place: Any = schema
    for step, name in enumerate(path):
        parts = _parts(place, schema)
        if parts is None:
            return None
        inner = [part["properties"][name] for part in parts if name in _properties(part)]
        if not inner:
            known = tuple(dict.fromkeys(each for part in parts for each in _properties(part)))
            refused = any(part.get("additionalProperties") is False for part in parts)
            if not (known or refused) or _lets_in(parts, name):
                return None
            return Unknown(step, known, refused)
        place = inner[0]
    return None


def _parts(place: Any, root: Any) -> list[Schema] | None:
    """The schemas that all hold at a place; None if that cannot be told, or if it is no object with known names."""
    found: list[Schema] = []
    todo = [place]
    while todo:
        part = todo.pop()
        if not isinstance(part, dict) or len(found) > 100 or any(word in part for word in _OPEN):
            return None
        found.append(part)
        reference = part.get("$ref")
        if reference is not None:
            todo.append(resolve(root, reference))
        if isinstance(part.get("allOf"), list):
            todo.extend(part["allOf"])
    return found


def resolve(root: Any, reference: Any) -> Any:
    """The part of the schema that a local `$ref` points to; None where it points outside or nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    place: Any = root
    for raw in reference[1:].split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict):
            place = place.get(step)
        elif isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        else:
            return None
    return place


def _properties(part: Schema) -> dict[str, Any]:
    properties = part.get("properties")
    return properties if isinstance(properties, dict) else {}


def _lets_in(parts: list[Schema], name: str) -> bool:
    """Whether a name without a property of its own is spoken of nevertheless."""
    for part in parts:
        if isinstance(part.get("additionalProperties"), dict):
            return True
        patterns = part.get("patternProperties")
        for pattern in patterns if isinstance(patterns, dict) else ():
            try:
                if len(name) < 100 and re.search(pattern, name):
                    return True
            except re.error:
                return True
    return False
