"""Puts pydantic's errors into our words: a reason, a sentence with the value, the nearest known name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fairlead.model.documents import Path
from fairlead.model.findings import Severity
from fairlead.model.manifests.base import shown
from fairlead.model.manifests.outline import description, fields, type_at

_LISTED = 12
_ABOUT_SECRETS = frozenset({"auth", "envFrom", "files", "imagePullSecrets", "secret", "secretRef"})
"""Fields whose values say which Secret is meant. Some put the secret itself there: no message may carry it on, to statuses,
Events and logs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding that does not know yet where in the text it stands.

    `at_key`: it is about the key, not about the value. `nearest`: the field that was probably meant.
    `fields`: those of which exactly one is wanted.
    """

    reason: str
    message: str
    path: Path
    severity: Severity = "error"
    at_key: bool = False
    nearest: str = ""
    fields: tuple[str, ...] = ()


def problems_of(error: ValidationError, cls: Any) -> list[Problem]:
    """The problems in an error of a manifest of this type."""
    problems = [
        _problem(details, cls) for details in error.errors(include_url=False) if not _is_echo(details)
    ]
    meant = {(*problem.path[:-1], problem.nearest) for problem in problems if problem.nearest}
    return [problem for problem in problems if problem.reason != "MissingField" or problem.path not in meant]


def _is_echo(details: ErrorDetails) -> bool:
    """A list that pydantic calls too short because its items are wrong."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name that a misspelt one probably means, or an empty text."""
    return _nearest(name, tuple(known))


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    folded = {_folded(candidate): candidate for candidate in known}
    if _folded(name) in folded:
        return folded[_folded(name)]
    begin_alike = [candidate for candidate in folded if len(name) > 2 and candidate.startswith(_folded(name))]
    near = difflib.get_close_matches(_folded(name), list(folded), n=1, cutoff=_likeness(name))
    return folded[(near or begin_alike or [""])[0]] if near or len(begin_alike) == 1 else ""


def _likeness(name: str) -> float:
    """How alike another name has to be: two letters in three say something of a short one, and nothing of `retention`."""
    return 0.6 if len(name) < 6 else 0.7


def _folded(name: str) -> str:
    return re.sub("[-_ ]", "", name).lower()


def _problem(details: ErrorDetails, cls: Any) -> Problem:
    kind, path, value = details["type"], tuple(details["loc"]), details.get("input")
    context = details.get("ctx", {})
    is_key = path[-1:] == ("[key]",)
    if is_key:
        path = path[:-1]
    if kind == "unexpected_keyword_argument":
        return _unknown_field(path, cls)
    if kind == "missing":
        return _missing_field(path, cls)
    if "sentence" in context:
        at_key = is_key or kind == "MissingField"
        sentence = _discreet(context["sentence"], path, value)
        return Problem(kind, sentence, path, at_key=at_key, fields=tuple(context["fields"]))
    reason, words = _WORDS.get(kind, ("WrongType", _other))
    sentence = _discreet(words(value, {**context, "msg": details["msg"]}), path, value)
    return Problem(reason, sentence, path, at_key=is_key)


def _discreet(sentence: str, path: Path, value: Any) -> str:
    """The sentence without the value, where that may be a secret."""
    if _ABOUT_SECRETS.isdisjoint(path) or not isinstance(value, str):
        return sentence
    return sentence.replace(shown(value), f"a text of {len(value)} characters")


def _unknown_field(path: Path, cls: Any) -> Problem:
    name = str(path[-1])
    owner = type_at(cls, path[:-1]) if cls is not None else None
    known = list(fields(owner)) if owner is not None else []
    near = nearest_name(name, known)
    if near:
        expected = f"did you mean {near}?"
    else:
        expected = "expected one of " + ", ".join(known[:_LISTED]) + (", ..." if len(known) > _LISTED else "")
    message = f"{name!r} is no field of {_owner_name(path[:-1])}; {expected}"
    return Problem("UnknownField", message, path, at_key=True, nearest=near)


def _missing_field(path: Path, cls: Any) -> Problem:
    name = str(path[-1])
    owner = type_at(cls, path[:-1]) if cls is not None else None
    purpose = description(owner, name).partition(". ")[0].rstrip(".") if owner is not None else ""
    words = f"{name}: {purpose[0].lower()}{purpose[1:]}" if purpose else name
    return Problem(
        "MissingField", f"{_owner_name(path[:-1])} has no {name}; expected {words}", path, at_key=True
    )


def _owner_name(path: Path) -> str:
    """What the object at a path is called: `nodes[2]` is a node, `retry` is retry."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return "the manifest"
    if isinstance(path[-1], int):
        return _ITEMS.get(names[-1], f"an item of {names[-1]}")
    return names[-1]


_ITEMS = {
    "nodes": "a node",
    "finally": "a node",
    "connections": "a connection",
    "branches": "a branch",
    "cases": "a case",
    "triggers": "a trigger",
    "notifications": "a notification",
}


def _text(value: Any, _: dict[str, Any]) -> str:
    if isinstance(value, (bool, int, float)):
        return f'{shown(value)} is {_what(value)}; expected text, in quotes: "{shown(value)}"'
    return f"{_is(value)}; expected text"


def _typed(expected: str) -> Callable[[Any, dict[str, Any]], str]:
    def words(value: Any, _: dict[str, Any]) -> str:
        return f"{_is(value)}; expected {expected}"

    return words


def _bound(relation: str, key: str) -> Callable[[Any, dict[str, Any]], str]:
    def words(value: Any, context: dict[str, Any]) -> str:
        bound = context[key]
        shown_bound = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        return f"{shown(value)} is out of range; expected {relation} {shown_bound}"

    return words


def _choice(value: Any, context: dict[str, Any]) -> str:
    choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    near = nearest_name(value, choices) if isinstance(value, str) else ""
    hint = f", perhaps {near}" if near and len(choices) > 1 else ""
    expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return f"{shown(value)} is not allowed here; expected {expected}{hint}"


def _empty_text(_: Any, __: dict[str, Any]) -> str:
    return "the text is empty; expected at least one character"


def _too_few(_: Any, context: dict[str, Any]) -> str:
    return f"the list has {context['actual_length']} items; expected at least {context['min_length']}"


def _other(value: Any, context: dict[str, Any]) -> str:
    return f"{shown(value)} is not allowed here; {str(context['msg']).removeprefix('Input ')}"


def _what(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return "text" if isinstance(value, str) else "something else"


def _is(value: Any) -> str:
    """How a sentence about a value of the wrong type begins."""
    if isinstance(value, (dict, list, tuple)) or value is None:
        return f"{shown(value)} stands here"
    return f"{shown(value)} is {_what(value)}"


_INTEGER = ("WrongType", _typed("a whole number"))
_WORDS: dict[str, tuple[str, Callable[[Any, dict[str, Any]], str]]] = {
    "string_type": ("WrongType", _text),
    "int_type": _INTEGER,
    "int_from_float": _INTEGER,
    "int_parsing_size": _INTEGER,
    "float_type": ("WrongType", _typed("a number")),
    "finite_number": ("NotJSON", _typed("a finite number")),
    "bool_type": ("WrongType", _typed("true or false")),
    "dict_type": ("WrongType", _typed("an object")),
    "dataclass_type": ("WrongType", _typed("an object")),
    "tuple_type": ("WrongType", _typed("a list")),
    "literal_error": ("UnknownValue", _choice),
    "string_too_short": ("EmptyText", _empty_text),
    "too_short": ("TooFew", _too_few),
    "greater_than_equal": ("OutOfRange", _bound("at least", "ge")),
    "greater_than": ("OutOfRange", _bound("more than", "gt")),
    "less_than_equal": ("OutOfRange", _bound("at most", "le")),
    "less_than": ("OutOfRange", _bound("less than", "lt")),
}
