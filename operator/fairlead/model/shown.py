"""What a status shows beside the reasons of failures: types of conditions, their other reasons, and kinds of `waitingFor`.

The lists are closed, and each name has its meaning beside it; the documentation's tables are made from them.
"""

from __future__ import annotations

from typing import Any

from fairlead.model import state as s

READY, RECONCILING, STALLED, SUCCEEDED = "Ready", "Reconciling", "Stalled", "Succeeded"
PERMITTED, PROTECTED = "Permitted", "Protected"
LOG_RETIRED = "LogRetired"

CONDITIONS: dict[str, str] = {
    READY: "of an execution: it has succeeded; of a Workflow: it can run",
    RECONCILING: "it goes on by itself: the execution has not ended, or the Workflow waits for another one",
    STALLED: "it does not go on by itself: failed, cancelled, or wrong in a way that somebody has to mend",
    SUCCEEDED: "the outcome of an execution: True, False, or Unknown until it ends",
    PERMITTED: "only there as False: the operator lacks a right that this execution needs; the message names it",
    PROTECTED: "only there as False: the policy that guards log and status of this execution is not in force",
    LOG_RETIRED: "only there as True: retention has removed the log of an execution that ended; its status is all that is left",
}

UNSEEN = "Unseen"
FINALLY = "Finally"
CANCELLING = "Cancelling"
RETENTION = "Retention"

CONDITION_REASONS: dict[str, str] = {
    UNSEEN: "no operator has looked at it yet: is one running, and does it serve this namespace?",
    s.PENDING: "the run has not started",
    s.RUNNING: "the run is under way",
    s.SUSPENDED: "the run is suspended: what runs goes on, nothing new starts",
    FINALLY: "the nodes of spec.finally run",
    CANCELLING: "the run is being cancelled, and what runs is ended",
    s.SUCCEEDED: "the run succeeded",
    s.FAILED: "the run failed; the usual reason is that of the failure",
    s.CANCELLED: "the run was cancelled",
    RETENTION: "spec.retention of the run says so",
}

SUSPEND, TIMER, CACHE, START, POD, MAX_NODES, CHILD = (
    "suspend",
    "timer",
    "cache",
    "start",
    "pod",
    "maxNodes",
    "child",
)
EXECUTION, WORKFLOW, LOG, OPERATOR = "execution", "workflow", "log", "operator"

WAITS: dict[str, str] = {
    SUSPEND: "the run, or an instance of a node that is ready, is held until the run is resumed",
    TIMER: "`name` is `wait` (a wait node), `retry` (the next attempt), or `redelivery` (of one that was lost)",
    CACHE: "the answer of the cache is awaited",
    START: "an attempt is scheduled and has not started",
    POD: "a pod cannot start, or how it ended is not known; `name` is the reason",
    MAX_NODES: "as many nodes run as concurrency.maxNodes allows",
    CHILD: "an execution that the node started is being started, ended, or has not ended; `name` is its name",
    EXECUTION: "the execution cannot begin or go on; `name` is the reason",
    WORKFLOW: "its Workflow, or one that it runs inline, is missing or cannot run; `name` is the reason",
    LOG: "its log was changed or deleted by somebody else, and nothing is done for it; `name` is the reason",
    OPERATOR: "no operator has looked at the execution yet",
}

_NOBODY = "no operator has looked at it yet"
_UNSEEN: dict[str, Any] = {
    "conditions": [
        {
            "type": READY,
            "status": "Unknown",
            "reason": UNSEEN,
            "message": _NOBODY,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }
    ]
}
UNSEEN_STATUS: dict[str, dict[str, Any]] = {
    "Workflow": _UNSEEN,
    "WorkflowExecution": {**_UNSEEN, "waitingFor": [{"kind": OPERATOR, "message": _NOBODY}]},
}
"""The status that the API server shows, by kind, until an operator has written one: kstatus calls what has none Current."""
