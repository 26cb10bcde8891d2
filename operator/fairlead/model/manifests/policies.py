"""The policies of nodes, workflows and guards, with their defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from fairlead.model.manifests.base import one_sentence, refusal, shape, shown
from fairlead.model.manifests.scalars import (
    Cel,
    Duration,
    Number,
    Positive,
    PositiveDuration,
    Quantity,
    Share,
    Template,
)
from fairlead.model.times import HOUR, MINUTE, SECOND, format_duration, parse_duration

_ANY = {"x-kubernetes-preserve-unknown-fields": True}


@shape
class AtLeast:
    """`{atLeast: n}` of a join or a parallel."""

    at_least: Positive = Field(description="How many.")


Join = Annotated[
    Literal["all", "any"] | AtLeast,
    one_sentence("all, any or {atLeast: n} with n of 1 or more"),
    WithJsonSchema(_ANY),
]
Strategy = Annotated[
    Literal["all", "any", "race"] | AtLeast,
    one_sentence("all, any, race or {atLeast: n} with n of 1 or more"),
    WithJsonSchema(_ANY),
]


@shape
class Retry:
    """How a failed attempt is tried again. Without a `retry` there is one attempt."""

    max_attempts: Positive = Field(default=1, description="Attempts in all, the first included. Default 1.")
    backoff: Literal["none", "fixed", "linear", "exponential"] = Field(
        default="exponential",
        description="How the delay grows: none, fixed, linear or exponential. Default exponential.",
    )
    initial_delay: Duration = Field(
        default=SECOND, description="Delay before the second attempt. Default 1s."
    )
    max_delay: Duration = Field(default=5 * MINUTE, description="Longest delay. Default 5m.")
    multiplier: Annotated[Number, Field(ge=1, le=1000)] = Field(
        default=2.0, description="Growth of the exponential delay per attempt. Default 2."
    )
    jitter: Share = Field(
        default=0.1, description="Share of the delay drawn at random, up or down. Default 0.1."
    )
    retry_on: Cel | None = Field(
        default=None,
        description="CEL over error (reason, exitCode, message): only then try again. Default: always.",
    )
    no_retry_on: Cel | None = Field(
        default=None,
        description="CEL over error (reason, exitCode, message): then do not try again. Default: never.",
    )
    budget: Share | None = Field(
        default=None,
        description="Share of the run's attempts that may be retries; ten always may. Default: no budget.",
    )


@shape
class ResourceLimits:
    """Upper bounds of what a pod may use."""

    cpu: Quantity | None = Field(default=None, description="CPU, such as 500m.")
    memory: Quantity | None = Field(default=None, description="Memory, such as 256Mi.")
    ephemeral_storage: Quantity | None = Field(
        default=None, description="Disk of the container, such as 1Gi."
    )


@shape
class Resources:
    """What a node's pod asks for, and its limits."""

    cpu: Quantity | None = Field(default=None, description="CPU asked for, such as 100m.")
    memory: Quantity | None = Field(default=None, description="Memory asked for, such as 64Mi.")
    ephemeral_storage: Quantity | None = Field(default=None, description="Disk asked for, such as 1Gi.")
    limits: ResourceLimits | None = Field(
        default=None, description="Limits. Default: those of the namespace."
    )


@shape
class Defaults:
    """Policies of nodes that run in a pod, at any depth, unless the node says otherwise (semantics 8)."""

    timeout: PositiveDuration | None = Field(
        default=None, description="Longest time of one attempt. Default: none."
    )
    retry: Retry | None = Field(default=None, description="Retry policy. Default: one attempt.")
    resources: Resources | None = Field(default=None, description="Resources of the pods.")


@shape
class Breaker:
    """Stops calling what fails: opens on the call that reaches the failure rate."""

    failure_rate: Annotated[Share, Field(gt=0)] = Field(
        default=0.5, description="Share of failed calls that opens the breaker. Default 0.5."
    )
    minimum_calls: Positive = Field(
        default=10, description="Calls in the window before it can open. Default 10."
    )
    window: PositiveDuration = Field(
        default=MINUTE, description="Time over which calls are counted. Default 1m."
    )
    open_for: PositiveDuration = Field(
        default=30 * SECOND, description="How long it stays open. Default 30s."
    )
    half_open_calls: Positive = Field(default=3, description="Trial calls when it is half open. Default 3.")
    half_open_successes: Positive = Field(
        default=2, description="Successful trial calls that close it. Default 2."
    )

    @model_validator(mode="after")
    def _reachable(self) -> Breaker:
        if self.half_open_successes > self.half_open_calls:
            raise refusal(
                "OutOfRange",
                f"halfOpenSuccesses is {self.half_open_successes}; "
                f"expected at most halfOpenCalls, {self.half_open_calls}",
            )
        return self


@shape
class RateLimit:
    """A token bucket."""

    tokens: Positive = Field(description="Tokens added per period.")
    per: PositiveDuration = Field(default=SECOND, description="The period. Default 1s.")
    burst: Positive | None = Field(default=None, description="Size of the bucket. Default: tokens.")


@shape
class Cache:
    """Reuses an earlier result across executions."""

    key: Template = Field(description="Text that names the result, with ${ cel }.")
    ttl: PositiveDuration | None = Field(
        default=None, description="How long a result is good. Default: no limit."
    )


@shape
class Concurrency:
    """How much of a workflow runs at once."""

    max_nodes: Positive | None = Field(
        default=None, description="Pod attempts at once in one execution. Default: no limit."
    )
    max_executions: Positive | None = Field(
        default=None, description="Executions of this workflow at once. Default: no limit."
    )
    key: Template | None = Field(
        default=None,
        description="Template over inputs; executions are counted per value. Default: all together.",
    )
    when_full: Literal["queue", "reject", "replace"] = Field(
        default="queue",
        description="What happens to one more execution: queue, reject or replace. Default queue.",
    )


CompensationTrigger = Annotated[
    Literal["manual", "never"] | tuple[Literal["onFailure", "onCancel"], ...],
    one_sentence("manual, never or a list of onFailure and onCancel"),
    WithJsonSchema(_ANY),
]


@shape
class CompensationPolicy:
    """When and how completed nodes are undone."""

    trigger: CompensationTrigger = Field(
        default=("onFailure", "onCancel"),
        description="A list of onFailure and onCancel, or manual, or never. Default [onFailure, onCancel].",
    )
    scope: Literal["execution", "path"] = Field(
        default="execution",
        description="What is undone: the whole execution or the failed path. Default execution.",
    )
    on_error: Literal["continue", "stop"] = Field(
        default="continue", description="What follows a compensation that failed. Default continue."
    )


def _every(value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if value in ("node", "manual"):
        return str(value)
    try:
        return format_duration(parse_duration(value)) if isinstance(value, str) else _no_interval(value)
    except ValueError:
        return _no_interval(value)


def _no_interval(value: object) -> str:
    expected = "node, manual, a number of events or a duration"
    raise refusal("WrongType", f"{shown(value)} is not allowed here; expected {expected}")


Every = Annotated[str | int, BeforeValidator(_every), WithJsonSchema({"x-kubernetes-int-or-string": True})]


@shape
class CheckpointPolicy:
    """How often the state is stored, so that loading folds only what follows."""

    every: Every = Field(
        default=1000,
        description="node (after each), a number of events, a duration, or manual. Default 1000.",
    )


@shape
class Retention:
    """How long finished executions, their logs and pods stay."""

    succeeded: Duration = Field(default=168 * HOUR, description="Executions that succeeded. Default 168h.")
    failed: Duration = Field(default=168 * HOUR, description="Executions that failed. Default 168h.")
    cancelled: Duration = Field(
        default=168 * HOUR, description="Executions that were cancelled. Default 168h."
    )
    pods: Duration = Field(default=HOUR, description="Pods of finished nodes. Default 1h.")
