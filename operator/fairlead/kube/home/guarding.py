"""Whoever touches a log of a live run beside us is noticed, also while the run stands still.

Rules of this file
- Heads, segments and archives are watched, their metadata alone: what our own appends cost so is next to nothing.
- A head in a version that is not ours, or a record that goes while the head names it, has the log read whole; what comes of it
  is the run's own business.
- Our own write may be seen before its answer is: a doubt waits a moment before anybody acts on it.
- What an append left behind that failed is seen here, too: records that no head names. They go when they are old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, Client, Metadata
from fairlead.kube.fence import NotLeader
from fairlead.kube.lease import Leadership
from fairlead.kube.log.forms import OPEN
from fairlead.kube.log.log import ARCHIVE, SEGMENT, VOID_AFTER
from fairlead.kube.objects import born
from fairlead.kube.watching import Change, Kind, Watch
from fairlead.model.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.kube.home.term import Term

MOMENT = 1.0
"""Seconds that a doubt waits."""
GONE = ""
"""In the place of a version: the record is not there any more."""

_log = structlog.get_logger(__name__)


class Part(msgspec.Struct, gc=False):
    """The metadata of a record of a log."""

    metadata: Metadata

    @property
    def shard(self) -> str:
        """The value of its shard label."""
        return self.metadata.labels.get(names.SHARD, "")


class Guard:
    """Watches the logs of a term."""

    def __init__(self, term: Term, client: Client, leadership: Leadership, namespace: str | None) -> None:
        self._term = term
        self._doubts: dict[str, asyncio.Task[None]] = {}
        self._latest: dict[str, tuple[str, int]] = {}
        """What each doubt is about: the version of the head, or GONE, and how often we had written it."""
        self._watch = Watch(
            client,
            CONFIG_MAPS,
            Part,
            self._changed,
            selector=f"{names.LOG} in ({OPEN},{SEGMENT},{ARCHIVE})",
            namespace=namespace,
            shards=leadership.shards,
            partial=True,
        )

    @property
    def quiet_for(self) -> float:
        """Seconds since the server was last heard of."""
        return self._watch.quiet_for

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            await self._watch.run()
        finally:
            doubts = list(self._doubts.values())
            for task in doubts:
                task.cancel()
            await asyncio.gather(*doubts, return_exceptions=True)

    async def sweep(self) -> None:
        """Have records of logs at work removed that no head names, and that are old. Raises NotLeader."""
        limit = datetime.now(UTC) - VOID_AFTER
        for uid in {part.metadata.labels.get(names.EXECUTION_UID, "") for part in self._void(limit)}:
            try:
                await self._term.log.sweep(uid)
            except NotLeader:
                raise
            except FairleadError as error:
                _log.warning("what no log names could not be removed", uid=uid, reason=str(error))

    def _void(self, limit: datetime) -> Iterator[Part]:
        """Records older than that which seem to be nobody's; the log itself looks before it removes one."""
        for part in self._watch.all():
            about = part.metadata
            uid = about.labels.get(names.EXECUTION_UID, "")
            is_record = about.labels.get(names.LOG) in (SEGMENT, ARCHIVE) and self._term.is_at_work(uid)
            if is_record and born(about) < limit and not self._term.log.refers_to(uid, about.name):
                yield part

    def _changed(self, change: Change[Part]) -> None:
        about, gone = change.view.metadata, change.kind is Kind.GONE
        uid = about.labels.get(names.EXECUTION_UID, "")
        if not self._term.is_at_work(uid):
            return
        if about.labels.get(names.LOG) == OPEN:
            if gone or not self._term.log.wrote(uid, about.resource_version):
                self._doubt(uid, GONE if gone else about.resource_version)
        elif gone and self._term.log.refers_to(uid, about.name):
            self._doubt(uid, GONE)

    def _doubt(self, uid: str, version: str) -> None:
        """Look in a moment whether a head in this version, or a record that is gone, was our doing."""
        if uid in self._latest and self._latest[uid][0] == GONE:
            return
        self._latest[uid] = version, self._term.log.appends(uid)
        if uid not in self._doubts:
            self._doubts[uid] = asyncio.create_task(self._settle(uid))

    async def _settle(self, uid: str) -> None:
        try:
            while uid in self._latest:
                await asyncio.sleep(MOMENT)
                version, seen = self._latest.pop(uid)
                if self._is_touched(uid, version, seen):
                    await self._term.log.verify(uid)
        except FairleadError as wrong:
            _log.warning("a log was touched by somebody else", uid=uid, reason=str(wrong))
            self._term.doubt(uid, wrong)
        finally:
            self._latest.pop(uid, None)
            del self._doubts[uid]

    def _is_touched(self, uid: str, version: str, seen: int) -> bool:
        """Whether somebody else may have done it, after our answers have had a moment to come."""
        log = self._term.log
        if not self._term.is_at_work(uid) or log.wrote(uid, version):
            return False
        # Had we written upon a version that is not our own, the write would have failed.
        return version == GONE or log.appends(uid) == seen
