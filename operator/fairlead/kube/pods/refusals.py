"""Why a pod could not be created, and what follows: wait visibly, fail the attempt, or stop leading.

    answer                                            what follows
    403 exceeded quota, failed quota                  held, QuotaExceeded
    403 otherwise: admission, a right, an account     held, PodRefused
    422, 400 of a policy or webhook                   held, PodRefused
    422 of our own fence                              none: we may not lead any more
    422, 400 otherwise                                the attempt fails, PodInvalid: no waiting mends it
    429, 5xx, no connection                           held, ClusterUnavailable

Rules of this file
- What may pass is waited for: an admission that denies today may allow tomorrow, and `startTimeout` is the limit of patience.
- Messages of the API server are shown as they are, without the request that we made.
"""

from __future__ import annotations

import re

from fairlead.kube.client import Forbidden, Invalid
from fairlead.kube.pods.causes import Ended, Held
from fairlead.kube.pods.results import Result
from fairlead.model import reasons
from fairlead.model.errors import FairleadError
from fairlead.model.events import Error

FENCE = re.compile(r"ValidatingAdmissionPolicy 'fence\.[^']*'")
_QUOTA = re.compile(r"exceeded quota|failed quota")
_ADMISSION = re.compile(r"ValidatingAdmissionPolicy '|admission webhook|denied the request|denied request")
_ASKED = re.compile(r"^\w+ \S+ was answered (?P<said>.*)$", re.DOTALL)


class Fenced(Exception):
    """The API server knows another leader; nothing is concluded about the pod."""


def refusal_of(error: FairleadError) -> Ended | Held:
    """What a refused creation means for the attempt. Raises Fenced."""
    text = str(error)
    if FENCE.search(text):
        raise Fenced(text)
    said = _said(text)
    if isinstance(error, Forbidden):
        return Held(reasons.QUOTA_EXCEEDED if _QUOTA.search(text) else reasons.POD_REFUSED, said)
    if isinstance(error, Invalid):
        if _ADMISSION.search(text):
            return Held(reasons.POD_REFUSED, said)
        return Ended(Result(error=Error(reason=reasons.POD_INVALID, message=said)))
    return Held(reasons.CLUSTER_UNAVAILABLE, said)


def _said(text: str) -> str:
    found = _ASKED.match(text)
    said = " ".join((found["said"] if found else text).split())
    return said if len(said) <= 500 else said[:497] + "..."
