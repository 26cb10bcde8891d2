"""What is said of a Workflow: its `status`, by the rules of kstatus, pure.

    what was found                             Ready   Reconciling   Stalled   reason             kstatus says
    it can run                                 True    False         False     Valid              Current
    a workflow that it runs inline is missing  False   True          False     WorkflowNotFound   InProgress
    it has an error                            False   False         True      WorkflowInvalid    Failed

Rules of this file
- All findings are told, errors first, as `path: message`; cut where a message has its limit, with how many more there are.
- A workflow that is started, and not run inline, may come later: that it is missing is a warning.
- `lastTransitionTime` is kept as long as the status of a condition is the same. Everything else follows from the object alone,
  so that the same object is never written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.engine.conditions import FALSE, TRUE, condition
from fairlead.model import reasons
from fairlead.model.findings import Finding
from fairlead.model.shown import READY, RECONCILING, STALLED
from fairlead.model.times import format_time, parse_time

Json = dict[str, Any]

MESSAGE = 32 << 10
"""Bytes of the message of Ready at most, which is what Kubernetes allows for one."""
BRIEF = 1 << 10
"""The same for the other conditions: whoever wants all of it reads Ready."""
_MORE = 40
"""Bytes that `; and N more` may take."""
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a Workflow. `reason` is Valid, WorkflowNotFound or WorkflowInvalid; `digest` is that of its spec.

    `missing` are the workflows that it runs inline and that are not there; `brief` is `message` cut shorter.
    """

    reason: str
    message: str
    brief: str
    digest: str = ""
    missing: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can run."""
        return self.reason == reasons.VALID


def verdict_of(findings: Sequence[Finding], missing: Sequence[str] = (), digest: str = "") -> Verdict:
    """The verdict on what was found, errors before warnings."""
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if errors:
        reason, missing = reasons.WORKFLOW_INVALID, ()
        head = f"the workflow cannot run, it has {count(errors, 'error')}"
        head += f" and {count(warnings, 'warning')}" if warnings else ""
    else:
        reason = reasons.WORKFLOW_NOT_FOUND if missing else reasons.VALID
        head = f"the workflow {_waits(missing)}" if missing else "the workflow can run"
        head += f", and has {count(warnings, 'warning')}" if warnings else ""
    return Verdict(
        reason, _joined(head, findings, MESSAGE), _joined(head, findings, BRIEF), digest, tuple(missing)
    )


def _waits(missing: Sequence[str]) -> str:
    what = "Workflow" if len(missing) == 1 else "Workflows"
    names = ", ".join(missing[:_LISTED]) + (", ..." if len(missing) > _LISTED else "")
    return f"waits for the {what} {names} of its namespace, to be run inline"


def status_of(verdict: Verdict, generation: int, before: Any, now: int) -> Json:
    """The parts of the status that are ours; `before` is the status that is there."""
    table = (
        (READY, verdict.ready, verdict.message),
        (RECONCILING, bool(verdict.missing), verdict.brief),
        (STALLED, verdict.reason == reasons.WORKFLOW_INVALID, verdict.brief),
    )
    known = {kind: each for each in _conditions(before) if isinstance(kind := each.get("type"), str)}
    return {
        "observedGeneration": generation,
        "digest": verdict.digest or None,
        "conditions": [
            condition(
                kind,
                TRUE if holds else FALSE,
                verdict.reason,
                message,
                _since(known.get(kind, {}), holds, now),
                generation,
            )
            for kind, holds, message in table
        ],
    }


def says_already(before: Any, wanted: Json) -> bool:
    """Whether a status says what is wanted, whenever that came to be."""
    if not isinstance(before, dict):
        return False
    same = all(before.get(key) == wanted[key] for key in ("observedGeneration", "digest"))
    return same and _timeless(_conditions(before)) == _timeless(wanted["conditions"])


def _since(before: Json, holds: bool, now: int) -> str:
    """When the status of a condition became what it is."""
    since = before.get("lastTransitionTime")
    if before.get("status") == (TRUE if holds else FALSE) and _is_time(since):
        return str(since)
    return format_time(now)


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse_time(value))
    except (ValueError, OverflowError):
        return False


def _conditions(status: Any) -> list[Json]:
    found = status.get("conditions") if isinstance(status, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _timeless(conditions: list[Json]) -> list[Json]:
    return [
        {key: value for key, value in each.items() if key != "lastTransitionTime"}
        for each in conditions
        if _is_time(each.get("lastTransitionTime"))
    ]


def _joined(head: str, findings: Sequence[Finding], limit: int) -> str:
    """The head and the findings behind it, as many as there is room for."""
    parts, room = [head], limit - _size(head) - _MORE
    for number, finding in enumerate(findings):
        said = _said(finding)
        if room < _size(said) + 2:
            left = len(findings) - number
            if number == 0:
                cut = said.encode()[: max(0, room - 5)].decode(errors="ignore")
                parts, left = [f"{head}: {cut}..."], left - 1
            if left:
                parts.append(f"and {left:,} more")
            break
        room -= _size(said) + 2
        if number == 0:
            parts = [f"{head}: {said}"]
        else:
            parts.append(said)
    return "; ".join(parts)


def _said(finding: Finding) -> str:
    kind = "" if finding.severity == "error" else "warning: "
    where = f"{finding.path}: " if finding.path else ""
    return f"{kind}{where}{finding.message}"


def _size(text: str) -> int:
    return len(text.encode())


def count(number: int, what: str) -> str:
    """`1 error`, `2,000 errors`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
