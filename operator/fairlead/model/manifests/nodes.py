"""Nodes, connections and bodies: the recursive part of a workflow."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from fairlead.model.manifests.base import exactly_one, refusal, shape, shown
from fairlead.model.manifests.engine_kinds import Approval, CallWorkflow, Emit, Finish, Log, Switch, Wait
from fairlead.model.manifests.pod_kinds import Http, Notify, Resource, Run
from fairlead.model.manifests.policies import Breaker, Cache, Join, RateLimit, Retry, Strategy
from fairlead.model.manifests.scalars import (
    Bool,
    Cel,
    Count,
    Duration,
    ItemName,
    Json,
    NodeName,
    ObjectName,
    Positive,
    PositiveDuration,
    Priority,
    Templates,
    Text,
    Word,
)
from fairlead.model.times import SECOND

POD_KINDS = ("run", "http", "notify", "resource")
BODY_KINDS = ("while", "forEach", "parallel")
NODE_KINDS = (
    "run", "http", "notify", "resource", "set", "log", "if", "switch", "while", "forEach", "parallel", "wait",
    "approval", "emit", "workflow", "finish",
)  # fmt: skip
KIND_ATTRIBUTES = {
    kind: {"set": "set_", "if": "if_", "while": "while_", "forEach": "for_each"}.get(kind, kind)
    for kind in NODE_KINDS
}
_ONE_KIND = f"expected exactly one of {', '.join(NODE_KINDS)}"
_KINDS = tuple((attribute, kind) for kind, attribute in KIND_ATTRIBUTES.items())


@shape
class Loopback:
    """Lets a connection close a cycle."""

    max_iterations: Positive = Field(default=100, description="How often it may be taken. Default 100.")


@shape
class Connection:
    """An edge from a node's port to a node."""

    from_: Word = Field(description="node or node.port.")
    to: Word = Field(description="node.")
    when: Cel | None = Field(default=None, description="CEL condition; false leaves it dead. Default: taken.")
    loopback: Loopback | None = Field(default=None, description="Closes a cycle. Default: no loopback.")


@shape
class While:
    """A body repeated while the condition holds. Outputs: iterations."""

    condition: Cel = Field(description="CEL, asked before each pass.")
    max_iterations: Positive = Field(default=100, description="Passes at most; one more fails. Default 100.")
    nodes: tuple[Node, ...] = Field(min_length=1, description="Nodes of the body.")
    connections: tuple[Connection, ...] = Field(default=(), description="Connections of the body.")


@shape
class ForEach:
    """A body per item. Outputs: items (in order, null where one failed), failed."""

    items: Json = Field(description="A list, or ${ cel } that gives one.")
    as_: ItemName = Field(default="item", description="Name of the item in expressions. Default item.")
    max_parallel: Count = Field(default=0, description="Items at once; 0 is no limit. Default 0.")
    on_item_error: Literal["fail", "continue"] = Field(
        default="fail", description="What a failed item does: fail or continue. Default fail."
    )
    nodes: tuple[Node, ...] = Field(min_length=1, description="Nodes of the body.")
    connections: tuple[Connection, ...] = Field(default=(), description="Connections of the body.")
    outputs: Templates = Field(default={}, description="Outputs of one item, with ${ cel }.")

    @model_validator(mode="after")
    def _a_list(self) -> ForEach:
        if not isinstance(self.items, (list, str)):
            raise refusal(
                "WrongType", f"items is {shown(self.items)}; expected a list or ${{ cel }} that gives one"
            )
        return self


@shape
class Branch:
    """One body of a parallel."""

    name: NodeName = Field(description="Name of the branch.")
    nodes: tuple[Node, ...] = Field(min_length=1, description="Nodes of the body.")
    connections: tuple[Connection, ...] = Field(default=(), description="Connections of the body.")
    outputs: Templates = Field(default={}, description="Outputs of the branch, with ${ cel }.")


@shape
class Parallel:
    """Named bodies side by side. Outputs: by branch name."""

    strategy: Strategy = Field(default="all", description="all, any, race or {atLeast: n}. Default all.")
    branches: tuple[Branch, ...] = Field(min_length=1, description="The branches.")

    @model_validator(mode="after")
    def _named_once(self) -> Parallel:
        seen: set[str] = set()
        for branch in self.branches:
            if branch.name in seen:
                raise refusal(
                    "DuplicateName", f"two branches are named {shown(branch.name)}; expected each name once"
                )
            seen.add(branch.name)
        if not isinstance(self.strategy, str) and self.strategy.at_least > len(self.branches):
            raise refusal(
                "OutOfRange",
                f"atLeast is {self.strategy.at_least}; expected at most the {len(self.branches)} branches",
            )
        return self


@shape
class Compensate:
    """What undoes a node that completed: one pod kind or set."""

    run: Run | None = Field(default=None, description="A script or a container.")
    http: Http | None = Field(default=None, description="A request.")
    notify: Notify | None = Field(default=None, description="A message.")
    resource: Resource | None = Field(default=None, description="A Kubernetes object.")
    set_: Templates | None = Field(default=None, description="Variables.")
    with_: Templates | None = Field(
        default=None, description="Values given to it, evaluated when the node completes."
    )
    when_started: Bool = Field(
        default=False, description="Also if the node started and did not succeed. Default false."
    )
    retry: Retry | None = Field(default=None, description="Retry policy. Default: one attempt.")
    timeout: PositiveDuration | None = Field(
        default=None, description="Longest time of one attempt. Default: none."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Compensate:
        exactly_one(
            "compensate",
            {name: getattr(self, KIND_ATTRIBUTES[name]) for name in (*POD_KINDS, "set")},
            "KindWanted",
        )
        return self

    @property
    def kind(self) -> str:
        """The API's name of the kind."""
        return next(name for name in (*POD_KINDS, "set") if getattr(self, KIND_ATTRIBUTES[name]) is not None)


@shape
class Node:
    """One step: common fields and exactly one kind."""

    name: NodeName = Field(description="Name, unique in its body.")
    description: Text | None = Field(default=None, description="What it is for.")
    after: tuple[Word, ...] = Field(
        default=(), description="Shorthand for connections into it: node or node.port."
    )
    when: Cel | None = Field(
        default=None, description="CEL condition; false: skipped and passed through. Default true."
    )
    join: Join = Field(default="all", description="When it is ready: all, any or {atLeast: n}. Default all.")
    with_: Templates | None = Field(
        default=None, description="Values given to it, with ${ cel }, evaluated once."
    )
    store: Templates | None = Field(
        default=None, description="Variables set from its outputs, with ${ cel }."
    )
    timeout: PositiveDuration | None = Field(
        default=None, description="Longest time of one attempt. Default: none."
    )
    start_timeout: PositiveDuration | None = Field(
        default=None, description="Longest wait before an attempt starts. Default: none."
    )
    termination_grace: Duration = Field(
        default=2 * SECOND, description="Time between TERM and KILL. Default 2s."
    )
    retry: Retry | None = Field(default=None, description="Retry policy. Default: one attempt.")
    on_error: Literal["fail", "continue"] = Field(
        default="fail", description="What an unhandled failure does: fail or continue. Default fail."
    )
    fallback: NodeName | None = Field(
        default=None,
        description="Node that stands in when attempts are spent or a breaker is open. Default: none.",
    )
    guards: tuple[ObjectName, ...] = Field(
        default=(), description="Names of WorkflowGuards it must get. Default: none."
    )
    priority: Priority | None = Field(
        default=None, description="Higher starts first. Default: the workflow's."
    )
    cache: Cache | None = Field(default=None, description="Reuse of earlier results. Default: none.")
    max_deliveries: Positive = Field(
        default=5, description="Deliveries of one attempt when infrastructure loses it. Default 5."
    )
    on_node_lost: Literal["wait", "redeliver"] = Field(
        default="wait",
        description="What happens when the Kubernetes node is lost: wait or redeliver. Default wait.",
    )
    checkpoint: Bool = Field(default=False, description="Stores the state when it ends. Default false.")
    breaker: Breaker | None = Field(default=None, description="Breaker of this node alone. Default: none.")
    rate_limit: RateLimit | None = Field(default=None, description="Rate of this node alone. Default: none.")
    concurrency: Positive | None = Field(
        default=None, description="Attempts of this node at once, items included. Default: no limit."
    )
    compensate: Compensate | None = Field(default=None, description="What undoes it. Default: nothing.")

    run: Run | None = Field(default=None, description="Kind: a script or a container.")
    http: Http | None = Field(default=None, description="Kind: a request.")
    notify: Notify | None = Field(default=None, description="Kind: a message.")
    resource: Resource | None = Field(default=None, description="Kind: a Kubernetes object.")
    set_: Templates | None = Field(default=None, description="Kind: variables, each a template or any JSON.")
    log: Log | None = Field(default=None, description="Kind: a message in the event log.")
    if_: Cel | None = Field(default=None, description="Kind: a CEL condition; ports true and false.")
    switch: Switch | None = Field(default=None, description="Kind: the first case that fits.")
    while_: While | None = Field(default=None, description="Kind: a body repeated while a condition holds.")
    for_each: ForEach | None = Field(default=None, description="Kind: a body per item.")
    parallel: Parallel | None = Field(default=None, description="Kind: bodies side by side.")
    wait: Wait | None = Field(default=None, description="Kind: a time or an event.")
    approval: Approval | None = Field(default=None, description="Kind: a decision of people.")
    emit: Emit | None = Field(default=None, description="Kind: creates a WorkflowEvent.")
    workflow: CallWorkflow | None = Field(default=None, description="Kind: another Workflow.")
    finish: Finish | None = Field(default=None, description="Kind: ends the execution.")

    @model_validator(mode="after")
    def _one_kind(self) -> Node:
        found = ""
        for attribute, kind in _KINDS:
            if getattr(self, attribute) is not None:
                if found:
                    raise refusal(
                        "KindWanted", f"node {self.name} has {found} and {kind}; {_ONE_KIND}", NODE_KINDS
                    )
                found = kind
        if not found:
            raise refusal("KindWanted", f"node {self.name} has no kind; {_ONE_KIND}", NODE_KINDS)
        return self

    @property
    def kind(self) -> str:
        """The API's name of the kind: run, forEach, ..."""
        for attribute, kind in _KINDS:
            if getattr(self, attribute) is not None:
                return kind
        raise AttributeError("a node without a kind")  # pragma: no cover - the model refuses it

    @property
    def inlined(self) -> str:
        """The name of the workflow whose graph runs as the node's body; empty for all other nodes."""
        return self.workflow.name if self.workflow is not None and self.workflow.inline else ""

    @property
    def in_body(self) -> bool:
        """Whether the node is a container: its work is done by bodies of the same execution."""
        return self.kind in BODY_KINDS or bool(self.inlined)

    @property
    def body(self) -> Any:
        """The value of the kind's field: a Run, a Switch, the variables of a set, the condition of an if."""
        return getattr(self, KIND_ATTRIBUTES[self.kind])
