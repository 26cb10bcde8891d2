"""The port StatusSink on Kubernetes: `status` of the WorkflowExecution, by merge patches of what changed (protocol.md 20).

Rules of this file
- A projection: nothing reads it to decide, it may be lost or late, and it is never written over a newer one.
- Each patch carries the version that we know. A 409 is normal (somebody paused the run): read, compare `log.sequence`, write
  again only if ours is higher or the same.
- Keys that are not in the new status are taken away.
- A status that speaks of events which the log does not have was not written by any of us: it is written over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from fairlead.kube.client import EXECUTIONS, Client, Invalid
from fairlead.kube.client.replies import Metadata
from fairlead.kube.fence import Fence
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.model.errors import Conflict, NotFound, Unavailable
from fairlead.model.shown import UNSEEN_STATUS

LIMIT = 64 << 10
"""Bytes of a status at most."""
_TRIES = 6
_CUT = ("waitingFor", "paths")

Last = Callable[[str], Awaitable[int]]


class _Execution(msgspec.Struct, gc=False):
    metadata: Metadata
    status: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_Execution)


@dataclass(frozen=True, slots=True)
class _Shown:
    version: str
    status: dict[str, Any]


class KubernetesStatus:
    """The statuses of the executions of `places`."""

    def __init__(self, client: Client, places: Places, fence: Fence, last: Last | None = None) -> None:
        """`last` gives the sequence number at which the log of an execution ends."""
        self._client = client
        self._places = places
        self._fence = fence
        self._last = last
        self._shown: dict[str, _Shown] = {}

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        """Show a status; one of a run that is gone is dropped. Raises NotLeader, Unavailable."""
        place, wanted = self._places.of(uid), fitted(status)
        for _ in range(_TRIES):
            try:
                shown = self._shown.get(uid) or await self._look(place)
                if shown is None or (
                    sequence(shown.status) > sequence(wanted) and not await self._is_invented(uid, shown)
                ):
                    return
                changes = changed(shown.status, wanted)
                if changes:
                    self._fence.epoch()
                    patch = {"metadata": {"resourceVersion": shown.version}, "status": changes}
                    reply = await self._client.patch(
                        EXECUTIONS, place.namespace, place.name, patch, subresource="status"
                    )
                    shown = _Shown(reply.resource_version, wanted)
                self._shown[uid] = shown
                return
            except Invalid as refused:
                raise Unavailable(f"the status of {uid} is refused: {refused}") from refused
            except Unavailable:  # it may have been written, or not
                self._shown.pop(uid, None)
                raise
            except Conflict:
                self._shown.pop(uid, None)
            except NotFound:
                self._shown.pop(uid, None)
                return
        raise Unavailable(
            f"the status of {place.namespace}/{place.name} changed {_TRIES} times under our hands"
        )

    async def _is_invented(self, uid: str, shown: _Shown) -> bool:
        return self._last is not None and sequence(shown.status) > await self._last(uid)

    def begins(self, uid: str, version: str) -> None:
        """Nobody has shown anything yet of an execution which has that version: the first status needs no look at it."""
        self._shown.setdefault(uid, _Shown(version, UNSEEN_STATUS[EXECUTIONS.kind]))

    async def amend(self, uid: str, changes: dict[str, Any]) -> None:
        """Change some keys of the status and leave the others as they are. Raises NotLeader, Unavailable."""
        self._shown.pop(uid, None)
        shown = await self._look(self._places.of(uid))
        if shown is not None:
            self._shown[uid] = shown
            await self.publish(uid, {**shown.status, **changes})

    def forget(self, uid: str) -> None:
        """Let go of what is known of a status."""
        self._shown.pop(uid, None)

    async def _look(self, place: Place) -> _Shown | None:
        """What is shown now; None if the execution is gone. Raises Unavailable."""
        try:
            there = _decoder.decode(await self._client.get(EXECUTIONS, place.namespace, place.name))
        except NotFound:
            return None
        return (
            _Shown(there.metadata.resource_version, there.status) if there.metadata.uid == place.uid else None
        )


def sequence(status: dict[str, Any]) -> int:
    """The sequence number that a status speaks of; 0 if it says none."""
    log = status.get("log")
    found = log.get("sequence", 0) if isinstance(log, dict) else 0
    return found if isinstance(found, int) else 0


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that makes one of the other: None takes a key away, maps are patched key by key, lists are whole."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        there = before.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            if inner := changed(there, value):
                patch[key] = inner
        elif key not in before or there != value:
            patch[key] = value
    return patch


def fitted(status: dict[str, Any]) -> dict[str, Any]:
    """The status without as many items of its lists as it takes to keep the limit; the log has all of them."""
    wanted = dict(status)
    for key in _CUT:
        while wanted.get(key) and len(msgspec.json.encode(wanted)) > LIMIT:
            wanted[key] = wanted[key][: len(wanted[key]) // 2]
    return wanted
