"""`kopf run -m fairlead.apps.operator`: the operator inside Kopf's own command, to try it with one replica.

Kopf ends everything in its loop when it stops, and has no Lease of its own: `fairlead operator` is the real thing. Kopf's own
`--liveness` knows nothing of us: FAIRLEAD_PROBES names the port of /healthz, /readyz and /metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import kopf
import structlog

from fairlead.apps.operator.hearing import Hearing
from fairlead.apps.operator.serving import HomeFeed, opened
from fairlead.apps.operator.settings import settings_of
from fairlead.apps.operator.shell import lean, listen
from fairlead.model.errors import InvalidInput

NAMESPACE = "FAIRLEAD_NAMESPACE"
"""Environment variable that names the namespace to serve; all of them without it."""

PROBES = "FAIRLEAD_PROBES"
"""Environment variable that names the port of probes and metrics; none without it."""

_log = structlog.get_logger(__name__)


class Trial:
    """What runs beside Kopf from its start-up to its end."""

    def __init__(self) -> None:
        self._work: asyncio.Task[None] | None = None
        self._feed: HomeFeed | None = None
        self._ready = asyncio.Event()

    def feed(self) -> HomeFeed:
        """Where handlers hand over."""
        assert self._feed is not None, "Kopf calls no handler before its start-up is done"
        return self._feed

    async def start(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        """Begin the work, once the CRDs are there."""
        lean(settings)
        _log.warning(
            "this is for trying it, with one replica; `fairlead operator` is for everything else",
            runner_image=os.environ.get("FAIRLEAD_RUNNER_IMAGE", ""),
        )
        self._work = asyncio.create_task(self._serve())
        await asyncio.wait(
            {self._work, asyncio.create_task(self._ready.wait())}, return_when="FIRST_COMPLETED"
        )
        if self._work.done():
            self._work.result()

    async def end(self, **_: Any) -> None:
        """Give the Lease back."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    async def _serve(self) -> None:
        namespace = os.environ.get(NAMESPACE)
        chosen = settings_of(
            namespace=namespace, all_namespaces=namespace is None, probes=_port(os.environ.get(PROBES, ""))
        )
        async with opened(chosen, Hearing()) as (_, home, premises):
            self._feed = HomeFeed(home)
            await premises.hold()
            self._ready.set()
            await home.run()


def _port(text: str) -> int | None:
    """The port that a text names. Raises InvalidInput."""
    if text and not text.isdecimal():
        raise InvalidInput(f"{PROBES} is {text!r}; expected the number of a port")
    return int(text) if text else None


def register(registry: kopf.OperatorRegistry) -> None:
    """Put what `kopf run` needs into its registry."""
    trial = Trial()
    kopf.on.startup(registry=registry)(trial.start)
    kopf.on.cleanup(registry=registry)(trial.end)
    listen(registry, trial.feed)
