"""The corpus of URLs that try to get around the rules of `http` nodes: every one is refused, and nothing is connected to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead_runner.reach import transport, urls, web
from fairlead_runner.reach.allowing import settings
from fairlead_runner.reach.failures import Failed

PUBLIC = "93.184.216.34"
GROUPS = yaml.safe_load(Path(__file__).with_name("http_bypasses.yaml").read_text())


def cases() -> Iterator[Any]:
    for group in GROUPS:
        for entry in group["urls"]:
            case = entry if isinstance(entry, dict) else {"url": entry}
            to = case.get("to", [PUBLIC])
            yield pytest.param(group["allow"], case["url"], to, id=f"{case['url']!a} {' '.join(to)}")


ALL = list(cases())


class Connected(Exception):
    """A connection was attempted: the URL got through."""


@pytest.fixture(autouse=True)
def _no_connections(monkeypatch: pytest.MonkeyPatch):
    def connect(*_: object, **__: object) -> None:
        raise Connected

    monkeypatch.setattr(transport._Pinned, "connect_tcp", connect)


@pytest.mark.parametrize("allow, url, to", ALL)
def test_a_bypass_is_refused(allow: dict[str, Any], url: str, to: list[str]):
    """A URL of the corpus is refused for what it is, before anything is connected to."""
    with pytest.raises(Failed) as refused:
        web.run({"url": url, "allow": allow}, {}, resolve=lambda *_: to)

    assert refused.value.reason == "HttpRefused"


def test_the_corpus_is_large_and_without_doubles():
    """At least 200 different bypasses."""
    distinct = {(str(case.values[0]), case.values[1], str(case.values[2])) for case in ALL}

    assert len(distinct) == len(ALL) >= 200


@pytest.mark.parametrize(
    ("allow", "url", "to", "authority"),
    [
        ({}, "https://example.com", [PUBLIC], "example.com"),
        ({}, "HTTPS://Example.COM:443/a?b=c%20d", [PUBLIC, "2606:4700::1111"], "example.com"),
        ({}, "https://93.184.216.34/", [], "93.184.216.34"),
        ({}, "https://[2606:4700:0:0::1111]/", [], "[2606:4700::1111]"),
        ({}, "https://xn--bcher-kva.example/", [PUBLIC], "xn--bcher-kva.example"),
        ({"plain": True}, "http://example.com/", [PUBLIC], "example.com"),
        ({"hosts": ["example.com:8443"]}, "https://example.com:8443/", [PUBLIC], "example.com:8443"),
        ({"hosts": ["*.example.com"]}, "https://a.b.example.com/", [PUBLIC], "a.b.example.com"),
        ({"hosts": ["[2606:4700::1111]:*"]}, "https://[2606:4700::1111]:99/", [], "[2606:4700::1111]:99"),
        ({"private": True}, "https://10.1.2.3/", [], "10.1.2.3"),
        ({"private": True}, "https://svc.example/", ["fd12::1", "127.0.0.1"], "svc.example"),
        ({"private": ["169.254.169.254/32"]}, "https://169.254.169.254/", [], "169.254.169.254"),
    ],
)
def test_what_is_allowed_is_connected_to(allow: dict[str, Any], url: str, to: list[str], authority: str):
    """The rules refuse no more than they say; without this the corpus would prove nothing."""
    assert urls.parse(url).authority == authority
    with pytest.raises(Connected):
        web.run({"url": url, "allow": allow}, {}, resolve=lambda *_: to)


@pytest.mark.parametrize(
    "variable, text",
    [
        ("FAIRLEAD_HTTP_ALLOW_PLAIN", "maybe"),
        ("FAIRLEAD_HTTP_ALLOW_PRIVATE", "10.0.0.1/8"),
        ("FAIRLEAD_HTTP_ALLOW_PRIVATE", "private"),
        ("FAIRLEAD_HTTP_DENY", "pods"),
        ("FAIRLEAD_HTTP_ALLOW_HOSTS", "*example.com"),
        ("FAIRLEAD_HTTP_ALLOW_HOSTS", "a.*.example.com"),
        ("FAIRLEAD_HTTP_ALLOW_HOSTS", "example.com:99999"),
        ("FAIRLEAD_HTTP_ALLOW_HOSTS", ":443"),
    ],
)
def test_a_setting_that_cannot_be_read_refuses_everything(variable: str, text: str):
    """A misspelt setting never counts as absent."""
    with pytest.raises(Failed) as refused:
        web.run({"url": "https://example.com/"}, {variable: text}, resolve=lambda *_: [PUBLIC])

    assert refused.value.reason == "HttpRefused"
    assert repr(text) in str(refused.value)


def test_settings_come_from_the_environment_where_the_document_has_none():
    """The document's `allow` goes before the environment, name by name."""
    env = {
        "FAIRLEAD_HTTP_ALLOW_PLAIN": "true",
        "FAIRLEAD_HTTP_ALLOW_HOSTS": "a.example, *.b.example:*",
        "FAIRLEAD_HTTP_ALLOW_PRIVATE": "10.0.0.0/8,fd00::/8",
    }

    found = settings({"plain": False}, env)

    assert (found.plain, found.hosts) == (False, ("a.example", "*.b.example:*"))
    assert [str(network) for network in found.networks] == ["10.0.0.0/8", "fd00::/8"]
    assert settings(None, env).plain


def test_a_name_is_resolved_once():
    """No second look-up can give another answer than the one that was checked."""
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    with pytest.raises(Connected):
        web.run({"url": "https://rebinding.example/"}, {}, resolve=resolve)

    assert asked == [("rebinding.example", 443)]
