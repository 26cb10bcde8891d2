"""What is told of deliveries: each verdict once, as a command, and none after an end.

Rules of this file
- A start waits a moment for its end: where both come together, one append has both.
- What a delivery was held by is taken back when it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fairlead.kube.pods.causes import Ended, Held, InLog, Lost, Nothing, Running, Verdict
from fairlead.kube.pods.deliveries import Deliveries, Delivery
from fairlead.model import commands as c

COMPANY = 0.1
"""Seconds for which the news that a container runs waits for its end."""

Report = Callable[[str, c.Command], None]
"""Is given the uid of an execution and what happened there."""


class Reports:
    """Tells those who run executions what became of their deliveries."""

    def __init__(self, report: Report, deliveries: Deliveries) -> None:
        self._report = report
        self._deliveries = deliveries

    def tell(self, delivery: Delivery, found: Verdict) -> None:
        """Report a verdict if it is a new one; after an end there is none."""
        if found == delivery.told or has_ended(delivery.told):
            return
        before, delivery.told = delivery.told, found
        if has_ended(found):
            self._deliveries.ended(delivery)
        if isinstance(before, Running):
            self._tell_start(delivery)
        about = _about(delivery)
        command: c.Command
        match found:
            case Running():
                if isinstance(before, Held):
                    self._report(delivery.uid, c.AttemptHeld(**about))
                delivery.untold_start = True
                asyncio.get_running_loop().call_later(COMPANY, self._tell_start, delivery)
                return
            case Held(reason, message):
                command = c.AttemptHeld(reason=reason, message=message, **about)
            case Lost(reason, message):
                command = c.AttemptLost(reason=reason, message=message, **about)
            case Ended(result):
                command = c.AttemptEnded(outputs=result.outputs, error=result.error, **about)
            case Nothing() if isinstance(before, Held):
                command = c.AttemptHeld(**about)  # what it was held by is over
            case InLog() | Nothing():
                return
        self._report(delivery.uid, command)

    def _tell_start(self, delivery: Delivery) -> None:
        """Report that the container runs, if that was not done yet and anybody still waits for it."""
        if delivery.untold_start and self._deliveries.named(delivery.name) is delivery:
            delivery.untold_start = False
            self._report(delivery.uid, c.AttemptStarted(handle=delivery.pod_uid, **_about(delivery)))


def _about(delivery: Delivery) -> dict[str, Any]:
    start = delivery.start
    return {"node": start.node, "attempt": start.attempt, "delivery": start.delivery}


def has_ended(told: Verdict | None) -> bool:
    """Whether what was told is an end."""
    return isinstance(told, (Ended, Lost))
