"""What has happened to an execution: the vocabulary of the log.

Rules of this file
- The state of an execution is the fold of these events and nothing else.
- An event is frozen and says all that `evolve` needs: the port chosen, the connections settled (`taken` and `dead`, by id
  `from.port>to`), paths, variables, due times. `evolve` never looks at the definition and never evaluates an expression.
- `seq` counts 1, 2, 3… without gaps; `at` and every other time is microseconds since the epoch. `node` is an instance id
  (`lines[3]/pack`, `review#1`), `path` a path id (`0.1`), `attempt` counts within an instance, `delivery` within an attempt.
- The stored form is compact JSON with camelCase names; defaults are left out. `ExecutionCreated.schema` is the version of the
  vocabulary. Fields may be added with a default, never renamed, removed or given another meaning: stored histories are replayed
  for ever.
- What we do not know, an event type or a field, a newer release has written, and it may steer the run: it is refused, never left
  out (`decode`). That release reads the log when it is back.
- `gc=False`: events hold plain JSON values, which cannot form cycles, so the collector need not look at them.
- A module a subject: runs, paths, nodes, attempts, waiting, bodies; base has what they share. What stands in the union at the end
  of a module belongs to the vocabulary, and everybody imports it from here.
- Engine nodes (set, log, if…) write one event, their end. Events derived from it for readers are in `engine.derived`.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from fairlead.model.events.attempts import (
    AttemptEvent,
    DeadLettered,
    DeliveryHeld,
    DeliveryStarted,
    LateResult,
    NodeLost,
    NodeRetrying,
    NodeScheduled,
    NodeStarted,
    NodeStopping,
    NodeTimedOut,
)
from fairlead.model.events.base import Error, Event, Large, ResetNode
from fairlead.model.events.bodies import (
    BodyEnded,
    BodyEvent,
    BodyReopened,
    BodyStarted,
    BodyTimedOut,
    BranchStarted,
    InlineStarted,
    LoopCompleted,
    LoopIteration,
    LoopStarted,
)
from fairlead.model.events.nodes import (
    NodeCancelled,
    NodeCompleted,
    NodeEvent,
    NodeFailed,
    NodeFallback,
    NodeReady,
    NodeSkipped,
)
from fairlead.model.events.paths import (
    LateArrival,
    PathCancelled,
    PathCompleted,
    PathEvent,
    PathFailed,
    PathJoined,
    PathStarted,
)
from fairlead.model.events.runs import (
    SCHEMA_VERSION,
    CancelRequested,
    CheckpointTaken,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionCreated,
    ExecutionFailed,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTimedOut,
    OutcomeDecided,
    ProgressUpdated,
    Redriven,
    RedriveRefused,
    RunEvent,
    TurnPaused,
    WishWithdrawn,
)
from fairlead.model.events.waiting import (
    CacheLookup,
    CacheMissed,
    ChildEnded,
    ChildScheduled,
    ChildStarted,
    WaitExpired,
    WaitingEvent,
    WaitStarted,
    WaitWoken,
)

__all__ = [
    "SCHEMA_VERSION",
    "TYPES",
    "AnyEvent",
    "BodyEnded",
    "BodyReopened",
    "BodyStarted",
    "BodyTimedOut",
    "BranchStarted",
    "CacheLookup",
    "CacheMissed",
    "CancelRequested",
    "CheckpointTaken",
    "ChildEnded",
    "ChildScheduled",
    "ChildStarted",
    "DeadLettered",
    "DeliveryHeld",
    "DeliveryStarted",
    "Error",
    "Event",
    "ExecutionCancelled",
    "ExecutionCompleted",
    "ExecutionCreated",
    "ExecutionFailed",
    "ExecutionResumed",
    "ExecutionStarted",
    "ExecutionSuspended",
    "ExecutionTimedOut",
    "InlineStarted",
    "Large",
    "LateArrival",
    "LateResult",
    "LoopCompleted",
    "LoopIteration",
    "LoopStarted",
    "NodeCancelled",
    "NodeCompleted",
    "NodeFailed",
    "NodeFallback",
    "NodeLost",
    "NodeReady",
    "NodeRetrying",
    "NodeScheduled",
    "NodeSkipped",
    "NodeStarted",
    "NodeStopping",
    "NodeTimedOut",
    "OutcomeDecided",
    "PathCancelled",
    "PathCompleted",
    "PathFailed",
    "PathJoined",
    "PathStarted",
    "ProgressUpdated",
    "RedriveRefused",
    "Redriven",
    "ResetNode",
    "TurnPaused",
    "WaitExpired",
    "WaitStarted",
    "WaitWoken",
    "WishWithdrawn",
    "decode",
    "encode",
]

AnyEvent = RunEvent | PathEvent | NodeEvent | AttemptEvent | WaitingEvent | BodyEvent

TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(AnyEvent)}

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """The stored form: compact JSON."""
    return _encoder.encode(event)


def decode(data: bytes | str) -> AnyEvent:
    """The event of a stored form. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(data)
