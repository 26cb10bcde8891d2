"""What it takes to begin a run: a spec that makes sense, a Workflow that can run, inputs that fit.

Rules of this file
- Nothing is started before all of it is known to be right; what is wrong is a Waiting with reason and sentence, shown in status.
- What somebody may still mend (a Workflow that is missing) is waited for; what can never fit is stalled, and said to be.
- Whoever begins a run, or takes up one that goes on, holds it by our finalizer first.
- Whoever begins it pins the definition before the event that names its digest is appended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from fairlead.engine import expressions
from fairlead.engine.conditions import FALSE, TRUE, UNKNOWN, condition, conditions
from fairlead.engine.summary import cut
from fairlead.engine.validation import check_inputs
from fairlead.kube import executions as intake
from fairlead.kube.client import EXECUTIONS, Client, Right
from fairlead.kube.executions import Execution
from fairlead.kube.kinship import parent_of, wanted_of
from fairlead.kube.log.reading import ExecutionGone
from fairlead.kube.workflows import Bundle, Unusable, Workflows
from fairlead.model import commands as c
from fairlead.model import reasons, shown
from fairlead.model import state as s
from fairlead.model.children import Parent
from fairlead.model.documents import path_text
from fairlead.model.manifests import ExecutionSpec, WorkflowExecution, parse_manifest
from fairlead.model.times import format_time, parse_time
from fairlead.model.wording import problems_of

TEXT = 8 * 1024
"""Bytes of a message in a condition."""


class Waiting(Exception):
    """A run that cannot begin, or go on, as things are; `stalled` if it will not by itself."""

    def __init__(
        self, reason: str, message: str, *, stalled: bool = True, kind: str = shown.EXECUTION
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.stalled = stalled
        self.kind = kind


class Beginning(NamedTuple):
    """What a run begins with: what it is pinned to, and the command that begins it."""

    bundle: Bundle
    create: c.Create


def spec_of(execution: Execution) -> ExecutionSpec:
    """The spec, as the model understands it. Raises Waiting."""
    about = {"apiVersion": EXECUTIONS.api_version, "kind": EXECUTIONS.kind}
    whole = {**about, "metadata": {"name": execution.metadata.name}, "spec": execution.spec}
    try:
        manifest = parse_manifest(whole)
    except ValidationError as wrong:
        found = [f"{path_text(each.path)}: {each.message}" for each in problems_of(wrong, WorkflowExecution)]
        raise Waiting(reasons.SPEC_INVALID, _all_of(found)) from wrong
    assert isinstance(manifest, WorkflowExecution)
    return manifest.spec


async def beginning_of(
    execution: Execution, spec: ExecutionSpec, workflows: Workflows, parent: Parent | None, wish: c.Wish
) -> Beginning:
    """What an execution is to begin with. Raises Waiting, Unavailable."""
    about = execution.metadata
    name, generation = "", 0
    try:
        if spec.workflow is not None:
            name = spec.workflow.name
            found = await workflows.get(about.namespace, name)
            definition, generation = found.spec, found.generation
        else:
            definition = await workflows.definition(about.namespace, execution.spec["definition"])
        bundle = await workflows.bundle(about.namespace, definition)
    except Unusable as wrong:
        missing = wrong.reason == reasons.WORKFLOW_NOT_FOUND
        raise Waiting(wrong.reason, str(wrong), stalled=not missing, kind=shown.WORKFLOW) from wrong
    inputs, findings = check_inputs(definition.inputs, dict(spec.inputs))
    if findings:
        raise Waiting(reasons.INPUTS_INVALID, _all_of([f"{each.path}: {each.message}" for each in findings]))
    create = c.Create(
        name=about.name,
        uid=about.uid,
        workflow=name,
        generation=generation,
        digest=bundle.digest,
        runtime=expressions.RUNTIME_VERSION,
        inputs=inputs,
        priority=spec.priority or 0,
        timeout=spec.timeout,
        wish=wish,
        parent=parent,
    )
    return Beginning(bundle, create)


async def held_again(
    client: Client, execution: Execution, state: s.State, wish: Callable[[], c.Wish]
) -> None:
    """Put our finalizer back on a run that goes on: it was redriven, imported, or released while nobody was there.

    Raises ExecutionGone, Unavailable.
    """
    there: Execution | None = execution
    if state.ended:
        if not _is_redriven(state, wish):
            return
        there = await intake.fetched(
            client, execution.place
        )  # what was seen is perhaps from before it was let go
    if there is None or await intake.hold(client, there) is None:
        about = execution.metadata
        raise ExecutionGone(f"{about.namespace}/{about.name} was deleted before it went on")


def _is_redriven(state: s.State, wish: Callable[[], c.Wish]) -> bool:
    """Whether a run that has ended is to go on; a spec that makes no sense any more changes nothing."""
    with contextlib.suppress(Waiting):
        return wish().redrive > state.redrive
    return False


def pending_status(execution: Execution, waiting: Waiting, now: int) -> dict[str, Any]:
    """The status of a run that has not begun."""
    return {
        "phase": s.PENDING,
        "conditions": trouble(waiting, now, execution.metadata.generation),
        "observedGeneration": execution.metadata.generation,
        "createdAt": execution.metadata.creation_timestamp,
        "waitingFor": waits_for(waiting, now),
    }


def given_up(execution: Execution, now: int) -> s.State | None:
    """How a run that cannot begin ends if it is not wanted any more, by its spec or by its parent; None if it is."""
    wanted = wanted_of(execution.metadata.annotations)
    cancel = execution.spec.get(
        "cancel"
    )  # read by hand: perhaps the spec makes no sense, which is why it cannot begin
    if isinstance(cancel, Mapping):
        reason = cancel.get("reason")
    elif wanted.stop:
        reason = wanted.stop_reason
    else:
        return None
    return unbegun(execution, now, reason if isinstance(reason, str) else "")


def is_given_up(execution: Execution) -> bool:
    """Whether a run that has no log was shown as cancelled: that is latched, whatever its spec says by now, but for a redrive."""
    redrive = execution.spec.get("redrive") or wanted_of(execution.metadata.annotations).redrive
    return execution.status.phase == s.CANCELLED and execution.status.log is None and not redrive


def unbegun(execution: Execution, now: int, reason: str = "") -> s.State:
    """The end of a run that never began."""
    return s.State(
        name=execution.metadata.name,
        uid=execution.uid,
        phase=s.CANCELLED,
        reason=reason,
        created_at=parse_time(execution.metadata.creation_timestamp),
        finished_at=now,
        parent=parent_of(execution.metadata),
    )


def cancelled_status(execution: Execution, end: s.State) -> dict[str, Any]:
    """The status of a run that has ended without having begun."""
    return {
        "phase": end.phase,
        "conditions": conditions(end, execution.metadata.generation),
        "observedGeneration": execution.metadata.generation,
        "createdAt": execution.metadata.creation_timestamp,
        "finishedAt": format_time(end.finished_at),
    }


def waits_for(waiting: Waiting, now: int) -> list[dict[str, Any]]:
    """The entry of `waitingFor` that says the same."""
    message = cut(waiting.message, 1024)
    return [{"kind": waiting.kind, "name": waiting.reason, "since": format_time(now), "message": message}]


def trouble(waiting: Waiting, now: int, generation: int) -> list[dict[str, Any]]:
    """The conditions of a run that does not move: kstatus calls it Failed if it is stalled, else InProgress."""
    stalled = TRUE if waiting.stalled else FALSE
    table = (
        (shown.READY, FALSE),
        (shown.RECONCILING, FALSE if waiting.stalled else TRUE),
        (shown.STALLED, stalled),
        (shown.SUCCEEDED, UNKNOWN),
    )
    message, since = cut(waiting.message, TEXT), format_time(now)
    return [condition(kind, status, waiting.reason, message, since, generation) for kind, status in table]


def unpermitted(missing: Sequence[tuple[Right, int]], generation: int) -> dict[str, Any]:
    """The condition that says which rights the operator lacks (and since when, in microseconds)."""
    named = "; ".join(str(right) for right, _ in missing)
    message = cut(f"the operator lacks the right to {named}: what needs it waits or is left out", TEXT)
    since = format_time(min(since for _, since in missing))
    return condition(shown.PERMITTED, FALSE, reasons.FORBIDDEN, message, since, generation)


def _all_of(messages: Sequence[str]) -> str:
    more = f" (and {len(messages) - 20} more)" if len(messages) > 20 else ""
    return "; ".join(messages[:20]) + more
