"""What the expressions in a text say: what is wrong with them, what they read, what they call.

Rules of this file: equal texts are looked at once. The types given to the names of the scope are what this release surely puts
there; what a run brings (outputs, variables, items) may be anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fairlead.engine.expressions.checks import Analysis, Problem, analyse_expression, analyse_template
from fairlead.engine.expressions.plain import for_runner
from fairlead.model import state

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}


def _fixed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_ERROR = _fixed(reason=_TEXT, message=_TEXT, exitCode={})
_STATUS = {
    "enum": [
        state.PENDING, state.READY, state.SCHEDULED, state.RUNNING, state.STOPPING, state.RETRYING, state.LOST,
        state.FALLBACK, state.SUCCEEDED, state.FAILED, state.SKIPPED, state.CANCELLED,
    ]
}  # fmt: skip
_PHASE = {"enum": ["Pending", "Running", "Suspended", "Compensating", "Succeeded", "Failed", "Cancelled"]}
_NODE = _fixed(
    outputs={"type": "object"},
    status=_STATUS,
    attempts=_NUMBER,
    startedAt=_TEXT,
    finishedAt=_TEXT,
    error=_ERROR,
)
_PASS = _fixed(index=_NUMBER, parent={"$ref": "#"})
TYPES: dict[str, Any] = {
    "nodes": {"type": "object", "additionalProperties": _NODE},
    "execution": _fixed(name=_TEXT, uid=_TEXT, phase=_PHASE, createdAt=_TEXT, startedAt=_TEXT),
    "workflow": _fixed(name=_TEXT, version={}, digest=_TEXT),
    "pass": _PASS,
    "error": _ERROR,
    "outputs": {"type": "object"},
}
"""What stands under the names of the scope, as JSON Schemas."""


class Formulas:
    """Reads the texts of one workflow."""

    def __init__(self, inputs: dict[str, Any] | None) -> None:
        self._types = {**TYPES, **({"inputs": inputs} if inputs is not None else {})}
        self._known: dict[tuple[str, str, frozenset[str]], Analysis] = {}

    def read(self, text: str, form: str, locals_: frozenset[str]) -> Analysis:
        """What is known of a text of one of the forms of `Field`."""
        key = (text, form, locals_)
        found = self._known.get(key)
        if found is None:
            found = self._analyse(text, form, locals_)
            unknown = _unknown_roots(found)
            if unknown:
                # What else is wrong shows once the unknown names count as known ones.
                rest = self._analyse(text, form, locals_ | unknown)
                references = tuple(each for each in rest.references if each.path[0] not in unknown)
                found = Analysis((*found.problems, *rest.problems), references, rest.calls)
            self._known[key] = found
        return found

    def _analyse(self, text: str, form: str, locals_: frozenset[str]) -> Analysis:
        # A type costs time to look at, and most texts name one or two roots.
        types = {name: schema for name, schema in self._types.items() if name in text and name not in locals_}
        if form == "template":
            return analyse_template(text, locals=locals_, types=types)
        if text.lstrip().startswith("${"):
            what = "computed" if form == "formula" else "a condition"
            message = f"{what} is bare CEL; expected the expression without ${{ and }}"
            return Analysis((Problem("error", "ExpressionInvalid", message, 0),), (), ())
        found = analyse_expression(text, locals=locals_, types=types, condition=form != "formula")
        return (
            replace(found, problems=(*found.problems, *for_runner(text, found, locals_)))
            if form == "runner"
            else found
        )


def _unknown_roots(analysis: Analysis) -> frozenset[str]:
    """The names that mean nothing, where nothing else keeps the text from being read; a dash in a name is another mistake."""
    problems = analysis.problems
    if any(each.reason != "UnknownName" or "." in (each.suggestion or "") for each in problems):
        return frozenset()
    return frozenset(each.name for each in problems if each.name.isidentifier())
