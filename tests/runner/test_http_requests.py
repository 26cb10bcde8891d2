"""What an `http` node sends, and what it makes of the answer: the real runner against real servers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.runner.conftest import Start
from tests.runner.reach_support import OPEN, Reply, Request, as_json, reaching, serving

from fairlead_runner.reach import web
from fairlead_runner.reach.failures import Failed

pytestmark = pytest.mark.local


def ask(spec: dict[str, Any], **env: str) -> dict[str, Any]:
    """The outputs of a node, in this process."""
    return web.run({"allow": OPEN, **spec}, env)


def failure(spec: dict[str, Any], **env: str) -> tuple[str, str]:
    """Reason and message of a node that fails."""
    with pytest.raises(Failed) as failed:
        ask(spec, **env)
    return failed.value.reason, str(failed.value)


def test_a_request_and_its_answer(start: Start):
    """The runner sends what the document says, once, and gives status, headers and body as outputs."""
    with serving(as_json({"id": 2**53 + 1, "ok": True}, 201)) as server:
        spec = {
            "method": "POST",
            "url": f"{server.url}/orders?a=1",
            "query": {"b": "x y&z", "c": [1, True, None], "d": None, "e": {"f": 1.5}},
            "headers": {"X-Order": "o-7", "X-Number": 7},
            "body": {"lines": [1, "ü"]},
            "allow": OPEN,
        }
        outputs = start(node=reaching("http", spec)).outputs()

    [request] = server.requests
    assert (request.method, request.path) == (
        "POST",
        "/orders?a=1&b=x+y%26z&c=1&c=true&e=%7B%22f%22%3A1.5%7D",
    )
    assert request.json() == {"lines": [1, "ü"]}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert (request.headers["x-order"], request.headers["x-number"]) == ("o-7", "7")
    assert outputs["status"] == 201
    assert outputs["body"] == {"id": 2**53 + 1, "ok": True}
    assert outputs["headers"]["content-type"] == "application/json"
    assert set(outputs) == {"status", "headers", "body"}


def test_the_settings_of_the_install_come_by_environment(start: Start):
    """A runner whose environment allows nothing asks nobody; one whose environment allows loopback does."""
    with serving(Reply()) as server:
        node = reaching("http", {"url": server.url})
        refused = start(node=node).error()
        allowed = start(
            node=node,
            env_of_home={
                "FAIRLEAD_HTTP_ALLOW_PLAIN": "true",
                "FAIRLEAD_HTTP_ALLOW_HOSTS": "127.0.0.1:*",
                "FAIRLEAD_HTTP_ALLOW_PRIVATE": "127.0.0.0/8",
            },
        ).outputs()

    assert refused["reason"] == "HttpRefused"
    assert allowed["status"] == 200
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int):
    """A redirect is an answer like any other; nobody goes where it points, credentials least of all."""
    with (
        serving(Reply(body=b"secret")) as inside,
        serving(Reply(status, {"Location": f"{inside.url}/latest/meta-data/"})) as outside,
    ):
        outputs = ask({"url": outside.url})

    assert outputs["status"] == status
    assert outputs["headers"]["location"] == f"{inside.url}/latest/meta-data/"
    assert inside.requests == []


def test_proxies_of_the_environment_are_not_used(start: Start):
    """A proxy could be anywhere and would see everything."""
    with serving(Reply()) as proxy, serving(Reply(body=b"direct")) as server:
        names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        outputs = start(
            node=reaching("http", {"url": server.url, "allow": OPEN}),
            env_of_home=dict.fromkeys(names, proxy.url),
        ).outputs()

    assert outputs["body"] == "direct"
    assert proxy.requests == []


@pytest.mark.parametrize(
    "spec, kind, sent",
    [
        ({"body": "text ü"}, "text/plain; charset=utf-8", "text ü"),
        ({"body": [1]}, "application/json", "[1]"),
        ({"body": False}, "application/json", "false"),
        ({"body": {"a": "x y", "b": [1, 2]}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
         "application/x-www-form-urlencoded", "a=x+y&b=1&b=2"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, "text/xml", "<a/>"),
        ({"body": None}, None, ""),
        ({}, None, ""),
    ],
)  # fmt: skip
def test_bodies(spec: dict[str, Any], kind: str | None, sent: str):
    """Text is sent as it is, all else as JSON, unless the author names a form; nothing is sent for null."""
    with serving(Reply()) as server:
        ask({"method": "PUT", "url": server.url, **spec})

    [request] = server.requests
    assert request.headers.get("content-type") == kind
    assert request.body.decode() == sent
    assert "transfer-encoding" not in request.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(method: str):
    """Every method of the API, each answered."""
    with serving(Reply()) as server:
        assert ask({"method": method, "url": server.url})["status"] == 200

    assert [request.method for request in server.requests] == [method]


@pytest.mark.parametrize(
    "reply, body",
    [
        (Reply(200, {"Content-Type": "application/json"}, b'{"a": 1}'), {"a": 1}),
        (Reply(200, {"Content-Type": "application/problem+json; charset=utf-8"}, b"[]"), []),
        (Reply(200, {"Content-Type": "application/json"}, b""), None),
        (Reply(200, {"Content-Type": "application/json"}, b"\xef\xbb\xbf3"), 3),
        (Reply(200, {"Content-Type": "text/plain"}, '{"ü"'.encode()), '{"ü"'),
        (Reply(200, {"Content-Type": "text/plain; charset=ISO-8859-1"}, b"\xfc"), "ü"),
        (Reply(200, {"Content-Type": 'text/plain; charset="utf-16le"'}, "ü".encode("utf-16le")), "ü"),
        (Reply(200, {}, b"plain"), "plain"),
        (Reply(204, {"Content-Length": "0"}, b""), ""),
    ],
)
def test_bodies_of_answers(reply: Reply, body: Any):
    """JSON where the answer says so, else text."""
    with serving(reply) as server:
        outputs = ask({"url": server.url})

    assert outputs["body"] == body
    assert "bodyEncoding" not in outputs


@pytest.mark.parametrize(
    "kind", ["image/png", "text/plain", "text/plain; charset=zip", "text/plain; charset=rot13"]
)
def test_bytes_that_are_no_text_are_base64(kind: str):
    """Nothing is lost or guessed: bytes come as base64, and the outputs say so."""
    with serving(Reply(200, {"Content-Type": kind}, b"\x89PNG\xff\x00")) as server:
        outputs = ask({"url": server.url})

    assert base64.b64decode(outputs["body"]) == b"\x89PNG\xff\x00"
    assert outputs["bodyEncoding"] == "base64"


def test_several_headers_of_one_name_are_one():
    """Names in lower case, values joined."""
    with serving(Reply(200, {"X-A": "1", "x-a": "2"})) as server:
        assert ask({"url": server.url})["headers"]["x-a"] == "1, 2"


@pytest.mark.parametrize(
    "status, done", [(200, True), (204, True), (399, True), (400, False), (404, False), (503, False)]
)
def test_the_default_expectation(status: int, done: bool):
    """A status below 400 is done; any other fails the attempt and says what was answered."""
    with serving(
        Reply(status, {"Content-Type": "text/plain"}, b"out of\norder" if status != 204 else b"")
    ) as server:
        spec = {"url": f"{server.url}/a?key=abc"}
        if done:
            assert ask(spec)["status"] == status
        else:
            assert failure(spec) == ("HttpStatus", f"answered {status}; expected status < 400: out of order")


@pytest.mark.parametrize(
    "expect, reason",
    [
        ("status == 404", None),
        ("status in [200, 404] && body.error.code == 'gone'", None),
        ("headers['x-kind'] == 'k'", None),
        ("body.?nothing.orValue(3) == 3", None),
        ("body.big == 9007199254740993", None),
        ("status == 200", "HttpStatus"),
        ("body.nothing == 3", "ExpressionError"),
        ("status", "ExpressionError"),
        ("nobody == 3", "ExpressionError"),
        ("status ==", "ExpressionError"),
    ],
)
def test_expectations(expect: str, reason: str | None):
    """`expect` is CEL over status, headers and body; what is no bool is an ExpressionError."""
    reply = as_json({"error": {"code": "gone"}, "big": 2**53 + 1}, 404)
    with serving(reply._replace(headers={**reply.headers, "X-Kind": "k"})) as server:
        spec = {"url": server.url, "expect": expect}
        if reason is None:
            assert ask(spec)["status"] == 404
        else:
            said = failure(spec)
            assert said[0] == reason
            assert expect in said[1]


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a": 1', b"\xff", b"1 2"])
def test_json_that_is_none(body: bytes):
    """An answer that claims to be JSON and is not fails the node, unless its status already does."""
    with serving(Reply(200, {"Content-Type": "application/json"}, body)) as server:
        reason, message = failure({"url": server.url})
    assert reason == "OutputInvalid"
    assert "is no JSON" in message

    with serving(Reply(502, {"Content-Type": "application/json"}, body)) as server:
        assert failure({"url": server.url})[0] == "HttpStatus"


def test_integers_beyond_64_bits_are_no_outputs(start: Start):
    """The rules for outputs hold for what a server sends."""
    with serving(as_json({"n": 2**63})) as server:
        error = start(node=reaching("http", {"url": server.url, "allow": OPEN})).error()

    assert error["reason"] == "OutputInvalid"
    assert error["message"].startswith("outputs.body.n is 9223372036854775808")


@pytest.mark.parametrize(
    "headers, sign",
    [
        ({"X-A": "1\r\nX-B: 2"}, "line break"),
        ({"X-A": "1\nX-B: 2"}, "line break"),
        ({"X-A": "1\rX-B: 2"}, "line break"),
        ({"X-A": "\0"}, "line break"),
        ({"X-A": "\u2028"}, "line break"),
        ({"X-A": "ü"}, "line break"),
        ({"X-A\r\nX-B": "1"}, "is none"),
        ({"X A": "1"}, "is none"),
        ({"X-A:": "1"}, "is none"),
        ({"": "1"}, "is none"),
        ({"Host": "metadata"}, "set by Fairlead"),
        ({"host": "metadata"}, "set by Fairlead"),
        ({"Content-Length": "3"}, "set by Fairlead"),
        ({"Transfer-Encoding": "chunked"}, "set by Fairlead"),
        ({"Connection": "upgrade"}, "set by Fairlead"),
        ({"Upgrade": "h2c"}, "set by Fairlead"),
        ({"Accept-Encoding": "br"}, "set by Fairlead"),
        ({"Proxy-Authorization": "x"}, "set by Fairlead"),
        ({"X-A": "1", "x-a": "2"}, "given twice"),
        ({"X-A": "a" * 70_000}, "at most 65536"),
    ],
)
def test_headers_that_are_refused(headers: dict[str, str], sign: str):
    """A value can never become another header, another request or another host."""
    with serving(Reply()) as server:
        reason, message = failure({"url": server.url, "headers": headers})

    assert reason == "HttpRefused"
    assert sign in message
    assert server.requests == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a b&c=d#e", "ü\0", "%0d%0a"])
def test_parameters_are_escaped(value: str):
    """Whatever a parameter holds, the server reads that and nothing else."""
    from urllib.parse import parse_qs, urlsplit

    with serving(Reply()) as server:
        ask({"url": server.url, "query": {"q": value}})

    [request] = server.requests
    assert parse_qs(urlsplit(request.path).query) == {"q": [value]}
    assert "x-evil" not in request.headers


@pytest.mark.parametrize(
    "spec",
    [
        {"method": "TRACE"},
        {"method": "get"},
        {"method": "GET / HTTP/1.1\r\nX: y"},
        {"headers": ["a"]},
        {"query": "a=b"},
        {"body": "x" * (5 * 1024 * 1024)},
        {"url": 7},
        {"allow": {**OPEN, "plain": "perhaps"}},
        {"auth": {"secret": "s", "kind": "digest"}},
        {"auth": "s"},
    ],
)
def test_requests_that_are_refused(spec: dict[str, Any]):
    """What the API does not have is not sent."""
    with serving(Reply()) as server:
        assert failure({"url": server.url, **spec}, FAIRLEAD_SECRET_S_TOKEN="abcdef")[0] == "HttpRefused"

    assert server.requests == []


def test_credentials_come_from_the_secret_and_go_nowhere_else(start: Start):
    """A server that echoes the request makes neither output nor message of the token."""

    def echo(request: Request) -> Reply:
        said = {"sent": request.headers, "twice": [request.headers["authorization"]]}
        reply = as_json(said, int(request.path[1:]))
        return reply._replace(headers={**reply.headers, "X-Echo": request.headers["authorization"]})

    token, password = "t0ken-canary-77", "pa55-canary-77"
    env = {
        "FAIRLEAD_SECRET_SHOP_API_TOKEN": f"{token}\n",
        "FAIRLEAD_SECRET_SHOP_API_USERNAME": "me",
        "FAIRLEAD_SECRET_SHOP_API_PASSWORD": password,
    }
    pair = base64.b64encode(f"me:{password}".encode()).decode()
    with serving(echo) as server:
        for kind, wanted in (("bearer", f"Bearer {token}"), ("basic", f"Basic {pair}")):
            for status in (200, 500):
                spec = {
                    "url": f"{server.url}/{status}",
                    "auth": {"secret": "shop-api", "kind": kind},
                    "allow": OPEN,
                }
                runner = start(node=reaching("http", spec), env_of_home=env)
                said = json.dumps(runner.result()) + runner.stdout + runner.stderr
                assert server.requests[-1].headers["authorization"] == wanted
                assert "***" in said
                for secret in (token, password, pair):
                    assert secret not in said


@pytest.mark.parametrize(
    "auth, env, reason",
    [
        ({"secret": "s"}, {}, "SecretMissing"),
        ({"secret": "s", "kind": "basic"}, {"FAIRLEAD_SECRET_S_USERNAME": "u"}, "SecretMissing"),
        ({"secret": ""}, {}, "SecretMissing"),
        ({"secret": "s"}, {"FAIRLEAD_SECRET_S_TOKEN": "canary\r\nX-B: 1"}, "SecretUnusable"),
        ({"secret": "s"}, {"FAIRLEAD_SECRET_S_TOKEN": "canary ü"}, "SecretUnusable"),
        ({"secret": "s", "kind": "basic"}, {"FAIRLEAD_SECRET_S_USERNAME": "canary:b", "FAIRLEAD_SECRET_S_PASSWORD": "x"},
         "SecretUnusable"),
    ],
)  # fmt: skip
def test_secrets_that_do_not_serve(auth: dict[str, str], env: dict[str, str], reason: str):
    """A Secret that is missing or cannot stand in a header fails the node without being shown."""
    with serving(Reply()) as server:
        said = failure({"url": server.url, "auth": auth}, **env)

    assert said[0] == reason
    assert "canary" not in said[1]
    assert server.requests == []


def test_one_of_auth_and_a_header():
    """Two sets of credentials are refused, whatever the capitals."""
    with serving(Reply()) as server:
        spec = {"url": server.url, "auth": {"secret": "s"}, "headers": {"AUTHORIZATION": "x"}}
        assert failure(spec, FAIRLEAD_SECRET_S_TOKEN="abcdef")[0] == "HttpRefused"


def test_messages_do_not_show_the_query():
    """A key in the query of a URL stays out of messages."""
    reason, message = failure({"url": "http://127.0.0.1:1/x?key=canary"})

    assert reason == "HttpFailed"
    assert "http://127.0.0.1:1/x" in message
    assert "canary" not in message
