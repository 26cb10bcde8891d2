"""Statuses are written beside the runs: an actor hands its status over and goes on (protocol.md 20).

Rules of this file
- Of each execution only the latest status waits; what was not written when a newer one came is never written.
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

WORKERS = 8
PAUSE = 2.0
"""Seconds until a refused write is tried again."""
DRAIN = 5.0
"""Seconds that a leader which stops gives to what is still to be shown."""

_log = structlog.get_logger(__name__)


class StatusQueue:
    """The port StatusSink; `amend` changes single keys of what is shown. Use it as an async context manager."""

    def __init__(self, statuses: KubernetesStatus, segments: Callable[[str], int]) -> None:
        """`segments` gives how many closed segments a log has, which the engine does not know."""
        self._statuses = statuses
        self._segments = segments
        self._latest: dict[str, tuple[dict[str, Any], bool]] = {}
        self._queue: deque[str] = deque()
        self._waiting: set[str] = set()
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
        self._put(uid, status, whole=True)

    def amend(self, uid: str, changes: dict[str, Any]) -> None:
        """Have some keys of the status changed, whatever the others are; returns at once."""
        waiting = self._latest.get(uid)
        if waiting is None:
            self._put(uid, changes, whole=False)
        else:
            self._put(uid, {**waiting[0], **changes}, whole=waiting[1])

    def doubt(self, uid: str) -> None:
        """Somebody else wrote the status: the next one is compared with what is really there."""
        self._statuses.forget(uid)

    async def flushed(self, uid: str) -> None:
        """Until what was to be shown of an execution is."""
        while uid in self._latest or uid in self._writing:
            self._moved.clear()
            await self._moved.wait()

    def forget(self, uid: str) -> None:
        """The execution is gone or has ended: let go of what is known of its status."""
        self._latest.pop(uid, None)
        self._statuses.forget(uid)

    # --- inside ---

    def _put(self, uid: str, status: dict[str, Any], *, whole: bool) -> None:
        self._latest[uid] = (status, whole)
        self._enqueue(uid)

    def _enqueue(self, uid: str) -> None:
        if uid not in self._waiting:
            self._waiting.add(uid)
            self._queue.append(uid)
            self._ready.set()

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._ready.clear()
                await self._ready.wait()
            uid = self._queue.popleft()
            self._waiting.discard(uid)
            if uid in self._writing or uid not in self._latest:
                continue  # whoever writes it looks again when it is done
            await self._write(uid)

    async def _write(self, uid: str) -> None:
        self._writing.add(uid)
        status, whole = self._latest.pop(uid)
        refused = False
        try:
            if whole:
                await self._statuses.publish(uid, status)
            else:
                await self._statuses.amend(uid, status)
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
            if uid in self._latest and not refused:
                self._enqueue(uid)
            self._moved.set()
