"""An attempt of a node and its deliveries: the intent, the start, what holds or ends it, and what is lost."""

from __future__ import annotations

from typing import Any

from fairlead.model.events.base import Error, Event


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


class LateResult(Event, frozen=True, kw_only=True, gc=False):
    """A result of a delivery that no longer counts; recorded and ignored."""

    node: str
    attempt: int
    delivery: int
    succeeded: bool


AttemptEvent = (
    NodeScheduled
    | NodeStarted
    | DeliveryStarted
    | DeliveryHeld
    | NodeRetrying
    | NodeTimedOut
    | NodeStopping
    | NodeLost
    | DeadLettered
    | LateResult
)
