"""Which rights the API server denied us, as far as they still lack: for the log once each, and for whoever shows them.

Rules of this file
- Only what RBAC denies is a right that lacks; an admission, a quota or a namespace that goes are not.
- A right lacks from its first denial until the same verb on the same resource of the same namespace is allowed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from fairlead.kube.client.errors import Forbidden, Request
from fairlead.kube.client.resources import target_of
from fairlead.model.errors import FairleadError

_RBAC = re.compile(r" cannot [a-z]+ resource \"")
"""How the authorizer words a denial, whatever stands before and behind it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource (`pods/log`) of an API group, in a namespace or (empty) in all of them."""

    verb: str
    resource: str
    group: str
    namespace: str

    def __str__(self) -> str:
        group = f" of {self.group}" if self.group else ""
        where = f" in namespace {self.namespace}" if self.namespace else " in all namespaces"
        return f"{self.verb} {self.resource}{group}{where}"


def right_of(request: Request) -> Right | None:
    """The right that a request needs; None for what is no resource."""
    target = target_of(request.path)
    if not target.resource:
        return None
    return Right(target.verb(request.verb), target.resource, target.group, target.namespace)


class Rights:
    """What lacks, and since when (microseconds). `when_changed` is told the namespace concerned; empty: all."""

    def __init__(self, wall: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        self._wall = wall
        self.missing: dict[Right, int] = {}
        self.logged = False  # a service says it in its log; who asks once is told by the error
        self.when_changed: Callable[[str], None] = _nothing

    def of(self, namespace: str) -> list[tuple[Right, int]]:
        """What lacks for the objects of a namespace, in the order of the first denials."""
        return [(right, since) for right, since in self.missing.items() if right.namespace in ("", namespace)]

    def denied(self, request: Request, error: FairleadError) -> None:
        """A request failed: if it was for want of a right, that is remembered, and said once."""
        if not isinstance(error, Forbidden) or not _RBAC.search(str(error)):
            return
        right = right_of(request)
        if right is None or right in self.missing:
            return
        self.missing[right] = self._wall()
        if self.logged:
            _log.warning(
                "a right is missing; what does not need it goes on", right=str(right), reason=str(error)
            )
        self.when_changed(right.namespace)

    def allowed(self, request: Request) -> None:
        """A request was allowed: what lacked for it is there again."""
        right = right_of(request) if self.missing else None
        if right is not None and self.missing.pop(right, None) is not None:
            if self.logged:
                _log.info("a right that was missing is there", right=str(right))
            self.when_changed(right.namespace)


def _nothing(namespace: str) -> None:
    """Nobody wants to know."""
