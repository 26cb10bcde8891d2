"""Executions that nodes of other executions start: their names, where they come from, and how far it may go.

Rules of this file
- The name of a child follows from its parent's uid and the node instance alone, so one instance has one child, however often it
  is asked for: what exists is taken up, and only if its record says the same parent and instance.
- A child of `wait: false` has a parent as well: it counts for the limits, and for nothing else.
- Recursion ends: a child is at most MAX_DEPTH below the first execution, and one tree has at most MAX_TREE executions.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec

MAX_DEPTH = 16
"""How deep executions start executions; the first one of a tree is at depth 0."""
MAX_TREE = 100_000
"""How many executions a tree has at most, the first one included."""

_HASH_BYTES = 10
_HASH_LETTERS = 16
_LABEL = 63


class Parent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """Who started an execution: name and uid of the parent, the instance, the tree's first uid, and the child's own depth."""

    name: str
    uid: str
    node: str
    root: str
    depth: int
    wait: bool = True


def base_name(name: str, parent: Parent | None) -> str:
    """What the names of an execution's children begin with: its own name, without the hash of a child."""
    return name if parent is None else name[: -1 - _HASH_LETTERS]


def child_name(base: str, uid: str, instance: str, epoch: int = 0) -> str:
    """The name of an instance's child: a DNS label of `base`, cut short, and 80 bits of hash over parent and instance.

    `epoch` is that of a redrive for nodes of `finally`, which run anew with each; 0 for all others.
    """
    text = f"{uid}\0{instance}\0{epoch}" if epoch else f"{uid}\0{instance}"
    digest = hashlib.sha256(text.encode()).digest()[:_HASH_BYTES]
    short = base.replace(".", "-")[: _LABEL - 1 - _HASH_LETTERS].rstrip("-")
    return f"{short}-{base64.b32encode(digest).decode().lower()}"
