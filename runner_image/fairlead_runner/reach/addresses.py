"""Which IP addresses may be connected to: the public internet, unless the install allows more.

Rules of this file
- IPv6 is a list of what is allowed (2000::/3, less what is special in it), so that whatever is assigned later
  stays refused. Forms that carry an IPv4 address inside (mapped, compatible, 6to4, Teredo, NAT64, ISATAP) are
  refused whatever is inside: no public service needs them.
- The answer of the standard library (`is_global`, whose tables differ between releases) has to agree.
- An install that names a network allows what is in it. `private` without networks allows the ranges that
  sites give to their own machines, never link-local, metadata services, multicast or reserved ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(each) for each in text.split())


PRIVATE = _networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 100.64.0.0/10 ::1/128 fc00::/7")
"""What `private: true` allows, without `NEVER_PRIVATE`."""
NEVER_PRIVATE = _networks("100.100.100.200/32 fd00:ec2::254/128 fd20:ce::254/128")
"""Metadata services of clouds that stand in private ranges."""
SPECIAL = (
    *_networks(
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ),
    *_networks("168.63.129.16/32"),  # the host's own service on Azure, at a public address
    *_networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20 2620:4f:8000::/48"),
)
UNICAST = IPv6Network("2000::/3")


def refusal(
    address: Address,
    *,
    private: bool,
    networks: Sequence[Network] = (),
    denied: Sequence[Network] = (),
) -> str | None:
    """Half a sentence that says why an address may not be connected to; None if it may."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return "has a zone"
    if _within(address, denied):
        return "is in a network that this install denies"
    if _within(address, networks):
        return None
    if private and _within(address, PRIVATE) and not _within(address, NEVER_PRIVATE):
        return None
    kind = _kind(address)
    return f"is {kind}; this install does not allow it" if kind else None


def _kind(address: Address) -> str | None:
    """What is special about an address; None for one on the public internet."""
    embedded = _embedding(address) if isinstance(address, IPv6Address) else None
    if embedded:
        return embedded
    for name in ("unspecified", "loopback", "link_local", "multicast", "private", "reserved"):
        if getattr(address, f"is_{name}"):
            return f"{'an' if name == 'unspecified' else 'a'} {name.replace('_', '-')} address"
    if _within(address, SPECIAL) or not address.is_global:
        return "a special-purpose address"
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return "no global unicast address"
    return None


def _embedding(address: IPv6Address) -> str | None:
    number = int(address)
    if address.ipv4_mapped is not None:
        return "an IPv4 address mapped into IPv6"
    if address.sixtofour is not None:
        return "a 6to4 address"
    if address.teredo is not None:
        return "a Teredo address"
    if address in _NAT64 or address in _NAT64_LOCAL:
        return "a NAT64 address"
    if (number >> 32) & 0xFFFF_FFFF in (0x0000_5EFE, 0x0200_5EFE):
        return "an ISATAP address"
    if number >> 32 == 0 and number > 1:
        return "an IPv4 address in compatible IPv6 form"
    if number >> 32 == 0xFFFF_0000:
        return "an IPv4-translated address"
    return None


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
