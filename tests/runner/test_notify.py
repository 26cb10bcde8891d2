"""`notify` nodes: the real runner and apprise against a real target on loopback."""

from __future__ import annotations

import json

import pytest
from tests.runner.conftest import Start
from tests.runner.reach_support import Reply, Server, reaching, serving

pytestmark = pytest.mark.local

CANARY = "canary-77-token"
SPEC = {"secret": "team-chat", "title": "Order 7", "body": "It is <late> & *bold*\nby 3 days: ü"}


def target(server: Server, scheme: str = "json") -> dict[str, str]:
    """The environment that holds the Secret."""
    return {"FAIRLEAD_SECRET_TEAM_CHAT_URL": f"{scheme}://me:{CANARY}@127.0.0.1:{server.port}/{CANARY}"}


def test_a_message_arrives(start: Start):
    """Title and text reach the service as they are; the node has no outputs."""
    with serving(Reply()) as server:
        runner = start(node=reaching("notify", SPEC), env_of_home=target(server))
        assert runner.outputs() == {}

    [request] = server.requests
    assert request.path == f"/{CANARY}"
    assert request.json()["title"] == "Order 7"
    assert request.json()["message"] == SPEC["body"]
    assert runner.stdout + runner.stderr == ""


def test_another_kind_of_target(start: Start):
    """The scheme of the Secret's url says which service it is."""
    with serving(Reply()) as server:
        start(node=reaching("notify", SPEC), env_of_home=target(server, "xml")).outputs()

    [request] = server.requests
    assert b"<Subject>Order 7</Subject>" in request.body


@pytest.mark.parametrize("body", [{"a": [1, "ü"]}, 7, True])
def test_a_text_that_is_a_value(start: Start, body: object):
    """A template may give any value; it is sent as JSON."""
    with serving(Reply()) as server:
        start(
            node=reaching("notify", {"secret": "team-chat", "body": body}), env_of_home=target(server)
        ).outputs()

    assert json.loads(server.requests[0].json()["message"]) == body


@pytest.mark.parametrize("status", [301, 400, 403, 500])
def test_a_service_that_does_not_take_it(start: Start, status: int):
    """The status is told, the target is not."""
    with serving(Reply(status, {"Location": "/elsewhere"}, CANARY.encode())) as server:
        runner = start(node=reaching("notify", SPEC), env_of_home=target(server))
        error = runner.error()

    assert error["reason"] == "NotifyFailed"
    assert "Secret 'team-chat'" in error["message"]
    if status != 301:
        assert error["message"].endswith(f"it answered {status}")
    assert CANARY not in json.dumps(error) + runner.stdout + runner.stderr
    assert str(server.port) not in error["message"]


def test_nobody_at_the_target(start: Start):
    """A target that is not there fails the node, and nothing of it is shown."""
    with serving(Reply()) as server:
        env = target(server)
    runner = start(node=reaching("notify", SPEC), env_of_home=env)
    error = runner.error()

    assert error["reason"] == "NotifyFailed"
    assert CANARY not in json.dumps(error) + runner.stdout + runner.stderr


@pytest.mark.parametrize(
    "url",
    [
        CANARY,
        f"nothing-of-the-kind://{CANARY}",
        f"json://{CANARY}@",
        "json://",
        f"slack://{CANARY}",
        f"tgram://{CANARY}",
        f"syslog://{CANARY}",
        "syslog://",
        "syslog://user",
        f"dbus://{CANARY}",
        f"glib://{CANARY}",
        f"gio://{CANARY}",
        f"file:///etc/{CANARY}",
        f"json://127.0.0.1:1/{CANARY} json://127.0.0.1:2/{CANARY}",
        f"json://127.0.0.1:1/{CANARY}, json://127.0.0.1:2/{CANARY}",
    ],
)
def test_targets_that_are_refused(start: Start, url: str):
    """What is no target, acts on this machine, or is several targets; the message does not show it."""
    runner = start(node=reaching("notify", SPEC), env_of_home={"FAIRLEAD_SECRET_TEAM_CHAT_URL": url})
    error = runner.error()

    assert error["reason"] == "NotifyRefused"
    assert CANARY not in json.dumps(error) + runner.stdout + runner.stderr


def test_a_secret_that_is_missing(start: Start):
    """The message names the variable that would hold it."""
    error = start(node=reaching("notify", SPEC)).error()

    assert error["reason"] == "SecretMissing"
    assert "FAIRLEAD_SECRET_TEAM_CHAT_URL" in error["message"]


@pytest.mark.parametrize("body", ["", "  \n", None, "x" * 300_000])
def test_texts_that_are_refused(start: Start, body: str | None):
    """Nothing, and far too much."""
    with serving(Reply()) as server:
        node = reaching("notify", {"secret": "team-chat", "body": body})
        assert start(node=node, env_of_home=target(server)).error()["reason"] == "NotifyRefused"
    assert server.requests == []
