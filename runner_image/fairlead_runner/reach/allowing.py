"""What an install allows `http` nodes: in the document's `allow`, or by environment of the runner.

    allow      environment                    meaning
    plain      FAIRLEAD_HTTP_ALLOW_PLAIN      true: http:// too, not https:// alone
    hosts      FAIRLEAD_HTTP_ALLOW_HOSTS      the only hosts that may be asked: `api.example.com`, `*.example.com` (names below
                                              it), `*`; each with `:PORT` or `:*` for other ports than the scheme's own
    private    FAIRLEAD_HTTP_ALLOW_PRIVATE    true, or networks (CIDR) beyond the public internet
    deny       FAIRLEAD_HTTP_DENY             networks that are refused whatever else holds: services, pods
    caFile     FAIRLEAD_HTTP_CA_FILE          certificates to trust besides the usual ones

Rule of this file: a setting that cannot be read refuses every request; it never counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from fairlead_runner.reach.addresses import Network
from fairlead_runner.reach.failures import Failed

_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


@dataclass(frozen=True, slots=True)
class Allow:
    """The settings of one install."""

    plain: bool = False
    hosts: tuple[str, ...] = ()
    private: bool = False
    networks: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    ca_file: str = ""

    def refusal(self, host: str, port: int, default_port: int) -> str | None:
        """Why this host and port may not be asked; None if they may."""
        if not self.hosts:
            if port == default_port:
                return None
            return f"port {port} is not the usual one ({default_port}), and FAIRLEAD_HTTP_ALLOW_HOSTS names no host with it"
        if any(_fits(pattern, host, port, default_port) for pattern in self.hosts):
            return None
        return (
            f"{host}:{port} is not among FAIRLEAD_HTTP_ALLOW_HOSTS of this install ({', '.join(self.hosts)})"
        )


def settings(allow: Mapping[str, Any] | None, env: Mapping[str, str]) -> Allow:
    """What the document says, and where it says nothing the environment."""
    allow = allow or {}

    def setting(name: str, variable: str) -> Any:
        return allow[name] if allow.get(name) is not None else env.get(variable, "")

    private, networks = _private(setting("private", "FAIRLEAD_HTTP_ALLOW_PRIVATE"))
    return Allow(
        plain=_flag("plain", setting("plain", "FAIRLEAD_HTTP_ALLOW_PLAIN")),
        hosts=tuple(
            _pattern(each) for each in _texts("hosts", setting("hosts", "FAIRLEAD_HTTP_ALLOW_HOSTS"))
        ),
        private=private,
        networks=networks,
        denied=_networks("deny", setting("deny", "FAIRLEAD_HTTP_DENY")),
        ca_file=str(setting("caFile", "FAIRLEAD_HTTP_CA_FILE")),
    )


def _fits(pattern: str, host: str, port: int, default_port: int) -> bool:
    name, wanted = _split(pattern)
    if wanted != "*" and port != (int(wanted) if wanted else default_port):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1
    return name in ("*", host)


def _split(pattern: str) -> tuple[str, str]:
    """Host and port of a pattern; IPv6 addresses stand in brackets, as in URLs."""
    name, colon, port = pattern.rpartition(":")
    return (name, port) if colon and not port.endswith("]") else (pattern, "")


def _pattern(text: str) -> str:
    name, port = _split(text)
    if not name or "*" in name.removeprefix("*") or (name.startswith("*") and name[1:2] not in ("", ".")):
        raise _unreadable("hosts", text, "a host, *.domain or *")
    if port != "*" and port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _unreadable("hosts", text, "HOST:PORT or HOST:*")
    return text.lower()


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    flag = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise _unreadable(name, value, "true or false")
    return flag


def _private(value: Any) -> tuple[bool, tuple[Network, ...]]:
    if isinstance(value, bool):
        return value, ()
    if isinstance(value, str) and value.strip().lower() in _FLAGS:
        return _FLAGS[value.strip().lower()], ()
    return False, _networks("private", value)


def _networks(name: str, value: Any) -> tuple[Network, ...]:
    found = []
    for text in _texts(name, value):
        try:
            found.append(ip_network(text))
        except ValueError:
            raise _unreadable(name, text, "a network such as 10.20.0.0/16") from None
    return tuple(found)


def _texts(name: str, value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise _unreadable(name, value, "a list of texts")
    return [part.strip() for part in parts if part.strip()]


def _unreadable(name: str, value: Any, expected: str) -> Failed:
    return Failed("HttpRefused", f"the install's http setting {name} is {value!r}; expected {expected}")
