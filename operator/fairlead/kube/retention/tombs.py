"""One run after its time: its execution deleted, or left as a tombstone with its last status alone.

    an execution of ours    deleted by uid; the cluster takes all that belongs to it
    anybody else's          marked in its status (`log.retiredAt`, condition LogRetired), then its pods, its records, its head

Rules of this file
- The mark comes first: from then on whoever looks for the log is told that it is gone on purpose, never that it is damaged, and
  nobody starts the run anew. The head goes last: until then another sweep finds the rest.
- Only a status that shows the end of the run is left behind; without it the log stays.
- A spec that nobody has heard yet may redrive the run: until it was heard everything stays. What is taken away is taken away as
  it was seen, by version.
- The fence is asked before each write. Everything is deleted by uid, and only what belongs to the execution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, PODS, Client, Metadata
from fairlead.kube.fence import Fence
from fairlead.kube.log.forms import CLOSED
from fairlead.kube.log.reading import head_name, look
from fairlead.kube.names import Place
from fairlead.kube.pages import pages
from fairlead.kube.retention.deciding import Kept, belongs
from fairlead.model import shown
from fairlead.model.children import Parent
from fairlead.model.errors import Conflict, NotFound
from fairlead.model.times import format_time


class Withheld(Exception):
    """A run is due and stays for now; the message says why."""


class _Execution(msgspec.Struct, gc=False):
    metadata: Metadata
    status: dict[str, Any] = {}

    @property
    def retired(self) -> bool:
        log = self.status.get("log")
        return isinstance(log, dict) and bool(log.get("retiredAt"))

    @property
    def unheard(self) -> bool:
        """Whether its spec was changed since somebody last looked at it."""
        heard = self.status.get("observedGeneration")
        return self.metadata.generation > (heard if isinstance(heard, int) else 1)


_decoder = msgspec.json.Decoder(_Execution)


@dataclass(slots=True)
class Tombs:
    """Takes runs away. It lasts one sweep: what it has seen of parents may be old after that."""

    client: Client
    fence: Fence
    pods: int = 0
    executions: int = 0
    logs: int = 0
    _parents: dict[str, bool] = field(default_factory=dict)

    async def retire(self, place: Place, note: Kept, now: int) -> bool:
        """Take away what is left of a run. False if it has gone on since `note`: then that has to be found out anew.

        Raises Withheld, NotLeader, and what the client raises.
        """
        stored = await look(self.client, place.uid, place)
        if stored is None or stored.label != CLOSED:
            return True  # gone, or redriven: no matter of ours any more
        if stored.head.last_seq != note.seq:
            return False
        there = await self._look(place)
        if there is None or there.metadata.deletion_timestamp is not None:
            return True
        if names.IMPORTING in there.metadata.annotations:
            return True
        if note.parent is not None and await self._stands(place.namespace, note.parent):
            return True
        if there.unheard and not there.retired:
            raise Withheld(
                f"the spec of {place.namespace}/{place.name} was changed and not heard yet: its log stays until it was"
            )
        if note.ours:
            self.fence.epoch()
            version = there.metadata.resource_version
            await self.client.delete(EXECUTIONS, place.namespace, place.name, uid=place.uid, version=version)
            self.executions += 1
            return True
        await self._mark(place, there, stored.head.phase, now)
        await self._empty(place)
        return True

    async def _look(self, place: Place) -> _Execution | None:
        try:
            there = _decoder.decode(await self.client.get(EXECUTIONS, place.namespace, place.name))
        except NotFound:
            return None
        return there if there.metadata.uid == place.uid else None

    async def _stands(self, namespace: str, parent: Parent) -> bool:
        """Whether a parent is there and has its log: then it may be redriven, and this child with it."""
        if parent.uid not in self._parents:
            there = await self._look(Place(namespace, parent.name, parent.uid))
            self._parents[parent.uid] = there is not None and not there.retired
        return self._parents[parent.uid]

    async def _mark(self, place: Place, there: _Execution, phase: str, now: int) -> None:
        if there.retired:
            return
        if there.status.get("phase") != phase:
            raise Withheld(
                f"the status of {place.namespace}/{place.name} says {there.status.get('phase')}; expected {phase}, "
                "which it ended with: its log stays until that is shown"
            )
        at = format_time(now)
        condition = {
            "type": shown.LOG_RETIRED,
            "status": "True",
            "reason": shown.RETENTION,
            "message": f"the log was removed by the run's retention on {at}; this status is all that is left",
            "lastTransitionTime": at,
        }
        others = [one for one in there.status.get("conditions", ()) if one.get("type") != shown.LOG_RETIRED]
        patch = {
            "metadata": {"resourceVersion": there.metadata.resource_version},
            "status": {"log": {"retiredAt": at}, "conditions": [*others, condition]},
        }
        self.fence.epoch()
        await self.client.patch(EXECUTIONS, place.namespace, place.name, patch, subresource="status")

    async def _empty(self, place: Place) -> None:
        """Its pods, its records, and at the very end its head."""
        selector = f"{names.EXECUTION_UID}={place.uid}"
        head: Metadata | None = None
        for resource in (PODS, CONFIG_MAPS):
            async for page in pages(self.client, resource, place.namespace, selector):
                for one in page:
                    if not belongs(one.owner_references, place.uid):
                        continue
                    if resource is CONFIG_MAPS and one.name == head_name(place):
                        head = one
                        continue
                    await self._delete(resource, one)
                    self.pods += resource is PODS
        if head is not None:
            await self._delete(CONFIG_MAPS, head)
            self.logs += 1

    async def _delete(self, resource: Any, one: Metadata) -> None:
        self.fence.epoch()
        try:
            await self.client.delete(resource, one.namespace, one.name, uid=one.uid)
        except (NotFound, Conflict):
            return  # gone already, or another one by now
