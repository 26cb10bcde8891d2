"""Finds what is due and takes it away; the leader's, since the fence is asked before each write.

Rules of this file
- A sweep looks at a bounded number of heads and pods, and goes on with the next one where it stopped; heads are listed without
  their contents, and read only when they are due.
- A head without a note (the leader died between the end of a run and the note) is read once, and gets one.
- One object that cannot be dealt with is told once and passed over. Only what stops everything ends a sweep: leadership lost, an
  API server that is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, PODS, Ambiguous, Client, Expired, Forbidden, Metadata, Resource
from fairlead.kube.client.replies import ListMetadata, metadata_of, partial_list_decoder
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.log.forms import CLOSED
from fairlead.kube.log.reading import head_name
from fairlead.kube.names import Place
from fairlead.kube.retention import deciding
from fairlead.kube.retention.deciding import DonePod, Kept
from fairlead.kube.retention.notes import found_out
from fairlead.kube.retention.tombs import Tombs
from fairlead.model.children import Parent
from fairlead.model.errors import Conflict, NotFound, Unavailable
from fairlead.model.manifests import Retention as Policy

HEADS, HEAD_PAGES = 250, 8
"""Heads of a page, and pages of a sweep."""
PODS_PAGE, POD_PAGES = 500, 8
AT_ONCE = 16
_KNOWN = 20_000
"""Runs whose time for pods is remembered."""

Decoder = msgspec.json.Decoder[Any]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep took away; `more`: it stopped at its limit, and the next one goes on there."""

    pods: int = 0
    executions: int = 0
    logs: int = 0
    more: bool = False


class _Pods(msgspec.Struct, gc=False):
    metadata: ListMetadata
    items: list[DonePod]


_heads_decoder: Decoder = partial_list_decoder
_pods_decoder: Decoder = msgspec.json.Decoder(_Pods)


class Retention:
    """Keeps what `spec.retention` says, in one namespace or (None) in all.

    `pods_of` tells how long done pods of a run are kept that is at work here (microseconds), None for any other.
    """

    def __init__(
        self,
        client: Client,
        fence: Fence,
        pods_of: Callable[[str], int | None],
        *,
        namespace: str | None = None,
    ) -> None:
        self._client = client
        self._fence = fence
        self._pods_of = pods_of
        self._namespace = namespace
        self._cursors: dict[Resource, str] = {}
        self._pods_stay: dict[str, int] = {}
        self._told: set[str] = set()

    async def ended(
        self,
        place: Place,
        policy: Policy,
        phase: str,
        finished_at: int,
        by_operator: bool,
        *,
        seq: int,
        parent: Parent | None = None,
    ) -> None:
        """Write down how long a run is kept whose end, event `seq`, is committed; again is fine.

        What cannot be written now is found out by a later sweep. Raises NotLeader.
        """
        note = deciding.kept(policy, phase, finished_at, seq=seq, by_operator=by_operator, parent=parent)
        try:
            await self._note(place, note)
        except NotLeader:
            raise
        except (Unavailable, Conflict) as error:
            _log.info(
                "how long a run is kept will be found out later", execution=place.name, reason=str(error)
            )

    async def sweep(self, now: int, shards: Collection[int] | None = None) -> Swept:
        """Take away what is due at `now`, of some shards or of all. Raises NotLeader, Unavailable."""
        self._fence.epoch()
        only = ""
        if shards is not None:
            only = f",{names.SHARD} in ({','.join(sorted(names.shard_label(one) for one in shards))})"
        tombs = Tombs(self._client, self._fence)
        heads = self._walk(CONFIG_MAPS, f"{names.LOG}={CLOSED}{only}", HEADS, HEAD_PAGES, _heads_decoder)
        async for page in heads:
            await self._each(page, lambda head: self._look_at(head.metadata, tombs, now))
        pods = [0]
        done = self._walk(PODS, f"{names.DONE}=true{only}", PODS_PAGE, POD_PAGES, _pods_decoder)
        async for page in done:
            await self._each(page, lambda pod: self._let_go(pod, pods, now))
        more = any(self._cursors.values())
        swept = Swept(tombs.pods + pods[0], tombs.executions, tombs.logs, more)
        if swept.pods or swept.executions or swept.logs:
            _log.info("retention", pods=swept.pods, executions=swept.executions, logs=swept.logs)
        return swept

    # --- runs ---

    async def _look_at(self, head: Metadata, tombs: Tombs, now: int) -> None:
        uid = head.labels.get(names.EXECUTION_UID, "")
        place = Place(head.namespace, head.annotations.get(names.EXECUTION, ""), uid, started=True)
        note = deciding.read(head)
        if note is None:
            note = await self._found_out(place, head)
        if note is None:
            return
        self._remember(uid, note)
        if deciding.due(note, now) and not await tombs.retire(place, note, now):
            await self._found_out(place, head)

    async def _found_out(self, place: Place, head: Metadata) -> Kept | None:
        note = await found_out(self._client, self._fence, place, head)
        if note is not None:
            await self._note(place, note)
        return note

    async def _note(self, place: Place, note: Kept) -> None:
        self._fence.epoch()
        patch = {"metadata": {"annotations": {names.RETENTION: deciding.written(note)}}}
        with contextlib.suppress(NotFound):
            await self._client.patch(CONFIG_MAPS, place.namespace, head_name(place), patch)
        self._remember(place.uid, note)

    # --- pods ---

    async def _let_go(self, pod: DonePod, count: list[int], now: int) -> None:
        about = pod.metadata
        uid = about.labels.get(names.EXECUTION_UID, "")
        if not deciding.belongs(about.owner_references, uid):
            return
        stays = await self._stays(about, uid)
        if stays is None or not deciding.pod_due(pod, stays, now):
            return
        self._fence.epoch()
        with contextlib.suppress(NotFound, Conflict):
            await self._client.delete(PODS, about.namespace, about.name, uid=about.uid)
            count[0] += 1

    async def _stays(self, about: Metadata, uid: str) -> int | None:
        """How long the pods of a run stay; None if nobody knows, as of one whose log cannot be read: then they stay."""
        stays = self._pods_of(uid)
        if stays is None and uid not in self._pods_stay:
            place = Place(about.namespace, about.annotations.get(names.EXECUTION, ""), uid, started=True)
            try:
                body = await self._client.get(CONFIG_MAPS, place.namespace, head_name(place), partial=True)
            except NotFound:
                return None
            note = deciding.read(metadata_of(body))
            if note is None:
                return None
            self._remember(uid, note)
        return self._pods_stay[uid] if stays is None else stays

    def _remember(self, uid: str, note: Kept) -> None:
        if len(self._pods_stay) >= _KNOWN:
            self._pods_stay.clear()
        self._pods_stay[uid] = note.pods

    # --- bounds ---

    async def _walk(
        self, resource: Resource, selector: str, size: int, most: int, decoder: Decoder
    ) -> AsyncIterator[list[Any]]:
        """A bounded number of pages, from where the last walk stopped."""
        for _ in range(most):
            place = self._cursors.get(resource, "")
            params = {"labelSelector": selector, "limit": str(size)} | ({"continue": place} if place else {})
            try:
                body = await self._client.get(
                    resource, self._namespace, params=params, partial=resource is CONFIG_MAPS
                )
            except Expired:
                self._cursors[resource] = ""
                continue
            page = decoder.decode(body)
            yield page.items or []  # an empty list of metadata is null
            self._cursors[resource] = page.metadata.continue_
            if not page.metadata.continue_:
                return

    async def _each(self, items: Collection[Any], work: Callable[[Any], Awaitable[None]]) -> None:
        """All of a page, some at once. Raises NotLeader, and Unavailable if the server is not there."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(item: Any) -> None:
            about: Metadata = item.metadata
            async with limit:
                try:
                    await work(item)
                except NotLeader:
                    raise
                except Exception as error:
                    if isinstance(error, Unavailable) and not isinstance(error, (Ambiguous, Forbidden)):
                        raise
                    self._tell(about, error)

        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(one(item))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def _tell(self, about: Metadata, error: Exception) -> None:
        """Say it once for each object."""
        if about.uid in self._told:
            return
        self._told.add(about.uid)
        _log.warning(
            "retention leaves it as it is",
            object=f"{about.namespace}/{about.name}",
            reason=f"{type(error).__name__}: {error}",
        )
