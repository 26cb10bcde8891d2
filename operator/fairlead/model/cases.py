"""The file of `fairlead test`: cases that give inputs and node results and say what to expect (cli.md).

cases:
- name: the happy way
  inputs: {n: 3}
  nodes: {charge: [{fail: {reason: NonZeroExit, exitCode: 1}}, {outputs: {id: 7}, after: 2s}]}
  expect: {phase: Succeeded, path: [charge, report], outputs: {id: 7}}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from fairlead.model.manifests.base import exactly_one, refusal, shape
from fairlead.model.manifests.scalars import Bool, Duration, Int, Json, JsonObject, Text, Time, Word


@shape
class GivenFailure:
    """How an attempt fails."""

    reason: Word = Field(default="NonZeroExit", description="Reason of the failure. Default NonZeroExit.")
    message: Text = Field(default="", description="Message of the failure.")
    exit_code: Int | None = Field(default=None, description="Exit code of the failure.")


@shape
class GivenResult:
    """What an attempt of a node gives: outputs, a failure, or nothing until its timeout."""

    outputs: JsonObject | None = Field(default=None, description="The attempt succeeds with these outputs.")
    fail: GivenFailure | None = Field(default=None, description="The attempt fails.")
    timeout: Bool | None = Field(default=None, description="true: the attempt runs until its timeout.")
    after: Duration = Field(default=0, description="How long the attempt takes. Default 0s.")

    @model_validator(mode="after")
    def _one_result(self) -> GivenResult:
        exactly_one("a result", {"outputs": self.outputs, "fail": self.fail, "timeout": self.timeout})
        if self.timeout is False:
            raise refusal("OutOfRange", "timeout is false; expected true, or outputs or fail instead")
        return self


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Results = Annotated[tuple[GivenResult, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One result for all attempts, or a list with one per attempt."""


@shape
class GivenEvent:
    """An event from outside at a time of the run."""

    at: Duration = Field(default=0, description="How long after the start.")
    type: Word = Field(description="Type of the event.")
    data: Json = Field(default=None, description="Data of the event.")


@shape
class ExpectedEvent:
    """An event that the log must hold, in the order of the list."""

    type: Word = Field(description="Type of the event.")
    node: Word | None = Field(default=None, description="Instance id of its node. Default: any.")


@shape
class ExpectedError:
    """The error the run must end with."""

    reason: Word = Field(description="Its reason.")


@shape
class Expectation:
    """What the run must come to; what is left out is not checked."""

    phase: Word | None = Field(default=None, description="Final phase.")
    result: Word | None = Field(default=None, description="Result of the finish node.")
    path: tuple[Word, ...] | None = Field(
        default=None, description="All nodes that ran, in the order in which they ended."
    )
    outputs: JsonObject | None = Field(default=None, description="Outputs of the run, all of them.")
    events: tuple[ExpectedEvent, ...] = Field(default=(), description="Events that came in this order.")
    error: ExpectedError | None = Field(default=None, description="Error of the run.")


@shape
class Case:
    """One test case."""

    name: Word = Field(description="Name of the case.")
    inputs: JsonObject = Field(default={}, description="Inputs of the run.")
    start: Time = Field(default=0, description="When the run starts. Default 1970-01-01T00:00:00Z.")
    nodes: dict[Word, Results] = Field(
        default={}, description="Result, or one result per attempt, by instance id or node name."
    )
    approvals: dict[Word, Word] = Field(default={}, description="Decision by approval node.")
    events: tuple[GivenEvent, ...] = Field(default=(), description="Events from outside.")
    expect: Expectation = Field(default=Expectation(), description="What the run must come to.")


@shape
class CaseFile:
    """A file of cases."""

    cases: tuple[Case, ...] = Field(min_length=1, description="The cases.")

    @model_validator(mode="after")
    def _named_once(self) -> CaseFile:
        seen: set[str] = set()
        for case in self.cases:
            if case.name in seen:
                raise refusal("DuplicateName", f"two cases are named {case.name!r}; expected each name once")
            seen.add(case.name)
        return self
