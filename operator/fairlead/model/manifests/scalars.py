"""The simple types of manifest fields: names, durations, times, quantities, expressions, free JSON.

A duration and a time are integers of microseconds here and text in the manifest. Free JSON is what semantics
36 lets in: integers within int64, no NaN or infinity, and a number with an integral value is an integer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from fairlead.model.manifests.base import refusal, shown
from fairlead.model.times import format_duration, format_time, parse_duration, parse_time

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
JSON_DEPTH = 100

NODE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
OBJECT_NAME_RULE = (
    "at most 253 lower-case letters, digits, dashes and dots, "
    "with a letter or digit at the ends and beside dots, and at most 63 between dots"
)
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?\Z")
DURATION_PATTERN = r"^(0|([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs))+)$"

NOT_A_NAME = frozenset({"in", "true", "false", "null"})
SCOPE_NAMES = frozenset(
    {
        "inputs",
        "vars",
        "computed",
        "nodes",
        "item",
        "index",
        "pass",
        "event",
        "execution",
        "workflow",
        "now",
        "outputs",
        "error",
    }
)
CEL_RESERVED = NOT_A_NAME | {
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
}


NAMES_UNCHECKED = "names unchecked"
"""Validation context that lets bad names pass: they were told, and what refers to them is checked too."""


def _checked(check: Callable[[str], str]) -> AfterValidator:
    def validate(text: str, info: ValidationInfo) -> str:
        return text if info.context == NAMES_UNCHECKED else check(text)

    return AfterValidator(validate)


def _node_name(text: str) -> str:
    if not NODE_NAME.match(text):
        raise refusal(
            "BadName",
            f"{shown(text)} is no name; expected at most 63 lower-case letters, digits and dashes "
            "that start with a letter and do not end with a dash",
        )
    if text in NOT_A_NAME:
        raise refusal("BadName", f"{shown(text)} cannot be a name, it means something else in expressions")
    return text


def _variable_name(text: str) -> str:
    if not VARIABLE_NAME.match(text):
        raise refusal(
            "BadName",
            f"{shown(text)} is no variable name; expected ASCII letters, digits and underscores "
            "that do not start with a digit",
        )
    if text in NOT_A_NAME:
        raise refusal("BadName", f"{shown(text)} cannot be a name, it means something else in expressions")
    return text


def _item_name(text: str) -> str:
    _variable_name(text)
    if text != "item" and (text in CEL_RESERVED or text in SCOPE_NAMES):
        raise refusal(
            "BadName", f"{shown(text)} cannot name the item, it means something else in expressions"
        )
    return text


def _object_name(text: str) -> str:
    if len(text) > 253 or not OBJECT_NAME.match(text):
        raise refusal(
            "BadName",
            f"{shown(text)} is no object name; expected {OBJECT_NAME_RULE}",
        )
    return text


def _env_name(text: str) -> str:
    if not ENV_NAME.match(text):
        raise refusal(
            "BadName",
            f"{shown(text)} is no name of an environment variable; expected ASCII letters, digits and underscores "
            "that do not start with a digit",
        )
    return text


def _duration(value: Any) -> int:
    if not isinstance(value, str):
        hint = (
            f", perhaps {value}s"
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0
            else ""
        )
        raise refusal(
            "BadDuration", f"{shown(value)} is no duration; expected text such as 90s, 1h30m or 500ms{hint}"
        )
    try:
        return parse_duration(value)
    except ValueError as error:
        raise refusal("BadDuration", str(error)) from None


def _positive_duration(value: int) -> int:
    if value <= 0:
        raise refusal("OutOfRange", "the duration is 0; expected more than 0")
    return value


def _time(value: Any) -> int:
    if not isinstance(value, str):
        raise refusal("BadTime", f"{shown(value)} is no time; expected RFC 3339 such as 2026-11-21T09:00:00Z")
    try:
        return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise refusal("BadTime", str(error)) from None


def _quantity(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not QUANTITY.match(text):
        raise refusal("BadQuantity", f"{shown(value)} is no quantity; expected such as 100m, 2 or 64Mi")
    return text


def check_json(value: Any) -> Any:
    """The value with integral floats made integers.

    Refuses what JSON or an int64 cannot hold, and nesting beyond 100.
    """
    return _check(value, 0)


def _check(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        if not INT64_MIN <= value <= INT64_MAX:
            raise refusal("NumberTooLarge", f"{shown(value)} does not fit into 64 bits; write it as text")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise refusal("NotJSON", f"{shown(value)} is no JSON number; expected a finite number")
        return int(value) if value.is_integer() and INT64_MIN <= value < INT64_MAX else value
    if depth >= JSON_DEPTH:
        raise refusal("TooDeep", f"the value is nested more than {JSON_DEPTH} deep; expected less")
    if kind is dict:
        return {_key(key): _check(item, depth + 1) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_check(item, depth + 1) for item in value]
    raise refusal(
        "NotJSON", f"a {kind.__name__} is no JSON value; expected text, number, boolean, list or object"
    )


def _key(key: Any) -> str:
    if type(key) is not str:
        raise refusal("BadKey", f"the key {shown(key)} is no text; write it in quotes")
    return key


def _whole(value: float) -> int | float:
    """A number as canonical JSON has it: 2.0 and 2 are the same manifest."""
    return int(value) if value.is_integer() else value


_ANY_SCHEMA = {"x-kubernetes-preserve-unknown-fields": True}
_OBJECT_SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_QUANTITY_SCHEMA = {"x-kubernetes-int-or-string": True}

Bool = Annotated[bool, Strict()]
Int = Annotated[int, Strict(), Field(ge=INT64_MIN, le=INT64_MAX)]
Count = Annotated[int, Strict(), Field(ge=0, le=INT64_MAX)]
Positive = Annotated[int, Strict(), Field(ge=1, le=1_000_000_000)]
Priority = Annotated[int, Strict(), Field(ge=-1_000_000_000, le=1_000_000_000)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False), PlainSerializer(_whole)]
Share = Annotated[float, Strict(), Field(ge=0, le=1), PlainSerializer(_whole)]

Text = Annotated[str, StringConstraints(strict=True)]
Word = Annotated[str, StringConstraints(strict=True, min_length=1)]
Template = Text
"""Text that may hold `${ cel }`."""
Cel = Annotated[str, StringConstraints(strict=True, min_length=1)]
"""A bare CEL expression."""

NodeName = Annotated[
    str,
    StringConstraints(strict=True),
    _checked(_node_name),
    WithJsonSchema({"type": "string", "maxLength": 63, "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"}),
]
VariableName = Annotated[str, StringConstraints(strict=True), _checked(_variable_name)]
ItemName = Annotated[str, StringConstraints(strict=True), _checked(_item_name)]
ObjectName = Annotated[
    str,
    StringConstraints(strict=True),
    _checked(_object_name),
    WithJsonSchema({"type": "string", "maxLength": 253}),
]
EnvName = Annotated[str, StringConstraints(strict=True), _checked(_env_name)]

Duration = Annotated[
    int,
    BeforeValidator(_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""Microseconds here, Go text (`1h30m`) in the manifest."""
PositiveDuration = Annotated[
    int,
    BeforeValidator(_duration),
    AfterValidator(_positive_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
Time = Annotated[
    int,
    BeforeValidator(_time),
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Microseconds since the epoch here, RFC 3339 in the manifest."""
Quantity = Annotated[str, BeforeValidator(_quantity), WithJsonSchema(_QUANTITY_SCHEMA)]
"""An amount of a Kubernetes resource, as text."""

Json = Annotated[Any, AfterValidator(check_json), WithJsonSchema(_ANY_SCHEMA)]
JsonObject = Annotated[dict[str, Any], AfterValidator(check_json), WithJsonSchema(_OBJECT_SCHEMA)]
Templates = Annotated[dict[VariableName, Any], AfterValidator(check_json), WithJsonSchema(_OBJECT_SCHEMA)]
"""Names that are read by dot in expressions, each with a template or any JSON."""
