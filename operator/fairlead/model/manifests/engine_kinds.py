"""The node kinds that the engine does by itself, but for those with bodies (`nodes.py`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from fairlead.model.manifests.base import exactly_one, refusal, shape, shown
from fairlead.model.manifests.scalars import (
    Bool,
    Cel,
    Json,
    JsonObject,
    NodeName,
    Positive,
    PositiveDuration,
    Template,
    Templates,
    Word,
)

RESERVED_PORTS = ("default", "failed", "ended")


@shape
class Log:
    """A message in the event log."""

    message: Template = Field(description="The message, with ${ cel }.")
    level: Literal["info", "warning", "error"] = Field(
        default="info", description="info, warning or error. Default info."
    )


@shape
class Case:
    """One way out of a switch: the value equals, or the condition holds."""

    name: NodeName = Field(description="Name of the port.")
    equals: Json = Field(default=None, description="Value that the switch's value must equal.")
    when: Cel | None = Field(default=None, description="CEL condition.")

    @model_validator(mode="after")
    def _one_test(self) -> Case:
        if self.name in RESERVED_PORTS:
            ports = ", ".join(RESERVED_PORTS)
            raise refusal("ReservedName", f"a case cannot be named {self.name}; expected none of {ports}")
        exactly_one(f"case {self.name}", {"equals": self.equals, "when": self.when})
        return self


@shape
class Switch:
    """The first case that fits; ports are the cases' names and default."""

    value: Json = Field(default=None, description="Value that cases with equals look at, with ${ cel }.")
    cases: tuple[Case, ...] = Field(min_length=1, description="Cases in order; the first that fits is taken.")

    @model_validator(mode="after")
    def _cases_fit(self) -> Switch:
        seen: set[str] = set()
        for case in self.cases:
            if case.name in seen:
                raise refusal(
                    "DuplicateName", f"two cases are named {shown(case.name)}; expected each name once"
                )
            seen.add(case.name)
            if case.when is None and self.value is None:
                raise refusal(
                    "MissingField", f"case {case.name} has equals, and the switch has no value to compare"
                )
        return self


@shape
class EventFilter:
    """Which events wake a wait."""

    type: Word = Field(description="Type of the event; * stands for any text.")
    source: Word | None = Field(
        default=None, description="Source of the event; * stands for any text. Default: any."
    )
    match: Cel | None = Field(default=None, description="CEL condition over event. Default: every event.")


@shape
class Wait:
    """Waits for a time or an event. Outputs: event."""

    for_: PositiveDuration | None = Field(default=None, description="How long.")
    until: Word | None = Field(default=None, description="Until when: RFC 3339, with ${ cel }.")
    event: EventFilter | None = Field(default=None, description="For an event.")
    timeout: PositiveDuration | None = Field(
        default=None, description="When port expired is taken. Default: never."
    )

    @model_validator(mode="after")
    def _one_cause(self) -> Wait:
        exactly_one("wait", {"for": self.for_, "until": self.until, "event": self.event})
        return self


@shape
class Approval:
    """Waits for people. Outputs: decisions (user, role, at, reason, values)."""

    roles: tuple[Word, ...] = Field(min_length=1, description="Roles that may decide.")
    quorum: Positive = Field(default=1, description="Distinct users who must approve. Default 1.")
    message: Template | None = Field(default=None, description="What is asked, with ${ cel }.")
    expires: PositiveDuration | None = Field(
        default=None, description="How long it is open. Default: for ever."
    )
    on_expire: Literal["expired", "approved", "rejected"] = Field(
        default="expired", description="Port taken on expiry: expired, approved or rejected. Default expired."
    )
    not_requester: Bool = Field(
        default=False, description="Whoever started the execution may not decide. Default false."
    )
    form: JsonObject | None = Field(
        default=None, description="JSON Schema of the values given with a decision."
    )


@shape
class Emit:
    """Creates a WorkflowEvent in the namespace."""

    type: Word = Field(description="Type of the event, with ${ cel }.")
    subject: Template | None = Field(default=None, description="Subject of the event, with ${ cel }.")
    data: Json = Field(default=None, description="Data of the event, any JSON, with ${ cel }.")


@shape
class CallWorkflow:
    """Runs another Workflow. Outputs: the child's outputs."""

    name: Word = Field(description="Name of the Workflow, with ${ cel } unless inline.")
    wait: Bool = Field(default=True, description="false lets go of the child. Default true.")
    inline: Bool = Field(
        default=False,
        description="true runs its graph as a body of this execution; then the name is fixed. Default false.",
    )
    inputs: Templates = Field(default={}, description="Inputs of the child, with ${ cel }.")

    @model_validator(mode="after")
    def _inline_waits(self) -> CallWorkflow:
        if self.inline and not self.wait:
            raise refusal(
                "NotAllowedHere", "an inline workflow cannot have wait: false; expected one or the other"
            )
        return self


@shape
class Finish:
    """Ends the execution."""

    result: Word = Field(
        description="allowed, blocked, executed, failed or a word of your own; failed ends as Failed."
    )
    reason: Template | None = Field(default=None, description="Why, with ${ cel }.")
