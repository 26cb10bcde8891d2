"""Runs attempts as subprocesses: at most `limit` at once, the rest wait by priority and arrival.

Rules of this file
- `start` and `stop` return at once and may be repeated; what happens is told by events, one Ended for each
  key that was started, never from inside `start` or `stop`.
- A stop tells the runner, which sends TERM and KILL; a runner that does not answer is killed itself.
- A runner that dies without a result has lost the attempt: what it left is ended first, then NodeLost is
  reported.
- After `close` has begun nothing is reported any more: what is stopped by the end of fairlead is no end of
  the node.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import itertools
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from fairlead.local.subprocesses import leftovers
from fairlead.local.subprocesses.attempts import Attempt, Ended, RunnerEvent, Started
from fairlead.local.subprocesses.containers import Tool, find
from fairlead.local.subprocesses.live import Live
from fairlead.local.subprocesses.output_reading import Line, tail
from fairlead.local.subprocesses.places import output_path
from fairlead.local.subprocesses.preparation import Preparation
from fairlead.local.subprocesses.refusals import Refusal
from fairlead.model import reasons
from fairlead.model.errors import Unavailable
from fairlead.model.times import SECOND

ANSWER_TIME = 25.0
"""Seconds beyond the grace until a stopped runner that has not reported is killed; it gives up sooner itself."""
CROWDED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""What the system says when there are too many descriptors, processes or bytes in use for one more."""


def clock_micros() -> int:
    """Now, in microseconds since the epoch."""
    return time.time_ns() // 1000


def default_limit() -> int:
    """Twice as many as there are cores for us."""
    return 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class SubprocessRunner:
    """The subprocesses of one fairlead process."""

    def __init__(
        self,
        *,
        workspace: Path,
        on_event: Callable[[RunnerEvent], None],
        limit: int | None = None,
        host_commands: bool = False,
        container_tool: str | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], int] = clock_micros,
    ) -> None:
        self.workspace = workspace.absolute()
        self._on_event = on_event
        self._limit = limit or default_limit()
        self._clock = clock
        self._environ = dict(os.environ) if environ is None else environ
        self._preparation = Preparation(
            self.workspace, self._environ, host_commands=host_commands, clock=clock
        )
        self._container_tool = container_tool
        self._finding: asyncio.Task[Tool | str] | None = None
        self._queue: list[tuple[int, int, Attempt]] = []
        self._queued: set[str] = set()
        self._arrival = itertools.count()
        self._live: dict[str, Live] = {}
        self._leaving: set[Live] = set()
        self._crowded = False
        self._filling = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._idle = asyncio.Event()

    @property
    def limit(self) -> int:
        """How many run at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._fill()

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queued)

    def start(self, attempt: Attempt) -> None:
        """Run an attempt as soon as there is a place for it; nothing happens if its key is known."""
        if self._closed or attempt.key in self._queued or attempt.key in self._live:
            return
        self._queued.add(attempt.key)
        heapq.heappush(self._queue, (-attempt.priority, next(self._arrival), attempt))
        self._fill()

    def stop(self, key: str, grace: int) -> None:
        """End an attempt: TERM, KILL after `grace` microseconds. One that waits never starts."""
        if key in self._queued:
            self._queued.remove(key)
            self._emit(Ended(key, self._clock(), error=_never_started(), stopped=True))
            return
        live = self._live.get(key)
        if live is not None:
            self._stop(live, grace)

    def tail(self, uid: str, key: str, count: int) -> list[Line]:
        """The last lines that an attempt printed: of a running one from memory, else from its log."""
        live = self._live.get(key)
        if live is not None:
            return live.tail(count)
        return tail(output_path(self.workspace, uid, key), count)

    async def end_leftovers(self, uid: str) -> list[str]:
        """Before the first start of an execution that another process ran: see `leftovers`."""
        self._preparation.forget(uid)
        return await leftovers.end_leftovers(self.workspace, uid)

    async def close(self, grace: int = 2 * SECOND) -> None:
        """Stop everything and return when nothing runs any more. No event is reported from now on."""
        self._closed = True
        self._queued.clear()
        self._queue.clear()
        for live in list(self._live.values()):
            self._stop(live, grace)
        while self._live or self._leaving:
            self._idle.clear()
            await self._idle.wait()
        if self._finding is not None:
            self._finding.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._preparation.close()

    def _stop(self, live: Live, grace: int) -> None:
        live.stop(grace, ANSWER_TIME)
        if not live.pid:
            self._end(live, error=_never_started())

    def _fill(self) -> None:
        """Start what there is a place for."""
        if self._filling or self._closed:
            return  # what cannot start ends at once, and comes here again
        self._filling = True
        while self._queue and len(self._live) < self._limit and not self._crowded:
            _, place, attempt = heapq.heappop(self._queue)
            if attempt.key not in self._queued:
                continue  # withdrawn
            self._queued.remove(attempt.key)
            live = self._live[attempt.key] = Live(attempt, place, self)
            if self._preparation.needs_tool(attempt):
                self._spawn(self._begin_in_container(live))
            else:
                self._begin(live, None)
        self._filling = False

    def _begin(self, live: Live, tool: Tool | None) -> None:
        """Start the attempt's process, or report why it cannot be."""
        at = self._clock()
        try:
            live.begin(self._preparation.prepare(live.attempt, tool))
        except Refusal as refusal:
            self._end(live, error={"reason": refusal.reason, "message": str(refusal)})
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in CROWDED and len(self._live) > 1:
                self._put_back(live)
                return
            self._end(
                live,
                error={"reason": reasons.RUNNER_FAILED, "message": f"the node could not be started: {error}"},
            )
        else:
            self._emit(Started(live.attempt.key, at, live.pid))

    async def _begin_in_container(self, live: Live) -> None:
        """The same for a node with an image, once it is known what can run it."""
        if self._finding is None:
            path = self._environ.get("PATH")
            self._finding = asyncio.create_task(asyncio.to_thread(find, self._container_tool, path))
        found = await asyncio.shield(self._finding)
        if live.stopped:
            return
        if isinstance(found, Tool):
            self._begin(live, found)
            return
        image = live.attempt.document["run"]["image"]
        message = (
            f"image {image!r} needs podman or docker, and there is neither: {found}; install podman, or run the "
            "command on this host with --host-commands"
        )
        self._end(live, error={"reason": reasons.NO_CONTAINER_RUNTIME, "message": message})

    def _put_back(self, live: Live) -> None:
        """There is no room on this machine for one more: it goes first when one of the others has ended."""
        live.finish()
        del self._live[live.attempt.key]
        self._queued.add(live.attempt.key)
        heapq.heappush(self._queue, (-live.attempt.priority, live.place, live.attempt))
        self._crowded = True

    def on_result(self, live: Live, result: dict[str, Any]) -> None:
        """A runner reported."""
        self._leaving.add(live)
        self._end(live, outputs=result.get("outputs"), error=result.get("error"))

    def on_gone(self, live: Live) -> None:
        """A runner that had reported has ended."""
        self._leaving.discard(live)
        self._idle.set()

    def on_lost(self, live: Live) -> None:
        """A runner died without a report."""
        self._spawn(self._end_lost(live))

    async def _end_lost(self, live: Live) -> None:
        """The runner died: end what it left, then say so."""
        try:
            await leftovers.end_processes({"FAIRLEAD_ATTEMPT_KEY": live.attempt.key}, session=live.pid)
            message = f"the node's runner {live.reap()} before the node ended; what was left of the node has been ended"
        except Unavailable as error:
            message = f"the node's runner {live.reap()} before the node ended, and {error}"
        await asyncio.to_thread(live.remove_rests)
        self._end(live, error={"reason": reasons.NODE_LOST, "message": message})

    def _end(
        self, live: Live, outputs: dict[str, Any] | None = None, error: dict[str, Any] | None = None
    ) -> None:
        """An attempt is over: report it, and give its place to the next."""
        del self._live[live.attempt.key]
        problem = live.finish()
        if error is not None:
            error = {**error, "message": live.masked(error["message"])}
        self._emit(Ended(live.attempt.key, self._clock(), outputs, error, live.stopped, problem))
        self._idle.set()
        self._crowded = False
        self._fill()

    def _emit(self, event: RunnerEvent) -> None:
        """Report from the event loop, never from inside a call of ours. What ended before `close` is reported."""
        if not self._closed:
            asyncio.get_running_loop().call_soon(self._on_event, event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _never_started() -> dict[str, Any]:
    return {"reason": reasons.CANCELLED, "message": "it was stopped before it had started"}
