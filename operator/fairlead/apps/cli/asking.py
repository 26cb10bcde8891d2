"""What an execution is asked for with: its inputs, checked, and the names that it may get."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairlead.apps.cli.failures import Refused, tell
from fairlead.apps.cli.values import gathered
from fairlead.model.errors import InvalidInput
from fairlead.model.findings import Finding

if TYPE_CHECKING:
    from fairlead.apps.cli.sources import Source

_OPEN = frozenset(
    {
        "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames",
        "allOf", "anyOf", "oneOf", "if", "dependentSchemas", "$ref", "$dynamicRef",
    }
)  # fmt: skip
"""Words of a schema that speak of more names than `properties` has."""

_LETTERS = "bcdfghjklmnpqrstvwxz"

Json = dict[str, Any]


def checked_inputs(source: Source, pairs: list[str], file: Path | None, done: str) -> tuple[Json, Json]:
    """The inputs as they were given, and as the schema makes them. Raises Refused; `done` is what was not done then.

    A name that the schema does not speak of is allowed, as everywhere in JSON Schema, and most often a misspelt one: a warning.
    """
    from fairlead.engine.validation import check_inputs

    brought = dict(source.asked.inputs) if source.asked is not None else {}
    schema = source.workflow.inputs
    given = gathered(pairs, file, brought, schema)
    found, wrong = check_inputs(schema, given)
    if len(wrong) > 1:
        raise Refused(wrong, f"the inputs have {len(wrong)} errors; nothing was {done}")
    if wrong:
        raise Refused((), f"{wrong[0].path}: {wrong[0].message}; nothing was {done}")
    tell(_unknown(schema, given))
    return given, found


def _unknown(schema: Json | None, given: Json) -> list[Finding]:
    from fairlead.model.documents import path_text
    from fairlead.model.wording import nearest_name

    if schema is None or "properties" not in schema or not _OPEN.isdisjoint(schema):
        return []
    known = list(schema["properties"])
    found = []
    for name in given:
        if name not in known:
            near = nearest_name(name, known)
            hint = f"did you mean {near}?" if near else f"it names {', '.join(known) or 'none'}"
            message = f"the schema of the inputs has no property {name!r}; {hint}"
            found.append(Finding("warning", "UnknownProperty", message, path_text(("inputs", name))))
    return found


def names_of(source: Source, name: str | None) -> list[str]:
    """What the execution may be called: one name that was given, or several that were drawn. Raises InvalidInput."""
    from fairlead.model.manifests.base import shown
    from fairlead.model.manifests.scalars import OBJECT_NAME, OBJECT_NAME_RULE

    if name is not None:
        if len(name) > 253 or not OBJECT_NAME.match(name):
            raise InvalidInput(
                f"{shown(name)} cannot name an execution; expected {OBJECT_NAME_RULE}", "BadName"
            )
        return [name]
    base = source.name
    if source.execution is not None:
        metadata = source.execution.metadata
        if metadata.name is not None:
            return [metadata.name]
        base = metadata.generate_name or source.name
    letters = ("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
    return [f"{base.rstrip('-.')[:240]}-{drawn}" for drawn in letters]
