"""One connection to an address that was checked.

    name ──resolve once──► addresses ──every one allowed?──► connect to one of these, TLS for the name

Rules of this file
- A name is resolved once, here; what is connected to is an address that was checked. TLS and the Host header
  still go by the name. One address that is not allowed refuses the name: who controls half of the answers
  needs only to be tried again.
- The whole exchange, resolving included, has one deadline.
- No proxies, no environment, no second connection.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import certifi
import httpcore

from fairlead_runner.reach.addresses import Address, refusal
from fairlead_runner.reach.allowing import Allow
from fairlead_runner.reach.failures import Failed
from fairlead_runner.reach.urls import PORTS, Target

CONNECT_LIMIT = 10.0
"""Seconds for one address to answer; the deadline holds besides."""
Resolver = Callable[[str, int], Sequence[str]]


class Deadline:
    """The moment when an exchange has to be over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, limit: float | None = None) -> float:
        """Seconds that are left, at most `limit`. Raises Failed with HttpTimeout when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left if limit is None else min(left, limit)

    def passed(self) -> Failed:
        """What to raise when it is over."""
        return Failed("HttpTimeout", f"the request took longer than {self.seconds:g} s")


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system finds them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def admit(target: Target, allow: Allow, resolve: Resolver, deadline: Deadline) -> list[str]:
    """The addresses that may be connected to for a target. Raises Failed."""
    if target.scheme == "http" and not allow.plain:
        raise Failed(
            "HttpRefused", f"{target.shown} is not https, and this install does not allow plain http"
        )
    host = f"[{target.host}]" if ":" in target.host else target.host
    why = allow.refusal(host, target.port, PORTS[target.scheme])
    if why:
        raise Failed("HttpRefused", f"{target.shown} may not be asked: {why}")
    addresses = [target.address] if target.address else _resolved(target, resolve, deadline)
    for address in addresses:
        why = refusal(address, private=allow.private, networks=allow.networks, denied=allow.denied)
        if why:
            where = "" if target.address else f"{target.host} resolves to "
            raise Failed("HttpRefused", f"{where}{address}, which {why}" if where else f"{address} {why}")
    return [str(address) for address in addresses]


def _resolved(target: Target, resolve: Resolver, deadline: Deadline) -> list[Address]:
    """In a thread, because a resolver cannot be told how long it may take."""
    answer: list[str] = []
    problem: list[Exception] = []

    def ask() -> None:
        try:
            answer.extend(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            problem.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if thread.is_alive():
        raise deadline.passed()
    if problem or not answer:
        said = f": {problem[0]}" if problem else ""
        raise Failed("HttpFailed", f"the host {target.host!r} cannot be resolved{said}")
    try:
        return [ip_address(text) for text in answer]
    except ValueError:
        raise Failed("HttpRefused", f"{target.host} resolves to {answer!r}; expected addresses") from None


def pool(
    addresses: Sequence[str], target: Target, allow: Allow, deadline: Deadline
) -> httpcore.ConnectionPool:
    """What makes the one connection."""
    return httpcore.ConnectionPool(
        ssl_context=_tls(allow) if target.scheme == "https" else None,
        max_connections=1,
        http1=True,
        http2=False,
        retries=0,
        network_backend=_Pinned(addresses, target.port, deadline),
    )


def _tls(allow: Allow) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())  # images without certificates of their own
    if allow.ca_file:
        try:
            context.load_verify_locations(allow.ca_file)
        except OSError as error:
            raise Failed(
                "HttpFailed",
                f"the install's certificates {allow.ca_file!r} cannot be read: {error.strerror or error}",
            ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Pinned(httpcore.NetworkBackend):
    """Connects to the given addresses, whatever host it is told."""

    def __init__(self, addresses: Sequence[str], port: int, deadline: Deadline) -> None:
        self._addresses = addresses
        self._port = port
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        for address in self._addresses[:-1]:
            try:
                return self._connect(address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(self._addresses[-1])

    def _connect(self, address: str) -> httpcore.NetworkStream:
        stream = self._backend.connect_tcp(address, self._port, self._deadline.left(CONNECT_LIMIT))
        return _Timed(stream, self._deadline)


class _Timed(httpcore.NetworkStream):
    """A stream each of whose steps ends by the deadline of the whole."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(
            self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(CONNECT_LIMIT)),
            self._deadline,
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
