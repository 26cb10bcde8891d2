"""The port Cache on Kubernetes: one ConfigMap for each key, in the namespace of the executions that share it.

Rules of this file
- It belongs to no execution: an entry outlives the run that filled it, and goes when it has expired or is of no use.
- Its name is a hash of the key, which stands in it and is compared. The first entry stays: it is made by a create; one that has
  expired is replaced with the version that was read, so that of several who do that one wins.
- When it expires stands in a label: what has expired is found without reading entries, and the policy on records guards labels as
  it does data.
- What cannot be read is given as it stands: `runtime.caching` finds that it is damaged, says so, and drops it.
- The fence is asked immediately before every write. An answer that never came is settled by looking.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client import (
    CONFIG_MAPS,
    Ambiguous,
    Client,
    Expired,
    Invalid,
    Metadata,
)
from fairlead.kube.client.replies import partial_list_decoder
from fairlead.kube.fence import Fence
from fairlead.kube.objects import ConfigMap, config_map_decoder
from fairlead.model.errors import Conflict, NotFound, Unavailable

LIMIT = 504 << 10
"""Bytes of a compressed entry, so that its object has at most 512 KiB as it is stored. Larger ones are not kept."""
MOST = 16 << 20
"""Bytes of an entry, compressed or not: what is written in an object never decides how much memory reading it takes."""
SWEPT = 500
"""Entries that one sweep deletes at most."""
_KIND = "cache"
_KEY, _ENTRY = "key", "entry"
_TRIES = 8
_PAGE, _AT_ONCE = 500, 8
_LARGE = 256 << 10
"""Bytes above which compressing is done beside the event loop."""
_QUICK = 1


@dataclass(frozen=True, slots=True)
class _Kept:
    """What stands under a key."""

    entry: bytes
    expires: int | None
    about: Metadata

    def is_good(self, now: int) -> bool:
        return self.expires is None or now < self.expires


class KubernetesCache:
    """The cache of one namespace."""

    def __init__(self, client: Client, namespace: str, fence: Fence) -> None:
        self._client = client
        self._namespace = namespace
        self._fence = fence

    async def get(self, key: str, now: int) -> bytes | None:
        """The entry of a key that is good at `now`, or what stands in its place. Raises Unavailable."""
        there = await self._look(key)
        return there.entry if there is not None and there.is_good(now) else None

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        """Keep an entry unless a good one is there; whether this one is kept. Raises NotLeader, Unavailable."""
        if (expires is not None and expires <= now) or len(entry) > MOST:
            return False
        stored = await _compressed(entry)
        if len(stored) > LIMIT:
            return False
        there, sent = None, False
        for _ in range(_TRIES):
            try:
                await self._write(key, stored, expires, there)
                return True
            except Ambiguous:
                sent = True
            except (Conflict, NotFound):
                pass
            there = await self._look(key)
            if there is not None and there.is_good(now):
                return sent and (there.entry, there.expires) == (entry, expires)
        raise Unavailable(f"the cache entry {self._named(key)} changed {_TRIES} times under our hands")

    async def drop(self, key: str, entry: bytes) -> None:
        """Remove an entry, if it still is this one. Raises NotLeader, Unavailable."""
        for _ in range(_TRIES):
            there = await self._look(key)
            if there is None or there.entry != entry:
                return
            with contextlib.suppress(Conflict, NotFound, Ambiguous):
                await _delete(self._client, self._fence, there.about)
                return
        raise Unavailable(f"the cache entry {self._named(key)} could not be removed")

    # --- how it is done ---

    async def _look(self, key: str) -> _Kept | None:
        try:
            body = await self._client.get(CONFIG_MAPS, self._namespace, _name(key))
            there = config_map_decoder.decode(body)
        except NotFound:
            return None
        except msgspec.DecodeError as error:
            raise Unavailable(f"the cache entry {self._named(key)} cannot be read: {error}") from error
        return await _kept(key, there)

    async def _write(self, key: str, stored: bytes, expires: int | None, there: _Kept | None) -> None:
        """Create an entry, or put it in place of the one that was read."""
        metadata = names.shared_metadata(self._namespace, _name(key), _KIND, self._fence.epoch())
        if expires is not None:
            metadata["labels"][names.EXPIRES] = str(expires)
        body: dict[str, Any] = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": metadata,
            "data": {_KEY: key},
            "binaryData": {_ENTRY: stored},
        }
        try:
            if there is None:
                await self._client.create(CONFIG_MAPS, self._namespace, body)
            else:
                metadata["resourceVersion"] = there.about.resource_version
                await self._client.replace(CONFIG_MAPS, self._namespace, _name(key), body)
        except Invalid as refused:  # by an admission policy, or because somebody made it immutable
            raise Unavailable(f"the cache entry {self._named(key)} is refused: {refused}") from refused

    def _named(self, key: str) -> str:
        return f"{self._namespace}/{_name(key)}"


async def sweep(client: Client, fence: Fence, namespace: str | None, now: int, most: int = SWEPT) -> int:
    """Delete entries of a namespace, or (None) of all, that are not good at `now`, at most so many; how many it were.

    Reads metadata alone, a page at a time. Raises NotLeader, Unavailable.
    """
    done, place = 0, ""
    while done < most:
        selector = f"{names.LOG}={_KIND},{names.EXPIRES}"
        params = {"labelSelector": selector, "limit": str(_PAGE), **({"continue": place} if place else {})}
        try:
            page = partial_list_decoder.decode(
                await client.get(CONFIG_MAPS, namespace, params=params, partial=True)
            )
        except Expired:  # it took too long: the next sweep begins anew
            break
        old = [about for about in page.found if _has_expired(about, now)][: most - done]
        done += await _delete_all(client, fence, old)
        place = page.metadata.continue_
        if not place:
            break
    return done


async def _delete_all(client: Client, fence: Fence, old: list[Metadata]) -> int:
    """Delete objects as they were when they were listed; how many were."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(about: Metadata) -> bool:
        async with limit:
            with contextlib.suppress(NotFound, Conflict, Ambiguous, Invalid):  # Invalid: a policy denies it
                await _delete(client, fence, about)
                return True
        return False

    done = await asyncio.gather(*map(one, old), return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return sum(map(bool, done))


async def _delete(client: Client, fence: Fence, about: Metadata) -> None:
    fence.epoch()
    version = about.resource_version
    await client.delete(CONFIG_MAPS, about.namespace, about.name, uid=about.uid, version=version)


def _has_expired(about: Metadata, now: int) -> bool:
    expires = about.labels.get(names.EXPIRES, "")
    return expires.isdecimal() and int(expires) <= now


def _name(key: str) -> str:
    return names.record_name(_KIND, key)


async def _kept(key: str, there: ConfigMap) -> _Kept:
    """What stands in an object; empty if it does not say of which key it is, or until when it is good."""
    stored, expires = there.binary_data.get(_ENTRY, b""), there.metadata.labels.get(names.EXPIRES)
    if there.data.get(_KEY) != key or not (expires is None or expires.isdecimal()):
        return _Kept(b"", None, there.metadata)
    large = len(stored) > _LARGE
    entry = await asyncio.to_thread(_expanded, stored) if large else _expanded(stored)
    return _Kept(entry, None if expires is None else int(expires), there.metadata)


async def _compressed(entry: bytes) -> bytes:
    if len(entry) <= _LARGE:
        return zlib.compress(entry, _QUICK)
    return await asyncio.to_thread(zlib.compress, entry, _QUICK)


def _expanded(stored: bytes) -> bytes:
    """The entry, or what stands there if that is none of ours."""
    expander = zlib.decompressobj()
    with contextlib.suppress(zlib.error):
        data = expander.decompress(stored, MOST + 1)
        if expander.eof and len(data) <= MOST:
            return data
    return stored
