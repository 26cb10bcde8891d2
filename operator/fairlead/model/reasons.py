"""The closed list of reasons: why a node or a run failed, was skipped, held or refused.

They are CamelCase constants that serve as condition reasons, event fields and metric labels. What a reason means stands beside
it; the documentation's table is made from `MEANINGS`.
"""

from __future__ import annotations

NON_ZERO_EXIT = "NonZeroExit"
SIGNALLED = "Signalled"
COMMAND_NOT_FOUND = "CommandNotFound"
TIMEOUT = "Timeout"
START_TIMEOUT = "StartTimeout"
OUTPUT_INVALID = "OutputInvalid"
OUTPUT_TOO_LARGE = "OutputTooLarge"
INPUT_TOO_LARGE = "InputTooLarge"
STORAGE_FULL = "StorageFull"
EXPRESSION_ERROR = "ExpressionError"
EXPRESSION_TOO_EXPENSIVE = "ExpressionTooExpensive"
JOIN_UNREACHABLE = "JoinUnreachable"
CACHE_KEY_INVALID = "CacheKeyInvalid"
MAX_ITERATIONS_EXCEEDED = "MaxIterationsExceeded"
NODE_LOST = "NodeLost"
EVICTED = "Evicted"
PREEMPTED = "Preempted"
TAINTED = "Tainted"
POD_DELETED = "PodDeleted"
POD_DELETING = "PodDeleting"
POD_REFUSED = "PodRefused"
POD_INVALID = "PodInvalid"
QUOTA_EXCEEDED = "QuotaExceeded"
UNSCHEDULABLE = "Unschedulable"
CONTAINER_WAITING = "ContainerWaiting"
OUT_OF_MEMORY = "OutOfMemory"
NO_CONTAINER_RUNTIME = "NoContainerRuntime"
WORKING_DIR_MISSING = "WorkingDirMissing"
SECRET_MISSING = "SecretMissing"
SECRET_UNUSABLE = "SecretUnusable"
IMAGE_PULL_FAILED = "ImagePullFailed"
RUNNER_FAILED = "RunnerFailed"
HTTP_REFUSED = "HttpRefused"
HTTP_FAILED = "HttpFailed"
HTTP_TIMEOUT = "HttpTimeout"
HTTP_STATUS = "HttpStatus"
NOTIFY_REFUSED = "NotifyRefused"
NOTIFY_FAILED = "NotifyFailed"
UNAUTHORIZED = "Unauthorized"
FORBIDDEN = "Forbidden"
NOT_FOUND = "NotFound"
ALREADY_EXISTS = "AlreadyExists"
CONFLICT = "Conflict"
RESOURCE_INVALID = "ResourceInvalid"
RESOURCE_FAILED = "ResourceFailed"
RESOURCE_TIMEOUT = "ResourceTimeout"
CLUSTER_UNAVAILABLE = "ClusterUnavailable"
EXECUTION_TIMEOUT = "ExecutionTimeout"
FINISHED_FAILED = "FinishedFailed"
BODY_FAILED = "BodyFailed"
DECIDED = "Decided"
CHILD_FAILED = "ChildFailed"
CHILD_CANCELLED = "ChildCancelled"
CHILD_LOST = "ChildLost"
CHILD_TOO_DEEP = "ChildTooDeep"
TOO_MANY_CHILDREN = "TooManyChildren"
CHILD_NAME_TAKEN = "ChildNameTaken"
CHILD_REFUSED = "ChildRefused"
WORKFLOW_NOT_FOUND = "WorkflowNotFound"
WORKFLOW_INVALID = "WorkflowInvalid"
INPUTS_INVALID = "InputsInvalid"
SPEC_INVALID = "SpecInvalid"
LOG_DAMAGED = "LogDamaged"
LOG_MISSING = "LogMissing"
NEWER_RELEASE = "NewerRelease"
POLICY_MISSING = "PolicyMissing"
INTERNAL_ERROR = "InternalError"
NO_RESULT_GIVEN = "NoResultGiven"
VALID = "Valid"
PASS_ABANDONED = "PassAbandoned"
FINALLY_FAILED = "FinallyFailed"
FINALLY_TIMEOUT = "FinallyTimeout"

WHEN_FALSE = "WhenFalse"
DEAD_PATH = "DeadPath"
EXECUTION_FAILED = "ExecutionFailed"
CANCELLED = "Cancelled"
FINISHED = "Finished"

SUSPENDED = "Suspended"
MAX_NODES = "MaxNodes"

GRAPH_END = "GraphEnd"
NO_CONNECTION_TAKEN = "NoConnectionTaken"
FORKED = "Forked"
LOOPED = "Looped"
LATE_ARRIVAL = "LateArrival"

MEANINGS: dict[str, str] = {
    NON_ZERO_EXIT: "the script or command ended with an exit code other than 0",
    SIGNALLED: "the script or command was ended by a signal that Fairlead did not send",
    COMMAND_NOT_FOUND: "the command does not exist or may not be executed",
    TIMEOUT: "an attempt ran longer than the node's timeout",
    START_TIMEOUT: "an attempt waited longer than the node's startTimeout for its start",
    OUTPUT_INVALID: "what the node gave as outputs is no JSON object, or holds a value that JSON or int64 cannot",
    OUTPUT_TOO_LARGE: "the outputs are larger than 1 MiB",
    INPUT_TOO_LARGE: "what the node is given is larger than 1 MiB",
    STORAGE_FULL: "the run would have stored more than 256 MiB of large values",
    EXPRESSION_ERROR: "an expression failed; the message shows it and the values it saw",
    EXPRESSION_TOO_EXPENSIVE: "an expression would have taken too long; use a list function or a run node",
    JOIN_UNREACHABLE: "fewer connections were taken than the join's atLeast, and none is open any more",
    CACHE_KEY_INVALID: "the node's cache.key gave something else than a text of 1 to 1,024 bytes",
    MAX_ITERATIONS_EXCEEDED: "a loop would have gone on past its maxIterations",
    NODE_LOST: "the node's process or pod vanished without a result, maxDeliveries times",
    EVICTED: "the pod was evicted: a drain, a node that ran out of a resource or was shut down",
    PREEMPTED: "a pod of higher priority took the place of the node's pod",
    TAINTED: "the pod's node got a taint that the pod does not tolerate",
    POD_DELETED: "somebody deleted the node's pod before it had reported a result",
    POD_DELETING: "the node's pod is being deleted, and how its container ended is still awaited",
    POD_REFUSED: "an admission policy or webhook denies the node's pod; it is tried again",
    POD_INVALID: "the API server does not accept the node's pod",
    QUOTA_EXCEEDED: "a ResourceQuota leaves no room for the node's pod; it is tried again",
    UNSCHEDULABLE: "no node of the cluster fits the pod",
    CONTAINER_WAITING: "the pod's container cannot start yet; the message has the kubelet's words",
    OUT_OF_MEMORY: "the container used more memory than its limit allows",
    NO_CONTAINER_RUNTIME: "the node has an image and neither podman nor docker is here",
    WORKING_DIR_MISSING: "the node's workingDir does not exist",
    SECRET_MISSING: "a Secret or one of its keys that the node names is not there",
    SECRET_UNUSABLE: "a Secret cannot be put where the node wants it",
    IMAGE_PULL_FAILED: "the node's image cannot be pulled or used",
    RUNNER_FAILED: "Fairlead's own runner could not do its work: a full disk, no more processes, an unreadable node document",
    HTTP_REFUSED: "the request may not be made: its URL, host, address, port, headers or the install's settings forbid it",
    HTTP_FAILED: "the request got no answer: resolving, connecting, TLS or the protocol failed",
    HTTP_TIMEOUT: "the request took longer than its limit (30 s unless the node's timeout says more)",
    HTTP_STATUS: "the answer is not what `expect` wants; by default its status is 400 or more",
    NOTIFY_REFUSED: "the message or the Secret's url cannot be used: no target apprise knows, several, or one of this machine",
    NOTIFY_FAILED: "the service did not take the message",
    UNAUTHORIZED: "the API server does not know who asks",
    FORBIDDEN: "the service account lacks a right; the message names it",
    NOT_FOUND: "the object or its namespace does not exist, or went while it was awaited",
    ALREADY_EXISTS: "an object of that name exists and was not created by this node",
    CONFLICT: "another manager owns a field, or the object changed meanwhile",
    RESOURCE_INVALID: "the manifest is no object that the cluster has or accepts",
    RESOURCE_FAILED: "the resource node's `failure` holds",
    RESOURCE_TIMEOUT: "`success`, or the end of a deleted object, did not come within the resource's timeout",
    CLUSTER_UNAVAILABLE: "the API server or the configuration to reach it is not there, or it answered 429 or 5xx",
    EXECUTION_TIMEOUT: "the run took longer than spec.timeout",
    FINISHED_FAILED: "a finish node ended the run with result failed",
    BODY_FAILED: "a node in the body failed and nothing in it handled that",
    PASS_ABANDONED: "a loopback was taken before the node had ended in this pass",
    DECIDED: "the parallel was decided before the branch had ended",
    CHILD_FAILED: "the execution that the node started has failed; the causes say why",
    CHILD_CANCELLED: "the execution that the node started was cancelled, and not by this one",
    CHILD_LOST: "the execution that the node started was deleted before it had ended, or its log is damaged",
    CHILD_TOO_DEEP: "executions have started executions more often than they may; recursion needs an end",
    TOO_MANY_CHILDREN: "the first execution and all that came from it are more than a tree may have",
    CHILD_NAME_TAKEN: "an execution that the node did not start has the name of its child",
    CHILD_REFUSED: "the API server, an admission policy, a webhook or a quota refuses the execution that the node starts",
    WORKFLOW_NOT_FOUND: "there is no workflow of the name that a node or an execution names",
    WORKFLOW_INVALID: "the workflow, or the one that a node calls, cannot run; the message says why",
    VALID: "the workflow can run",
    INPUTS_INVALID: "the inputs do not fit the schema of the workflow that the node calls",
    SPEC_INVALID: "the spec of the execution makes no sense; the message names the fields",
    LOG_DAMAGED: "an event of the log was changed or is missing: nothing is done for the execution any more",
    POLICY_MISSING: "an admission policy of the chart is not in force: others than the operator may write logs and statuses",
    LOG_MISSING: "the execution had a log, which somebody deleted: nothing is done for it any more",
    NEWER_RELEASE: "a newer release of Fairlead has written what this one does not know: nothing is done until that one is back",
    INTERNAL_ERROR: "Fairlead itself met an error that it did not expect; it tries again",
    NO_RESULT_GIVEN: "the case of `fairlead test` gives no result to a node that started",
    FINALLY_FAILED: "a node of spec.finally failed after the rest had succeeded",
    FINALLY_TIMEOUT: "finally took longer than spec.finallyTimeout; what of it had not ended was ended",
    WHEN_FALSE: "the node's own `when` was false: it is passed through",
    DEAD_PATH: "no connection into the node can be taken any more",
    EXECUTION_FAILED: "the run failed before the node could start or end",
    CANCELLED: "the run was cancelled before the node could start or end",
    FINISHED: "a finish node ended the run before the node could start or end",
    SUSPENDED: "the run is suspended: nothing new starts",
    MAX_NODES: "as many nodes run as concurrency.maxNodes allows",
    GRAPH_END: "the path's last node has no connection onward from the port it took",
    NO_CONNECTION_TAKEN: "the port has connections, but the `when` of none of them held",
    FORKED: "several connections were taken; each goes on as a child path",
    LOOPED: "a loopback was taken; each pass of a loop goes on in a path of its own",
    LATE_ARRIVAL: "the join ahead had already been met",
}

NOT_RETRIED = frozenset(
    {
        EXPRESSION_ERROR,
        EXPRESSION_TOO_EXPENSIVE,
        OUTPUT_INVALID,
        OUTPUT_TOO_LARGE,
        INPUT_TOO_LARGE,
        STORAGE_FULL,
        MAX_ITERATIONS_EXCEEDED,
        JOIN_UNREACHABLE,
        INPUTS_INVALID,
        HTTP_REFUSED,
        NOTIFY_REFUSED,
        FORBIDDEN,
        RESOURCE_INVALID,
        CHILD_LOST,
        CHILD_TOO_DEEP,
        TOO_MANY_CHILDREN,
        CHILD_NAME_TAKEN,
        WORKFLOW_NOT_FOUND,
        WORKFLOW_INVALID,
        INPUTS_INVALID,
    }
)
"""Reasons that are not retried unless `retryOn` names them (semantics 26)."""
