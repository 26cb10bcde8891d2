"""Inputs from the command line: `-i key=value` and `--inputs FILE`.

Rules of this file
- The schema says what a value is: where it wants text, `-i version=1.10` is text. Without a schema, or where it leaves the type
  open, the value is read as YAML: `-i n=3` is a number, `-i xs=[1,2]` a list, `-i n='"3"'` text.
- A value that does not fit is handed on as it is: the schema check knows best how to say so.
- `-i` is laid over `--inputs`, and that over the inputs that a WorkflowExecution brings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fairlead.apps.cli.sources import read_text
from fairlead.model.documents import read_documents
from fairlead.model.errors import InvalidInput

Json = dict[str, Any]

_DEEP = 32
"""How many references of a schema are followed in a row."""


def gathered(pairs: Iterable[str], file: Path | None, brought: Json, schema: Json | None) -> Json:
    """All inputs together. Raises InvalidInput."""
    found = dict(brought)
    if file is not None:
        found.update(from_file(file))
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise InvalidInput(f"-i {pair}: expected key=value")
        found[key] = typed(text, kinds_of(schema, key))
    return found


def from_file(file: Path) -> Json:
    """The object in a file of inputs, YAML or JSON; `-` is stdin."""
    documents, findings = read_documents(read_text(file, "--inputs "), str(file))
    wrong = next((finding for finding in findings if finding.severity == "error"), None)
    if wrong is not None:
        raise InvalidInput(f"--inputs {file}, line {wrong.line}: {wrong.message}")
    if len(documents) != 1 or not isinstance(documents[0].data, dict):
        raise InvalidInput(f"--inputs {file}: expected one object with the inputs by name")
    found: Json = documents[0].data
    return found


def typed(text: str, kinds: frozenset[str]) -> Any:
    """The value of a text where these JSON types are wanted (none: any)."""
    if kinds == {"string"}:
        return text
    value = yaml_value(text)
    if "string" in kinds and _kind(value) not in kinds:
        return text
    return value


def yaml_value(text: str) -> Any:
    """The value of a YAML scalar, list or object on one line; what is none of these is text."""
    stripped = text.strip()
    if not stripped:
        return text
    collection = stripped[0] in "[{"
    documents, findings = read_documents(f"value: {stripped}\n")
    if any(finding.severity == "error" for finding in findings) or len(documents) != 1:
        return _refused_number(stripped) if findings and not collection else text
    data = documents[0].data
    value = data.get("value") if isinstance(data, dict) and len(data) == 1 else text
    if isinstance(value, (dict, list)):
        return value if collection else text
    if isinstance(value, str):
        return value if stripped[0] in "\"'" else text
    return text if value is None and stripped.lower() not in ("null", "~") else value


def _refused_number(text: str) -> Any:
    """A number that JSON or 64 bits cannot hold is kept as a number, so that it is refused and not taken for text."""
    try:
        return int(text) if len(text) < 4_000 else text
    except ValueError:
        return text


def kinds_of(schema: Json | None, key: str) -> frozenset[str]:
    """The JSON types that a schema allows for an input; empty if it leaves them open."""
    if schema is None:
        return frozenset()
    properties = schema.get("properties")
    wanted = properties.get(key) if isinstance(properties, dict) else None
    return frozenset(_kinds(schema, wanted, _DEEP))


def _kinds(root: Json, schema: Any, deep: int) -> Iterator[str]:
    if not isinstance(schema, dict) or not deep:
        return
    kind = schema.get("type")
    if isinstance(kind, str):
        yield from _wider(kind)
    elif isinstance(kind, list):
        for each in kind:
            yield from _wider(str(each))
    elif "$ref" in schema:
        yield from _kinds(root, _resolved(root, str(schema["$ref"])), deep - 1)
    elif "const" in schema or "enum" in schema:
        for value in schema.get("enum", [schema.get("const")]):
            yield from _wider(_kind(value))
    else:
        for word in ("anyOf", "oneOf"):
            for each in schema.get(word, ()):
                yield from _kinds(root, each, deep - 1)


def _resolved(root: Json, reference: str) -> Any:
    """What a reference within the schema leads to."""
    found: Any = root
    if not reference.startswith("#"):
        return None
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _wider(kind: str) -> tuple[str, ...]:
    return ("integer", "number") if kind == "number" else (kind,)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for cls, kind in (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
    ):
        if isinstance(value, cls):
            return kind
    return "object"
