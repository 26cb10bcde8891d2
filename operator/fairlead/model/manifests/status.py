"""What the operator reports in `status`; nobody writes it by hand, so unknown fields are passed over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fairlead.model.manifests.base import reported
from fairlead.model.manifests.scalars import Count, Json, JsonObject, Text, Time

Phase = Literal["Pending", "Running", "Suspended", "Compensating", "Succeeded", "Failed", "Cancelled"]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]


@reported
class Condition:
    """A Kubernetes condition."""

    type: Text = Field(description="Ready, Reconciling, Stalled, Succeeded, ...")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: Text = Field(default="", description="CamelCase reason.")
    message: Text = Field(default="", description="One sentence.")
    last_transition_time: Time | None = Field(default=None, description="When the status last changed.")
    observed_generation: Count | None = Field(default=None, description="Generation it speaks of.")


@reported
class NodeError:
    """What failed, and why."""

    node: Text | None = Field(default=None, description="Instance id of the node.")
    path: Text | None = Field(default=None, description="Id of the path.")
    attempt: Count | None = Field(default=None, description="Attempt, 1 is the first.")
    reason: Text = Field(description="CamelCase reason of the documented list.")
    message: Text = Field(default="", description="One sentence.")
    exit_code: Annotated[int, Field(strict=True)] | None = Field(
        default=None, description="Exit code of the process."
    )
    causes: tuple[JsonObject, ...] = Field(default=(), description="Errors that led to this one.")


@reported
class Progress:
    """How far it is, counted in node instances known so far."""

    total: Count = Field(default=0, description="Instances known so far.")
    done: Count = Field(default=0, description="Succeeded.")
    running: Count = Field(default=0, description="Running.")
    failed: Count = Field(default=0, description="Failed.")
    skipped: Count = Field(default=0, description="Skipped.")
    percent: Percent = Field(default=0, description="(done + failed + skipped) / total.")
    seconds_left: Count | None = Field(default=None, description="Estimate; absent if unknown.")


@reported
class PathStatus:
    """One thread of the run."""

    id: Text = Field(description="Hierarchical id, such as 0.1.3.")
    status: Text = Field(description="Running, Waiting, Completed, Failed, Joined, Cancelled.")
    node: Text | None = Field(default=None, description="Current node.")
    started_at: Time | None = Field(default=None, description="When it started.")
    finished_at: Time | None = Field(default=None, description="When it ended.")
    error: NodeError | None = Field(default=None, description="What failed.")


@reported
class WaitingFor:
    """Why it is not moving."""

    kind: Text = Field(description="approval, event, timer, guard, quota, unschedulable, ...")
    node: Text | None = Field(default=None, description="Instance id of the node.")
    name: Text | None = Field(default=None, description="Of the guard, event type, pod.")
    since: Time | None = Field(default=None, description="Since when.")
    until: Time | None = Field(default=None, description="Until when at most.")
    message: Text = Field(default="", description="One sentence.")


@reported
class LogStatus:
    """Where the events are."""

    sequence: Count = Field(default=0, description="Sequence number of the last event.")
    segments: Count = Field(default=0, description="Closed segments.")
    checkpoint: Count | None = Field(default=None, description="Sequence number of the last checkpoint.")
    retired_at: Time | None = Field(
        default=None, description="When retention removed the log; this status is all that is left."
    )


@reported
class PinnedWorkflow:
    """The definition that the execution runs, whatever happens to the Workflow later."""

    name: Text | None = Field(
        default=None, description="Name of the Workflow; absent for an inline definition."
    )
    generation: Count | None = Field(default=None, description="Generation of the Workflow.")
    digest: Text = Field(description="sha256 of the canonical spec.")


@reported
class ExecutionStatus:
    """All that is known of one run."""

    phase: Phase = Field(default="Pending", description="Phase of the run.")
    conditions: tuple[Condition, ...] = Field(
        default=(), description="Ready, Reconciling, Stalled, Succeeded."
    )
    progress: Progress | None = Field(default=None, description="How far it is.")
    paths: tuple[PathStatus, ...] = Field(
        default=(), description="Active ones first, at most 50; the log has all."
    )
    waiting_for: tuple[WaitingFor, ...] = Field(default=(), description="Why it is not moving.")
    variables: JsonObject = Field(default={}, description="Variables; large ones as digest and size.")
    outputs: JsonObject = Field(default={}, description="Outputs; large ones as digest and size.")
    result: Text | None = Field(default=None, description="Result of finish; absent without one.")
    error: NodeError | None = Field(default=None, description="What failed.")
    compensation: Literal["Completed", "Partial", "Failed"] | None = Field(
        default=None, description="How the compensation ended."
    )
    observed_generation: Count | None = Field(default=None, description="Generation it speaks of.")
    created_at: Time | None = Field(default=None, description="When it was created.")
    started_at: Time | None = Field(default=None, description="When it started.")
    finished_at: Time | None = Field(default=None, description="When it ended.")
    more: JsonObject | None = Field(
        default=None,
        description="How many paths, waits, variables and outputs were left out; absent if none.",
    )
    log: LogStatus | None = Field(default=None, description="Where the events are.")
    workflow: PinnedWorkflow | None = Field(default=None, description="What it is pinned to.")


@reported
class WorkflowStatus:
    """What the operator says of a Workflow."""

    observed_generation: Count | None = Field(default=None, description="Generation it speaks of.")
    digest: Text | None = Field(default=None, description="sha256 of the canonical spec.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Ready, Reconciling, Stalled.")
    triggers: tuple[JsonObject, ...] = Field(default=(), description="Last and next fire of each trigger.")


@reported
class IntakeStatus:
    """What the operator says of an event or an approval."""

    observed_generation: Count | None = Field(default=None, description="Generation it speaks of.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Accepted, with the reason if not.")
    executions: tuple[Text, ...] = Field(default=(), description="Executions that it started or woke.")


@reported
class GuardStatus:
    """Who holds a guard, and who waits."""

    observed_generation: Count | None = Field(default=None, description="Generation it speaks of.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Ready, Stalled.")
    state: Text | None = Field(default=None, description="State of the breaker: Closed, Open or HalfOpen.")
    holders: tuple[JsonObject, ...] = Field(default=(), description="Who holds it.")
    queue: tuple[JsonObject, ...] = Field(default=(), description="Who waits.")
    details: Json = Field(default=None, description="Tokens, calls in the window, retries.")
