"""The heads of all live runs, as a new leader wants them (protocol.md 14): found by their label, in pages.

A run that has ended has another label, so that what a start costs follows what is alive.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

import msgspec

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, Client, Expired
from fairlead.kube.client.replies import ListMetadata
from fairlead.kube.log.forms import OPEN, Stored, read_head
from fairlead.kube.names import Place
from fairlead.kube.objects import ConfigMap
from fairlead.model.errors import LogDamaged

PAGE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The head of a live run; `damage` in place of what is stored if it cannot be read."""

    place: Place
    stored: Stored | None
    damage: LogDamaged | None = None


class _Page(msgspec.Struct, gc=False):
    metadata: ListMetadata
    items: list[ConfigMap]


_page_decoder = msgspec.json.Decoder(_Page)


async def heads(
    client: Client, namespace: str | None = None, shards: Collection[int] | None = None
) -> AsyncIterator[Found]:
    """The heads of live runs, each once; those of some shards if these are given. Raises Forbidden, Unavailable."""
    selector = f"{names.LOG}={OPEN}"
    if shards is not None:
        selector += f",{names.SHARD} in ({','.join(sorted(names.shard_label(one) for one in shards))})"
    given: set[str] = set()
    place = ""
    while True:
        params = {"labelSelector": selector, "limit": str(PAGE)} | ({"continue": place} if place else {})
        try:
            page = _page_decoder.decode(await client.get(CONFIG_MAPS, namespace, params=params))
        except Expired:  # it took too long between two pages: begin anew, without what was given out
            place = ""
            continue
        for there in page.items:
            if there.metadata.uid not in given:
                given.add(there.metadata.uid)
                found = _found(there)
                if found.place.uid and found.place.name:  # else it is nobody's, whatever its label says
                    yield found
        place = page.metadata.continue_
        if not place:
            return


def _found(there: ConfigMap) -> Found:
    about = there.metadata
    uid = about.labels.get(names.EXECUTION_UID, "")
    place = Place(about.namespace, about.annotations.get(names.EXECUTION, ""), uid, started=True)
    try:
        return Found(place, read_head(uid, uid, there))
    except LogDamaged as damage:
        return Found(place, None, damage)
