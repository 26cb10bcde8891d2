"""What the world tells the engine: the inputs of `decide`.

Rules of this file
- A command is frozen and says what was observed or wanted, never what to do about it.
- The same command twice changes nothing. `decide` keeps no list of what it was told: attempts are known by (node, attempt,
  delivery), a `Wish` is a level and not an edge, `Tick` only fires what is due.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.model.children import Parent
from fairlead.model.events import Error


class Command(
    msgspec.Struct, frozen=True, tag_field="type", tag=True, omit_defaults=True, rename="camel", kw_only=True
):
    """Base of all commands."""


class Wish(Command, frozen=True, kw_only=True):
    """The part of a WorkflowExecution's spec that may change, as it stands now (durations in microseconds).

    What the parent of a waited-for child wants stands apart from what people want: `held` while the parent is suspended, and
    `stop`: what was redriven less often than this is to end, with the reason and force of `stop_reason` and `stop_force`.
    """

    suspend: bool = False
    suspend_timeout: int | None = None
    cancel: bool = False
    cancel_reason: str = ""
    force: bool = False
    redrive: int = 0
    held: bool = False
    stop: int = 0
    stop_reason: str = ""
    stop_force: bool = False


class Create(Command, frozen=True, kw_only=True):
    """Begin a run that does not exist yet. `inputs` are validated and normalised by whoever takes the run in."""

    name: str
    uid: str
    workflow: str = ""
    generation: int = 0
    digest: str
    runtime: str
    inputs: dict[str, Any] = {}
    priority: int = 0
    timeout: int | None = None
    wish: Wish = Wish()
    parent: Parent | None = None


class Tick(Command, frozen=True, kw_only=True):
    """Time has passed: whatever is due fires. Also takes up work that a crash left between two appends."""


class AttemptStarted(Command, frozen=True, kw_only=True):
    """The process or container of a delivery runs; `handle` is what the home knows it by (a pod's uid), if that outlives us."""

    node: str
    attempt: int
    delivery: int = 1
    handle: str = ""


class AttemptHeld(Command, frozen=True, kw_only=True):
    """A delivery does not run, or nobody knows how it ended, for a reason that may pass; empty: it is on its way again."""

    node: str
    attempt: int
    delivery: int = 1
    reason: str = ""
    message: str = ""


class AttemptEnded(Command, frozen=True, kw_only=True):
    """A delivery ended with a reported result: `outputs`, or `error` where it failed."""

    node: str
    attempt: int
    delivery: int = 1
    outputs: dict[str, Any] | None = None
    error: Error | None = None


class AttemptLost(Command, frozen=True, kw_only=True):
    """A delivery is proved gone without a result (the process of a killed fairlead, a pod whose node vanished).

    `counted`: it is one of `maxDeliveries`; what ended with the process that ran it is not.
    """

    node: str
    attempt: int
    delivery: int = 1
    reason: str = "NodeLost"
    message: str = ""
    counted: bool = True


class ChildStarted(Command, frozen=True, kw_only=True):
    """The child that an instance asked for is there, whether just now or since long."""

    node: str
    child: str
    uid: str


class ChildEnded(Command, frozen=True, kw_only=True):
    """A child has ended, and had seen `redrive` when it did: what it says of an earlier epoch counts for nobody."""

    node: str
    child: str
    uid: str
    phase: str
    redrive: int = 0
    outputs: dict[str, Any] = {}
    error: Error | None = None


class ChildRefused(Command, frozen=True, kw_only=True):
    """The child that an instance asked for was not started; nothing of it exists. `reason` is from the closed list."""

    node: str
    child: str
    attempt: int
    reason: str
    message: str = ""


class ChildLost(Command, frozen=True, kw_only=True):
    """A child is not there any more, or cannot go on; `uid` is the one that was looked for, empty if none was known."""

    node: str
    child: str
    uid: str = ""
    message: str = ""


class CacheAnswered(Command, frozen=True, kw_only=True):
    """What the cache says to the question `asked` (the seq of its event): an earlier result's `outputs`, or none.

    `filled_by` is the execution that the result is of, `filled_at` when it was kept; `note` why there is none, if it was looked
    for in vain for more than its absence.
    """

    node: str
    asked: int
    outputs: dict[str, Any] | None = None
    filled_by: str = ""
    filled_at: int = 0
    note: str = ""


AnyCommand = (
    Create
    | Wish
    | Tick
    | AttemptStarted
    | AttemptHeld
    | AttemptEnded
    | AttemptLost
    | ChildStarted
    | ChildEnded
    | ChildRefused
    | ChildLost
    | CacheAnswered
)
