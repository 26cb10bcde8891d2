"""What has happened to an execution: the vocabulary of the log.

Rules of this file
- The state of an execution is the fold of these events and nothing else.
- An event is frozen and says all that `evolve` needs: the port chosen, the connections settled (`taken` and `dead`, by id
  `from.port>to`), paths, variables, due times. `evolve` never looks at the definition and never evaluates an expression.
- `seq` counts 1, 2, 3… without gaps; `at` and every other time is microseconds since the epoch. `node` is an instance id
  (`lines[3]/pack`, `review#1`), `path` a path id (`0.1`), `attempt` counts within an instance, `delivery` within an attempt.
- The stored form is compact JSON with camelCase names; defaults are left out. `ExecutionCreated.schema` is the version of the
  vocabulary. Fields may be added with a default, never renamed or given another meaning: stored histories are replayed for ever.
- `gc=False`: events hold plain JSON values, which cannot form cycles, so the collector need not look at them.
- Engine nodes (set, log, if…) write one event, their end. Events derived from it for readers are in `engine.derived`.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from fairlead.model.children import Parent

SCHEMA_VERSION = 1


class Large(msgspec.Struct, frozen=True, gc=False):
    """Where a value was taken out because it is large: the steps to it, the digest of its blob, its size as JSON."""

    path: list[str | int]
    digest: str
    size: int


class Event(
    msgspec.Struct,
    frozen=True,
    tag_field="type",
    tag=True,
    omit_defaults=True,
    rename="camel",
    kw_only=True,
    gc=False,
):
    """Base of all events; the tag `type` is the class name. `large` stands in stored forms alone (see `model.large`)."""

    seq: int = 0
    at: int = 0
    large: list[Large] | None = None


class Error(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """Why something failed: `reason` is from the closed list in `model.reasons`; `causes` are earlier errors it stands for."""

    reason: str
    message: str = ""
    exit_code: int | None = None
    causes: list[Error] = []


# --- the execution ---------------------------------------------------------------------------------------------------


class ExecutionCreated(Event, frozen=True, kw_only=True, gc=False):
    """Birth of a run. `inputs` are validated and normalised; `digest` pins the definition; `redrive` is the baseline."""

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


class ExecutionStarted(Event, frozen=True, kw_only=True, gc=False):
    """`nodes` instances are known; `variables` are the initial ones; `deadline` is when `spec.timeout` ends."""

    nodes: int
    variables: dict[str, Any] = {}
    deadline: int | None = None


class ExecutionSuspended(Event, frozen=True, kw_only=True, gc=False):
    """Nothing new starts, and who wants that: its own spec (`own`), its parent (`held`), or both; again when that changes.

    `until` is when `suspendTimeout` resumes by itself, unless its parent holds it then.
    """

    until: int | None = None
    held: bool = False
    own: bool = True


class ExecutionResumed(Event, frozen=True, kw_only=True, gc=False):
    """`reason` is Requested, SuspendTimeout or Cancelled."""

    reason: str = "Requested"


class WishWithdrawn(Event, frozen=True, kw_only=True, gc=False):
    """What had been acted on was taken back without effect: `suspend` or `cancel` of the spec, or that its parent `held` it."""

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


class ResetNode(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """An instance that a redrive runs again, with what the connections that stay settled give it."""

    node: str
    taken: int = 0
    dead: int = 0
    arrivals: list[str] = []


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


# --- paths -----------------------------------------------------------------------------------------------------------


class PathStarted(Event, frozen=True, kw_only=True, gc=False):
    """A thread of the run begins at `node`: an entry point (no `connection`) or one of several taken connections."""

    path: str
    node: str
    parent: str = ""
    connection: str = ""


class PathJoined(Event, frozen=True, kw_only=True, gc=False):
    """The paths `joined` end at `node`; `path` goes on."""

    path: str
    node: str
    joined: list[str]


class PathCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The path ended at `node`: reason GraphEnd, NoConnectionTaken, Forked, Looped or LateArrival."""

    path: str
    node: str
    reason: str = "GraphEnd"


class PathFailed(Event, frozen=True, kw_only=True, gc=False):
    """The path ended with a failure that nothing handled."""

    path: str
    node: str
    error: Error


class PathCancelled(Event, frozen=True, kw_only=True, gc=False):
    """The path ended because the run, or the body it was in, was ended from elsewhere."""

    path: str
    reason: str


class LateArrival(Event, frozen=True, kw_only=True, gc=False):
    """A connection was taken into a node whose join had already been met; nothing starts, the path ends."""

    path: str
    node: str
    connection: str


# --- nodes -----------------------------------------------------------------------------------------------------------


class NodeReady(Event, frozen=True, kw_only=True, gc=False):
    """The join is met, but the node is held: reason Suspended or MaxNodes."""

    node: str
    path: str
    reason: str


class WaitStarted(Event, frozen=True, kw_only=True, gc=False):
    """A wait begins: it is over at `due` (`paused`: on the clock that stands still while suspended), given up at `expires`."""

    node: str
    path: str
    due: int | None = None
    paused: bool = False
    expires: int | None = None


class WaitWoken(Event, frozen=True, kw_only=True, gc=False):
    """What was waited for has come: the time."""

    node: str
    path: str


class WaitExpired(Event, frozen=True, kw_only=True, gc=False):
    """The wait's own timeout came first."""

    node: str
    path: str


class ChildScheduled(Event, frozen=True, kw_only=True, gc=False):
    """The intent to run execution `child` of `workflow`; one that is there and has ended below `redrive` is redriven.

    `values` are the evaluated name and inputs, as in NodeScheduled. `wait`: the node ends with the child.
    """

    node: str
    path: str
    attempt: int
    child: str
    workflow: str
    depth: int
    wait: bool = True
    redrive: int = 0
    values: dict[str, Any] | None = None


class ChildStarted(Event, frozen=True, kw_only=True, gc=False):
    """The child is there, with this uid; `deadline` is when the node's `timeout` ends, which stands still while suspended."""

    node: str
    path: str
    attempt: int
    child: str
    uid: str
    deadline: int | None = None


class ChildEnded(Event, frozen=True, kw_only=True, gc=False):
    """The child has ended, and says that it had seen `redrive`; the end of the node follows."""

    node: str
    path: str
    attempt: int
    child: str
    phase: str
    redrive: int = 0


class CacheLookup(Event, frozen=True, kw_only=True, gc=False):
    """The cache is asked for an earlier result of the node under `key`; without an answer by `due` it counts as a miss."""

    node: str
    path: str
    key: str
    due: int


class CacheMissed(Event, frozen=True, kw_only=True, gc=False):
    """The cache has nothing that can be used, `note` says why if it is more than that; the node waits for a runner."""

    node: str
    path: str
    note: str = ""


class NodeScheduled(Event, frozen=True, kw_only=True, gc=False):
    """The intent to run an attempt; `values` are the evaluated templates (attempt 1 only, they serve all attempts)."""

    node: str
    path: str
    attempt: int
    delivery: int = 1
    values: dict[str, Any] | None = None
    start_deadline: int | None = None
    stored: int = 0


class NodeStarted(Event, frozen=True, kw_only=True, gc=False):
    """The attempt's container or process runs; `deadline` is when its `timeout` ends.

    `body`: the node's work is bodies of this run (while, forEach, parallel), its clock stands still while suspended. `goes_on`:
    with the items, passes and branches that it had; what ended badly in them is run again (BodyReopened). `handle` is what the
    home knows the running thing by, if that outlives this process: a pod's uid.
    """

    node: str
    path: str
    attempt: int
    deadline: int | None = None
    body: bool = False
    handle: str = ""
    goes_on: bool = False


class LoopStarted(Event, frozen=True, kw_only=True, gc=False):
    """A while or forEach begins; `items` are those of a forEach.

    Or a loopback is taken for the first time: `loopback` is its id, `region` what it repeats, `node` where it leads to.
    """

    node: str
    path: str
    items: list[Any] | None = None
    stored: int = 0
    loopback: str = ""
    region: list[str] = []


class LoopIteration(Event, frozen=True, kw_only=True, gc=False):
    """A pass or an item begins in the scope `scope` with `nodes` instances, as path `path`.

    With `loopback`: the nodes of its region get a fresh pass, the `index`-th after the first, which starts with `node`.
    """

    node: str
    path: str
    scope: str
    index: int
    nodes: int
    entry: str = ""
    condition: bool | None = None
    loopback: str = ""


class BranchStarted(Event, frozen=True, kw_only=True, gc=False):
    """A branch of a parallel begins."""

    node: str
    path: str
    scope: str
    branch: str
    index: int
    nodes: int
    entry: str = ""


class InlineStarted(Event, frozen=True, kw_only=True, gc=False):
    """The node runs the graph of `workflow`, closed: with these inputs, and variables of its own."""

    node: str
    path: str
    workflow: str
    inputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    stored: int = 0


class BodyStarted(Event, frozen=True, kw_only=True, gc=False):
    """The graph of an inlined workflow begins; with `phase`, its `finally`: the phase that the rest ended with.

    `patient`: a failure lets the other paths end first. `deadline` is when a `finally` is given up.
    """

    node: str
    path: str
    scope: str
    nodes: int
    entry: str = ""
    patient: bool = False
    phase: str = ""
    deadline: int | None = None


class BodyTimedOut(Event, frozen=True, kw_only=True, gc=False):
    """The `finally` of an inlined workflow took longer than its `finallyTimeout` and is being ended."""

    node: str
    scope: str
    timeout: int


class BodyReopened(Event, frozen=True, kw_only=True, gc=False):
    """A pass, an item or a branch that ended badly goes on: the instances `reset` run again, the others stay as they are."""

    node: str
    scope: str
    index: int
    branch: str = ""
    reset: list[ResetNode] = []


class BodyEnded(Event, frozen=True, kw_only=True, gc=False):
    """A pass, an item or a branch ended: with `outputs`, or with the `error` that nothing in it handled.

    `handled`: the container takes that as it is (onItemError: continue, or a parallel that was decided), so it stays.
    """

    node: str
    scope: str
    index: int
    branch: str = ""
    outputs: dict[str, Any] = {}
    error: Error | None = None
    handled: bool = False
    stored: int = 0


class LoopCompleted(Event, frozen=True, kw_only=True, gc=False):
    """A while or forEach has no pass or item left; `failed` items have failed.

    With `loopback`: the node it leaves has ended without taking it, and no pass can follow.
    """

    node: str
    path: str
    iterations: int
    failed: int = 0
    condition: bool | None = None
    loopback: str = ""


class DeliveryStarted(Event, frozen=True, kw_only=True, gc=False):
    """The container of a later delivery of an attempt that had started before runs."""

    node: str
    path: str
    attempt: int
    delivery: int
    deadline: int | None = None
    handle: str = ""


class DeliveryHeld(Event, frozen=True, kw_only=True, gc=False):
    """A delivery does not run, or its end is not known yet, and this is why: a quota, a missing image, an unreachable node.

    Written when the reason changes; an empty reason says that it is on its way again.
    """

    node: str
    path: str
    attempt: int
    delivery: int
    reason: str = ""
    message: str = ""


class NodeRetrying(Event, frozen=True, kw_only=True, gc=False):
    """A failed attempt will be followed by another at `due`, `delay` microseconds later."""

    node: str
    path: str
    attempt: int
    error: Error
    delay: int
    due: int


class NodeTimedOut(Event, frozen=True, kw_only=True, gc=False):
    """An attempt passed a limit (`Timeout` or `StartTimeout`) and is being ended; what follows depends on `retry`."""

    node: str
    path: str
    attempt: int
    reason: str
    limit: int


class NodeStopping(Event, frozen=True, kw_only=True, gc=False):
    """A running attempt is being ended from elsewhere: reason Cancelled, ExecutionFailed, Finished or PassAbandoned."""

    node: str
    path: str
    attempt: int
    reason: str


class NodeLost(Event, frozen=True, kw_only=True, gc=False):
    """A delivery vanished without a result; the attempt is delivered again at `due` and nothing is counted."""

    node: str
    path: str
    attempt: int
    delivery: int
    reason: str
    message: str = ""
    due: int
    counted: bool = True


class DeadLettered(Event, frozen=True, kw_only=True, gc=False):
    """`deliveries` deliveries of one attempt were lost; the node fails with NodeLost."""

    node: str
    path: str
    attempt: int
    deliveries: int


class NodeFallback(Event, frozen=True, kw_only=True, gc=False):
    """Attempts are spent; the instance `fallback` stands in for `node` and sees `error`."""

    node: str
    path: str
    fallback: str
    error: Error


class NodeCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The instance Succeeded on `port`; `variables` are what `store` or `set` wrote.

    `via` is fallback or cache: then the result is that of `cached_from`, an execution, of the time `cached_at`. `cache` is the
    key under which a result of its own is kept.
    `collected`: its outputs are collected from what its bodies gave, which stands in their BodyEnded: of these branches, or, if
    none is named, of all the items. `stored` is what its large values add to those that the run stores, in bytes.
    In this event and the next two: `loopback` is the one that was taken; `exits` are those of `taken` that lead out of a loop,
    each of which counts at its target the first time only; `dead` has also those of other nodes out of a loop that is over now.
    """

    node: str
    path: str
    attempt: int = 0
    port: str
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""
    outputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    condition: bool | None = None
    message: str | None = None
    level: str | None = None
    result: str | None = None
    reason: str | None = None
    via: str | None = None
    cache: str = ""
    cached_from: str = ""
    cached_at: int = 0
    collected: list[str] | None = None
    stored: int = 0


class NodeFailed(Event, frozen=True, kw_only=True, gc=False):
    """The instance Failed. `handled` is port, continue, or empty when nothing handles it."""

    node: str
    path: str
    attempt: int = 0
    error: Error
    handled: str = ""
    port: str = ""
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""


class NodeSkipped(Event, frozen=True, kw_only=True, gc=False):
    """The instance did not run: reason WhenFalse (passed through), DeadPath, or what ended the run first."""

    node: str
    reason: str
    path: str = ""
    taken: list[str] = []
    dead: list[str] = []
    exits: list[str] = []
    loopback: str = ""


class NodeCancelled(Event, frozen=True, kw_only=True, gc=False):
    """An instance that had started or was held was ended from elsewhere."""

    node: str
    path: str
    reason: str
    attempt: int = 0
    dead: list[str] = []


class LateResult(Event, frozen=True, kw_only=True, gc=False):
    """A result of a delivery that no longer counts; recorded and ignored."""

    node: str
    attempt: int
    delivery: int
    succeeded: bool


AnyEvent = (
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
    | PathStarted
    | PathJoined
    | PathCompleted
    | PathFailed
    | PathCancelled
    | LateArrival
    | NodeReady
    | WaitStarted
    | WaitWoken
    | WaitExpired
    | ChildScheduled
    | ChildStarted
    | ChildEnded
    | CacheLookup
    | CacheMissed
    | NodeScheduled
    | LoopStarted
    | LoopIteration
    | BranchStarted
    | InlineStarted
    | BodyStarted
    | BodyTimedOut
    | BodyReopened
    | BodyEnded
    | LoopCompleted
    | NodeStarted
    | DeliveryStarted
    | DeliveryHeld
    | NodeRetrying
    | NodeTimedOut
    | NodeStopping
    | NodeLost
    | DeadLettered
    | NodeFallback
    | NodeCompleted
    | NodeFailed
    | NodeSkipped
    | NodeCancelled
    | LateResult
)

TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(AnyEvent)}

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """The stored form: compact JSON."""
    return _encoder.encode(event)


def decode(data: bytes | str) -> AnyEvent:
    """The event of a stored form. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(data)
