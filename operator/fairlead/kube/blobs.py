"""Contents that are known by digest: large values of an execution, and the definition that it runs.

Each execution has its own records of them: they go with it, and nobody has to count who still uses what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from fairlead.kube.client import Client
from fairlead.kube.fence import Fence
from fairlead.kube.names import Place
from fairlead.kube.parts import Damaged, digest_of
from fairlead.kube.places import Places
from fairlead.kube.records import Records, packed
from fairlead.model.errors import LogDamaged, NotFound

_VALUE, _DEFINITION = "value", "definition"


class KubernetesBlobs:
    """Large values by the digest that the caller gives them."""

    def __init__(self, client: Client, places: Places, fence: Fence) -> None:
        self._records = Records(client)
        self._places = places
        self._fence = fence

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        """Keep blobs; one that is kept already is fine. Raises LogDamaged, NotLeader, Unavailable."""
        place, epoch = self._places.of(uid), self._fence.epoch()
        for digest, content in blobs.items():
            try:
                await self._records.put(place, _VALUE, (digest,), await packed(content), epoch)
            except Damaged as wrong:
                raise LogDamaged(f"the value {digest} of {uid} cannot be kept: {wrong}") from wrong

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        """Those of the blobs that there are and that are whole. Raises Unavailable."""
        place, wanted = self._places.of(uid), list(dict.fromkeys(digests))
        found = await asyncio.gather(*(self._one(place, digest) for digest in wanted))
        return {digest: content for digest, content in zip(wanted, found, strict=True) if content is not None}

    async def _one(self, place: Place, digest: str) -> bytes | None:
        with contextlib.suppress(NotFound, Damaged):
            return await self._records.get(place, await self._records.find(place, _VALUE, (digest,)))
        return None


class PinnedDefinitions:
    """The definition that an execution runs, whatever happens to its Workflow later."""

    def __init__(self, client: Client, places: Places, fence: Fence) -> None:
        self._records = Records(client)
        self._places = places
        self._fence = fence

    async def pin(self, uid: str, definition: bytes) -> str:
        """Keep a definition (its canonical JSON); its digest. Again is fine. Raises LogDamaged, NotLeader, Unavailable."""
        place, epoch, digest = self._places.of(uid), self._fence.epoch(), digest_of(definition)
        try:
            await self._records.put(place, _DEFINITION, (digest,), await packed(definition), epoch)
        except Damaged as wrong:
            raise LogDamaged(f"the definition of {uid} cannot be pinned: {wrong}") from wrong
        return digest

    async def definition(self, uid: str, digest: str) -> bytes:
        """The definition of a digest. Raises NotFound, LogDamaged if it is not what was pinned, Unavailable."""
        place = self._places.of(uid)
        try:
            content = await self._records.get(place, await self._records.find(place, _DEFINITION, (digest,)))
        except Damaged as wrong:
            raise LogDamaged(f"the definition of {uid} was changed: {wrong}") from wrong
        if (found := digest_of(content)) != digest:
            raise LogDamaged(f"the definition of {uid} has the digest {found}; expected {digest}")
        return content
