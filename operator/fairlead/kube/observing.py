"""What this home tells whoever measures it: facts, one call each, as they happen.

Rules of this file
- The home knows nothing of metrics. Whoever works through a client tells the client's observer.
- Calls are made on the paths that are walked for each request and each commit: they return at once and raise nothing.
- Labels come from closed lists: kinds, phases, reasons, verbs, kinds of objects, codes. No name, uid or text of a person is among
  them, and a reason that a script made up is `Other`.
- Times are seconds.
"""

from __future__ import annotations

from fairlead.model.reasons import MEANINGS

OTHER = "Other"
NO_ANSWER = 0
"""The code of a request that got no answer."""
DISCOVERY = "discovery"
"""The kind of object of a request that is about none: what is served, the version."""


class Observer:
    """Who is told what happens. This one does not care; others take what they want."""

    def answered(self, verb: str, resource: str, code: int, seconds: float) -> None:
        """One try of a request has its answer, or NO_ANSWER; of a watch, its beginning."""

    def listed(self, resource: str) -> None:
        """A watch has listed everything."""

    def streamed(self, resource: str) -> None:
        """A watch begins a stream."""

    def appended(self, events: int, size: int, seconds: float) -> None:
        """Events of so many bytes were committed to a log, so long after that was asked for."""

    def reacted(self, seconds: float) -> None:
        """The end of a delivery is committed, so long after its pod was first seen to have ended."""

    def node_ended(self, kind: str, outcome: str, seconds: float | None) -> None:
        """An instance of a node has ended; None if it never started."""

    def node_failed(self, reason: str) -> None:
        """An attempt of a node has failed, whether or not another follows."""

    def node_retried(self, kind: str) -> None:
        """Another attempt follows."""

    def delivery_lost(self, reason: str) -> None:
        """A delivery was lost."""

    def execution_started(self) -> None:
        """An execution has begun."""

    def execution_ended(self, phase: str, seconds: float | None) -> None:
        """An execution has ended; None if it never started."""


def known(reason: str) -> str:
    """A reason of the closed list: what a script says in its result may be anything."""
    return reason if reason in MEANINGS else OTHER
