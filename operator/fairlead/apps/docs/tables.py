"""Tables of the documentation in Markdown: fields of manifest types, reasons, functions of expressions.

Rules of this file: what a table says stands in the code, in a description, a meaning or a docstring; nothing is said here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fairlead.engine.expressions.runtime import GLOBALS, MEMBERS
from fairlead.engine.graph import POD_KINDS
from fairlead.engine.validation.ports import OWN_PORTS
from fairlead.engine.validation.unsupported import KINDS
from fairlead.model.crd_schema import Schema, structural
from fairlead.model.manifests import nodes, policies, workflow
from fairlead.model.manifests.nodes import NODE_KINDS
from fairlead.model.manifests.scalars import DURATION_PATTERN
from fairlead.model.reasons import MEANINGS, NOT_RETRIED

_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false", "array": "list"}
_CEL = ("CEL", "A CEL")


def fields(names: Sequence[str]) -> str:
    """The fields of manifest types, inner ones by their dotted path; bodies and other nodes are not opened."""
    rows = [row for name in names for row in _fields_of(structural(_manifest_type(name)), "")]
    return _table(("field", "value", "what it is"), rows)


def common_fields(names: Sequence[str]) -> str:
    """The fields that every node may have: those of Node that are no kind. `names` narrows them."""
    schema = structural(nodes.Node)
    chosen = names or [name for name in schema["properties"] if name not in NODE_KINDS]
    properties = {name: {**schema["properties"][name], "properties": {}} for name in chosen}
    rows = _fields_of({**schema, "properties": properties}, "")
    return _table(("field", "value", "what it is"), rows)


def reasons(names: Sequence[str]) -> str:
    """Reasons with their meanings; all of them if none is named."""
    rows = [(f"`{name}`", MEANINGS[name]) for name in names or sorted(MEANINGS)]
    return _table(("reason", "meaning"), rows)


def not_retried(_: Sequence[str]) -> str:
    """Reasons that `retry` leaves alone."""
    return ", ".join(f"`{name}`" for name in sorted(NOT_RETRIED)) + "\n"


def kinds(_: Sequence[str]) -> str:
    """The node kinds that are run, each with its page, where it runs, its ports and what it is."""
    schema = structural(nodes.Node)
    rows = []
    for kind in NODE_KINDS:
        if kind not in KINDS:
            said = schema["properties"][kind]["description"].removeprefix("Kind: ")
            where = "runner" if kind in POD_KINDS else "engine"
            rows.append((f"[{kind}]({kind}.md)", where, _ports(kind), said[0].upper() + said[1:]))
    return _table(("kind", "where", "ports, default first", "what it is"), rows)


def _ports(kind: str) -> str:
    """The ports of a kind but `failed` and `ended`, which every kind has that has any."""
    if kind == "switch":
        return "the cases, default"
    return ", ".join(OWN_PORTS.get(kind, ("done",))) or "none"


def functions(_: Sequence[str]) -> str:
    """Our own functions of expressions, from their docstrings."""
    rows = [(f"`{_call('xs.' + name, params)}`", _said(run)) for name, (run, params, _) in MEMBERS.items()]
    rows += [(f"`{_call(name, given[0])}`", _said(run)) for name, (run, given, _) in GLOBALS.items()]
    return _table(("function", "gives"), rows)


def _manifest_type(name: str) -> Any:
    for module in (nodes, policies, workflow):
        if hasattr(module, name):
            return getattr(module, name)
    raise ValueError(f"{name!r} is no manifest type; expected one such as Http or Retry")


def _fields_of(schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    needed = schema.get("required", ())
    for name, inner in schema["properties"].items():
        value = f"{_value(inner)}, needed" if name in needed else _value(inner)
        yield f"`{prefix}{name}`", value, inner["description"]
        many = inner.get("type") == "array"
        below = inner["items"] if many else inner
        if below.get("properties"):
            yield from _fields_of(below, f"{prefix}{name}{'[]' if many else ''}.")


def _value(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("pattern") == DURATION_PATTERN:
        return "duration"
    if schema.get("type") == "string" and schema.get("description", "").startswith(_CEL):
        return "CEL"
    if schema.get("type") == "object":
        return "object"
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    return _WORDS.get(schema.get("type", ""), "any JSON")


_ARGUMENTS = {"STRING": '"a.b"', "LIST": "ys", "INT": "n"}


def _call(name: str, params: Iterable[str]) -> str:
    return f"{name}({', '.join(_ARGUMENTS.get(kind, 'x') for kind in params)})"


def _said(run: Any) -> str:
    return " ".join((inspect.getdoc(run) or "").split())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
