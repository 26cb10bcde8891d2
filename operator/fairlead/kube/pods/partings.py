"""Pods that the log waits for no longer: one that has ended is marked done and let go, one that has not is deleted first.

Rules of this file
- The finalizer goes in the patch that marks the pod done (protocol 8). Done already, and gone already, are fine. The patch
  empties managedFields: to compare them costs the API server a third of the patch, and nobody applies to a pod of ours.
- A refusal is believed only of a pod that is not there any more: what an admission denies today, or somebody else's writes have
  crossed, is asked for again. A finalizer that nobody frees would hold its namespace for ever.
- Nobody waits for these requests but the end of a run: a few at a time, so that what runs goes before what has ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from random import random
from typing import Any

import structlog

from fairlead.kube import names
from fairlead.kube.client import PODS, Client, Invalid
from fairlead.kube.client.client import STRATEGIC
from fairlead.kube.client.replies import metadata_of
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.pods.views import Pod
from fairlead.model.errors import Conflict, FairleadError, NotFound

AT_ONCE, MANY = 1, 100
"""Releases under way at once, and one more for each so many that wait."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two tries of what was refused."""

_log = structlog.get_logger(__name__)


class UnderWay:
    """How many requests for pods of each execution were begun and are not done."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._progress = asyncio.Event()

    def begin(self, uid: str) -> None:
        """One more, which `counted` will do."""
        self._counts[uid] = self._counts.get(uid, 0) + 1

    async def counted(self, uid: str, work: Awaitable[None]) -> None:
        """Do what was begun."""
        try:
            await work
        finally:
            left = self._counts.pop(uid) - 1
            if left:
                self._counts[uid] = left
            self._progress.set()

    async def none_of(self, uid: str) -> None:
        """Until there are none of an execution."""
        while uid in self._counts:
            self._progress.clear()
            await self._progress.wait()


class Partings:
    """Lets pods go."""

    def __init__(self, client: Client, fence: Fence, under_way: UnderWay) -> None:
        self._client = client
        self._fence = fence
        self._under_way = under_way
        self._line: deque[tuple[str, Pod]] = deque()
        self._releasing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Let go of no more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def release_soon(self, uid: str, pod: Pod) -> None:
        """Have a pod of an execution released when its turn comes; one that has not ended is deleted at once."""
        self._under_way.begin(uid)
        if not pod.status.has_ended:
            self._spawn(self._under_way.counted(uid, self.end(pod)))
            return
        self._line.append((uid, pod))
        if self._releasing < max(AT_ONCE, len(self._line) // MANY):
            self._releasing += 1
            self._spawn(self._release_all())

    async def end(self, pod: Pod) -> None:
        """Delete a pod and let it go at once: nobody waits for what becomes of it."""
        about = pod.metadata
        await self.insist(pod, lambda: self._client.delete(PODS, about.namespace, about.name, uid=about.uid))
        await self._release(pod)

    async def insist(self, pod: Pod, request: Callable[[], Awaitable[object]]) -> None:
        """Send it until there is a verdict: it is done, it is gone, or it is not ours to do any more."""
        pause = FIRST_PAUSE
        while True:
            try:
                self._fence.epoch()
                await request()
            except (NotFound, NotLeader):
                return
            except FairleadError as error:
                if isinstance(error, (Conflict, Invalid)) and not await self._is_there(pod):
                    return
                _log.warning("a pod could not be let go", pod=pod.metadata.name, error=str(error))
                await asyncio.sleep(pause * (0.5 + random()))  # noqa: S311 - spreads load
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                return

    # --- inside ---

    async def _is_there(self, pod: Pod) -> bool:
        """Whether it may still be there: neither gone, nor another one under its name."""
        about = pod.metadata
        try:
            found = metadata_of(await self._client.get(PODS, about.namespace, about.name, partial=True))
        except NotFound:
            return False
        except FairleadError:
            return True
        return found.uid == about.uid

    async def _release_all(self) -> None:
        """Release pods one after the other while there are any."""
        try:
            while self._line:
                uid, pod = self._line.popleft()
                await self._under_way.counted(uid, self._release(pod))
        finally:
            self._releasing -= 1

    async def _release(self, pod: Pod) -> None:
        body: dict[str, Any] = {
            "metadata": {
                "uid": pod.metadata.uid,
                "labels": {names.DONE: "true"},
                "$deleteFromPrimitiveList/finalizers": [names.RESULT_FINALIZER],
                "managedFields": [{}],
            }
        }
        about = pod.metadata
        await self.insist(
            pod, lambda: self._client.patch(PODS, about.namespace, about.name, body, kind=STRATEGIC)
        )

    def _spawn(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
