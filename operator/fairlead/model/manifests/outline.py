"""Which fields a manifest has at a path: for the nearest known name, and for what a missing field is for."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fairlead.model.manifests.base import field_name


@cache
def fields(cls: Any) -> dict[str, Any]:
    """The fields of a manifest type by the manifest's names, with their Python types."""
    hints = get_type_hints(cls, include_extras=False)
    return {field_name(field.name): hints[field.name] for field in dataclasses.fields(cls)}


@cache
def description(cls: Any, field: str) -> str:
    """What a field is for, or an empty text."""
    info = {field_name(name): info for name, info in cls.__pydantic_fields__.items()}.get(field)
    return info.description or "" if info is not None else ""


def type_at(cls: Any, path: tuple[str | int, ...]) -> Any:
    """The manifest type of the object at a path, or None where any JSON is allowed."""
    found: Any = cls
    for step in path:
        found = _shape_in(found)
        if found is None:
            return None
        is_object = dataclasses.is_dataclass(found)
        found = fields(found).get(str(step)) if is_object else _item_of(found)
    found = _shape_in(found)
    return found if isinstance(found, type) and dataclasses.is_dataclass(found) else None


def _shape_in(hint: Any) -> Any:
    """The manifest type or container in a hint: `X | None` and `Literal | X` are X here."""
    if get_origin(hint) is Annotated:
        return _shape_in(get_args(hint)[0])
    if dataclasses.is_dataclass(hint) or get_origin(hint) in (tuple, dict):
        return hint
    return next((inner for part in get_args(hint) if (inner := _shape_in(part)) is not None), None)


def _item_of(hint: Any) -> Any:
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        return arguments[0] if arguments else None
    return arguments[1] if len(arguments) == 2 else None
