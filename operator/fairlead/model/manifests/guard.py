"""The WorkflowGuard kind: a shared limit on something that nodes touch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead.model.manifests.base import shape
from fairlead.model.manifests.metadata import Metadata
from fairlead.model.manifests.policies import Breaker, RateLimit
from fairlead.model.manifests.scalars import ObjectName, Positive, Share, Text
from fairlead.model.manifests.status import GuardStatus


@shape
class GuardSelector:
    """Nodes to which a guard applies without being named by them; all that is given must fit."""

    kinds: tuple[Literal["run", "http", "notify", "resource"], ...] = Field(
        default=(), description="Kinds of nodes. Default: all pod kinds."
    )
    workflows: tuple[ObjectName, ...] = Field(default=(), description="Names of Workflows. Default: all.")
    match_labels: dict[Text, Text] = Field(default={}, description="Labels of the Workflow. Default: any.")


@shape
class GuardSpec:
    """The limits; every one that is given holds."""

    concurrency: Positive | None = Field(
        default=None, description="Holders at once; 1 is a mutex. Default: no limit."
    )
    rate_limit: RateLimit | None = Field(default=None, description="Token bucket. Default: no limit.")
    breaker: Breaker | None = Field(default=None, description="Breaker. Default: none.")
    retry_budget: Share | None = Field(
        default=None, description="Share of attempts that may be retries. Default: none."
    )
    on_open: Literal["wait", "fail", "fallback"] = Field(
        default="wait",
        description="What a node does while the breaker is open: wait, fail or fallback. Default wait.",
    )
    selector: GuardSelector | None = Field(
        default=None, description="Nodes it applies to unnamed. Default: none."
    )


@shape
class WorkflowGuard:
    """A shared limit: concurrency, rate, breaker, retry budget."""

    api_version: Literal["fairlead.dev/v1alpha1"] = Field(
        default="fairlead.dev/v1alpha1", description="API version."
    )
    kind: Literal["WorkflowGuard"] = Field(default="WorkflowGuard", description="Kind.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: GuardSpec = Field(description="The limits.")
    status: GuardStatus | None = Field(default=None, description="Who holds it and who waits.")
