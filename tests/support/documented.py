"""Whether all that a status says is in the tables of docs/reasons.md."""

from __future__ import annotations

from typing import Any

from fairlead.model.reasons import MEANINGS
from fairlead.model.shown import CONDITION_REASONS, CONDITIONS, WAITS

NAMED = {"execution", "workflow", "log", "pod"}
"""Kinds of `waitingFor` whose name is a reason."""


def undocumented(status: dict[str, Any]) -> list[str]:
    """Conditions, reasons and kinds in a status of an execution or a Workflow that no table has; scripts make up their own."""
    own = status.get("error", {}).get("reason")
    known = {*MEANINGS, *CONDITION_REASONS, own}
    found = []
    for condition in status.get("conditions", ()):
        if condition["type"] not in CONDITIONS:
            found.append(f"condition {condition['type']}")
        if condition["reason"] not in known:
            found.append(f"reason {condition['reason']}")
    for waiting in status.get("waitingFor", ()):
        if waiting["kind"] not in WAITS:
            found.append(f"kind {waiting['kind']}")
        if waiting["kind"] in NAMED and waiting.get("name") not in MEANINGS:
            found.append(f"reason {waiting.get('name')}")
    return found
