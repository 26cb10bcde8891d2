"""What a JSON Schema says of a value that does not fit, in one sentence with the value and what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead.model.manifests.base import shown

_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "text",
}
_LISTED = 8


def words_of(error: Any) -> str:
    """The sentence for one `jsonschema.ValidationError`; those of our own keywords are sentences already."""
    if error.validator is None:
        return f"{shown(error.instance)} stands where nothing may; expected no value there"
    words = _WORDS.get(error.validator)
    if words is None:
        text = str(error.message)
        return text if len(text) <= 200 else text[:197] + "..."
    return words(error)


def _expected(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda error: f"{shown(error.instance)} does not fit; expected {text(error.validator_value)}"


def wanted_by(schema: Any) -> str:
    """What a schema wants, in a word or two: its types, or its values; empty where it says neither."""
    if not isinstance(schema, dict):
        return ""
    if isinstance(schema.get("enum"), list):
        return "one of " + ", ".join(map(shown, schema["enum"][:_LISTED]))
    kinds = schema.get("type", [])
    return " or ".join(
        _KINDS.get(kind, str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])
    )


def _type(error: Any) -> str:
    expected = wanted_by({"type": error.validator_value})
    value = error.instance
    what = "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else shown(value)
    return f"{what} stands here; expected {expected}"


def _enum(error: Any) -> str:
    values = error.validator_value
    listed = ", ".join(shown(value) for value in values[:_LISTED]) + (
        ", ..." if len(values) > _LISTED else ""
    )
    return f"{shown(error.instance)} is not allowed; expected one of {listed}"


def _size(what: str, relation: str) -> Callable[[Any], str]:
    def words(error: Any) -> str:
        return f"{what} is {len(error.instance)}; expected {relation} {error.validator_value}"

    return words


def _none_fits(error: Any) -> str:
    closest = min(error.context, key=lambda each: (-len(each.absolute_path), str(each.message)), default=None)
    why = f"; the nearest says: {words_of(closest)}" if closest is not None else ""
    return f"{shown(error.instance)} fits none of {len(error.validator_value)} alternatives{why}"


def _one_fits(error: Any) -> str:
    if error.context:
        return _none_fits(error)
    return f"{shown(error.instance)} fits several alternatives; expected exactly one"


_WORDS: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "enum": _enum,
    "const": _expected(shown),
    "minimum": _expected(lambda bound: f"at least {bound}"),
    "maximum": _expected(lambda bound: f"at most {bound}"),
    "exclusiveMinimum": _expected(lambda bound: f"more than {bound}"),
    "exclusiveMaximum": _expected(lambda bound: f"less than {bound}"),
    "multipleOf": _expected(lambda bound: f"a multiple of {bound}"),
    "minLength": _size("the length of the text", "at least"),
    "maxLength": _size("the length of the text", "at most"),
    "minItems": _size("the length of the list", "at least"),
    "maxItems": _size("the length of the list", "at most"),
    "minProperties": _size("the number of fields", "at least"),
    "maxProperties": _size("the number of fields", "at most"),
    "anyOf": _none_fits,
    "oneOf": _one_fits,
    "not": lambda error: f"{shown(error.instance)} is what the schema excludes; expected another value",
}
