"""The thin client against a server that misbehaves: what is sent twice, and what is never sent twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from fairlead.kube.client import (
    CONFIG_MAPS,
    LEASES,
    Ambiguous,
    Channel,
    Client,
    Expired,
    TooManyRequests,
    from_kubeconfig,
)
from fairlead.kube.fence import NotLeader
from fairlead.model.errors import NotFound

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
DONE = {"metadata": {"name": "a", "uid": "1", "resourceVersion": "7"}}


def meet(folder: Path, answers: list[Answer], work: Callable[[Client], Awaitable[None]]) -> list[str]:
    """Give requests the answers in turn (the last one for ever); the methods that came."""
    came: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        came.append(request.method)
        return await answers[min(len(came), len(answers)) - 1](request)

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        file = folder / "kubeconfig"
        file.write_text(json.dumps(_config(f"http://{host}:{port}")))
        try:
            async with Client(from_kubeconfig(file)) as client:
                await work(client)
        finally:
            await runner.cleanup()

    asyncio.run(run())
    return came


def _config(server: str) -> dict[str, object]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


async def fine(request: web.Request) -> web.StreamResponse:
    return web.json_response(DONE)


async def busy(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"reason": "TooManyRequests", "code": 429}, status=429, headers={"Retry-After": "0"}
    )


async def busy_for_long(request: web.Request) -> web.StreamResponse:
    return web.json_response({"code": 429}, status=429, headers={"Retry-After": "3600"})


async def broken(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="<html>proxy</html>")


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def patch(client: Client) -> None:
    await client.patch(CONFIG_MAPS, "n", "a", {"data": {}})


async def put(client: Client) -> None:
    await client.replace(CONFIG_MAPS, "n", "a", {"data": {}})


async def get(client: Client) -> None:
    await client.get(CONFIG_MAPS, "n", "a")


@pytest.mark.parametrize("work, method", [(patch, "PATCH"), (get, "GET"), (put, "PUT")])
def test_a_server_that_had_enough_is_asked_again(tmp_path, work, method):
    """429 means that nothing was done: any request may be sent again, when the server says."""
    assert [method] * 3 == meet(tmp_path, [busy, busy, fine], work)


def test_a_write_that_had_to_wait_is_fenced_when_it_is_sent(tmp_path):
    """Sent again after a 429, or after a crowd had all connections: who leads no more by then sends nothing. Reading is free."""
    leads = True

    def fence():
        if not leads:
            raise NotLeader("no more")

    async def lost(request):
        nonlocal leads
        leads = False
        return await busy(request)

    async def work(client):
        client.before_write = fence
        with pytest.raises(NotLeader):
            await patch(client)
        await get(client)
        await client.request("POST", "/api/v1/x", body={}, params={"dryRun": "All"})
        await client.replace(LEASES, "n", "a", {}, channel=Channel.LEASE)

    assert ["PATCH", "GET", "POST", "PUT"] == meet(tmp_path, [lost, fine], work)


def test_retry_after_is_obeyed(tmp_path):
    """A server that asks for an hour is not asked again within our patience, and the error carries the hour."""

    async def work(client):
        with pytest.raises(TooManyRequests) as refused:
            await patch(client)
        assert 3600 == refused.value.after

    assert ["PATCH"] == meet(tmp_path, [busy_for_long], work)


@pytest.mark.parametrize("fault", [cut, broken], ids=["cut", "500"])
@pytest.mark.parametrize("write, method", [(patch, "PATCH"), (put, "PUT")])
def test_a_write_without_a_verdict_is_never_sent_twice(tmp_path, fault, write, method):
    """It may have been done: that is for the caller to find out."""

    async def work(client):
        with pytest.raises(
            Ambiguous, match=f"{'patch' if method == 'PATCH' else 'update'} /api/v1/namespaces/n"
        ):
            await write(client)

    assert [method] == meet(tmp_path, [fault, fine], work)


@pytest.mark.parametrize("fault", [cut, broken], ids=["cut", "500"])
def test_a_read_without_a_verdict_is_asked_again(tmp_path, fault):
    """Reading twice harms nobody."""
    assert ["GET", "GET"] == meet(tmp_path, [fault, fine], get)


def test_a_write_that_takes_too_long_is_ambiguous(tmp_path):
    """The patience of a request is an end, and what happens after it is unknown."""

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async def work(client):
        with pytest.raises(Ambiguous, match="TimeoutError"):
            await client.patch(CONFIG_MAPS, "n", "a", {}, seconds=0.2)

    assert ["PATCH"] == meet(tmp_path, [slow], work)


def test_an_answer_that_is_no_status_is_still_told(tmp_path):
    """A proxy's page in place of a Status becomes the message."""

    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="<html>no such route</html>")

    async def work(client):
        with pytest.raises(NotFound, match="no such route"):
            await get(client)

    meet(tmp_path, [page], work)


def test_a_place_in_a_list_that_is_forgotten_is_expired(tmp_path):
    """A 410 says that the list has to begin anew; asking again would not help."""

    async def gone(request: web.Request) -> web.StreamResponse:
        return web.json_response({"reason": "Expired", "code": 410}, status=410)

    async def work(client):
        with pytest.raises(Expired):
            await get(client)

    assert ["GET"] == meet(tmp_path, [gone, fine], work)


def test_a_crowd_of_requests_never_delays_the_lease(tmp_path):
    """All connections for ordinary requests are taken by a server that does not answer: the Lease is renewed meanwhile."""
    crowd = Channel.ORDINARY.value * 2

    async def hangs_but_for_the_lease(request: web.Request) -> web.StreamResponse:
        if "/leases/" not in request.path:
            await asyncio.Event().wait()
        return web.json_response(DONE)

    async def work(client):
        waiting = [asyncio.ensure_future(get(client)) for _ in range(crowd)]
        for _ in range(3):
            body = {"metadata": {"name": "fairlead", "namespace": "n", "resourceVersion": "7"}}
            done = await client.replace(LEASES, "n", "fairlead", body, channel=Channel.LEASE, seconds=10)
            assert "7" == done.resource_version
        assert not [one for one in waiting if one.done()]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    meet(tmp_path, [hangs_but_for_the_lease], work)
