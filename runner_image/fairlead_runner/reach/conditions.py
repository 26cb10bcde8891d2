"""Conditions in CEL over what came back: `expect` of http, `success` and `failure` of resource.

They are the CEL of the API with its extensions (optionals, strings, math), without the functions of Fairlead's own, which need
the engine. Rule of this file: the runtime is imported when a condition needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairlead_runner.reach.failures import Failed

_MISSING = ("Key not found in map", "no such key", "Index error", "No value", "optional.none()")


class Condition:
    """A compiled condition over some names."""

    def __init__(self, source: str, names: tuple[str, ...], field: str) -> None:
        from cel_expr_python import cel  # type: ignore[import-untyped]
        from cel_expr_python.ext import ext_math, ext_optional, ext_strings  # type: ignore[import-untyped]

        self._field = field
        self._source = source
        self._error_type = cel.Type.ERROR
        extensions = [ext_math.ExtMath(), ext_strings.ExtStrings(), ext_optional.ExtOptional()]
        environment = cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=extensions)
        try:
            self._program = environment.compile(source)
        except RuntimeError as error:
            raise self._failed(str(error).partition("\n")[0]) from None

    def holds(self, values: Mapping[str, Any], *, patient: bool = False) -> bool:
        """True or false. Where one is `patient`, a field that is not there yet counts as false."""
        result = self._program.eval(data=dict(values))
        value = result.plain_value()
        if result.type() == self._error_type:
            said = str(value)
            if patient and any(text in said for text in _MISSING):
                return False
            raise self._failed(said)
        if not isinstance(value, bool):
            raise self._failed(f"it gives {value!r:.80}; expected true or false")
        return value

    def _failed(self, said: str) -> Failed:
        return Failed("ExpressionError", f"{self._field} `{self._source:.200}`: {said}")
