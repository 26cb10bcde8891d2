"""Identities: of node instances, deliveries and connections, and what is derived from them by hash.

An instance id is `SEG/SEG/…/node` with SEG = `while[pass]`, `forEach[index]`, `parallel.branch` or the name of a node: of one
that inlines a workflow (in whose `finally` it is `NODE.finally`), or of the one a fallback stands in for. The k-th loopback pass
of a node (k ≥ 1) is `node#k` (semantics 17).
A *key* is an instance id without the last `#k`: it names the place in the graph, whatever the pass.
"""

from __future__ import annotations

import hashlib
import re

FINALLY_SUFFIX = ".finally/"
"""What the prefix of an inlined workflow's `finally` ends in, after the node's key; that of its graph is `KEY/`."""

_INDEX = re.compile(r"\[\d+\]|#\d+")


def connection_id(source: str, port: str, target: str) -> str:
    """`from.port>to`, unique within a body."""
    return f"{source}.{port}>{target}"


def connection_target(connection: str) -> str:
    """The name of the node a connection leads to."""
    return connection[connection.rindex(">") + 1 :]


def loop_of(connection: str) -> str:
    """What a loopback repeats, by the nodes that it connects: `last>first` of `last.port>first`."""
    source, _, target = connection.partition(">")
    return f"{source.partition('.')[0]}>{target}"


def prefix_of(instance: str) -> str:
    """The scope of an instance with its trailing slash: `lines[3]/` of `lines[3]/pack`, empty in the workflow's own body."""
    return instance[: instance.rfind("/") + 1]


def key_of(instance: str) -> str:
    """The instance id without its own `#k`."""
    slash = instance.rfind("/")
    hash_sign = instance.find("#", slash + 1)
    return instance if hash_sign < 0 else instance[:hash_sign]


def place_of(instance: str) -> str:
    """The place in the graph that an instance is at, whatever the item and the pass: `lines[3]/pack#1` is at `lines/pack`."""
    return _INDEX.sub("", instance)


def delivery_id(uid: str, node: str, attempt: int, delivery: int) -> str:
    """The id of everything done for one delivery of one attempt of one instance."""
    return f"{uid}/{node}/{attempt}/{delivery}"


def idempotency_key(uid: str, node: str) -> str:
    """128 bits in hex, the same for all attempts of an instance: FAIRLEAD_IDEMPOTENCY_KEY (semantics 10)."""
    return hashlib.sha256(f"{uid}\0{node}".encode()).hexdigest()[:32]


def unit_interval(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone: the engine's only source of chance."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def secret_variable(secret: str, key: str) -> str:
    """The environment variable that holds a key of a Secret: `FAIRLEAD_SECRET_NAME_KEY`."""
    return f"{secret_prefix(secret)}{_upper(key)}"


def secret_prefix(secret: str) -> str:
    """What the variables of all keys of a Secret begin with."""
    return f"FAIRLEAD_SECRET_{_upper(secret)}_"


def _upper(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text).upper()
