"""Expressions: CEL where the API says so, and templates with `${ cel }` everywhere else.

    compile_expression, compile_condition   bare CEL                     -> Expression.evaluate(scope, seed)
    compile_template                        JSON with `${…}` in strings  -> Template.evaluate(scope, seed), .entries()
    numbers.normalise                       ints and doubles as a JSON Schema says
    checks.analyse_expression, _template    all that can be said of a text without running it

`scope` maps root names (`runtime.ROOTS` and the locals given at compile time) to values; it and all within may be lazy
mappings: only what an expression reads is ever looked up. `now` is an int of microseconds. An expression is a pure function
of the scope and the seed (which `uuid()` alone sees), takes at most about half a second, and gives plain JSON. Values
may be shared with the scope: neither side changes them. Importing this package does not import the CEL runtime; compiling the
first expression does.
"""

from __future__ import annotations

from fairlead.engine.expressions.errors import (
    ExpressionError,
    ExpressionResultTooLarge,
    ExpressionSyntaxError,
    ExpressionTooExpensive,
)
from fairlead.engine.expressions.expressions import Expression, compile_condition, compile_expression
from fairlead.engine.expressions.templates import Template, compile_template

__all__ = [
    "RUNTIME_VERSION",
    "Expression",
    "ExpressionError",
    "ExpressionResultTooLarge",
    "ExpressionSyntaxError",
    "ExpressionTooExpensive",
    "Template",
    "compile_condition",
    "compile_expression",
    "compile_template",
]


def __getattr__(name: str) -> str:
    # Reading package metadata takes as long as half of `fairlead --help`, so it waits until somebody asks.
    if name == "RUNTIME_VERSION":
        from fairlead.engine.expressions import runtime

        return runtime.version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
