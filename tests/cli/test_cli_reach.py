"""Nodes that reach out, through the real command line: what the install allows is said by the environment."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

ALLOWED = {
    "FAIRLEAD_HTTP_ALLOW_PLAIN": "true",
    "FAIRLEAD_HTTP_ALLOW_PRIVATE": "true",
    "FAIRLEAD_HTTP_ALLOW_HOSTS": "*:*",
}


class Echo(BaseHTTPRequestHandler):
    """Answers what it was asked, as JSON."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        asked = {
            "path": self.path,
            "auth": self.headers.get("Authorization"),
            "body": json.loads(self.rfile.read(length)),
        }
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        answer = json.dumps({"seen": asked["body"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Silence."""


@pytest.fixture
def server() -> Iterator[Any]:
    """An HTTP server on loopback that remembers what it was asked."""
    found = HTTPServer(("127.0.0.1", 0), Echo)
    found.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def test_an_http_node_sends_templates_and_a_secret_and_gives_the_answer(cli, server):
    """The body is evaluated, the token comes from the environment and is nowhere in the log."""
    url = f"http://127.0.0.1:{server.server_address[1]}/in"
    node = {
        "name": "ask",
        "http": {"method": "POST", "url": url, "body": {"n": "${inputs.n}"}, "auth": {"secret": "api"}},
        "store": {"seen": "${outputs.body.seen.n}"},
    }
    done = cli(
        "run",
        cli.workflow(node),
        "asked",
        "-i",
        "n=7",
        "-o",
        "json",
        FAIRLEAD_SECRET_API_TOKEN="t0p-s3cret",
        **ALLOWED,
    )

    assert 0 == done.returncode, done.stderr
    assert {"seen": 7} == json.loads(done.stdout)["variables"]
    assert [{"path": "/in", "auth": "Bearer t0p-s3cret", "body": {"n": 7}}] == server.asked
    everything = cli.ok("events", "asked", "-o", "json") + cli.ok("get", "asked", "-o", "json") + done.stderr
    assert "t0p-s3cret" not in everything
    assert b"t0p-s3cret" not in cli.store.read_bytes()


def test_without_the_installs_leave_nothing_is_asked(cli, server):
    """Plain http to a private address is refused before any connection."""
    node = {
        "name": "ask",
        "http": {"method": "POST", "url": f"http://127.0.0.1:{server.server_address[1]}/", "body": {}},
    }

    done = cli("run", cli.workflow(node), "refused")

    assert 1 == done.returncode
    assert "HttpRefused" in done.stdout
    assert [] == server.asked


def test_a_message_goes_to_the_target_of_a_secret(cli, server):
    """Apprise sends it; the target is in the environment alone."""
    target = f"json://127.0.0.1:{server.server_address[1]}/hook"
    node = {"name": "tell", "notify": {"secret": "chat", "title": "run", "body": "of ${execution.name}"}}

    done = cli("run", cli.workflow(node), "told", FAIRLEAD_SECRET_CHAT_URL=target)

    assert 0 == done.returncode, done.stderr
    assert ["of told"] == [asked["body"]["message"] for asked in server.asked]
    assert "/hook" not in cli.ok("events", "told", "-o", "json")
