"""The execution as a whole: its life, what its spec asked for, how it ended, redrives and progress."""

from __future__ import annotations

from typing import Any

from fairlead.model.children import Parent
from fairlead.model.events.base import Error, Event, ResetNode

SCHEMA_VERSION = 1
"""The version of the whole vocabulary, which the first event of a log names."""


class ExecutionCreated(Event, frozen=True, kw_only=True, gc=False):
    """Birth of a run. `inputs` are validated and normalised; `digest` pins the definition; `redrive` is the baseline.

    `origin` is the uid that it was born with, if it was moved here from another home.
    """

    schema: int = SCHEMA_VERSION
    name: str
    uid: str
    workflow: str = ""
    generation: int = 0
    digest: str
    runtime: str
    inputs: dict[str, Any] = {}
    priority: int = 0
    redrive: int = 0
    timeout: int | None = None
    parent: Parent | None = None
    origin: str = ""


class ExecutionStarted(Event, frozen=True, kw_only=True, gc=False):
    """`nodes` instances are known; `variables` are the initial ones; `deadline` is when `spec.timeout` ends."""

    nodes: int
    variables: dict[str, Any] = {}
    deadline: int | None = None


class ExecutionSuspended(Event, frozen=True, kw_only=True, gc=False):
    """Nothing new starts; `until` is when `suspendTimeout` resumes by itself."""

    until: int | None = None


class ExecutionResumed(Event, frozen=True, kw_only=True, gc=False):
    """`reason` is Requested, SuspendTimeout or Cancelled."""

    reason: str = "Requested"


class WishWithdrawn(Event, frozen=True, kw_only=True, gc=False):
    """A field of the spec that had been acted on was taken back without effect (`suspend` or `cancel`)."""

    wish: str


class CancelRequested(Event, frozen=True, kw_only=True, gc=False):
    """Latched: once here, removing it from the spec does nothing."""

    reason: str = ""
    force: bool = False


class ExecutionTimedOut(Event, frozen=True, kw_only=True, gc=False):
    """`spec.timeout` (or, in the finally stage, `finallyTimeout`) has passed."""

    timeout: int


class OutcomeDecided(Event, frozen=True, kw_only=True, gc=False):
    """Forward work is over and `finally` begins with `nodes` more instances; `phase` is the one the rest ended with."""

    phase: str
    nodes: int
    outputs: dict[str, Any] = {}
    error: Error | None = None
    deadline: int | None = None


class ExecutionCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The run Succeeded."""

    outputs: dict[str, Any] = {}
    result: str | None = None
    reason: str | None = None


class ExecutionFailed(Event, frozen=True, kw_only=True, gc=False):
    """The run Failed; `node`, `path` and `attempt` name where, if it was a node."""

    error: Error
    node: str = ""
    path: str = ""
    attempt: int = 0
    result: str | None = None


class ExecutionCancelled(Event, frozen=True, kw_only=True, gc=False):
    """The run was Cancelled."""

    reason: str = ""


class Redriven(Event, frozen=True, kw_only=True, gc=False):
    """A new epoch: `reset` instances go back to Pending, attempts go on counting, a latched cancel is void.

    `cancel` says that the spec asks for a cancel which the run, having ended, never took up: it is void as well.
    """

    redrive: int
    epoch: int
    reset: list[ResetNode]
    deadline: int | None = None
    finally_nodes: list[str] = []
    cancel: bool = False


class RedriveRefused(Event, frozen=True, kw_only=True, gc=False):
    """A raised `redrive` on a run that is not Failed or Cancelled."""

    redrive: int
    reason: str


class CheckpointTaken(Event, frozen=True, kw_only=True, gc=False):
    """The state up to here is worth a checkpoint, as `spec.checkpoint` or a node's `checkpoint` asks."""


class TurnPaused(Event, frozen=True, kw_only=True, gc=False):
    """Part `part` of a long turn; `work` are the instances still to be looked at, in their order."""

    part: int
    work: list[str]


class ProgressUpdated(Event, frozen=True, kw_only=True, gc=False):
    """Another tenth of the known instances has ended."""

    percent: int
    done: int
    total: int


RunEvent = (
    ExecutionCreated
    | ExecutionStarted
    | ExecutionSuspended
    | ExecutionResumed
    | WishWithdrawn
    | CancelRequested
    | ExecutionTimedOut
    | OutcomeDecided
    | ExecutionCompleted
    | ExecutionFailed
    | ExecutionCancelled
    | Redriven
    | RedriveRefused
    | CheckpointTaken
    | TurnPaused
    | ProgressUpdated
)
