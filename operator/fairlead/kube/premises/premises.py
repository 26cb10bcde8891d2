"""Waits until a cluster has what an operator needs: an API server that is new enough, and CRDs that are not older than it.

Rules of this file
- Nothing is begun before: with an old CRD the API server drops fields without a word, and with an old server nothing guards logs.
  In an upgrade the replica that waits is not ready, and the one before it goes on.
- What lacks is said once in the log, and as long as it lacks to whoever asks (`lacks`). It is looked for again and again: whoever
  mends it need not start us anew.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from fairlead.kube.client import WORKFLOWS, Client, Forbidden
from fairlead.kube.premises import crds, versions
from fairlead.model.errors import FairleadError, NotFound

PAUSE = 2.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class Premises:
    """`lacks` is what has to come yet, in one sentence; empty once everything is there."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard = time.monotonic()
        self.lacks = "the API server has not answered yet"

    @property
    def quiet_for(self) -> float:
        """Seconds since the API server answered us."""
        return time.monotonic() - self._heard

    async def hold(self) -> None:
        """Return once everything is there."""
        said = ""
        while self.lacks:
            self.lacks = await self._look()
            if self.lacks and self.lacks != said:
                said = self.lacks
                _log.warning("waits", reason=said)
            if self.lacks:
                await asyncio.sleep(PAUSE)
        if said:
            _log.info("what was waited for is there")

    async def _look(self) -> str:
        try:
            answer = await self._client.request("GET", versions.VERSION)
            self._heard = time.monotonic()
            return versions.too_old(answer) or await self._crds()
        except (FairleadError, msgspec.DecodeError) as error:
            return str(error)

    async def _crds(self) -> str:
        try:
            text = await self._client.request("GET", crds.PATH)
        except NotFound:
            return f"the API server does not serve {WORKFLOWS.api_version}: the CRDs are missing; {crds.FIX}"
        except Forbidden as denied:
            _log.warning("whether the CRDs are those of this release cannot be told", reason=str(denied))
            return ""
        found = crds.lacking(msgspec.json.decode(text))
        return f"{found}; {crds.FIX}" if found else ""
