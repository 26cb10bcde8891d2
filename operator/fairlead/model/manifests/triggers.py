"""What starts executions, and who is told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from fairlead.model.manifests.base import exactly_one, shape
from fairlead.model.manifests.scalars import (
    Bool,
    Cel,
    Duration,
    NodeName,
    ObjectName,
    Template,
    Templates,
    Word,
)


@shape
class Schedule:
    """A time table."""

    cron: Word = Field(description="Cron expression of five fields.")
    time_zone: Word = Field(default="UTC", description="IANA time zone. Default UTC.")
    overlap: Literal["queue", "skip", "replace"] = Field(
        default="queue",
        description="What a fire does while a run is still going: queue, skip or replace. Default queue.",
    )
    catch_up: Duration = Field(
        default=0,
        description="How old a missed fire may be and still start a run. Default 0: missed fires are left.",
    )


@shape
class EventTrigger:
    """Events that start a run."""

    type: Word = Field(description="Type of the event; * stands for any text.")
    source: Word | None = Field(
        default=None, description="Source of the event; * stands for any text. Default: any."
    )
    when: Cel | None = Field(default=None, description="CEL condition over event. Default: every event.")
    dedupe: Template | None = Field(
        default=None,
        description="Text over event that is the same for the same fire. Default: source and id.",
    )


@shape
class SecretKey:
    """A key of a Secret."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: Word = Field(default="secret", description="Key in the Secret. Default secret.")


@shape
class Webhook:
    """A path on the operator's HTTP endpoint."""

    path: Word = Field(description="Path of the address.")
    secret_ref: SecretKey | None = Field(default=None, description="Key of the HMAC-SHA256 signature.")
    when: Cel | None = Field(default=None, description="CEL condition over event. Default: every call.")


@shape
class Trigger:
    """Starts an execution; `manual` is always there."""

    name: NodeName = Field(description="Name, unique in the workflow.")
    schedule: Schedule | None = Field(default=None, description="At times.")
    event: EventTrigger | None = Field(default=None, description="On events.")
    webhook: Webhook | None = Field(default=None, description="On HTTP calls.")
    inputs: Templates = Field(default={}, description="Inputs of the run, with ${ cel } over event.")
    suspend: Bool = Field(default=False, description="true stops the trigger. Default false.")

    @model_validator(mode="after")
    def _one_cause(self) -> Trigger:
        exactly_one(
            f"trigger {self.name}", {"schedule": self.schedule, "event": self.event, "webhook": self.webhook}
        )
        return self


@shape
class Notification:
    """Tells people about executions."""

    on: tuple[Literal["failed", "waiting", "finished"], ...] = Field(
        min_length=1, description="When: failed, waiting, finished."
    )
    secret: ObjectName = Field(description="Name of the Secret whose key url is the target.")
    title: Template | None = Field(default=None, description="Title, with ${ cel }.")
    body: Template | None = Field(
        default=None, description="Text, with ${ cel }. Default: the status in one line."
    )
