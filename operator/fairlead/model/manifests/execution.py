"""The WorkflowExecution kind: one run of a graph."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from fairlead.model.manifests.base import exactly_one, shape
from fairlead.model.manifests.metadata import Metadata
from fairlead.model.manifests.scalars import (
    Bool,
    Count,
    JsonObject,
    ObjectName,
    PositiveDuration,
    Priority,
    Text,
    Word,
)
from fairlead.model.manifests.status import ExecutionStatus
from fairlead.model.manifests.workflow import WorkflowSpec


@shape
class WorkflowRef:
    """A Workflow of the same namespace."""

    name: ObjectName = Field(description="Name of the Workflow.")


@shape
class Cancel:
    """The wish to end the run; latched once seen."""

    reason: Text | None = Field(default=None, description="Why.")
    force: Bool = Field(default=False, description="true skips compensation and finally. Default false.")


@shape
class ForkFrom:
    """The state of another execution from which this one starts."""

    execution: ObjectName = Field(description="Name of the execution.")
    seq: Count = Field(description="Sequence number of the last event taken over.")
    digest: Word | None = Field(default=None, description="Digest of the log up to there.")


@shape
class Migrate:
    """Moves a suspended run to another definition."""

    to: Literal["current"] = Field(
        default="current", description="current: the Workflow as it is now. Default current."
    )


@shape
class ExecutionSpec:
    """What to run, with what, and the wanted state."""

    workflow: WorkflowRef | None = Field(default=None, description="The Workflow to run; immutable.")
    definition: WorkflowSpec | None = Field(
        default=None, description="A whole Workflow spec instead; immutable."
    )
    inputs: JsonObject = Field(default={}, description="Inputs; immutable.")
    suspend: Bool = Field(default=False, description="true pauses, false resumes. Default false.")
    suspend_timeout: PositiveDuration | None = Field(
        default=None, description="Resumes by itself after this time. Default: never."
    )
    cancel: Cancel | None = Field(default=None, description="Ends the run; wins over suspend.")
    redrive: Count = Field(
        default=0, description="Raise it to run the failed nodes and what follows again. Default 0."
    )
    priority: Priority | None = Field(default=None, description="Higher goes first. Default: the workflow's.")
    timeout: PositiveDuration | None = Field(
        default=None, description="Longest time of the whole run. Default: the workflow's."
    )
    from_: ForkFrom | None = Field(default=None, description="Starts from another execution's state.")
    migrate: Migrate | None = Field(default=None, description="Moves a suspended run to another definition.")

    @model_validator(mode="after")
    def _one_graph(self) -> ExecutionSpec:
        exactly_one("the execution", {"workflow": self.workflow, "definition": self.definition})
        return self


@shape
class WorkflowExecution:
    """One run of a graph: inputs, wanted state, and all that is known of it."""

    api_version: Literal["fairlead.dev/v1alpha1"] = Field(
        default="fairlead.dev/v1alpha1", description="API version."
    )
    kind: Literal["WorkflowExecution"] = Field(default="WorkflowExecution", description="Kind.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: ExecutionSpec = Field(description="What to run and the wanted state.")
    status: ExecutionStatus | None = Field(default=None, description="All that is known of the run.")
