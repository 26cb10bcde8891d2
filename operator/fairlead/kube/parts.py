"""Bytes in objects of bounded size: compressed, cut into parts, and checked when they are put together again.

No object is over 512 KiB as it is stored: a part has 352 KiB, which base64 makes 470 KiB, and its metadata a few hundred bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

PART = 352 << 10
_QUICK = 1


class Damaged(ValueError):
    """What was read is not what was written; the message says how."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Parts, with what it takes to check them."""

    parts: tuple[bytes, ...]
    size: int
    digest: str


def digest_of(data: bytes) -> str:
    """`sha256:` and the hash in hex."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pack(data: bytes) -> Packed:
    """Compress and cut; there is always at least one part."""
    stored = zlib.compress(data, _QUICK)
    parts = tuple(stored[at : at + PART] for at in range(0, len(stored), PART))
    return Packed(parts, len(data), digest_of(data))


def unpack(parts: Sequence[bytes], size: int, digest: str) -> bytes:
    """Put together again; what is written there decides how much memory it takes. Raises Damaged."""
    expander = zlib.decompressobj()
    try:
        data = expander.decompress(b"".join(parts), size + 1)
    except zlib.error as error:
        raise Damaged(f"its content cannot be decompressed ({error})") from error
    if len(data) != size or not expander.eof:
        raise Damaged(f"its content has another length than {size} bytes")
    if (found := digest_of(data)) != digest:
        raise Damaged(f"its content has the digest {found}; expected {digest}")
    return data
