"""How every manifest type is made.

Rules of this package:
- A type is a frozen dataclass with slots, checked by pydantic: a graph of 100,000 nodes has 100,000 of them,
  and a slot costs 8 bytes where a pydantic `BaseModel` keeps a dictionary and a set per object.
- Attributes are snake_case, the manifest's fields camelCase; an attribute that would be a Python keyword
  ends in `_` (`if_` is `if`).
- Unknown fields are refused, numbers and booleans are never guessed from text.
- A refusal of our own is a `refusal(...)`: a CamelCase reason and one sentence; `shapes.py` words those of
  pydantic itself.
- Defaults stand here and in the field descriptions, never in the CRD schemas (semantics 39).
"""

from __future__ import annotations

from typing import Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def field_name(attribute: str) -> str:
    """The manifest's name of an attribute: `max_attempts` is `maxAttempts`, `if_` is `if`."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


# Types are built when first used: a command that reads no manifest does not pay for them.
_CONFIG = ConfigDict(alias_generator=field_name, populate_by_name=True, extra="forbid", defer_build=True)
_LENIENT = ConfigDict(alias_generator=field_name, populate_by_name=True, extra="ignore", defer_build=True)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def shape(cls: type[T]) -> type[T]:
    """Makes a manifest type: what a person writes."""
    return cast("type[T]", dataclass(cls, frozen=True, slots=True, kw_only=True, config=_CONFIG))


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def reported(cls: type[T]) -> type[T]:
    """Makes a status type: what the operator writes; fields of a newer release are passed over."""
    return cast("type[T]", dataclass(cls, frozen=True, slots=True, kw_only=True, config=_LENIENT))


def replaced(value: T, **changes: Any) -> T:
    """A copy with other attributes, taken as they are (`dataclasses.replace` would parse durations again)."""
    cls: Any = type(value)
    copy: T = object.__new__(cls)
    for name in cls.__slots__:
        object.__setattr__(copy, name, changes.pop(name) if name in changes else getattr(value, name))
    if changes:
        raise TypeError(f"{cls.__name__} has no attribute {min(changes)!r}")
    return copy


def refusal(reason: str, sentence: str, fields: tuple[str, ...] = ()) -> PydanticCustomError:
    """What a validator raises: a CamelCase reason and a sentence with the value and what was expected.

    `fields` are those of which exactly one is wanted, for whoever mends the data.
    """
    return PydanticCustomError(reason, "{sentence}", {"sentence": sentence, "fields": fields})


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message shows it, on one line and cut."""
    text = repr(value) if isinstance(value, str) else _plain(value)
    if len(text) <= limit:
        return text
    quote = text[0] if isinstance(value, str) else ""
    return f"{text[: limit - 3 - len(quote)]}...{quote}"


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{k}: ..." for k in list(value)[:4]) + (", ..." if len(value) > 4 else "") + "}"
        )
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return str(value)


def one_sentence(expected: str, reason: str = "WrongType") -> WrapValidator:
    """Collapses the errors of a union into one that says what was expected."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise refusal(reason, f"{shown(value)} is not allowed here; expected {expected}") from None

    return WrapValidator(check)


def exactly_one(owner: str, given: dict[str, object], reason: str = "ExactlyOneWanted") -> None:
    """Refuses an object that has none or several of the fields of which it needs one."""
    present = [name for name, value in given.items() if value is not None]
    if len(present) != 1:
        got = "none of them" if not present else " and ".join(present)
        expected = ", ".join(given)
        raise refusal(reason, f"{owner} has {got}; expected exactly one of {expected}", tuple(given))
