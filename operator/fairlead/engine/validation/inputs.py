"""The inputs of an execution against the schema of its workflow, before anything starts.

Rules of this file: the schema is JSON Schema 2020-12, checked by `jsonschema`; formats are not checked; nothing is looked up
elsewhere. Work is counted, so that no schema and no value can hold the process up: patterns are matched by RE2, unique items by
their canonical form. At most 20 findings. What is not given and has a default has that. Numbers become ints and doubles as the
schema says (semantics 36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from fairlead.engine.expressions import ExpressionError
from fairlead.engine.expressions.numbers import normalise
from fairlead.engine.expressions.values import canonical
from fairlead.engine.validation import regexes
from fairlead.engine.validation.defaults import with_defaults
from fairlead.engine.validation.schema_words import wanted_by, words_of
from fairlead.engine.validation.schemas import schema_problems, without_dialect
from fairlead.model.documents import Path, path_text
from fairlead.model.findings import Finding
from fairlead.model.manifests.base import shown
from fairlead.model.wording import nearest_name

MAX_FINDINGS = 20
MAX_STEPS = 300_000
_REASON = "InputsInvalid"
Problem = tuple[Path, str]


class _TooMuch(Exception):
    """Checking takes more steps than it may."""


def check_inputs(
    schema: dict[str, Any] | None, inputs: dict[str, Any]
) -> tuple[dict[str, Any], list[Finding]]:
    """The inputs with the schema's defaults, ints and doubles as it wants them, and what is wrong with them.

    If there is a finding the inputs come back as they were.
    """
    return _settled(schema, inputs, input_problems(schema, inputs))


def fit_inputs(schema: dict[str, Any] | None, inputs: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """As `check_inputs`, for a schema that was found to be one: looking at the schema costs much more than at the inputs."""
    return _settled(schema, inputs, problems_against(schema, inputs))


def _settled(
    schema: dict[str, Any] | None, inputs: dict[str, Any], problems: list[Problem]
) -> tuple[dict[str, Any], list[Finding]]:
    if problems:
        return inputs, [
            Finding("error", _REASON, message, path_text(("inputs", *path))) for path, message in problems
        ]
    normal: dict[str, Any] = normalise(with_defaults(inputs, schema), schema)
    return normal, []


def input_problems(schema: dict[str, Any] | None, inputs: Any) -> list[Problem]:
    """What is wrong with the inputs: the path within them, and a sentence."""
    wrong = schema_problems(schema) if schema is not None else []
    if wrong:
        return [((), f"the schema of the inputs cannot be used: {wrong[0].message}")]
    return problems_against(schema, inputs)


def problems_against(schema: dict[str, Any] | None, inputs: Any, max_steps: int = MAX_STEPS) -> list[Problem]:
    """As `input_problems`, for a schema that was found to be one."""
    if not isinstance(inputs, dict):
        return [((), f"{shown(inputs)} stands for the inputs; expected an object")]
    inputs = with_defaults(inputs, schema)
    try:
        normalise(inputs, schema)
    except ValueError as error:
        return [((), str(error))]
    if schema is None:
        return []
    return _against(schema, inputs, max_steps)


def _against(schema: dict[str, Any], inputs: dict[str, Any], max_steps: int) -> list[Problem]:
    found: list[Problem] = []
    try:
        for error in _validator(without_dialect(schema), max_steps).iter_errors(inputs):
            problem = (tuple(error.absolute_path), words_of(error))
            if problem not in found:
                found.append(problem)
            if len(found) == MAX_FINDINGS:
                break
    except (_TooMuch, RecursionError, ExpressionError):
        message = "checking the inputs against their schema takes too long; expected a simpler schema or fewer values"
        return [*found[: MAX_FINDINGS - 1], ((), message)]
    return sorted(found, key=lambda problem: path_text(problem[0]))


def _validator(schema: dict[str, Any], max_steps: int) -> Any:
    cls, steps = _validator_class()
    steps[0] = max_steps
    return cls(schema)


Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]


@lru_cache(maxsize=1)
def _validator_class() -> tuple[Any, list[int]]:
    """The validator with our keywords, each counted; and how many steps are left."""
    from jsonschema import Draft202012Validator, validators

    steps = [0]

    def counted(keyword: Keyword) -> Keyword:
        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            steps[0] -= 1
            if steps[0] < 0:
                raise _TooMuch
            return keyword(validator, value, instance, schema)

        return check

    keywords = {**Draft202012Validator.VALIDATORS, **_OWN_KEYWORDS}
    extend: Any = validators.extend
    return extend(Draft202012Validator, {name: counted(keyword) for name, keyword in keywords.items()}), steps


def _required(_: Any, names: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for name in names if isinstance(instance, dict) else ():
        if name not in instance:
            yield _error(_missing(name, instance, schema))


def _pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[Any]:
    if isinstance(instance, str) and not regexes.matches(wanted, instance):
        yield _error(f"{shown(instance)} does not fit; expected text that matches {wanted}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Iterator[Any]:
    for name, value in instance.items() if isinstance(instance, dict) else ():
        for pattern, inner in patterns.items():
            if regexes.matches(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rest: Any, instance: Any, schema: Any) -> Iterator[Any]:
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items() if isinstance(instance, dict) else ():
        if name in known or any(regexes.matches(each, name) for each in patterns):
            continue
        if rest is False:
            yield _error(_unexpected(name, known))
        else:
            yield from validator.descend(value, rest, path=name)


def _unique_items(_: Any, wanted: Any, instance: Any, __: Any) -> Iterator[Any]:
    seen: dict[str, int] = {}
    for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
        first = seen.setdefault(canonical(_whole(item)), index)
        if first != index:
            yield _error(f"items {first} and {index} are both {shown(item)}; expected each item once")
            return


_OWN_KEYWORDS: dict[str, Keyword] = {
    "required": _required,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}


def _error(message: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(message)


def _missing(name: str, instance: dict[str, Any], schema: Any) -> str:
    near = nearest_name(
        name, [other for other in list(instance)[:200] if other not in schema.get("properties", {})]
    )
    hint = f", and {near} is not known" if near else ""
    properties = schema.get("properties", {})
    wanted = wanted_by(properties.get(name)) or "a value"
    return f"{name} is missing{hint}; expected {wanted} under that name"


def _unexpected(name: str, known: dict[str, Any]) -> str:
    near = nearest_name(name, list(known)[:200])
    names = ", ".join(list(known)[:12]) or "no field at all"
    hint = f"did you mean {near}?" if near else f"expected {names}"
    return f"{name!r} is not known here; {hint}"


def _whole(value: Any) -> Any:
    """The value with 1.0 as 1, which JSON Schema calls equal."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value
