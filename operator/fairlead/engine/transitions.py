"""The legal moves, as one table per kind of thing: `TABLE[kind][status][event type] -> status`.

A missing row is the illegal move: `evolve` raises `Bug` (or the replay says that the log is damaged) and nothing changes. The
state diagrams in the documentation are drawn from these tables, and a test fails for a move that no test ever made.
"""

from __future__ import annotations

from fairlead.model import state as s

Table = dict[str, dict[str, str]]

EXECUTION: Table = {
    "": {"ExecutionCreated": s.PENDING},
    s.PENDING: {"ExecutionStarted": s.RUNNING, "ExecutionFailed": s.FAILED},
    s.RUNNING: {
        "ExecutionSuspended": s.SUSPENDED,
        "ExecutionCompleted": s.SUCCEEDED,
        "ExecutionFailed": s.FAILED,
        "ExecutionCancelled": s.CANCELLED,
    },
    s.SUSPENDED: {"ExecutionSuspended": s.SUSPENDED, "ExecutionResumed": s.RUNNING},
    s.FAILED: {"Redriven": s.RUNNING},
    s.CANCELLED: {"Redriven": s.RUNNING},
    s.SUCCEEDED: {},
}

_GOES_ON_PATH = {"Redriven": s.ACTIVE, "BodyReopened": s.ACTIVE}

PATH: Table = {
    "": {
        "PathStarted": s.ACTIVE,
        "PathJoined": s.ACTIVE,
        "LoopIteration": s.ACTIVE,
        "BranchStarted": s.ACTIVE,
        "BodyStarted": s.ACTIVE,
    },
    s.ACTIVE: {
        "PathJoined": s.JOINED,
        "PathCompleted": s.COMPLETED,
        "LateArrival": s.COMPLETED,
        "PathFailed": s.FAILED,
        "PathCancelled": s.CANCELLED,
    },
    s.JOINED: {},
    s.COMPLETED: {**_GOES_ON_PATH},
    s.FAILED: {**_GOES_ON_PATH},
    s.CANCELLED: {**_GOES_ON_PATH},
}

_ENDS_AT_ONCE = {"NodeCompleted": s.SUCCEEDED, "NodeFailed": s.FAILED, "NodeSkipped": s.SKIPPED}

_RUNS_AGAIN = {"Redriven": s.PENDING, "BodyReopened": s.PENDING, "LoopIteration": s.PENDING}

NODE: Table = {
    s.PENDING: {
        "NodeReady": s.READY,
        "CacheLookup": s.LOOKING_UP,
        "WaitStarted": s.WAITING,
        "NodeStarted": s.RUNNING,
        "NodeScheduled": s.SCHEDULED,
        "ChildScheduled": s.SCHEDULED,
        "NodeFallback": s.FALLBACK,
        **_ENDS_AT_ONCE,
    },
    s.READY: {
        "NodeReady": s.READY,
        "CacheLookup": s.LOOKING_UP,
        "WaitStarted": s.WAITING,
        "NodeStarted": s.RUNNING,
        "NodeScheduled": s.SCHEDULED,
        "ChildScheduled": s.SCHEDULED,
        "NodeFallback": s.FALLBACK,
        "NodeCancelled": s.CANCELLED,
        **_ENDS_AT_ONCE,
    },
    s.SCHEDULED: {
        "NodeStarted": s.RUNNING,
        "DeliveryStarted": s.RUNNING,
        "DeliveryHeld": s.SCHEDULED,
        "ChildStarted": s.RUNNING,
        "NodeRetrying": s.RETRYING,
        "NodeTimedOut": s.STOPPING,
        "NodeStopping": s.STOPPING,
        "NodeLost": s.LOST,
        "DeadLettered": s.SCHEDULED,
        "NodeFailed": s.FAILED,
        "NodeFallback": s.FALLBACK,
        "NodeCancelled": s.CANCELLED,
    },
    s.RUNNING: {
        "DeliveryHeld": s.RUNNING,
        "ChildEnded": s.RUNNING,
        "NodeCompleted": s.SUCCEEDED,
        "NodeFailed": s.FAILED,
        "NodeRetrying": s.RETRYING,
        "NodeFallback": s.FALLBACK,
        "NodeTimedOut": s.STOPPING,
        "NodeStopping": s.STOPPING,
        "NodeLost": s.LOST,
        "DeadLettered": s.RUNNING,
    },
    s.STOPPING: {
        "DeliveryHeld": s.STOPPING,
        "NodeStopping": s.STOPPING,
        "ChildEnded": s.STOPPING,
        "NodeCompleted": s.SUCCEEDED,
        "NodeFailed": s.FAILED,
        "NodeRetrying": s.RETRYING,
        "NodeFallback": s.FALLBACK,
        "NodeCancelled": s.CANCELLED,
    },
    s.RETRYING: {
        "NodeScheduled": s.SCHEDULED,
        "ChildScheduled": s.SCHEDULED,
        "NodeStarted": s.RUNNING,
        "NodeReady": s.READY,
        "NodeCancelled": s.CANCELLED,
    },
    s.WAITING: {
        "WaitWoken": s.WAITING,
        "WaitExpired": s.WAITING,
        "NodeCompleted": s.SUCCEEDED,
        "NodeFailed": s.FAILED,
        "NodeFallback": s.FALLBACK,
        "NodeCancelled": s.CANCELLED,
    },
    s.LOOKING_UP: {
        "CacheMissed": s.READY,
        "NodeCompleted": s.SUCCEEDED,
        "NodeFailed": s.FAILED,
        "NodeFallback": s.FALLBACK,
        "NodeCancelled": s.CANCELLED,
    },
    s.LOST: {"NodeScheduled": s.SCHEDULED, "NodeReady": s.READY, "NodeCancelled": s.CANCELLED},
    s.FALLBACK: {"NodeCompleted": s.SUCCEEDED, "NodeFailed": s.FAILED, "NodeCancelled": s.CANCELLED},
    s.SUCCEEDED: {**_RUNS_AGAIN},
    s.FAILED: {**_RUNS_AGAIN},
    s.SKIPPED: {**_RUNS_AGAIN},
    s.CANCELLED: {**_RUNS_AGAIN},
}

TABLES: dict[str, Table] = {"execution": EXECUTION, "path": PATH, "node": NODE}
