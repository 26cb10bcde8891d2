"""Faults between a client and a real API server: what is asked may be lost on the way there, or its answer on the way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

from fairlead.kube.client import Ambiguous, Client


class Fault(Enum):
    """What happens to a request."""

    NONE = "it goes through"
    LOST = "it never arrives, and nobody knows"
    UNANSWERED = "it is done, and nobody knows"
    CRASH_BEFORE = "this process dies before it is sent"
    CRASH_AFTER = "this process dies after it was done"


class Crash(BaseException):
    """This process is dead."""


WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


class FaultyClient(Client):
    """A client whose writes meet what `fate` says; `between` runs before each write is sent."""

    fate: Callable[[str, str], Fault] = staticmethod(lambda method, path: Fault.NONE)
    between: Callable[[str, str], Awaitable[None]] | None = None
    writes = 0

    async def request(self, method: str, path: str, **words: Any) -> bytes:
        if method not in WRITES:
            return await super().request(method, path, **words)
        self.writes += 1
        fault = self.fate(method, path)
        if self.between is not None:
            await self.between(method, path)
        if fault is Fault.CRASH_BEFORE:
            raise Crash
        if fault is Fault.LOST:
            raise Ambiguous(f"{method} {path} was lost")
        reply = await super().request(method, path, **words)
        if fault is Fault.CRASH_AFTER:
            raise Crash
        if fault is Fault.UNANSWERED:
            raise Ambiguous(f"the answer to {method} {path} was lost")
        return reply
