"""The state of an execution: what the fold of its log gives, and nothing else.

Rules of this file
- `engine.evolve` alone changes a `State`, in place; nobody else keeps a reference beyond one step.
- Everything here is plain data: `encode` and `decode` give a checkpoint, byte for byte the same for the same log.
- The state keeps its own indexes (`ready`, `active`, `timers`, counters), so that no step looks at the whole graph.
- Values (inputs, variables, outputs) are never changed in place: a write puts a new object there. Caches rely on it.
"""

from __future__ import annotations

import heapq
from typing import Any

import msgspec

from fairlead.model.children import Parent
from fairlead.model.events import Error, Large
from fairlead.model.ids import prefix_of

PENDING = "Pending"
READY = "Ready"
SCHEDULED = "Scheduled"
RUNNING = "Running"
STOPPING = "Stopping"
RETRYING = "Retrying"
WAITING = "Waiting"
LOST = "Lost"
LOOKING_UP = "LookingUp"
FALLBACK = "Fallback"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
SKIPPED = "Skipped"
CANCELLED = "Cancelled"
SUSPENDED = "Suspended"
JOINED = "Joined"
COMPLETED = "Completed"
ACTIVE = "Active"

ENDED_NODE = frozenset({SUCCEEDED, FAILED, SKIPPED, CANCELLED})
ENDED_RUN = frozenset({SUCCEEDED, FAILED, CANCELLED})
HOLDS_SLOT = frozenset({SCHEDULED, RUNNING, STOPPING})
BUSY = HOLDS_SLOT | {FALLBACK}
"""What has to end before the body around it can."""

FORWARD = "Forward"
FINALLY = "Finally"
ENDED = "Ended"


_NO_OUTPUTS: dict[str, Any] = {}


class ChildState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """The execution that a workflow node has started."""

    name: str
    workflow: str
    uid: str = ""  # once it is known to be there
    wait: bool = True
    redrive: int = 0  # its end counts from this redrive on
    seen: int = -1  # the redrive it had seen when it last ended


class Cached(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """Where a result came from that the cache gave: the execution that had filled it, and when."""

    execution: str
    at: int


class Inside(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """Instances of a container's bodies that are no longer in the state: how they ended, and their highest attempt."""

    attempts: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0


class NodeState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """One node instance: where it stands, and while it is at work all that its next step needs."""

    status: str = PENDING
    iteration: int = 0  # k of `node#k`
    taken: int = 0  # incoming connections settled so far
    dead: int = 0
    arrivals: list[str] | None = None  # paths that wait at the join
    joined: bool = False  # the join was met in an earlier pass: a loopback starts it
    exits: list[str] | None = None  # connections out of a loop that `taken` has counted
    before: NodeState | None = None  # what is to be seen of the pass before
    path: str = ""
    attempt: int = 0
    attempts_before: int = (
        0  # attempts spent in earlier epochs, and in earlier attempts of a container around it
    )
    inside: Inside | None = None  # of a container: what its bodies have left
    delivery: int = 0
    attempt_started: bool = False
    handle: str = ""  # what the home knows the running delivery by
    losses: int = 0  # deliveries of this attempt that count against maxDeliveries
    lost: bool = False  # the last delivery was lost, the next start is a redelivery
    values: dict[str, Any] | None = None
    held: str = ""  # why it is Ready and not started, or why its delivery does not run
    note: str = ""  # the home's own words about the latter
    stop: str = ""  # why it is Stopping, or which limit it passed
    limit: int = 0
    late: int = 0  # highest delivery whose late result is recorded
    stands_for: str = ""  # this is the fallback of that instance
    fallback: str = ""
    via: str = ""
    port: str = ""
    handled: str = ""
    given: dict[str, Any] | None = None  # its outputs; None for none
    error: Error | None = None
    scheduled_at: int = 0
    started_at: int = 0
    finished_at: int = 0
    due: int = 0
    since: int = 0  # when it began to be held or to wait
    child: ChildState | None = None
    lookup: int = 0  # seq of the question to the cache; 0 for none
    cache_key: str = ""  # what its `cache.key` gave, once that was asked for
    cached: Cached | None = None  # whose result it took from the cache

    @property
    def outputs(self) -> dict[str, Any]:
        """What it gave; `{}` until it Succeeded."""
        return _NO_OUTPUTS if self.given is None else self.given

    def arrive(self, path: str) -> None:
        """A path comes to the join."""
        if self.arrivals is None:
            self.arrivals = [path]
        else:
            self.arrivals.append(path)


class PathState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """One thread of the run."""

    status: str = ACTIVE
    node: str = ""
    started_at: int = 0
    finished_at: int = 0
    error: Error | None = None


class Failure(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """The first failure that nothing handled."""

    error: Error
    node: str = ""
    path: str = ""
    attempt: int = 0


class RegionState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What the loopbacks `last>first` repeat, once one of them was taken."""

    nodes: list[str] = []  # names
    path: str = ""  # the one of the first pass, whose children the others are
    current: str = ""  # that of the present pass, from the second on
    left: bool = False  # a path of this pass has left the loop and goes on
    count: int = 0  # passes after the first
    taken: dict[str, int] = {}  # how often each loopback was taken in this epoch
    last: str = ""  # the loopback that was taken last
    wanted: str = ""  # the loopback that was taken and whose pass has not begun


class ScopeState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """One body at work: the workflow's own, `finally`, or a pass, an item or a branch of a container."""

    total: int = 0
    ended: int = 0
    container: str = ""
    index: int = 0
    path: str = ""
    running: int = 0  # instances in it whose end has to be waited for
    attempts: int = 0  # where the attempts of its instances go on from
    failure: Failure | None = None
    regions: dict[str, RegionState] | None = None  # loops closed by loopbacks, by `last>first`
    looping: int = 0  # how many of them wait for their next pass
    inlined: bool = False  # the graph of an inlined workflow, or its `finally`: nothing around is seen in it
    patient: bool = False  # a failure in it lets its other paths end first
    phase: str = ""  # of the `finally` of an inlined workflow: what the rest ended with
    overdue: bool = False  # it has passed its finallyTimeout


class Finish(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """The first finish node reached."""

    node: str
    result: str
    reason: str = ""


class LoopState(msgspec.Struct, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """A container at work, or one that ended badly and may go on where it was."""

    items: list[Any] | None = None
    opened: int = 0
    open: dict[str, int] = {}  # prefixes of scopes at work
    results: dict[str, dict[str, Any]] = {}  # outputs by index, of those that succeeded
    succeeded: int = 0
    failed: int = 0
    last: str = ""  # prefix of what succeeded and is still seen: a while's last pass, or what an inlined `finally` reads
    failure: Failure | None = None
    lost: dict[
        str, ScopeState
    ] = {}  # by prefix, scopes that ended badly and not by a failure that is handled
    again: dict[str, ScopeState] = {}  # those of them that are to be run again
    attempts: int = 0  # where the attempts of all instances in its bodies go on from
    opened_before: int = 0  # passes of earlier epochs
    inputs: dict[str, Any] | None = None  # those of an inlined workflow, the same for all attempts
    initial: dict[str, Any] | None = None  # its variables as they were first
    variables: dict[str, Any] | None = None
    finish: Finish | None = None  # what ended it


class Timers(msgspec.Struct, forbid_unknown_fields=True):
    """Due times by name, with a heap over them that forgets lazily.

    `heap` may hold entries that `due` no longer has; its top is always valid. Both follow from the calls alone, so a fold gives
    the same heap.
    """

    due: dict[str, int] = {}
    heap: list[tuple[int, str]] = []

    def set(self, name: str, due: int) -> None:
        """Set or move a timer."""
        self.due[name] = due
        heapq.heappush(self.heap, (due, name))
        self._prune()

    def clear(self, name: str) -> None:
        """Forget a timer; unknown names are fine."""
        if self.due.pop(name, None) is not None:
            self._prune()

    def first(self) -> int | None:
        """The earliest due time."""
        return self.heap[0][0] if self.heap else None

    def fired(self, now: int) -> list[str]:
        """The names due at `now`, earliest first. Looks only at that part of the heap: timers that wait cost nothing."""
        heap, found, places = self.heap, set(), [0]
        while places:
            place = places.pop()
            if place < len(heap) and heap[place][0] <= now:
                due, name = heap[place]
                if self.due.get(name) == due:
                    found.add((due, name))
                places += (2 * place + 1, 2 * place + 2)
        return [name for _, name in sorted(found)]

    def _prune(self) -> None:
        heap, due = self.heap, self.due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        if len(heap) > 64 + 2 * len(due):
            heap[:] = sorted((at, name) for name, at in due.items())


class Counters(msgspec.Struct, forbid_unknown_fields=True):
    """Instances by where they stand, and sums over those that ended. `skipped` counts Skipped and Cancelled."""

    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    retries: int = 0
    first_attempts: int = 0
    node_time: int = 0  # microseconds from start to end, summed over timed_nodes
    timed_nodes: int = 0
    progress_mark: int = 0  # the last tenth reported by ProgressUpdated
    since_checkpoint: int = 0
    stored: int = 0  # bytes of large values


class State(msgspec.Struct, forbid_unknown_fields=True):
    """An execution."""

    seq: int = 0
    at: int = 0
    name: str = ""
    uid: str = ""
    workflow: str = ""
    generation: int = 0
    digest: str = ""
    runtime: str = ""
    priority: int = 0
    timeout: int | None = None  # the execution's own, if it has one
    inputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    phase: str = ""
    stage: str = FORWARD
    created_at: int = 0
    started_at: int = 0
    finished_at: int = 0
    epoch_at: int = 0  # start of the run, or of its last redrive
    nodes: dict[str, NodeState] = {}
    scopes: dict[str, ScopeState] = {}  # by prefix; "" and Finally are the run's own
    members: dict[str, list[str]] = {}  # instances by the prefix of their body, but for the run's own
    loops: dict[str, LoopState] = {}  # containers at work
    kept: dict[
        str, LoopState
    ] = {}  # containers that may go on where they were: after a redrive, or as the next attempt
    paths: dict[str, PathState] = {}  # those that have not ended, and the last that did
    ended_paths: list[str] = []
    path_children: dict[str, int] = {}  # children ever opened, by parent; "" counts the roots
    iterations: dict[str, int] = {}  # loopback passes by key
    looping: int = 0  # loops that wait for their next pass, in all bodies
    ready: dict[str, str] = {}  # held instances -> why, in the order in which they became ready
    active: dict[str, int] = {}  # instances whose delivery holds a slot
    children: dict[str, int] = {}  # instances whose child is asked for or at work
    waiting: dict[str, int] = {}  # instances that wait for a time (Retrying, Lost, Waiting, LookingUp) -> due
    timers: Timers = msgspec.field(default_factory=Timers)  # wall time
    paused_timers: Timers = msgspec.field(default_factory=Timers)  # time not counting suspension
    suspended_at: int = 0
    suspended_total: int = 0
    suspend_seen: bool = False  # what the spec says of it has been acted on
    suspend_until: int | None = None  # when the spec's suspension ends by itself
    suspend_over: bool = False  # it has, or was ended by a cancel, and is still in the spec
    held: bool = False  # the parent holds the run still, or did until a cancel came
    cancel: bool = False
    cancel_reason: str = ""
    cancel_force: bool = False
    cancel_void: bool = False  # a latched cancel that a redrive has voided is still in the spec
    redrive: int = 0
    epoch: int = 0
    failure: Failure | None = None
    finish: Finish | None = None
    outcome: str = ""  # phase that the rest ended with, once `finally` runs
    finally_failure: Failure | None = None
    timed_out: bool = False
    counters: Counters = msgspec.field(default_factory=Counters)
    work: list[str] = []  # of the last TurnPaused; counts only while that is the last event
    paused: int = 0  # its seq
    part: int = 0
    checkpoint: int = 0
    checkpoint_at: int = 0
    outputs: dict[str, Any] = {}
    result: str | None = None
    reason: str | None = None
    parent: Parent | None = None
    origin: str = ""  # the uid that it was born with, if it was moved here from another home
    large: list[Large] = []  # in checkpoints alone: the values that stand in blobs, see `model.large`

    @property
    def ended(self) -> bool:
        """Whether the run has a final phase (a redrive may still open it again)."""
        return self.phase in ENDED_RUN

    @property
    def depth(self) -> int:
        """How deep below the first execution of its tree this one is."""
        return self.parent.depth if self.parent is not None else 0

    def node(self, key: str) -> NodeState:
        """The instance at a key; one that nothing is known of yet is Pending."""
        found = self.nodes.get(key)
        return NodeState(iteration=self.iterations.get(key, 0)) if found is None else found

    def regions_at(self, prefix: str) -> dict[str, RegionState]:
        """The loops of a body of which a loopback was taken; also of one that ended and is about to go on."""
        scope = self.scopes.get(prefix)
        if scope is None:
            scope = next((loop.again[prefix] for loop in self.loops.values() if prefix in loop.again), None)
        return {} if scope is None or scope.regions is None else scope.regions

    def forgotten(self, key: str) -> bool:
        """Whether the body that an instance was in has ended."""
        return "/" in key and key not in self.nodes

    def instance(self, key: str) -> str:
        """The instance id that a key has now."""
        iteration = self.iterations.get(key, 0) if self.iterations else 0
        return f"{key}#{iteration}" if iteration else key

    def active_time(self, now: int) -> int:
        """`now` on the clock that stands still while the run is suspended."""
        return (self.suspended_at or now) - self.suspended_total

    def next_due(self, now: int) -> int | None:
        """When the earliest timer fires, in wall time; None if there is none that can."""
        wall = self.timers.first()
        paused = None if self.suspended_at else self.paused_timers.first()
        if paused is not None:
            paused += self.suspended_total
        times = [t for t in (wall, paused) if t is not None]
        return min(times) if times else None

    def home_of(self, prefix: str) -> str:
        """The key of the node whose inlined workflow a body belongs to; empty for the run's own."""
        while prefix:
            scope = self.scopes.get(prefix)
            if scope is None:  # the place of a stand-in
                prefix = prefix_of(prefix[:-1])
            elif scope.inlined:
                return scope.container
            else:
                prefix = prefix_of(scope.container)
        return ""

    def scope_of(self, key: str) -> ScopeState:
        """The body that an instance belongs to."""
        if "/" in key:
            return self.scopes[prefix_of(key)]
        return self.scopes[FINALLY if self.stage == FINALLY else ""]


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[State] = msgspec.json.Decoder(State)


def encode(state: State) -> bytes:
    """A checkpoint of the state."""
    return _encoder.encode(state)


def decode(data: bytes) -> State:
    """The state of a checkpoint. Raises msgspec.DecodeError, also for a field of a newer release: it may steer the run."""
    return _decoder.decode(data)
