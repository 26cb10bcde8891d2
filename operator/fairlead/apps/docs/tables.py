"""Tables of the documentation in Markdown: fields of manifest types, reasons, conditions, functions of expressions, metrics.

Rules of this file: what a table says stands in the code, in a description, a meaning or a docstring; nothing is said here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from fairlead.apps.metrics.catalogue import METRICS
from fairlead.engine.expressions.runtime import GLOBALS, MEMBERS
from fairlead.engine.graph import POD_KINDS
from fairlead.engine.validation.placement import has_place
from fairlead.engine.validation.ports import OWN_PORTS
from fairlead.engine.validation.unsupported import KINDS, NODE_FIELDS
from fairlead.kube.notices import notes
from fairlead.model import shown
from fairlead.model.crd_schema import Schema, structural
from fairlead.model.manifests import nodes, policies, workflow
from fairlead.model.manifests.nodes import NODE_KINDS
from fairlead.model.manifests.outline import description, type_at
from fairlead.model.manifests.scalars import DURATION_PATTERN
from fairlead.model.reasons import MEANINGS, NOT_RETRIED

_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true, false",
    "array": "list",
}
_CEL = ("CEL", "A CEL")


def fields(names: Sequence[str]) -> str:
    """The fields of manifest types, inner ones by their dotted path; bodies and other nodes are not opened."""
    rows = [row for name in names for row in _fields_of(structural(_manifest_type(name)), "")]
    return _table(("field", "value", "what it is"), rows)


def common_fields(_: Sequence[str]) -> str:
    """The fields that every node may have: those of Node that are no kind."""
    schema = structural(nodes.Node)
    properties = {
        name: {**inner, "description": inner["description"] + _not_yet(name), "properties": {}}
        for name, inner in schema["properties"].items()
        if name not in NODE_KINDS
    }
    rows = _fields_of({**schema, "properties": properties}, "")
    return _table(
        ("field", "value", "on", "what it is"),
        ((field, value, _homes(field.strip("`")), said) for field, value, said in rows),
    )


def _homes(field: str) -> str:
    """The kinds on which a common field does something."""
    without = [kind for kind in NODE_KINDS if kind not in KINDS and not has_place(field, kind)]
    if not without:
        return "every kind"
    having = [kind for kind in NODE_KINDS if kind not in KINDS and kind not in without]
    return ", ".join(having) if len(having) <= len(without) else f"all but {', '.join(without)}"


def _not_yet(field: str) -> str:
    """What this release does not run; a retry is refused for containers alone."""
    return " Not run yet." if field in NODE_FIELDS and field != "retry" else ""


def reasons(names: Sequence[str]) -> str:
    """Reasons with their meanings; all of them if none is named."""
    rows = [
        (f"`{name}`", MEANINGS[name] + ("; not retried" if name in NOT_RETRIED else ""))
        for name in names or sorted(MEANINGS)
    ]
    return _table(("reason", "meaning"), rows)


def conditions(_: Sequence[str]) -> str:
    """The types of conditions."""
    return _meanings("condition", shown.CONDITIONS)


def condition_reasons(_: Sequence[str]) -> str:
    """Reasons of conditions that are no reasons of failures."""
    return _meanings("reason", shown.CONDITION_REASONS)


def waits(_: Sequence[str]) -> str:
    """The kinds of what a run waits for."""
    return _meanings("kind", shown.WAITS)


def notices(_: Sequence[str]) -> str:
    """The Kubernetes Events about an execution."""
    rows = [
        (
            "why it is held" if event.__name__ == "DeliveryHeld" else f"`{event.__name__}`",
            told.kind,
            told.meaning,
        )
        for event, told in sorted(notes.TOLD.items(), key=lambda row: row[0].__name__)
    ]
    rows.append((f"`{notes.LOG_FROZEN}`", notes.WARNING, notes.FROZEN_MEANS))
    rows.append(("why it cannot begin", notes.WARNING, notes.NOT_BEGUN_MEANS))
    return _table(("reason", "type", "meaning"), rows)


def _meanings(what: str, meanings: dict[str, str]) -> str:
    return _table((what, "meaning"), ((f"`{name}`", said) for name, said in meanings.items()))


def kinds(_: Sequence[str]) -> str:
    """The node kinds that are run, each with its page, where it runs, its ports and what it is; then those that are not yet."""
    rows = []
    for kind in NODE_KINDS:
        if kind not in KINDS:
            where = "runner" if kind in POD_KINDS else "engine"
            rows.append((f"[{kind}]({kind}.md)", where, _ports(kind), _kind_said(kind)))
    table = _table(("kind", "where", "ports, default first", "what it is"), rows)
    later = " and ".join(f"`{kind}`" for kind in KINDS)
    return f"{table}\nNot run yet, but validated: {later}.\n" if later else table


def _kind_said(kind: str) -> str:
    """The docstring of the kind's type, else the description of the field."""
    shape = type_at(nodes.Node, (kind,))
    if shape is not None:
        return _said(shape)
    said = description(nodes.Node, kind).removeprefix("Kind: ")
    return said[0].upper() + said[1:]


def _ports(kind: str) -> str:
    """The ports of a kind but `failed` and `ended`, which every kind has that has any."""
    if kind == "switch":
        return "the cases, default"
    return ", ".join(OWN_PORTS.get(kind, ("done",))) or "none"


def functions(_: Sequence[str]) -> str:
    """Our own functions of expressions, from their signatures and docstrings."""
    rows = [(f"`xs.{name}({_arguments(run, 1)})`", _said(run)) for name, (run, _, _) in MEMBERS.items()]
    rows += [(f"`{name}({_arguments(run, 0)})`", _said(run)) for name, (run, _, _) in GLOBALS.items()]
    return _table(("function", "gives"), rows)


def metrics(_: Sequence[str]) -> str:
    """Every metric of the operator, with the bounds of the buckets of those that have them."""
    rows = []
    for metric in METRICS:
        bounds = ", ".join(f"{bound:g}" for bound in metric.buckets)
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        said = f"{metric.said} Buckets: {bounds}." if bounds else metric.said
        rows.append((f"`{metric.name}`", metric.kind, labels, said))
    return _table(("metric", "type", "labels", "what it says"), rows)


def _arguments(run: Callable[..., Any], own: int) -> str:
    """The names of the arguments; the first `own` stand before the dot."""
    return ", ".join(list(inspect.signature(run).parameters)[own:])


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
    if "{atLeast: n}" in schema.get("description", ""):
        return "text or object"
    return _WORDS.get(schema.get("type", ""), "any JSON")


def _said(run: Any) -> str:
    return " ".join((inspect.getdoc(run) or "").split())


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
