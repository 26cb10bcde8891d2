"""Statuses are written beside the runs: an actor hands its status over and goes on (protocol.md 20).

Rules of this file
- Of each execution only the latest status waits; what was not written when a newer one came is never written.
- A new phase, a spec that was heard and trouble are shown at once. Mere progress of a crowd is paced: a status write costs the
  API server more than a pod does, and takes the place of one where the machine is full. While a crowd is taken up it waits.
- At most one write per execution is under way; a few workers write for all, so that a crowd shares them.
- A refused write is tried again in a while, unless a newer status has come; nothing waits for it but the end of a run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Self

import structlog

from fairlead.kube.fence import NotLeader
from fairlead.kube.statuses import KubernetesStatus
from fairlead.model.errors import Bug, FairleadError
from fairlead.model.state import ENDED_RUN

WORKERS = 8
CALM_RATE, LATEST = 5.0, 10.0
"""Writes per second of mere progress, of all executions together; more if one would else wait longer than so many seconds."""
PAUSE = 2.0
"""Seconds until a refused write is tried again."""
DRAIN = 5.0
"""Seconds that a leader which stops gives to what is still to be shown."""

_log = structlog.get_logger(__name__)

Lacking = Callable[[str, int], list[dict[str, Any]]]
"""The conditions about an execution that its log does not give, for a generation of its spec."""


class StatusQueue:
    """The port StatusSink; `amend` changes single keys of what is shown. Use it as an async context manager."""

    def __init__(
        self,
        statuses: KubernetesStatus,
        segments: Callable[[str], int],
        lacking: Lacking,
        busy: Callable[[], bool],
    ) -> None:
        """`segments` gives how many closed segments a log has; `lacking` what else is to be said of a run that goes on.

        `busy` tells whether a crowd is being taken up.
        """
        self._statuses = statuses
        self._segments = segments
        self._lacking = lacking
        self._busy = busy
        self._latest: dict[str, tuple[dict[str, Any], bool]] = {}
        self._urgent: deque[str] = deque()
        self._calm: deque[tuple[str, float]] = deque()  # with the time since which each waits
        self._waiting: dict[str, bool] = {}  # whether it waits among the urgent
        self._told: dict[str, tuple[Any, Any]] = {}  # phase and generation as they were last handed over
        self._calm_at = 0.0
        self._writing: set[str] = set()
        self._ready = asyncio.Event()
        self._moved = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                for uid in list(self._latest):
                    await self.flushed(uid)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        """Have a status shown; returns at once."""
        if "log" in status:
            status = {**status, "log": {**status["log"], "segments": self._segments(uid)}}
        stands = status.get("phase"), status.get("observedGeneration")
        urgent = self._told.get(uid) != stands
        self._told[uid] = stands
        self._put(uid, status, whole=True, urgent=urgent)

    def amend(self, uid: str, changes: dict[str, Any]) -> None:
        """Have some keys of the status changed, whatever the others are; returns at once."""
        waiting = self._latest.get(uid)
        if waiting is None:
            self._put(uid, changes, whole=False, urgent=True)
        else:
            self._put(uid, {**waiting[0], **changes}, whole=waiting[1], urgent=True)

    def doubt(self, uid: str) -> None:
        """Somebody else wrote the status: the next one is compared with what is really there."""
        self._statuses.forget(uid)

    def stands(self, uid: str, phase: str, generation: int) -> None:
        """A run is taken up that is shown in this phase, for this generation of its spec: the same again is no news."""
        self._told.setdefault(uid, (phase, generation))

    def begins(self, uid: str, version: str) -> None:
        """Nothing is shown yet of an execution which has that version."""
        self._statuses.begins(uid, version)

    async def flushed(self, uid: str) -> None:
        """Until what was to be shown of an execution is."""
        while uid in self._latest or uid in self._writing:
            self._moved.clear()
            await self._moved.wait()

    def forget(self, uid: str) -> None:
        """The execution is gone or has ended: let go of what is known of its status."""
        self._latest.pop(uid, None)
        self._told.pop(uid, None)
        self._statuses.forget(uid)

    # --- inside ---

    def _put(self, uid: str, status: dict[str, Any], *, whole: bool, urgent: bool) -> None:
        self._latest[uid] = (status, whole)
        self._enqueue(uid, urgent=urgent)

    def _enqueue(self, uid: str, *, urgent: bool = True) -> None:
        waits = self._waiting.get(uid)
        if waits is None or (urgent and not waits):
            self._waiting[uid] = urgent
            if urgent:
                self._urgent.append(uid)
            else:
                self._calm.append((uid, asyncio.get_running_loop().time()))
            self._ready.set()

    async def _work(self) -> None:
        while True:
            uid = await self._next()
            if (
                uid not in self._writing and uid in self._latest
            ):  # else whoever writes it looks again when it is done
                await self._write(uid)

    async def _next(self) -> str:
        """The one whose turn it is: the urgent first, then the calm at their pace."""
        now = asyncio.get_running_loop().time
        while True:
            if self._urgent:
                return self._taken(self._urgent.popleft())
            while self._calm and self._waiting.get(self._calm[0][0]) is not False:
                self._calm.popleft()  # it has become urgent meanwhile, and was written
            if self._calm and self._turn() <= now():
                self._pace(now())
                return self._taken(self._calm.popleft()[0])
            self._ready.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._turn() if self._calm else None):
                    await self._ready.wait()

    def _turn(self) -> float:
        """When the first of the calm is written: at its pace, and at once when it has waited long enough."""
        return min(self._calm_at, self._calm[0][1] + LATEST)

    def _pace(self, now: float) -> None:
        """Set when the next of the calm may be written: so that all are before the first has waited too long."""
        left = self._calm[0][1] + LATEST - now
        if left > 0:
            rate = CALM_RATE if self._busy() else max(CALM_RATE, len(self._calm) / left)
            self._calm_at = max(self._calm_at, now - 1.0) + 1 / rate

    def _taken(self, uid: str) -> str:
        self._waiting.pop(uid, None)
        return uid

    def _with_what_lacks(self, uid: str, status: dict[str, Any]) -> dict[str, Any]:
        """The status of a run that goes on says what lacks now, whenever it was handed over."""
        if "conditions" not in status or status.get("phase") in ENDED_RUN:
            return status
        generation = status["conditions"][0].get("observedGeneration", 0)
        return {**status, "conditions": [*status["conditions"], *self._lacking(uid, generation)]}

    async def _write(self, uid: str) -> None:
        self._writing.add(uid)
        status, whole = self._latest.pop(uid)
        refused = False
        try:
            wanted = self._with_what_lacks(uid, status)
            if whole:
                await self._statuses.publish(uid, wanted)
            else:
                await self._statuses.amend(uid, wanted)
        except NotLeader:
            pass
        except Bug:  # its place is forgotten: it was let go of meanwhile
            self._latest.pop(uid, None)
        except FairleadError as error:
            _log.warning("a status could not be written", execution=uid, reason=str(error))
            if uid not in self._latest:
                self._latest[uid] = (status, whole)
            refused = True
            asyncio.get_running_loop().call_later(PAUSE, self._enqueue, uid)
        except Exception:  # noqa: BLE001 - one that cannot be shown does not hide the others
            _log.exception("a status could not be shown", execution=uid)
        finally:
            self._writing.discard(uid)
            if uid in self._latest and uid not in self._waiting and not refused:
                self._enqueue(uid)
            self._moved.set()
