"""What a real node may leave behind on the machine that it ran on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster.bridges import CHAIN, NODE, PODS


def leavings(folder: Path) -> set[str]:
    """Processes and mounts of its folder, and links and rules that have its names."""
    found = {f"process {words}" for words in _processes(folder)}
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    found |= {f"mount {mount}" for mount in mounts if mount.startswith(f"{folder}/")}
    found |= {f"link {name}" for name in _links() & {NODE, PODS}}
    rules = _said("iptables-save").splitlines()
    return found | {f"rule {rule}" for rule in rules if CHAIN in rule or PODS in rule or NODE in rule}


def networks() -> set[str]:
    """Network namespaces and the links to them, as pods have, also others than ours."""
    return {
        *(name for name in _links() if name.startswith("veth")),
        *map(str, Path("/run/netns").glob("cni-*")),
    }


def _links() -> set[str]:
    lines = _said("ip", "-oneline", "link", "show").splitlines()
    return {line.split()[1].rstrip(":").partition("@")[0] for line in lines}


def _processes(folder: Path) -> list[str]:
    """Those that name the folder, but us."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
