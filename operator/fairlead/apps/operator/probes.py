"""/healthz: the process works and hears from the API server. /readyz: it leads with all in hand and hears of executions, or it
stands by and knows the pods; what it waits for, and which policies are in force. /metrics: what Prometheus scrapes.

A probe that only says "the process answers" is green while it is blind (kopf.md, trap 21).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry

from fairlead.apps.metrics.scraping import CONTENT_TYPE, text_of
from fairlead.apps.operator.hearing import Hearing
from fairlead.kube.home import KubernetesHome
from fairlead.kube.premises import Premises
from fairlead.model.errors import Unavailable

BLIND = 180.0
"""Seconds of silence of the API server after which the process is better started again."""


@asynccontextmanager
async def probes(
    home: KubernetesHome, premises: Premises, hearing: Hearing, registry: CollectorRegistry, port: int | None
) -> AsyncIterator[None]:
    """Answer probes and scrapes on a port, if there is one. Raises Unavailable if the port is taken."""
    if port is None:
        yield
        return

    async def healthz(_: web.Request) -> web.Response:
        quiet = premises.quiet_for if premises.lacks else home.watch.quiet_for
        return _answer(
            quiet < BLIND,
            f"the API server was last heard of {quiet:.0f} s ago; expected less than {BLIND:.0f}",
        )

    async def readyz(_: web.Request) -> web.Response:
        if premises.lacks:
            return _answer(False, f"waits: {premises.lacks}")
        words = f"{home.standing}; {home.live} executions; policies: {home.policies.said}"
        if hearing.deaf:
            return _answer(False, f"{words}; nothing is heard of new ones: {hearing.deaf}")
        return _answer(home.ready, words)

    async def metrics(_: web.Request) -> web.Response:
        answer = web.Response(body=text_of(registry), headers={"Content-Type": CONTENT_TYPE})
        answer.enable_compression()
        return answer

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port).start()
        except OSError as error:
            raise Unavailable(
                f"port {port} for probes and metrics cannot be opened: {error.strerror}; expected one that is free in "
                "--probes (value port of the chart)"
            ) from error
        yield
    finally:
        await runner.cleanup()


def _answer(well: bool, words: str) -> web.Response:
    return web.Response(text=f"{'ok' if well else 'not ok'}: {words}\n", status=200 if well else 503)
