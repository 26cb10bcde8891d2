"""Reads the URL of an `http` node: one narrow grammar, so that no two readers can see two hosts in it.

    URL = ("http" | "https") "://" HOST [":" PORT] ["/" PATH] ["?" QUERY]

Rules of this file
- ASCII without spaces, control characters, backslashes and quotes. No user, no fragment, no escapes in the
  host, no trailing dot, no name of other than letters, digits and hyphens.
- A host whose last label starts with a digit is an IPv4 address of four decimal numbers or it is refused:
  `0x7f.1`, `2130706433`, `127.1` and `0177.0.0.1` are addresses to some resolvers and names to others.
- What was read here is what is connected to and what is sent; nothing downstream reads the URL again.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

from fairlead_runner.reach.addresses import Address
from fairlead_runner.reach.failures import Failed

MAX_LENGTH = 8192
PORTS = {"https": 443, "http": 80}
_WHOLE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_SENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class Target(NamedTuple):
    """Where a request goes: `host` in lower case, without brackets; `address` if it is one."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    address: Address | None

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL as messages show it: without its query, which may hold a key."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: Any) -> Target:
    """The target that a URL names. Raises Failed with HttpRefused."""
    if not isinstance(url, str):
        raise _refused(f"the url is of type {type(url).__name__}; expected text")
    if len(url) > MAX_LENGTH:
        raise _refused(f"the url has {len(url)} characters; expected at most {MAX_LENGTH}")
    for position, letter in enumerate(url):
        if not "!" <= letter <= "~" or letter in '\\"<>^`{|}':
            raise _refused(
                f"the url has {letter!r} at character {position}; expected visible ASCII with the rest percent-encoded "
                "(hosts in their xn-- form, parameters under `query`)"
            )
    if "#" in url:
        raise _refused("the url has a fragment (#), which is never sent; expected none")
    found = _WHOLE.fullmatch(url)
    if found is None:
        raise _refused(f"the url {_short(url)} is incomplete; expected https://HOST/PATH")
    scheme = found["scheme"].lower()
    if scheme not in PORTS:
        raise _refused(f"the url has the scheme {scheme!r}; expected https")
    host, port, address = _authority(found["authority"], PORTS[scheme])
    path, query = found["path"] or "/", found["query"] or ""
    for name, text in (("path", path), ("query", query)):
        rest = _SENT.sub("", text)
        if rest:
            raise _refused(
                f"the {name} of the url holds {rest[:1]!r}, which is no whole escape; expected %25 for a %"
            )
    return Target(scheme, host, port, path, query, address)


def _authority(text: str, default_port: int) -> tuple[str, int, Address | None]:
    if "@" in text:
        raise _refused("the url holds a user before its host (@); expected credentials under `auth`")
    if "%" in text:
        raise _refused("the host of the url holds an escape (%); expected letters, digits, hyphens and dots")
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _refused(f"the host {_short(text)} is no IPv6 address in brackets")
        return _host6(inside), _port(rest[1:] if rest else None, default_port), IPv6Address(inside)
    name, colon, port = text.partition(":")
    host, address = _host(name.lower())
    return host, _port(port if colon else None, default_port), address


def _host(name: str) -> tuple[str, Address | None]:
    labels = name.split(".")
    if not name or len(name) > 253:
        raise _refused(f"the host of the url has {len(name)} characters; expected 1 to 253")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused(
            f"the host {_short(name)} is no host name; expected letters, digits and hyphens between single dots"
        )
    if labels[-1][0].isdigit():
        try:
            return name, IPv4Address(name)
        except AddressValueError:
            raise _refused(
                f"the host {_short(name)} ends like an address and is none; expected four decimal numbers"
            ) from None
    return name, None


def _host6(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise _refused(f"the host [{_short(text)}] is no IPv6 address") from None
    if address.version != 6 or "%" in text:
        raise _refused(f"the host [{_short(text)}] is no IPv6 address without a zone")
    return str(address)


def _port(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise _refused(f"the port of the url is {_short(text)}; expected 1 to 65535")
    return int(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def _refused(message: str) -> Failed:
    return Failed("HttpRefused", message)
