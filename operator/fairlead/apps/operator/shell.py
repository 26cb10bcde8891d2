"""Kopf, as far as we use it: login, and the feed of Workflows and WorkflowExecutions (kopf.md, section 2).

Rules of this file
- Handlers only hand over; whatever they would raise would be lost.
- Kopf writes nothing on our objects: no finalizer, no annotation, no Event; it keeps no copy of their statuses.
- It runs while we lead, and is started again whatever ends it: executions go on meanwhile.
- It gets a session of its own, since it closes what it gets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from random import uniform
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import kopf
import structlog

from fairlead.apps.operator.hearing import Hearing
from fairlead.kube.client import EXECUTIONS, WORKFLOWS, Client
from fairlead.kube.observing import NO_ANSWER
from fairlead.model.manifests import GROUP

VERSION = "v1alpha1"
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until Kopf is started again."""
IDENTITY = "fairlead"
"""Whom Kopf's peers would see. It has none, but it would ask for the name of our user, and a container's has none."""

_log = structlog.get_logger(__name__)


class Feed(Protocol):
    """Who is told what the API server shows; nothing here may raise."""

    def execution(self, kind: str | None, body: dict[str, Any]) -> None:
        """A WorkflowExecution; `kind` is ADDED, MODIFIED, DELETED, or None for one of a list."""

    async def workflow(self, kind: str | None, body: dict[str, Any]) -> None:
        """A Workflow; Kopf gives the next version of it when this one was taken in."""


class LeanDiff(kopf.AnnotationsDiffBaseStorage):
    """Kopf copies whole bodies to find differences that nobody asks for (kopf.md 1.2); this gives it nothing to copy."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        """What Kopf remembers of an object: nothing."""
        return {}


class LeanProgress(kopf.AnnotationsProgressStorage):
    """The same for what Kopf would remember of handlers."""

    def clear(self, *, essence: Any) -> Any:
        """Nothing of ours is in there."""
        return essence


async def run_kopf(
    feed: Feed, client: Client, namespace: str | None, resignal: Callable[[], None], hearing: Hearing
) -> None:
    """Feed from Kopf until cancelled. `resignal` puts the process's own signal handlers back: Kopf replaces them."""
    try:
        await _run_on(feed, client, namespace, resignal, hearing)
    finally:
        hearing.stopped()


async def _run_on(
    feed: Feed, client: Client, namespace: str | None, resignal: Callable[[], None], hearing: Hearing
) -> None:
    pause = FIRST_PAUSE
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await _run_once(feed, client, namespace, resignal, hearing)
        except Exception as error:  # noqa: BLE001 - an outage of the API server ends Kopf, and nothing else (kopf.md, trap 3)
            reason = f"{type(error).__name__}: {error}"
            hearing.ended(reason)
            _log.warning("kopf ended and is started again", reason=reason)
        if asyncio.get_running_loop().time() - begun > LONGEST_PAUSE:
            pause = FIRST_PAUSE
        await asyncio.sleep(pause * uniform(0.5, 1.0))  # noqa: S311 - spreads load
        pause = min(LONGEST_PAUSE, pause * 2)


async def _run_once(
    feed: Feed, client: Client, namespace: str | None, resignal: Callable[[], None], hearing: Hearing
) -> None:
    registry = kopf.OperatorRegistry()
    log_in(registry, client, hearing)
    listen(registry, lambda: feed)
    stop = asyncio.Event()
    where: dict[str, Any] = {"clusterwide": True} if namespace is None else {"namespaces": [namespace]}
    where["identity"] = IDENTITY
    settings = kopf.OperatorSettings()
    lean(settings)
    tasks = await kopf.spawn_tasks(registry=registry, settings=settings, stop_flag=stop, **where)
    resignal()
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:  # never run_tasks(): it cancels everything in this loop
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def lean(settings: kopf.OperatorSettings) -> None:
    """Set Kopf to what we use of it (kopf.md 2.3)."""
    settings.process.ultimate_exiting_timeout = None
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.persistence.finalizer = f"{GROUP}/kopf"
    settings.persistence.diffbase_storage = LeanDiff(prefix=GROUP)
    settings.persistence.progress_storage = LeanProgress(prefix=GROUP)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


def log_in(registry: kopf.OperatorRegistry, client: Client, hearing: Hearing) -> None:
    """Have Kopf use our credentials."""

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return session_of(client, hearing)


def listen(registry: kopf.OperatorRegistry, feed: Callable[[], Feed]) -> None:
    """Hand over what Kopf shows to whoever `feed` gives at the time."""

    @kopf.on.event(GROUP, VERSION, EXECUTIONS.plural, registry=registry)
    async def execution(event: Any, **_: Any) -> None:
        feed().execution(event["type"], event["object"])

    @kopf.on.event(GROUP, VERSION, WORKFLOWS.plural, registry=registry)
    async def workflow(event: Any, **_: Any) -> None:
        await feed().workflow(event["type"], event["object"])


def session_of(client: Client, hearing: Hearing) -> kopf.AiohttpSession:
    """A session for Kopf that proves anew with each request who we are, and tells our observer what became of it."""
    credentials = client.credentials
    prefix = urlsplit(credentials.server).path.rstrip("/")

    async def prove(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers.update(await credentials.headers())
        response = await observed(request, handler)
        if response.status == 401:
            request.headers.update(await credentials.headers(anew=True))
            response = await observed(request, handler)
        return response

    async def observed(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        method = "watch" if "watch" in request.url.query else request.method
        begun, code = time.monotonic(), NO_ANSWER
        try:
            response = await handler(request)
            code = response.status
            return response
        finally:
            path = request.url.raw_path.removeprefix(prefix)
            client.answered(method, path, code, begun)
            hearing.answered(path, code)

    connector = aiohttp.TCPConnector(limit=0, ssl=credentials.tls if credentials.tls is not None else True)
    session = aiohttp.ClientSession(
        connector=connector, proxy=credentials.proxy, middlewares=(prove,), headers={"User-Agent": "fairlead"}
    )
    return kopf.AiohttpSession(
        aiohttp_session=session, server=credentials.server, default_namespace=credentials.namespace
    )
