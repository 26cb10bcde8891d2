"""What is known of a value before it exists: its kinds, and what is within it.

A `Shape` comes from a JSON Schema (what an author declares) or from the type that CEL's checker found. Kinds are CEL's names
(`int`, `double`, `string`, `list`, …); a shape without kinds may be anything. Rules of this file: shapes are immutable, a
schema is looked into only as far as an expression goes, and whatever is not understood is `ANY`: a wrong error is worse than
none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.engine.expressions.numbers import Normaliser, Schema
from fairlead.engine.expressions.syntax import Type

_KINDS = {
    "string": "string",
    "boolean": "bool",
    "integer": "int",
    "number": "double",
    "null": "null",
    "array": "list",
    "object": "map",
}
_PYTHON_KINDS = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "double",
    list: "list",
    dict: "map",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A key of a map: what stands there, and how sure it is that there is such a key."""

    shape: Shape
    known: bool
    """Declared, or allowed by the schema without a word against it."""
    possible: bool = True
    """False where the schema forbids the key."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a value. `kinds` is None where it may be anything."""

    kinds: frozenset[str] | None = None
    element: Callable[[], Shape] | None = field(default=None, compare=False)
    """What a list holds."""
    member: Callable[[str], Member] | None = field(default=None, compare=False)
    """What stands under a key of a map."""
    names: tuple[str, ...] = ()
    """The keys that are declared."""
    allowed: tuple[Any, ...] = field(default=(), compare=False)
    """The only values there can be, if they are listed (`enum`)."""

    def only(self, *kinds: str) -> bool:
        """True where the value is surely of one of these kinds."""
        return self.kinds is not None and self.kinds <= set(kinds)

    def never(self, *kinds: str) -> bool:
        """True where the value is surely of none of these kinds."""
        return self.kinds is not None and not self.kinds & set(kinds)

    def elements(self) -> Shape:
        return self.element() if self.element is not None else ANY

    def key(self, name: str) -> Member:
        return self.member(name) if self.member is not None else Member(ANY, known=True)

    def __str__(self) -> str:
        return " or ".join(sorted(self.kinds)) if self.kinds else "anything"


ANY = Shape()


def of(*kinds: str) -> Shape:
    """The shape of these kinds, with nothing known of what is within."""
    return Shape(frozenset(kinds))


def list_of(element: Shape) -> Shape:
    """A list whose elements have a shape."""
    return Shape(frozenset(("list",)), element=lambda: element)


def map_of(members: Mapping[str, Shape]) -> Shape:
    """A map with exactly these keys."""

    def member(name: str) -> Member:
        return (
            Member(members[name], known=True) if name in members else Member(ANY, known=False, possible=False)
        )

    return Shape(frozenset(("map",)), member=member, names=tuple(members))


def values_of(value: Shape) -> Shape:
    """A map with any keys, whose values have a shape."""
    return Shape(frozenset(("map",)), member=lambda _: Member(value, known=True))


def join(left: Shape, right: Shape) -> Shape:
    """What is known of a value that is one or the other."""
    if left is right:
        return left
    if left.kinds is None or right.kinds is None:
        return ANY
    kinds = left.kinds | right.kinds
    element = (lambda: join(left.elements(), right.elements())) if left.element and right.element else None
    if "list" in left.kinds and "list" not in right.kinds:
        element = left.element
    elif "list" in right.kinds and "list" not in left.kinds:
        element = right.element
    member = left.member if "map" not in right.kinds else right.member if "map" not in left.kinds else None
    names = left.names if member is left.member and member else right.names if member else ()
    return Shape(kinds, element, member, names)


def from_type(kind: Type) -> Shape:
    """The shape of what CEL's checker found."""
    if isinstance(kind, str):
        return ANY if kind == "dyn" else of(kind)
    if kind[0] == "list":
        return Shape(frozenset(("list",)), element=lambda: from_type(kind[1]))
    if kind[0] == "map":
        return Shape(frozenset(("map",)), member=lambda _: Member(from_type(kind[2]), known=True))
    if kind[0] == "optional":
        return Shape(frozenset(("optional",)), element=lambda: from_type(kind[1]))
    return of(str(kind[0]))


def from_schema(schema: Any, root: Schema | None = None) -> Shape:
    """The shape that a JSON Schema gives to a value; `root` is the schema that its references point into."""
    if not isinstance(schema, Mapping):
        return ANY
    return _SchemaShapes(root if root is not None else schema).shape([schema])


class _SchemaShapes:
    """Shapes of the places within one schema."""

    def __init__(self, root: Schema) -> None:
        self.schemas = Normaliser(root)

    def shape(self, schemas: list[Schema]) -> Shape:
        """The shape of a place for which all of these schemas hold."""
        parts = [each for schema in schemas for each in self.schemas.expand(schema)]
        kinds: frozenset[str] | None = None
        allowed: tuple[Any, ...] = ()
        for part in parts:
            said = _kinds(part)
            if said is not None:
                kinds = said if kinds is None else _both(kinds, said)
            if isinstance(part.get("enum"), list):
                allowed = tuple(part["enum"])
        if any(set(part) & {"anyOf", "oneOf", "if", "dependentSchemas", "not"} for part in parts):
            # One of several: what only one of them says is not known.
            return Shape(kinds, allowed=allowed)
        names = tuple(dict.fromkeys(name for part in parts for name in _properties(part)))
        return Shape(
            kinds or None, lambda: self.element(parts), lambda name: self.member(parts, name), names, allowed
        )

    def element(self, parts: list[Schema]) -> Shape:
        if any("prefixItems" in part for part in parts):
            return ANY
        inner = [part["items"] for part in parts if isinstance(part.get("items"), Mapping)]
        return self.shape(inner) if inner else ANY

    def member(self, parts: list[Schema], name: str) -> Member:
        found: list[Schema] = []
        known = not any(_properties(part) for part in parts)
        possible = True
        for part in parts:
            properties, patterns = _properties(part), part.get("patternProperties")
            matching = (
                [each for pattern, each in patterns.items() if _matches(pattern, name)]
                if isinstance(patterns, Mapping)
                else []
            )
            rest = part.get("additionalProperties")
            here = [properties[name]] if name in properties else matching
            if here:
                known = True
            elif rest is False:
                possible = False
            elif rest is not None:
                known = True
                here = [rest]
            found.extend(each for each in here if isinstance(each, Mapping))
        return Member(self.shape(found) if found else ANY, known=known and possible, possible=possible)


def _kinds(schema: Schema) -> frozenset[str] | None:
    said = schema.get("type")
    if isinstance(said, str):
        said = [said]
    if isinstance(said, list):
        kinds = frozenset(_KINDS.get(each, "?") if isinstance(each, str) else "?" for each in said)
        return None if "?" in kinds else kinds
    values = (
        schema["enum"]
        if isinstance(schema.get("enum"), list)
        else [schema["const"]]
        if "const" in schema
        else None
    )
    if values:
        kinds = frozenset(_PYTHON_KINDS.get(type(each), "?") for each in values)
        # 1 and 1.0 in an enum are the same JSON number: which one it becomes is not said here.
        return None if kinds & {"?", "double", "int"} else kinds
    return None


def _both(left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """The kinds that two schemas allow together; an integer is a number, and one that says `number` makes it a double."""
    together = left & right
    if ("int" in left and "double" in right) or ("double" in left and "int" in right):
        together |= {"double"}
    return together


def _properties(schema: Schema) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _matches(pattern: Any, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except (re.error, TypeError):
        return True  # not understood: say nothing against the name
