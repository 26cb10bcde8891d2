"""The port Checkpoints on Kubernetes: the two newest states of each execution, as records that one small ConfigMap names.

It is a cache: what cannot be read, or does not fit together, counts as none; what cannot be written because the cluster is
away is told. Two writers may overwrite each other's list: each list names states that were committed, and the log decides what
fits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, AlreadyExists, Client
from fairlead.kube.fence import Fence
from fairlead.kube.names import Place, record_name
from fairlead.kube.objects import Record, config_map_decoder
from fairlead.kube.parts import Damaged
from fairlead.kube.places import Places
from fairlead.kube.records import Records, packed
from fairlead.model.errors import FairleadError, NotFound

_KEPT = 2
_KIND, _STATE = "checkpoint", "state"
_KEY = "kept"


class _Kept(msgspec.Struct, frozen=True, gc=False):
    seq: int
    name: str
    parts: int
    size: int
    digest: str

    @property
    def record(self) -> Record:
        return Record(self.name, self.parts, self.size, self.digest, 0)


_decoder = msgspec.json.Decoder(list[_Kept])


class KubernetesCheckpoints:
    """Checkpoints of the executions of `places`."""

    def __init__(
        self, client: Client, places: Places, fence: Fence, worth: Callable[[str], bool] = lambda _uid: True
    ) -> None:
        """`worth` says whether a log is long enough for a checkpoint to save anything."""
        self._client = client
        self._worth = worth
        self._records = Records(client)
        self._places = places
        self._fence = fence

    async def save(self, uid: str, seq: int, state: bytes) -> None:
        """Keep a state as it was at `seq`. Raises NotLeader, Unavailable."""
        place, epoch = self._places.of(uid), self._fence.epoch()
        try:
            content = await packed(state)
            record = await self._records.put(place, _STATE, (str(seq), content.digest), content, epoch)
        except Damaged:
            return  # something else has its name: without a checkpoint it goes too
        before = await self._kept(place)
        new = _Kept(seq, record.name, record.parts, record.size, record.digest)
        others = sorted((one for one in before if one.seq != seq), key=lambda one: one.seq)
        kept = sorted([*others, new], key=lambda one: one.seq)[-_KEPT:]
        await self._name(place, kept, epoch)
        for one in [*before, new]:
            if one not in kept and one.name not in {other.name for other in kept}:
                with contextlib.suppress(FairleadError):  # what stays goes with the execution
                    await self._records.remove(place, one.name, one.parts)

    async def latest(self, uid: str) -> tuple[int, bytes] | None:
        """The newest state that is whole; none of a log that is read at once. Raises Unavailable."""
        if not self._worth(uid):
            return None
        place = self._places.of(uid)
        for one in sorted(await self._kept(place), key=lambda one: -one.seq):
            with contextlib.suppress(NotFound, Damaged):
                return one.seq, await self._records.get(place, one.record)
        return None

    async def _kept(self, place: Place) -> list[_Kept]:
        try:
            body = await self._client.get(CONFIG_MAPS, place.namespace, _name(place))
            return _decoder.decode(config_map_decoder.decode(body).data[_KEY])
        except (NotFound, KeyError, msgspec.DecodeError):
            return []

    async def _name(self, place: Place, kept: list[_Kept], epoch: int) -> None:
        data = {_KEY: msgspec.json.encode(kept).decode()}
        body: dict[str, Any] = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": names.metadata(place, _name(place), _KIND, epoch),
            "data": data,
        }
        for _ in range(_KEPT):  # gone or there in between: the other way
            with contextlib.suppress(NotFound):
                await self._client.patch(CONFIG_MAPS, place.namespace, _name(place), {"data": data})
                return
            with contextlib.suppress(AlreadyExists):
                await self._client.create(CONFIG_MAPS, place.namespace, body)
                return


def _name(place: Place) -> str:
    return record_name(_KIND, place.uid)
