"""Between the engine's questions and a `Cache`: keys, the form of an entry, and what becomes of everything that goes wrong.

    entry    SHA-256 (hex) of the rest, a line feed, JSON {identity, outputs, size, execution, at}

Rules of this file
- Nothing that the cache does can harm a run: what fails, takes too long, is damaged or is somebody else's is a miss, with a note.
- An entry holds its whole identity, which is compared: a key alone is only a hash.
- Outputs of more than LARGEST are not kept, but that they were is: the next one who asks is told why it has to run.
- An entry of no use is dropped, so that the next result can take its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from fairlead.model.commands import CacheAnswered
from fairlead.model.effects import FillCache, LookUp
from fairlead.model.errors import FairleadError
from fairlead.runtime.ports import Cache

LARGEST = 512 * 1024
"""Bytes of JSON that the outputs in an entry may have: what fits into one object of a cluster."""
PATIENCE = 5.0
"""Seconds after which a cache that does not answer counts as one that cannot be reached."""


class Entry(msgspec.Struct, frozen=True):
    """What is kept of a result; `outputs` is None for one that was too large, `size` its bytes."""

    identity: dict[str, str]
    outputs: dict[str, Any] | None
    size: int
    execution: str
    at: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def store_key(identity: Mapping[str, str], namespace: str = "") -> str:
    """The key of an identity: 256 bits in hex."""
    form = json.dumps({**identity, "namespace": namespace}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(form.encode()).hexdigest()


def entry_of(effect: FillCache) -> bytes:
    """The stored form of a result."""
    size = len(_encode(effect.outputs))
    outputs = effect.outputs if size <= LARGEST else None
    form = _encode(Entry(effect.identity, outputs, size, effect.execution, effect.at))
    return _checksum(form) + b"\n" + form


def answer(effect: LookUp, form: bytes | None) -> CacheAnswered:
    """What the engine is told of what was found."""
    common: dict[str, Any] = {"node": effect.node, "asked": effect.asked}
    if form is None:
        return CacheAnswered(**common)
    try:
        entry = _read(form)
    except ValueError as wrong:
        return CacheAnswered(note=f"the entry is damaged: {wrong}", **common)
    if entry.identity != effect.identity:
        return CacheAnswered(note="the entry under this key is of another node or key", **common)
    if entry.outputs is None:
        note = f"the result of {entry.execution} has {entry.size} bytes and was not kept; expected at most {LARGEST}"
        return CacheAnswered(note=note, **common)
    return CacheAnswered(outputs=entry.outputs, filled_by=entry.execution, filled_at=entry.at, **common)


def _read(form: bytes) -> Entry:
    checksum, _, rest = form.partition(b"\n")
    if checksum != _checksum(rest):
        raise ValueError("its checksum is not that of its content")
    return _decode(rest)


def _checksum(form: bytes) -> bytes:
    return hashlib.sha256(form).hexdigest().encode()


class Caching:
    """A cache as an actor uses it."""

    def __init__(self, cache: Cache, namespace: str = "") -> None:
        self._cache = cache
        self._namespace = namespace

    async def look_up(self, effect: LookUp) -> CacheAnswered:
        """The answer to a question, whatever happens."""
        key = store_key(effect.identity, self._namespace)
        try:
            async with asyncio.timeout(PATIENCE):
                form = await self._cache.get(key, effect.at)
        except (FairleadError, TimeoutError) as error:
            why = str(error) or f"no answer in {PATIENCE:g} s"
            return CacheAnswered(
                node=effect.node, asked=effect.asked, note=f"the cache cannot be reached: {why}"
            )
        found = answer(effect, form)
        if form is not None and found.outputs is None:
            await self._quietly(self._cache.drop(key, form))
        return found

    async def fill(self, effect: FillCache) -> None:
        """Keep a result; where that fails, the next one who asks has to run."""
        key, entry = store_key(effect.identity, self._namespace), entry_of(effect)
        await self._quietly(self._cache.put(key, entry, effect.expires, effect.at))

    async def _quietly(self, doing: Any) -> None:
        with contextlib.suppress(FairleadError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await doing
