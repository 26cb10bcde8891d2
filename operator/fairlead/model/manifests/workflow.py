"""The Workflow kind."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fairlead.model.manifests.base import shape
from fairlead.model.manifests.metadata import Metadata
from fairlead.model.manifests.nodes import Connection, Node
from fairlead.model.manifests.policies import (
    CheckpointPolicy,
    CompensationPolicy,
    Concurrency,
    Defaults,
    Retention,
)
from fairlead.model.manifests.scalars import (
    Bool,
    Cel,
    JsonObject,
    PositiveDuration,
    Priority,
    Templates,
    Text,
    VariableName,
)
from fairlead.model.manifests.status import WorkflowStatus
from fairlead.model.manifests.triggers import Notification, Trigger
from fairlead.model.times import MINUTE


@shape
class WorkflowSpec:
    """A graph: nodes, connections, policies, triggers."""

    version: Text | None = Field(default=None, description="The author's own version.")
    description: Text | None = Field(default=None, description="What it is for.")
    inputs: JsonObject | None = Field(
        default=None, description="JSON Schema 2020-12 of the inputs. Default: any object fits."
    )
    variables: Templates = Field(
        default={}, description="Initial variables, any JSON, with ${ cel } over inputs."
    )
    computed: dict[VariableName, Cel] = Field(default={}, description="CEL evaluated when read.")
    defaults: Defaults | None = Field(default=None, description="Policies of nodes that run in a pod.")
    timeout: PositiveDuration | None = Field(
        default=None, description="Longest time of the whole run. Default: none."
    )
    fail_fast: Bool = Field(
        default=True,
        description="An unhandled failure cancels what still runs; false lets it end first. Default true.",
    )
    priority: Priority = Field(default=0, description="Higher goes first. Default 0.")
    nodes: tuple[Node, ...] = Field(min_length=1, description="The nodes, at most 10,000 at all depths.")
    connections: tuple[Connection, ...] = Field(default=(), description="The connections between nodes.")
    finally_: tuple[Node, ...] = Field(
        default=(), description="Nodes run once at the end, whatever happened."
    )
    finally_timeout: PositiveDuration = Field(
        default=10 * MINUTE, description="Longest time of finally. Default 10m."
    )
    outputs: Templates = Field(default={}, description="Outputs of the execution, with ${ cel }.")
    concurrency: Concurrency | None = Field(
        default=None, description="How much runs at once. Default: no limit."
    )
    compensation: CompensationPolicy = Field(
        default=CompensationPolicy(), description="When and how completed nodes are undone."
    )
    checkpoint: CheckpointPolicy = Field(
        default=CheckpointPolicy(), description="How often the state is stored."
    )
    retention: Retention = Field(default=Retention(), description="How long finished executions stay.")
    triggers: tuple[Trigger, ...] = Field(default=(), description="What starts executions besides people.")
    run_on_change: Bool = Field(
        default=False, description="A change of the spec starts a run. Default false."
    )
    notifications: tuple[Notification, ...] = Field(default=(), description="Who is told of what.")


@shape
class Workflow:
    """A graph of nodes that executions run."""

    api_version: Literal["fairlead.dev/v1alpha1"] = Field(
        default="fairlead.dev/v1alpha1", description="API version."
    )
    kind: Literal["Workflow"] = Field(default="Workflow", description="Kind.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: WorkflowSpec = Field(description="The graph, its policies and triggers.")
    status: WorkflowStatus | None = Field(default=None, description="What the operator says of it.")
