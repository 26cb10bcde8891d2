"""Real servers on loopback for the nodes that reach out, and node documents for them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import trustme

OPEN = {"plain": True, "private": True, "hosts": ["*:*"]}
"""What a test's install allows so that loopback can be asked."""


def reaching(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A node document of one of the kinds that reach out."""
    return {
        "version": 1,
        "execution": {"name": "order-x1", "uid": "0b6d"},
        "node": "ask",
        "attempt": 1,
        "delivery": 1,
        "idempotencyKey": "c0ffee",
        kind: dict(spec),
    }


class Request(NamedTuple):
    """What a server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """What a server answers: bytes in pieces, as they stand."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | Iterator[bytes] = b""


class Server:
    """A running server; `requests` is what it was asked."""

    def __init__(self, answer: Callable[[Request], Reply], context: ssl.SSLContext | None = None) -> None:  # noqa: C901 - the classes of http.server are its closures
        self.requests: list[Request] = []
        self.names: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(
                    self.command, self.path, headers, list(self.headers.items()), self.rfile.read(size)
                )
                outer.requests.append(request)
                self.respond(answer(request))

            def respond(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                whole = isinstance(reply.body, bytes)
                if whole and "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(reply.body)))  # type: ignore[arg-type]
                if not whole:
                    self.send_header("Connection", "close")
                self.end_headers()
                try:
                    for part in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                        if self.command != "HEAD":
                            self.wfile.write(part)
                            self.wfile.flush()
                except OSError:
                    self.close_connection = True
                if not whole:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            setattr(Handler, f"do_{method}", Handler.handle_any)

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                return  # a client that does not trust the certificate

            def get_request(self) -> Any:
                connection, peer = super().get_request()
                if context is not None:
                    connection.settimeout(20)
                    connection = context.wrap_socket(connection, server_side=True)
                return connection, peer

        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def serving(
    answer: Callable[[Request], Reply] | Reply, context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A server that is there for a while."""
    server = Server((lambda _: answer) if isinstance(answer, Reply) else answer, context)
    try:
        yield server
    finally:
        server.close()


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, str]:
    """A server's TLS for some names, and the file with the authority that signed it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, str(file)


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer of JSON."""
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
