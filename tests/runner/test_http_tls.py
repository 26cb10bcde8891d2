"""https by default: the name is what is verified, the checked address is what is connected to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runner.conftest import Start
from tests.runner.reach_support import Reply, certified, reaching, serving

from fairlead_runner.reach import web
from fairlead_runner.reach.failures import Failed

pytestmark = pytest.mark.local


def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def allow(authority: str | None) -> dict[str, object]:
    return {"private": True, "hosts": ["*:*"], "caFile": authority or ""}


def test_the_name_is_verified_and_the_address_connected_to(tmp_path: Path):
    """SNI, certificate and Host header go by the name though the connection goes by the address."""
    context, authority = certified(tmp_path, "api.shop.example")
    with serving(Reply(body=b"hello"), context) as server:
        url = f"https://api.shop.example:{server.port}/"
        outputs = web.run({"url": url, "allow": allow(authority)}, {}, resolve=to_loopback)

    assert outputs["body"] == "hello"
    assert server.names == ["api.shop.example"]
    assert server.requests[0].headers["host"] == f"api.shop.example:{server.port}"


@pytest.mark.parametrize(
    "host, trusted", [("other.shop.example", True), ("api.shop.example", False), ("127.0.0.1", True)]
)
def test_certificates_that_do_not_fit(tmp_path: Path, host: str, trusted: bool):
    """Another name, an unknown authority or a bare address: nothing is sent."""
    context, authority = certified(tmp_path, "api.shop.example")
    with serving(Reply(), context) as server, pytest.raises(Failed) as failed:
        web.run(
            {"url": f"https://{host}:{server.port}/", "allow": allow(authority if trusted else None)},
            {},
            resolve=to_loopback,
        )

    assert failed.value.reason == "HttpFailed"
    assert "certificate" in str(failed.value).lower()
    assert server.requests == []


def test_the_first_address_that_answers_is_used(tmp_path: Path):
    """Of several checked addresses one that is down does not fail the request."""
    context, authority = certified(tmp_path, "api.shop.example")
    with serving(Reply(), context) as server:
        outputs = web.run(
            {"url": f"https://api.shop.example:{server.port}/", "allow": allow(authority)},
            {},
            resolve=lambda *_: ["127.0.0.3", "127.0.0.1"],
        )

    assert outputs["status"] == 200


def test_the_real_runner_speaks_tls(start: Start, tmp_path: Path):
    """The whole way, with the certificates of the install from the environment."""
    context, authority = certified(tmp_path, "localhost")
    with serving(Reply(body=b"hello"), context) as server:
        outputs = start(
            node=reaching("http", {"url": f"https://localhost:{server.port}/"}),
            env_of_home={
                "FAIRLEAD_HTTP_CA_FILE": authority,
                "FAIRLEAD_HTTP_ALLOW_HOSTS": "localhost:*",
                "FAIRLEAD_HTTP_ALLOW_PRIVATE": "127.0.0.1/32,::1/128",
            },
        ).outputs()

    assert outputs["body"] == "hello"
