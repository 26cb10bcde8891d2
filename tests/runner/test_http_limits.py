"""How large and how long: an `http` node ends with a reason whatever the server does."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.runner.conftest import Start
from tests.runner.reach_support import OPEN, Reply, reaching, serving

from fairlead_runner.reach import web
from fairlead_runner.reach.allowing import settings
from fairlead_runner.reach.failures import Failed

pytestmark = pytest.mark.local

MIB = 1024 * 1024
TEXT = {"Content-Type": "text/plain"}


def failure(url: str, **fields: object) -> tuple[str, str]:
    """Reason and message of a node that fails."""
    with pytest.raises(Failed) as failed:
        web.run({"url": url, "allow": OPEN, **fields}, {})
    return failed.value.reason, str(failed.value)


@contextmanager
def saying(*parts: bytes, then_wait: bool = False) -> Iterator[int]:
    """A server of raw bytes that answers one connection, if one comes; the port."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):  # who asked may be gone
                connection.recv(65536)
                for part in parts:
                    connection.sendall(part)
                if then_wait:
                    done.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        done.set()
        socket.create_connection(listener.getsockname()).close()  # perhaps nobody came: it waits no longer
        thread.join(20)


def test_ten_megabytes_are_cut_off(start: Start):
    """A body of 10 MB is OutputTooLarge, whether its length is announced or not."""
    sent = []

    def pieces() -> Iterator[bytes]:
        for _ in range(160):
            sent.append(65536)
            yield b"x" * 65536

    with serving(Reply(200, TEXT, b"x" * 10_000_000)) as server:
        error = start(node=reaching("http", {"url": server.url, "allow": OPEN})).error()
    assert error["reason"] == "OutputTooLarge"
    assert "10000000 bytes" in error["message"]

    with serving(lambda _: Reply(200, TEXT, pieces())) as server:
        assert failure(server.url)[0] == "OutputTooLarge"
    assert sum(sent) < 10 * MIB


def test_just_fitting_bodies():
    """1 MiB is read; one byte more is not."""
    with serving(Reply(200, TEXT, b"x" * MIB)) as server:
        assert len(web.run({"url": server.url, "allow": OPEN}, {})["body"]) == MIB
    with serving(Reply(200, TEXT, b"x" * (MIB + 1))) as server:
        assert failure(server.url)[0] == "OutputTooLarge"


def test_outputs_that_are_too_large_with_their_headers(start: Start):
    """What fits as a body may not fit as outputs; the limit of outputs holds."""
    with serving(Reply(200, TEXT, b"x" * MIB)) as server:
        error = start(node=reaching("http", {"url": server.url, "allow": OPEN})).error()

    assert error["reason"] == "OutputTooLarge"


@pytest.mark.parametrize("packed", [gzip.compress, zlib.compress])
def test_packed_answers_are_unpacked(packed):
    """Gzip and zlib, as asked for."""
    text = "Fairlead " * 1000
    encoding = "gzip" if packed is gzip.compress else "deflate"
    with serving(Reply(200, {**TEXT, "Content-Encoding": encoding}, packed(text.encode()))) as server:
        assert web.run({"url": server.url, "allow": OPEN}, {})["body"] == text
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("size", [MIB + 1, 64 * MIB])
def test_decompression_bombs_are_cut_off(size: int):
    """A small answer that unpacks to a large one is cut off where it passes the limit."""
    bomb = gzip.compress(b"\0" * size)
    with serving(Reply(200, {**TEXT, "Content-Encoding": "gzip"}, bomb)) as server:
        assert failure(server.url)[0] == "OutputTooLarge"


@pytest.mark.parametrize(
    "encoding, body",
    [
        ("gzip", b"not packed"),
        ("gzip", gzip.compress(b"x" * 1000)[:-10]),
        ("gzip", gzip.compress(b"x") + b"rest"),
        ("gzip", gzip.compress(b"x") + gzip.compress(b"y")),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
        ("br", b"x"),
        ("zstd", b"x"),
    ],
    ids=[
        "nothing packed",
        "cut",
        "more",
        "a second member",
        "packed twice",
        "brotli",
        "zstd",
    ],  # gzip holds the time
)
def test_packed_answers_that_cannot_be_unpacked(encoding: str, body: bytes):
    """What was not asked for, or is broken, is no answer."""
    with serving(Reply(200, {**TEXT, "Content-Encoding": encoding}, body)) as server:
        assert failure(server.url)[0] == "HttpFailed"


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Le"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
        [b"nonsense\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"],
        [b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 300_000 + b"\r\n\r\n"],
    ],
)
def test_answers_that_are_none(parts: list[bytes]):
    """A connection that ends early, or speaks something else, fails with what was wrong."""
    with saying(*parts) as port:
        assert failure(f"http://127.0.0.1:{port}/")[0] == "HttpFailed"


@pytest.mark.parametrize(
    "parts", [[], [b"HTTP/1.1 200 OK\r\n"], [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"]]
)
def test_a_server_that_falls_silent(parts: list[bytes]):
    """The request ends by its limit, at whatever point the server stops."""
    with saying(*parts, then_wait=True) as port:
        said = failure(f"http://127.0.0.1:{port}/", timeout=200_000)

    assert said == ("HttpTimeout", "the request took longer than 0.2 s")


def test_a_server_that_drips():
    """The limit is for the whole, so that a byte now and then does not stretch it."""
    stop = threading.Event()

    def drip() -> Iterator[bytes]:
        while not stop.wait(0.02):
            yield b"x"

    with serving(lambda _: Reply(200, TEXT, drip())) as server:
        said = failure(server.url, timeout=300_000)
        stop.set()

    assert said[0] == "HttpTimeout"


def test_a_resolver_that_never_answers():
    """Resolving counts too."""
    never = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        never.wait(20)
        return ["93.184.216.34"]

    with pytest.raises(Failed) as failed:
        web.run({"url": "https://slow.example/", "timeout": 100_000}, {}, resolve=resolve)
    never.set()

    assert failed.value.reason == "HttpTimeout"


def test_a_name_that_does_not_exist():
    """What cannot be resolved is HttpFailed and names the host."""

    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Failed) as failed:
        web.run({"url": "https://nowhere.example/"}, {}, resolve=resolve)

    assert failed.value.reason == "HttpFailed"
    assert "'nowhere.example'" in str(failed.value)


def test_a_stop_ends_a_request(start: Start):
    """The home stops a waiting request as it stops a script."""
    with saying(then_wait=True) as port:
        runner = start(node=reaching("http", {"url": f"http://127.0.0.1:{port}/", "allow": OPEN}))
        runner.stop(1.0)
        assert runner.error()["reason"] == "Signalled"


@pytest.mark.parametrize("hosts", ["", "other.example:8443"])
def test_a_refused_port_names_the_setting_that_allows_it(hosts: str):
    """Who reads the refusal knows which variable to set, whether it names other hosts or none."""
    refusal = settings({}, {"FAIRLEAD_HTTP_ALLOW_HOSTS": hosts}).refusal("api.example", 8443, 443)

    assert refusal is not None
    assert "FAIRLEAD_HTTP_ALLOW_HOSTS" in refusal
    assert "8443" in refusal
