"""The client: sessions, retries where they are safe, ambiguous answers named as such.

Rules of this file
- Watches, ordinary requests and the Lease each have connections of their own: a crowd of writes never delays a renewal.
- Nothing is sent twice unless it certainly was not done the first time: the connection was never made, or the server answered 429
  (whose Retry-After is obeyed) or 401 (the token is asked for anew, once). Reads are also sent again after a cut, a time-out,
  a 5xx.
- Everything else that has no verdict is raised as Ambiguous, and the caller reads before it goes on.
- Whoever leads has each of its writes fenced (`before_write`) in the moment in which it is sent: what waited for a connection,
  or is sent again, may have waited longer than we lead. Dry runs write nothing, and the Lease has its own rules.
- Every request has an end: `seconds` in all, retries included. One try may take ten of them; whoever gives a request more time
  than usual, because the server needs it, may spend all of it on one. Waiting for a free connection is no part of a try: a crowd
  of requests takes longer, and none of them is cut for it.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from random import random
from types import MappingProxyType
from typing import Any, Self
from weakref import WeakSet

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from fairlead.kube.client.credentials import Credentials
from fairlead.kube.client.errors import Ambiguous, Fenced, Request, TooManyRequests, error_of
from fairlead.kube.client.replies import Metadata, allow_depth, metadata_of
from fairlead.kube.client.resources import Resource, target_of
from fairlead.kube.client.rights import Rights
from fairlead.kube.observing import DISCOVERY, NO_ANSWER, Observer
from fairlead.model.errors import FairleadError, Unavailable

PATIENCE = 20.0
"""Seconds that a request may take in all."""
TRY = 10.0
"""Seconds that one try may take."""
GOODBYE = 2.0
"""Seconds that a client waits at its end for TLS to be taken leave of; after them the loop may find connections open."""
MANAGER = "fairlead"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
OPERATIONS = "application/json-patch+json"

JSON = "application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_BACKOFF, _MAX_BACKOFF = 0.1, 5.0
_UNAUTHORIZED, _SERVER_ERROR = 401, 500
_UNLIMITED = 1 << 30
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

Body = Any
Params = Mapping[str, str]
NOTHING: Params = MappingProxyType({})


class Channel(Enum):
    """Which connections a request uses, with how many there may be."""

    WATCH = 0
    ORDINARY = 96
    LEASE = 2


class Client:
    """Use it as an async context manager; it belongs to the event loop in which it was entered.

    `patience` is for how many seconds what failed is tried again at most, where that is safe. `when_fenced` is called each time
    the fence in the API server denies a write that is no dry run: whoever leads should look at the Lease. `before_write` is
    called before each is sent, and raises NotLeader to prevent it. `observer` is told of every try, and of whatever else happens
    to those who work through this client.
    """

    def __init__(
        self, credentials: Credentials, patience: float = PATIENCE, observer: Observer | None = None
    ) -> None:
        self.credentials = credentials
        self.observer = observer if observer is not None else Observer()
        self._patience = patience
        self._server = URL(credentials.server)
        self._sessions: dict[Channel, aiohttp.ClientSession] = {}
        self._free: dict[Channel, asyncio.Semaphore] = {}
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.when_fenced: Callable[[], None] = _nothing
        self.before_write: Callable[[], object] = _nothing
        self.rights = Rights()

    async def __aenter__(self) -> Self:
        allow_depth()
        for channel in Channel:
            connector = aiohttp.TCPConnector(
                limit=channel.value, keepalive_timeout=60, ttl_dns_cache=300, socket_factory=self._socket
            )
            session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                skip_auto_headers=["Accept-Encoding", "User-Agent"],
                headers={"User-Agent": MANAGER},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # aiohttp sends a PUT or DELETE again by itself when a kept connection breaks; here the caller decides.
            session._retry_connection = False  # noqa: SLF001
            self._sessions[channel] = session
            self._free[channel] = asyncio.Semaphore(channel.value or _UNLIMITED)
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()
        # aiohttp does not wait for a connection whose request was called off: its end takes a round trip, and a loop.
        end = time.monotonic() + GOODBYE
        while any(one.fileno() >= 0 for one in self._sockets) and time.monotonic() < end:  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0.002)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    # --- objects ---

    async def get(
        self,
        resource: Resource,
        namespace: str | None,
        name: str | None = None,
        *,
        params: Params = NOTHING,
        channel: Channel = Channel.ORDINARY,
        seconds: float = PATIENCE,
        partial: bool = False,
    ) -> bytes:
        """An object or a list as the server sends it, its metadata alone if `partial`.

        Raises NotFound, Expired, Forbidden, Unavailable.
        """
        path = resource.path(namespace, name)
        accept = JSON if not partial else PARTIAL_LIST if name is None else PARTIAL
        return await self.request("GET", path, params=params, accept=accept, channel=channel, seconds=seconds)

    async def create(
        self,
        resource: Resource,
        namespace: str,
        body: Body,
        *,
        channel: Channel = Channel.ORDINARY,
        seconds: float = PATIENCE,
    ) -> Metadata:
        """Create an object; its metadata. Raises AlreadyExists, Invalid, Forbidden, NamespaceTerminating, Ambiguous."""
        return await self._write("POST", resource.path(namespace), body, channel=channel, seconds=seconds)

    async def replace(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Body,
        *,
        channel: Channel = Channel.ORDINARY,
        seconds: float = PATIENCE,
    ) -> Metadata:
        """Put an object in place of the one whose resourceVersion it carries. Raises Conflict, NotFound, Invalid, Ambiguous."""
        return await self._write(
            "PUT", resource.path(namespace, name), body, channel=channel, seconds=seconds
        )

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: Body,
        *,
        subresource: str | None = None,
        kind: str = MERGE,
        seconds: float = PATIENCE,
    ) -> Metadata:
        """Patch an object; its metadata afterwards. Raises Conflict, NotFound, Invalid, Forbidden, Ambiguous."""
        path = resource.path(namespace, name, subresource)
        return await self._write("PATCH", path, body, content=kind, seconds=seconds)

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        seconds: float = PATIENCE,
    ) -> None:
        """Delete an object, the one of that uid and no other if one is given (Conflict if another has the name).

        With a `version` (resourceVersion) only as it was then. Without a uid it is for objects whose name is a hash of their
        content. Raises NotFound, Conflict, Ambiguous.
        """
        body: dict[str, Any] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
        }
        preconditions = {"uid": uid, "resourceVersion": version}
        if given := {key: value for key, value in preconditions.items() if value is not None}:
            body["preconditions"] = given
        await self.request("DELETE", resource.path(namespace, name), body=body, seconds=seconds)

    async def _write(
        self,
        method: str,
        path: str,
        body: Body,
        *,
        content: str = JSON,
        channel: Channel = Channel.ORDINARY,
        seconds: float,
    ) -> Metadata:
        """Have an object written under our name; of the answer its metadata alone."""
        answer = await self.request(
            method,
            path,
            body=body,
            params={"fieldManager": MANAGER},
            content=content,
            channel=channel,
            seconds=seconds,
            accept=PARTIAL,
        )
        return metadata_of(answer)

    # --- requests ---

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        params: Params = NOTHING,
        content: str = JSON,
        channel: Channel = Channel.ORDINARY,
        seconds: float = PATIENCE,
        accept: str = JSON,
    ) -> bytes:
        """The body of the answer. Raises what `errors` lists."""
        asked = Request(_VERBS[method], path)
        url = self._url(path, params)
        one_try = TRY if seconds <= PATIENCE else seconds
        data = None if body is None else msgspec.json.encode(body)
        fenced = method != "GET" and channel is Channel.ORDINARY and "dryRun" not in params
        tried, anew, end = 0, False, None
        while True:
            error: FairleadError
            try:
                headers = await self._headers(accept, content if data is not None else None, anew=anew)
                async with self._free[channel]:
                    if fenced:
                        self.before_write()
                    end = end or time.monotonic() + seconds
                    left = min(one_try, max(0.001, end - time.monotonic()))
                    code, got, reply = await self._once(channel, method, path, url, data, headers, left)
                if code < 300:
                    self.rights.allowed(asked)
                    return reply
                error = error_of(asked, code, got, reply)
                self.rights.denied(asked, error)
                if isinstance(error, Fenced) and "dryRun" not in params:
                    self.when_fenced()
                again = self._may_repeat(method, code) or (code == _UNAUTHORIZED and not anew)
                anew = code == _UNAUTHORIZED
            except aiohttp.ClientConnectorError as cause:
                error, again = Unavailable(f"{asked}: {self._server.host} cannot be reached: {cause}"), True
                error.__cause__ = cause
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as cause:
                error = Ambiguous(f"{asked} was sent and not answered ({type(cause).__name__}: {cause})")
                error.__cause__, again = cause, method == "GET"
            delay = _pause(tried, error)
            spared = max(0.0, seconds - self._patience)
            if not again or time.monotonic() + delay >= (end or 0.0) - spared:
                raise error
            await asyncio.sleep(delay)
            tried += 1

    @asynccontextmanager
    async def stream(
        self, path: str, params: Params, *, silence: float, accept: str = JSON
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of a long answer as it comes; `silence` is how many seconds without a byte end it. Nothing is repeated.

        Raises what `errors` lists, and Unavailable for anything that breaks the stream, also while it is read.
        """
        asked = Request("watch", path)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TRY, sock_read=silence)
        code, begun = NO_ANSWER, time.monotonic()
        try:
            headers = await self._headers(accept, None)
            async with self._session(Channel.WATCH).get(
                self._url(path, params), headers=headers, timeout=timeout, **self._connection()
            ) as response:
                code = response.status
                self.answered("watch", path, code, begun)
                if code >= 300:
                    error = error_of(asked, code, response.headers, await response.read())
                    self.rights.denied(asked, error)
                    raise error
                self.rights.allowed(asked)
                yield response.content
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as cause:
            if code == NO_ANSWER:
                self.answered("watch", path, code, begun)
            raise Unavailable(f"{asked} broke ({type(cause).__name__}: {cause})") from cause

    async def _once(
        self,
        channel: Channel,
        method: str,
        path: str,
        url: URL,
        data: bytes | None,
        headers: Any,
        seconds: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=seconds)
        session, begun = self._session(channel), time.monotonic()
        try:
            async with session.request(
                method, url, data=data, headers=headers, timeout=timeout, **self._connection()
            ) as response:
                reply = await response.read()
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            self.answered(method, path, NO_ANSWER, begun)
            raise
        self.answered(method, path, response.status, begun)
        return response.status, response.headers, reply

    def answered(self, method: str, path: str, code: int, begun: float) -> None:
        """Tell the observer how one try went, begun at that time of the monotonic clock; `method` may be `watch`."""
        target = target_of(path)
        verb = target.verb(_VERBS.get(method, method))
        self.observer.answered(verb, target.resource or DISCOVERY, code, time.monotonic() - begun)

    def _session(self, channel: Channel) -> aiohttp.ClientSession:
        assert self._sessions, "a Client is used inside `async with`"
        return self._sessions[channel]

    def _connection(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.credentials.tls is not None:
            given["ssl"] = self.credentials.tls
        if self.credentials.proxy:
            given["proxy"] = self.credentials.proxy
        if self.credentials.server_hostname:
            given["server_hostname"] = self.credentials.server_hostname
        return given

    async def _headers(self, accept: str, content: str | None, *, anew: bool = False) -> CIMultiDict[str]:
        headers = CIMultiDict(await self.credentials.headers(anew=anew))
        headers["Accept"] = accept
        if content is not None:
            headers["Content-Type"] = content
        return headers

    def _url(self, path: str, params: Params) -> URL:
        url = URL.build(
            scheme=self._server.scheme,
            host=self._server.host or "",
            port=self._server.explicit_port,
            path=self._server.raw_path.rstrip("/") + path,
            encoded=True,
        )
        return url.with_query(params) if params else url

    @staticmethod
    def _may_repeat(method: str, code: int) -> bool:
        """429 was refused before anything was done; an error of the server leaves a read to be asked again."""
        return code == 429 or (method == "GET" and code >= _SERVER_ERROR)


def _nothing() -> None:
    """Nobody wants to know."""


def _pause(tried: int, error: FairleadError) -> float:
    """Full jitter, and at least what the server asks for."""
    asked = error.after if isinstance(error, TooManyRequests) else 0.0
    return float(max(asked, min(_MAX_BACKOFF, _BACKOFF * 2**tried) * random()))  # noqa: S311 - spreads load, guards nothing
