"""The CEL runtime: imported on first use (40 ms), one environment per set of local names, our functions declared in each.

Rules of this file: nothing else imports `cel_expr_python`. Environments are shared by all expressions and never change.

What was learnt about cel-expr-python 0.1.3, each with a test:
- A Python function is found only by the exact kinds of its arguments, so each is declared once per kind; `dyn` matches
  nothing.
- Declaring a parameter of kind `type` crashes the process when an optional value meets it.
- A function that returns a timestamp or duration makes `eval` raise; bytes, ints and JSON are fine.
- An error is a value of type ERROR whose Python form is a plain string.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fairlead.engine.expressions import functions, guards
from fairlead.engine.expressions.budget import called_by_cel

ROOTS = (
    "inputs", "vars", "computed", "nodes", "item", "index", "pass", "event", "execution", "workflow", "now", "outputs", "error",
)  # fmt: skip
"""The names that an expression may start with, wherever they make sense."""

ROOT_SET = frozenset(ROOTS)

MEMBERS: dict[str, tuple[Callable[..., Any], tuple[str, ...], str]] = {
    "sum": (functions.sum_, (), "DYN"),
    "min": (functions.min_, (), "DYN"),
    "max": (functions.max_, (), "DYN"),
    "avg": (functions.avg, (), "DOUBLE"),
    "sort": (functions.sort, (), "LIST"),
    "unique": (functions.unique, (), "LIST"),
    "flatten": (functions.flatten, (), "LIST"),
    "pluck": (functions.pluck, ("STRING",), "LIST"),
    "groupBy": (functions.group_by, ("STRING",), "MAP"),
    "sortBy": (functions.sort_by, ("STRING",), "LIST"),
    "zip": (functions.zip_, ("LIST",), "LIST"),
}
"""Functions in member form on a list: what runs, the kinds of the other arguments, the kind of the result."""

_ANY = ("LIST", "MAP", "INT", "UINT", "DOUBLE", "BOOL", "STRING", "BYTES", "TIMESTAMP", "DURATION", "NULL")

GLOBALS: dict[str, tuple[Callable[..., Any], tuple[tuple[str, ...], ...], str]] = {
    "range": (functions.range_, (("INT",),), "LIST"),
    "parseJson": (functions.parse_json, (("STRING",),), "DYN"),
    "toJson": (functions.to_json_text, tuple((kind,) for kind in _ANY), "STRING"),
    "hash": (functions.hash_, tuple((kind,) for kind in _ANY), "STRING"),
    "uuid": (functions.uuid, ((),), "STRING"),
}
"""Functions in call form: what runs, the argument kinds of each overload, the kind of the result."""


@lru_cache(maxsize=1)
def _cel() -> Any:
    from cel_expr_python import cel  # type: ignore[import-untyped]

    return cel


@lru_cache(maxsize=1)
def _extensions() -> list[Any]:
    from cel_expr_python.ext import ext_math, ext_optional, ext_strings  # type: ignore[import-untyped]

    return [ext_math.ExtMath(), ext_strings.ExtStrings(), ext_optional.ExtOptional()]


@lru_cache(maxsize=1)
def _declarations() -> list[Any]:
    cel = _cel()
    kinds = cel.Type
    dyn_list, dyn_map = kinds.List(kinds.DYN), kinds.Map(kinds.DYN, kinds.DYN)

    def kind(name: str) -> Any:
        return {"LIST": dyn_list, "MAP": dyn_map}.get(name) or getattr(kinds, name)

    def overload(
        name: str, run: Callable[..., Any], params: tuple[str, ...], gives: str, member: bool
    ) -> Any:
        label = "_".join(("fairlead", name, *params)).lower()
        return cel.Overload(
            label,
            return_type=kind(gives),
            parameters=[kind(each) for each in params],
            is_member=member,
            impl=called_by_cel(run),
        )

    declared = []
    for name, (run, params, gives) in MEMBERS.items():
        whole = overload(name, functions.charged(run), ("LIST", *params), gives, True)
        declared.append(cel.FunctionDecl(name, [whole]))
    paid = {name: (functions.charged(run), params, gives) for name, (run, params, gives) in GLOBALS.items()}
    for name, (run, signatures, gives) in (paid | guards.FUNCTIONS).items():
        overloads = [overload(name, run, params, gives, False) for params in signatures]
        declared.append(cel.FunctionDecl(name, overloads))
    return declared


@lru_cache(maxsize=64)
def environment(locals_: frozenset[str]) -> Any:
    """The environment in which the roots and these local names are known."""
    cel = _cel()
    kinds = cel.Type
    variables = dict.fromkeys((*ROOTS, *sorted(locals_)), kinds.DYN)
    variables |= {"now": kinds.TIMESTAMP, "index": kinds.INT}
    return cel.NewEnv(variables=variables, extensions=_extensions(), functions=_declarations())


@lru_cache(maxsize=16)
def plain_environment(names: frozenset[str]) -> Any:
    """The environment of the runner's conditions: CEL with its extensions, without functions of ours, and these names alone."""
    cel = _cel()
    return cel.NewEnv(variables=dict.fromkeys(sorted(names), cel.Type.DYN), extensions=_extensions())


def is_error(value: Any) -> bool:
    """True for a result that is an error. Asked only of those whose Python form is a string."""
    return bool(value.type() == _cel().Type.ERROR)


@lru_cache(maxsize=1)
def version() -> str:
    """The name and version of the runtime, recorded in each log."""
    from importlib import metadata

    return f"cel-expr-python {metadata.version('cel-expr-python')}"


def function_names() -> frozenset[str]:
    """Functions that a misspelt one may have meant."""
    return frozenset(MEMBERS) | frozenset(GLOBALS) | _BUILT_IN


_BUILT_IN = frozenset(
    (
        "all", "bool", "bytes", "charAt", "contains", "double", "duration", "dyn", "endsWith", "exists", "exists_one", "filter",
        "format", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds",
        "getMinutes", "getMonth", "getSeconds", "has", "hasValue", "indexOf", "int", "join", "lastIndexOf", "lowerAscii", "map",
        "matches", "optFlatMap", "optMap", "orValue", "replace", "reverse", "size", "split", "startsWith", "string", "substring",
        "timestamp", "trim", "type", "uint", "upperAscii", "value",
    )
)  # fmt: skip
