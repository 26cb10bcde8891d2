"""Whether a failed attempt is tried again, and after which delay (api.md Policies, semantics 26 and 33)."""

from __future__ import annotations

from fairlead.engine.expressions import compile_condition
from fairlead.engine.graph import NodeDef
from fairlead.engine.turn import Turn
from fairlead.model import events as e
from fairlead.model.ids import unit_interval
from fairlead.model.manifests import Retry
from fairlead.model.reasons import NOT_RETRIED
from fairlead.model.state import NodeState
from fairlead.model.times import MINUTE, SECOND

FREE_RETRIES = 10
"""A budget never forbids the first ten retries of a run (semantics 33)."""


def backoff(policy: Retry, failed: int) -> int:
    """Microseconds before the attempt that follows the `failed`-th one (from 1), without jitter; never above `maxDelay`."""
    if policy.backoff == "none":
        return 0
    delay = float(policy.initial_delay)
    if policy.backoff == "linear":
        delay *= failed
    elif policy.backoff == "exponential" and delay:
        for _ in range(failed - 1):
            delay *= policy.multiplier
            if delay >= policy.max_delay:
                break
    return min(round(delay), policy.max_delay)


def delay_after(policy: Retry, failed: int, attempt_id: str) -> int:
    """`backoff` with jitter drawn from a hash of the attempt's id, so that a replay draws the same; within 0 and `maxDelay`."""
    delay = backoff(policy, failed)
    spread = 2.0 * unit_interval("jitter", attempt_id) - 1.0
    return max(0, min(round(delay * (1.0 + policy.jitter * spread)), policy.max_delay))


def redelivery_delay(lost: int) -> int:
    """Microseconds before an attempt is delivered again after its `lost`-th loss: at once, then 1s doubling up to a minute."""
    return 0 if lost <= 1 else min(SECOND << min(lost - 2, 10), MINUTE)


def may_retry(turn: Turn, key: str, node: NodeDef, state: NodeState, error: e.Error) -> Retry | None:
    """The policy by which the failed attempt is tried again, or None. Raises ExpressionError from retryOn or noRetryOn."""
    policy = node.retry
    failed = state.attempt - state.attempts_before
    if policy is None or failed < 1 or failed >= policy.max_attempts:
        return None
    if policy.retry_on is None and error.reason in NOT_RETRIED:
        return None
    scope = turn.scope(node, key, error=error)
    if policy.retry_on is not None and not compile_condition(policy.retry_on).evaluate(
        scope, turn.seed(key, "retryOn")
    ):
        return None
    if policy.no_retry_on is not None and compile_condition(policy.no_retry_on).evaluate(
        scope, turn.seed(key, "noRetryOn")
    ):
        return None
    counters = turn.state.counters
    if policy.budget is not None and counters.retries >= max(
        FREE_RETRIES, policy.budget * counters.first_attempts
    ):
        return None
    return policy
