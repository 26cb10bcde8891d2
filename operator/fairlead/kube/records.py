"""Records: immutable ConfigMaps in parts, the one way in which the log, checkpoints, definitions and large values are stored.

Rules of this file
- A record is named by kind, execution and content, is immutable from birth, and is created part by part. So creating it again is
  harmless, and an answer that never came is settled by trying again: what is there already is compared with what was meant.
- Every part says how many there are, how large the content is, and its digest; whoever reads checks all of it.
- Nothing here is a commit point: a record that nobody names does not exist.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, AlreadyExists, Ambiguous, Client, Metadata
from fairlead.kube.client.replies import partial_list_decoder
from fairlead.kube.names import Place
from fairlead.kube.objects import ConfigMap, Record, config_map_decoder, part_name
from fairlead.kube.parts import Damaged, Packed, pack, unpack
from fairlead.model.errors import NotFound

_KEY = "content"
_TRIES = 5
_AT_ONCE = 8
_MOST_PARTS, _MOST_BYTES = 256, 256 << 20
_LARGE = 256 << 10
"""Bytes above which compressing is done beside the event loop."""


async def packed(data: bytes) -> Packed:
    """Compress, beside the loop when it takes long."""
    return pack(data) if len(data) < _LARGE else await asyncio.to_thread(pack, data)


class Records:
    """The records of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(
        self, place: Place, kind: str, identity: Sequence[str], content: Packed, epoch: int
    ) -> Record:
        """Store a content under an identity that tells it from any other; doing it again is fine.

        Raises Damaged if something else has its name, NamespaceTerminating, Unavailable.
        """
        name = names.record_name(kind, place.uid, *identity)
        facts = {"parts": str(len(content.parts)), "size": str(content.size), "digest": content.digest}
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, part: bytes) -> None:
            body = {
                "apiVersion": CONFIG_MAPS.api_version,
                "kind": CONFIG_MAPS.kind,
                "metadata": names.metadata(place, part_name(name, number), kind, epoch),
                "immutable": True,
                "data": facts,
                "binaryData": {_KEY: part},
            }
            async with limit:
                await self._create(place, body, part)

        await _together(*(one(number, part) for number, part in enumerate(content.parts)))
        stored = sum(len(part) for part in content.parts)
        return Record(name, len(content.parts), content.size, content.digest, stored)

    async def _create(self, place: Place, body: dict[str, Any], part: bytes) -> None:
        name = body["metadata"]["name"]
        for tried in range(_TRIES):
            try:
                await self._client.create(CONFIG_MAPS, place.namespace, body)
                return
            except Ambiguous:
                if tried == _TRIES - 1:
                    raise
            except AlreadyExists:
                with contextlib.suppress(NotFound):  # gone in between: try again
                    there = await self._get(place, name)
                    if there.owner != place.uid or there.binary_data.get(_KEY) != part:
                        raise Damaged(
                            f"the ConfigMap {place.namespace}/{name} is not the one we meant"
                        ) from None
                    return

    async def get(self, place: Place, record: Record) -> bytes:
        """The content of a record. Raises NotFound, Damaged naming the object."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int) -> bytes:
            async with limit:
                there = await self._get(place, part_name(record.name, number))
                return there.binary_data.get(_KEY, b"")

        parts = await _together(*(one(number) for number in range(record.parts)))
        try:
            if record.size < _LARGE:
                return unpack(parts, record.size, record.digest)
            return await asyncio.to_thread(unpack, parts, record.size, record.digest)
        except Damaged as wrong:
            raise Damaged(f"the ConfigMap {place.namespace}/{record.name} was changed: {wrong}") from wrong

    async def find(self, place: Place, kind: str, identity: Sequence[str]) -> Record:
        """The record of that identity, which says itself how large it is. Raises NotFound, Damaged."""
        name = names.record_name(kind, place.uid, *identity)
        there = await self._get(place, name)
        try:
            parts, size = int(there.data["parts"]), int(there.data["size"])
            if not (0 < parts <= _MOST_PARTS and 0 <= size <= _MOST_BYTES):
                raise ValueError(f"{parts} parts of {size} bytes")
            return Record(name, parts, size, there.data["digest"], 0)
        except (KeyError, ValueError) as wrong:
            raise Damaged(f"the ConfigMap {place.namespace}/{name} does not say what it holds") from wrong

    async def list(self, place: Place, kinds: Sequence[str]) -> list[Metadata]:
        """What there is of some kinds for an execution, without the contents. Raises Unavailable."""
        selector = f"{names.LOG} in ({','.join(kinds)}),{names.EXECUTION_UID}={place.uid}"
        body = await self._client.get(
            CONFIG_MAPS, place.namespace, params={"labelSelector": selector}, partial=True
        )
        return partial_list_decoder.decode(body).found

    async def remove(self, place: Place, name: str, parts: int) -> None:
        """Delete the parts of a record that nobody names any more; gone is fine."""

        async def one(number: int) -> None:
            with contextlib.suppress(NotFound):
                await self._client.delete(CONFIG_MAPS, place.namespace, part_name(name, number))

        await _together(*(one(number) for number in range(parts)))

    async def _get(self, place: Place, name: str) -> ConfigMap:
        body = await self._client.get(CONFIG_MAPS, place.namespace, name)
        try:
            return config_map_decoder.decode(body)
        except msgspec.DecodeError as error:
            raise Damaged(f"the ConfigMap {place.namespace}/{name} is unreadable: {error}") from error


async def _together(*work: Any) -> list[Any]:
    """All of it at once; the first error cancels the rest and is raised as it is."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
