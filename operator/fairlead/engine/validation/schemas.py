"""Whether a JSON Schema is one (2020-12), and one that can be used within limits.

Beyond the standard's own rules a schema here may not be huge, refer to another document, switch to another dialect, or hold
patterns that could run for ever (`regexes.py`). Formats (`format: email`) are descriptions: nobody checks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fairlead.engine.validation import regexes
from fairlead.engine.validation.notes import Notes, shown
from fairlead.engine.validation.schema_words import words_of
from fairlead.model.documents import Path
from fairlead.model.wording import nearest_name

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_VALUES = 10_000
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ONE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """Something wrong with a schema, with its path inside the schema."""

    reason: str
    message: str
    path: Path
    key: bool = False


@dataclass(slots=True)
class _Walk:
    """What a walk over all subschemas found."""

    places: list[tuple[Path, dict[str, Any]]] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)


def check_inputs_schema(schema: Any, path: Path, notes: Notes) -> None:
    """Findings about `spec.inputs`, which describes an object."""
    _tell(schema_problems(schema), path, notes)
    kind = schema.get("type") if isinstance(schema, dict) else None
    if (isinstance(kind, str) and kind in _TYPES and kind != "object") or (
        isinstance(kind, list) and "object" not in kind
    ):
        message = (
            f"the inputs are always an object, and this schema wants {shown(kind)}; expected type: object"
        )
        notes.error("BadSchema", message, (*path, "type"))


def check_form_schema(schema: Any, path: Path, notes: Notes) -> None:
    """Findings about the `form` of an approval."""
    _tell(schema_problems(schema), path, notes)


def _tell(problems: list[SchemaProblem], path: Path, notes: Notes) -> None:
    for problem in problems:
        notes.error(problem.reason, problem.message, (*path, *problem.path), key=problem.key)


def schema_problems(schema: Any) -> list[SchemaProblem]:
    """All that is wrong with a schema."""
    if not isinstance(schema, dict):
        return []
    count = _count(schema)
    if count > MAX_VALUES:
        message = f"the schema has {count:,} values; expected at most {MAX_VALUES:,}"
        return [SchemaProblem("SchemaTooLarge", message, ())]
    problems = list(_by_the_standard(schema))
    wrong = {problem.path for problem in problems}
    walk = _walked(schema)
    for place, part in walk.places:
        problems += [problem for problem in _beyond(place, part, schema, walk) if problem.path not in wrong]
    return problems


def _count(schema: Any) -> int:
    count, todo = 0, [schema]
    while todo and count <= MAX_VALUES * 10:
        item = todo.pop()
        count += 1
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return count


@lru_cache(maxsize=1)
def _standard() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


def _by_the_standard(schema: dict[str, Any]) -> Iterator[SchemaProblem]:
    told: set[Path] = set()
    try:
        errors = list(_standard().iter_errors(schema))
    except RecursionError:
        yield SchemaProblem("SchemaTooLarge", "the schema is nested too deeply; expected less", ())
        return
    for error in errors:
        path = tuple(error.absolute_path)
        if path not in told:
            told.add(path)
            yield SchemaProblem("BadSchema", _standard_words(error, path), path)


def _standard_words(error: Any, path: Path) -> str:
    value = error.instance
    if path and path[-1] == "type" and isinstance(value, str):
        near = nearest_name(value, _TYPES)
        hint = f"did you mean {near}?" if near else f"expected one of {', '.join(_TYPES)}"
        return f"{shown(value)} is no type of JSON Schema; {hint}"
    where = f"{path[-1]} of " if path and isinstance(path[-1], str) else ""
    return f"{where}the schema is wrong: {words_of(error)}"


def _walked(schema: dict[str, Any]) -> _Walk:
    """All subschemas, with their paths; without recursion."""
    walk = _Walk()
    todo: list[tuple[Path, Any]] = [((), schema)]
    while todo:
        path, part = todo.pop()
        if not isinstance(part, dict):
            continue
        walk.places.append((path, part))
        walk.ids.add(id(part))
        for word in ("$anchor", "$dynamicAnchor"):
            if isinstance(part.get(word), str):
                walk.anchors.add(part[word])
        todo.extend(reversed(list(_inner(path, part))))
    return walk


def _inner(path: Path, part: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for word, value in part.items():
        if word in _ONE:
            yield (*path, word), value
        elif word in _LISTS and isinstance(value, list):
            yield from (((*path, word, index), each) for index, each in enumerate(value))
        elif word in _MAPS and isinstance(value, dict):
            yield from (((*path, word, name), each) for name, each in value.items())


def _beyond(path: Path, part: dict[str, Any], root: dict[str, Any], walk: _Walk) -> Iterator[SchemaProblem]:
    dialect = part.get("$schema")
    if isinstance(dialect, str) and dialect.rstrip("#") != DIALECT:
        message = f"{shown(dialect)} is another dialect; expected {DIALECT}, or no $schema"
        yield SchemaProblem("BadSchema", message, (*path, "$schema"))
    if path and "$id" in part:
        message = (
            "$id stands inside the schema, and nothing may be looked up elsewhere; expected no $id there"
        )
        yield SchemaProblem("BadSchema", message, (*path, "$id"), key=True)
    for word in ("$ref", "$dynamicRef"):
        if isinstance(part.get(word), str):
            yield from _reference(part[word], (*path, word), root, walk)
    if isinstance(part.get("pattern"), str):
        why = regexes.refusal(part["pattern"])
        if why:
            yield SchemaProblem(
                "BadSchema", f"the pattern {shown(part['pattern'])} cannot be used: {why}", (*path, "pattern")
            )
    patterns = part.get("patternProperties")
    for pattern in patterns if isinstance(patterns, dict) else ():
        why = regexes.refusal(pattern)
        if not why and regexes.risky(pattern):
            why = "a repetition stands inside a repetition; expected one that cannot run for ever"
        if why:
            message = f"the pattern {shown(pattern)} cannot be used: {why}"
            yield SchemaProblem("BadSchema", message, (*path, "patternProperties", pattern), key=True)


def _reference(reference: str, path: Path, root: dict[str, Any], walk: _Walk) -> Iterator[SchemaProblem]:
    if not reference.startswith("#"):
        message = f"{shown(reference)} refers to another document; expected a reference within the schema, as #/$defs/NAME"
        yield SchemaProblem("BadSchema", message, path)
        return
    if reference == "#" or reference[1:] in walk.anchors:
        return
    target = resolve(root, reference) if reference.startswith("#/") else None
    if isinstance(target, bool) or (isinstance(target, dict) and id(target) in walk.ids):
        return
    known = [f"#/{word}/{name}" for word in ("$defs", "definitions") for name in _names(root.get(word))]
    near = nearest_name(reference, known) if len(known) <= 1_000 else ""
    hint = f"did you mean {near}?" if near else "expected one as #/$defs/NAME"
    yield SchemaProblem("BadSchema", f"{shown(reference)} refers to no schema; {hint}", path)


def resolve(root: Any, reference: str) -> Any:
    """The part of the schema that a local `$ref` points to; None where it points nowhere."""
    place: Any = root
    for raw in reference.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict):
            place = place.get(step)
        elif isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        else:
            return None
    return place


def _names(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def without_dialect(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema without `$schema` and `$id`: they would switch to another validator, or to another base."""

    def copied(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        out: dict[str, Any] = {}
        for word, value in part.items():
            if word in _ONE:
                out[word] = copied(value)
            elif word in _LISTS and isinstance(value, list):
                out[word] = [copied(each) for each in value]
            elif word in _MAPS and isinstance(value, dict):
                out[word] = {name: copied(each) for name, each in value.items()}
            elif word not in ("$schema", "$id"):
                out[word] = value
        return out

    result: dict[str, Any] = copied(schema)
    return result
