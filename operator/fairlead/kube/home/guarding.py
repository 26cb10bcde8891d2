"""Whoever touches a log of a live run beside us is noticed, also while the run stands still.

Rules of this file
- Heads, segments and archives are watched, their metadata alone: what our own appends cost so is next to nothing.
- A head in a version that is not ours, or a record that goes while the head names it, has the log read whole; what comes of it
  is the run's own business.
- Our own write may be seen before its answer is: a doubt waits a moment before anybody acts on it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, Client, Metadata
from fairlead.kube.lease import Leadership
from fairlead.kube.log.forms import OPEN
from fairlead.kube.log.log import ARCHIVE, SEGMENT
from fairlead.kube.watching import Change, Kind, Watch
from fairlead.model.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.kube.home.term import Term

MOMENT = 1.0
"""Seconds that a doubt waits."""

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

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            await self._watch.run()
        finally:
            for task in self._doubts.values():
                task.cancel()
            await asyncio.gather(*self._doubts.values(), return_exceptions=True)

    def _changed(self, change: Change[Part]) -> None:
        about = change.view.metadata
        uid = about.labels.get(names.EXECUTION_UID, "")
        if uid in self._doubts or not self._term.is_at_work(uid):
            return
        if about.labels.get(names.LOG) == OPEN:
            if change.kind is Kind.GONE or not self._term.log.wrote(uid, about.resource_version):
                self._doubt(uid, about.resource_version)
        elif change.kind is Kind.GONE and self._term.log.refers_to(uid, about.name):
            self._doubt(uid, "")

    def _doubt(self, uid: str, version: str) -> None:
        task = self._doubts[uid] = asyncio.create_task(self._settle(uid, version))
        task.add_done_callback(lambda _: self._doubts.pop(uid, None))

    async def _settle(self, uid: str, version: str) -> None:
        seen = self._term.log.appends(uid)
        await asyncio.sleep(MOMENT)
        if not self._term.is_at_work(uid) or self._term.log.wrote(uid, version):
            return
        if version and self._term.log.appends(uid) != seen:
            return  # we have written since: had it not been our own version, the write would have failed
        try:
            await self._term.log.verify(uid)
        except FairleadError as wrong:
            _log.warning("a log was touched by somebody else", uid=uid, reason=str(wrong))
            self._term.doubt(uid, wrong)
