"""The fence: who may write.

Leadership by Lease gives one (`lease`); every write of the log asks it, immediately before it is sent.
"""

from __future__ import annotations

from typing import Protocol

from fairlead.model.errors import Unavailable


class NotLeader(Unavailable):
    """We do not lead, or not any more: nothing may be written, decided or released. `epoch`: that of somebody later, if known."""

    def __init__(self, message: str, epoch: int = 0) -> None:
        super().__init__(message)
        self.epoch = epoch


class Fence(Protocol):
    """What a writer needs to know of leadership."""

    @property
    def writer(self) -> str:
        """Our identity, for the log."""

    def epoch(self) -> int:
        """The number of our reign, which only grows from holder to holder. Raises NotLeader."""
