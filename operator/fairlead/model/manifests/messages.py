"""The kinds that bring something in from outside: WorkflowEvent and WorkflowApproval."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead.model.manifests.base import shape
from fairlead.model.manifests.metadata import Metadata
from fairlead.model.manifests.scalars import Json, JsonObject, ObjectName, Positive, Text, Time, Word
from fairlead.model.manifests.status import IntakeStatus


@shape
class EventSpec:
    """CloudEvents attributes and data."""

    id: Word = Field(description="Unique for its source.")
    source: Word = Field(description="Where it happened.")
    type: Word = Field(description="What happened, such as order.shipped.")
    subject: Text | None = Field(default=None, description="What it is about.")
    time: Time | None = Field(
        default=None, description="When it happened. Default: when the object was created."
    )
    data_content_type: Text | None = Field(
        default=None, description="Media type of data. Default application/json."
    )
    data_schema: Text | None = Field(default=None, description="Address of the schema of data.")
    data: Json = Field(default=None, description="Any JSON.")
    extensions: JsonObject = Field(default={}, description="Extension attributes.")


@shape
class WorkflowEvent:
    """Something that happened outside: starts runs, wakes waits."""

    api_version: Literal["fairlead.dev/v1alpha1"] = Field(
        default="fairlead.dev/v1alpha1", description="API version."
    )
    kind: Literal["WorkflowEvent"] = Field(default="WorkflowEvent", description="Kind.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: EventSpec = Field(description="What happened.")
    status: IntakeStatus | None = Field(default=None, description="What came of it.")


@shape
class ExecutionRef:
    """One execution, not another of the same name."""

    name: ObjectName = Field(description="Name of the execution.")
    uid: Word = Field(description="Uid of the execution.")


@shape
class ApprovalSpec:
    """One person's decision on one approval; immutable."""

    execution: ExecutionRef = Field(description="The execution.")
    node: Word = Field(description="Instance id of the approval node.")
    attempt: Positive = Field(description="Attempt of the node.")
    digest: Word = Field(description="Digest of what was asked.")
    role: Word = Field(description="Role in which the person decides.")
    decision: Literal["approved", "rejected"] = Field(description="approved or rejected.")
    user: Word = Field(description="The person; must be who creates the object.")
    reason: Text | None = Field(default=None, description="Why.")
    values: JsonObject | None = Field(default=None, description="Values of the approval's form.")


@shape
class WorkflowApproval:
    """One person's decision on one approval."""

    api_version: Literal["fairlead.dev/v1alpha1"] = Field(
        default="fairlead.dev/v1alpha1", description="API version."
    )
    kind: Literal["WorkflowApproval"] = Field(default="WorkflowApproval", description="Kind.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: ApprovalSpec = Field(description="The decision.")
    status: IntakeStatus | None = Field(default=None, description="What came of it.")
