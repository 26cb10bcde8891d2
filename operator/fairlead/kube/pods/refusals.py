"""Why a pod could not be created, and what follows: wait visibly, fail the attempt, or stop leading.

    answer                                            what follows
    403 exceeded quota, failed quota                  held, QuotaExceeded
    403 otherwise: admission, a right, an account     held, PodRefused
    422, 400 of a policy or webhook                   held, PodRefused
    our own fence, which has another epoch            none (raised as it is): we may not lead any more
    422, 400 otherwise                                the attempt fails, PodInvalid: no waiting mends it
    429, 5xx, no connection                           held, ClusterUnavailable

Rules of this file
- What may pass is waited for: an admission that denies today may allow tomorrow, and `startTimeout` is the limit of patience.
- Messages of the API server are shown as they are, without the request that we made.
"""

from __future__ import annotations

import re

from fairlead.kube.client import Fenced, Forbidden, Invalid
from fairlead.kube.pods.causes import Ended, Held
from fairlead.kube.pods.results import Result
from fairlead.model import reasons
from fairlead.model.errors import FairleadError, Unavailable
from fairlead.model.events import Error

__all__ = ["Fenced", "denial_of", "may_pass", "refusal_of", "said_of"]

_QUOTA = re.compile(r"exceeded quota|failed quota")
_ADMISSION = re.compile(r"ValidatingAdmissionPolicy '|admission webhook|denied the request|denied request")
_ASKED = re.compile(r"^\w+ \S+ was answered (?P<said>.*)$", re.DOTALL)


def refusal_of(error: FairleadError) -> Ended | Held:
    """What a refused creation means for the attempt. Raises Fenced."""
    if isinstance(error, Fenced):
        raise error
    said = said_of(error)
    if isinstance(error, Forbidden):
        return Held(reasons.QUOTA_EXCEEDED if _QUOTA.search(str(error)) else reasons.POD_REFUSED, said)
    if isinstance(error, Invalid):
        if may_pass(error):
            return Held(reasons.POD_REFUSED, said)
        return Ended(Result(error=Error(reason=reasons.POD_INVALID, message=said)))
    return Held(reasons.CLUSTER_UNAVAILABLE, said)


def denial_of(error: FairleadError) -> Held:
    """What it means that a pod may not be deleted: it is waited for, as long as it takes."""
    away = isinstance(error, Unavailable) and not isinstance(error, Forbidden)
    reason = reasons.CLUSTER_UNAVAILABLE if away else reasons.POD_REFUSED
    return Held(reason, f"its pod cannot be deleted: {said_of(error)}")


def may_pass(error: FairleadError) -> bool:
    """Whether an admission policy, a webhook or a quota denied it, which may allow it tomorrow."""
    return bool(_ADMISSION.search(str(error)) or _QUOTA.search(str(error)))


def said_of(error: FairleadError) -> str:
    """What the API server said, on one line and cut."""
    text = str(error)
    found = _ASKED.match(text)
    said = " ".join((found["said"] if found else text).split())
    return said if len(said) <= 500 else said[:497] + "..."
