"""The network of a real node: two bridges of this machine, and the way from its pods to the API server.

A pod knows the API server by the address of the Service `kubernetes`, and there is no kube-proxy to make that true: one rule on
the bridge of the pods does. The API server goes on to listen on loopback alone, and pods get nothing else that listens there.
`take_down` leaves no link, rule or network namespace of ours behind; `set_up` removes those of a node that was killed.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from socket import gethostbyname
from urllib.parse import urlsplit

NODE, PODS = "fairlead0", "fairlead1"
"""The bridge that has the address of the node, and that of the pods."""
ADDRESS = "10.250.0.1"
"""The node's; a kubelet refuses one of loopback."""
SUBNET = "10.244.0.0/24"
"""Where pods get theirs."""
CHAIN = "FAIRLEAD-REAL"

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_TO_LOOPBACK = Path(f"/proc/sys/net/ipv4/conf/{PODS}/route_localnet")
_JUMPS = (("nat", "PREROUTING"), ("filter", "INPUT"))


class Bridges:
    """The links and rules of one machine's real node. Raises CalledProcessError where the kernel refuses."""

    def __init__(self) -> None:
        self._forwarded = ""

    def set_up(self) -> None:
        """Make the bridges."""
        self._remove()  # of one that was killed
        self._forwarded = _FORWARDING.read_text(encoding="ascii")  # the bridge plugin turns it on
        for bridge in (NODE, PODS):
            _ip("link", "add", bridge, "type", "bridge")
            _ip("link", "set", bridge, "up")
        _ip("addr", "add", f"{ADDRESS}/32", "dev", NODE)

    def lead(self, service: str, port: int, server: str) -> None:
        """Have pods reach an API server (its URL) where its Service says that it is."""
        at = urlsplit(server)
        host = gethostbyname(at.hostname or "")
        if ip_address(host).is_loopback:
            _TO_LOOPBACK.write_text("1", encoding="ascii")
        for table, chain in _JUMPS:
            _iptables(table, "-N", CHAIN)
            _iptables(table, "-I", chain, "-i", PODS, "-j", CHAIN)
        wanted = ("-d", f"{service}/32", "-p", "tcp", "--dport", str(port))
        _iptables("nat", "-A", CHAIN, *wanted, "-j", "DNAT", "--to-destination", f"{host}:{at.port or 443}")
        others = ("-d", "127.0.0.0/8", "-m", "conntrack", "!", "--ctstate", "DNAT")
        _iptables("filter", "-A", CHAIN, *others, "-j", "DROP")

    def take_down(self, namespaces: Iterable[Path]) -> None:
        """Remove all of it, and the network namespaces that pods had."""
        for namespace in namespaces:
            subprocess.run(["umount", "--lazy", str(namespace)], check=False, capture_output=True)
            namespace.unlink(missing_ok=True)
        self._remove()
        if self._forwarded:
            _FORWARDING.write_text(self._forwarded, encoding="ascii")

    def _remove(self) -> None:
        for table, chain in _JUMPS:
            with contextlib.suppress(subprocess.CalledProcessError):
                while True:
                    _iptables(table, "-D", chain, "-i", PODS, "-j", CHAIN)
            for command in ("-F", "-X"):
                with contextlib.suppress(subprocess.CalledProcessError):
                    _iptables(table, command, CHAIN)
        for bridge in (PODS, NODE):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "delete", bridge)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _iptables(table: str, *words: str) -> None:
    """Whoever else changes rules is waited for."""
    subprocess.run(["iptables", "--wait", "--table", table, *words], check=True, capture_output=True)
