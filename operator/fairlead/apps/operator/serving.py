"""The operator's pieces, wired; and the order in which all of it ends.

Nothing begins before its premises hold; the port is answered from the first moment on, and says what is waited for.

SIGTERM ──► not ready ──► feeds stop ──► statuses are shown (5 s at most) ──► Lease given back ──► connections closed
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import structlog

from fairlead.apps.metrics.recording import Recorder
from fairlead.apps.metrics.scraping import HomeGauges, lag_watched
from fairlead.apps.operator.hearing import Hearing
from fairlead.apps.operator.probes import probes
from fairlead.apps.operator.settings import Settings
from fairlead.apps.operator.shell import run_kopf
from fairlead.kube.client import Client
from fairlead.kube.executions import execution_of
from fairlead.kube.home import KubernetesHome
from fairlead.kube.lease import Leadership
from fairlead.kube.pods.manifests import PodSettings
from fairlead.kube.premises import Premises
from fairlead.kube.rivals import Rivals
from fairlead.runtime.clock import SystemClock
from fairlead.runtime.collector import tune_collector

_log = structlog.get_logger(__name__)


class HomeFeed:
    """What Kopf shows, handed to the home."""

    def __init__(self, home: KubernetesHome) -> None:
        self._home = home

    def execution(self, kind: str | None, body: dict[str, Any]) -> None:
        try:
            if kind == "DELETED":
                self._home.gone(body["metadata"]["uid"])
            else:
                self._home.seen(execution_of(body))
        except Exception:  # noqa: BLE001 - one object that makes no sense hides no other
            _log.exception("an execution could not be taken in", name=body.get("metadata", {}).get("name"))

    async def workflow(self, kind: str | None, body: dict[str, Any]) -> None:
        if kind == "DELETED":
            about = body["metadata"]
            self._home.workflows.gone(about["namespace"], about["name"])
        else:
            await self._home.workflows.seen(body)


async def serve(settings: Settings) -> None:
    """Be the operator until SIGTERM or SIGINT. Raises Unavailable."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def listen() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)

    listen()
    tune_collector()
    with contextlib.suppress(asyncio.CancelledError):
        hearing = Hearing()
        async with opened(settings, hearing) as (client, home, premises):
            await premises.hold()
            feed = HomeFeed(home)
            await home.run([lambda: run_kopf(feed, client, settings.namespace, listen, hearing)])


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, hearing: Hearing
) -> AsyncIterator[tuple[Client, KubernetesHome, Premises]]:
    """A client, the home that an install describes, and its premises; measured and, if a port is named, answering."""
    recorder = Recorder()
    async with Client(settings.credentials, observer=recorder) as client:
        home, premises = home_of(client, settings), Premises(client)
        recorder.registry.register(HomeGauges(home, version("fairlead")))
        async with (
            probes(home, premises, hearing, recorder.registry, settings.probes),
            lag_watched(recorder),
        ):
            yield client, home, premises


def home_of(client: Client, settings: Settings) -> KubernetesHome:
    """The home that an install describes."""
    leadership = Leadership(
        client,
        settings.lease_namespace,
        settings.lease,
        settings.identity,
        exclusive=settings.exclusive,
        rivals=Rivals(client, settings.lease_namespace, settings.lease, settings.namespace),
    )
    return KubernetesHome(
        client,
        leadership,
        SystemClock(),
        PodSettings(runner_image=settings.runner_image),
        namespace=settings.namespace,
    )
