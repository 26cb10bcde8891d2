"""Conditions that the runner evaluates (`expect`, `success`, `failure`): plain CEL, without what this package adds to it.

The runner has CEL with the extensions for strings, math and optionals. It lacks our functions, and the leniency with which
`comparisons.py` lets numbers of two kinds be compared. Rule of this file: what is told here would fail the node in the runner.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairlead.engine.expressions import diagnosis, runtime
from fairlead.engine.expressions.checks import Analysis, Problem

_INSTEAD = {
    "min": "math.least(...)",
    "max": "math.greatest(...)",
    "unique": "exists_one(...) or size()",
    "range": "a list written out",
}
_ELSEWHERE = "an `if` node after this one, which reads its outputs"


def for_runner(source: str, analysis: Analysis, names: frozenset[str]) -> Iterator[Problem]:
    """What the runner could not evaluate in a condition over these names, of which the rest is known to be good."""
    ours = frozenset(runtime.MEMBERS) | frozenset(runtime.GLOBALS)
    found = [call for call in analysis.calls if call.path[0] in ours]
    for call in found:
        name = call.path[0]
        instead = f"{_INSTEAD[name]}, or {_ELSEWHERE}" if name in _INSTEAD else _ELSEWHERE
        message = (
            f"{name}() is a function of Fairlead's own, which the runner does not have; expected {instead}"
        )
        yield Problem("error", "UnknownFunction", message, call.offset, name=name)
    foreign = any(each.path[0] not in names for each in analysis.references)
    if found or foreign or not analysis.ok:
        return
    try:
        runtime.plain_environment(names).compile(source)
    except (RuntimeError, TypeError, ValueError) as error:
        for wrong in diagnosis.syntax_errors(source, str(error), names, runtime.function_names() - ours):
            mixed = "it compares an int with a double; write both alike, or double(...)"
            cause = mixed if wrong.reason == "TypeMismatch" else wrong.message
            message = f"the runner, which has plain CEL, cannot evaluate this: {cause}"
            yield Problem("error", wrong.reason, message, wrong.offset)
