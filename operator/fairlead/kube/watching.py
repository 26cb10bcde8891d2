"""List and watch: what there is of a kind, kept up to date, whatever happens to the server or the way there.

Rules of this file
- It never ends by itself: what breaks is tried again, soon at first, every half minute at most.
- A list is compared with what is known: what is not in it has vanished while nobody looked, and is reported like any other end.
- A watch goes on where the last one ended. A place that the server has forgotten, or any answer that makes no sense, means a
  list.
- Silence is a fault: the server sends bookmarks every minute, so that a stream without a byte for longer is dead and taken up
  again.
- The first list, and each that `refresh` asks for, is as new as the store itself; the audit every ten minutes as new as what
  is known.
- What leaves the selection (a pod marked done) is reported as gone, with its last known view: whoever acts on an end looks
  again, live (protocol.md 8, 11). What belongs to a shard that is given up is dropped without a word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from random import random, uniform
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import Channel, Client, Expired, Resource
from fairlead.kube.client.client import JSON, PARTIAL, PARTIAL_LIST
from fairlead.kube.client.errors import Ambiguous, Status
from fairlead.kube.client.replies import ListMetadata, Partial
from fairlead.model.errors import FairleadError

PAGE = 500
SILENCE = 75.0
AUDIT = 600.0
SERVER_TIMEOUT = (240.0, 480.0)
_BACKOFF, _MAX_BACKOFF = 0.2, 30.0
_BRIEF = 1.0
"""A stream that the server ends sooner than so many seconds is a failure."""
_BREATH = 0.005
"""Seconds of decoding after which others get their turn."""

log = structlog.get_logger(__name__)


class View(Protocol):
    """A projection of an object."""

    @property
    def metadata(self) -> Any:
        """With at least `uid` and `resource_version`."""

    @property
    def shard(self) -> str:
        """The value of its shard label."""


V = TypeVar("V", bound=View)


class Kind(Enum):
    """What became of an object."""

    APPEARED = "appeared"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change(Generic[V]):
    """One change; `before` is what was known until now."""

    kind: Kind
    view: V
    before: V | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Anew(Exception):
    """The list has to begin anew; the message says why."""


_event_decoder = msgspec.json.Decoder(_Event)
_partial_decoder = msgspec.json.Decoder(Partial)
_status_decoder = msgspec.json.Decoder(Status)


class Watch(Generic[V]):
    """Objects of a kind that fit a selector, by uid; `listener` is told of each change, in order, and must not wait."""

    def __init__(  # noqa: PLR0913 - what is watched, and how
        self,
        client: Client,
        resource: Resource,
        view: type[V],
        listener: Callable[[Change[V]], None],
        *,
        selector: str,
        namespace: str | None = None,
        shards: Collection[int] | None = None,
        silence: float = SILENCE,
        partial: bool = False,
    ) -> None:
        """`partial`: only the metadata of the objects is asked for."""
        self._client = client
        self._kind = resource.plural
        self._path = resource.path(namespace)
        self._listener = listener
        self._selector = selector
        self._shards = frozenset(shards) if shards is not None else None
        self._silence = silence
        self._accept = (PARTIAL_LIST, PARTIAL) if partial else (JSON, JSON)
        self._view_decoder: msgspec.json.Decoder[V] = msgspec.json.Decoder(view)
        self._page_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Page", [("metadata", ListMetadata), ("items", list[view] | None)], gc=False)  # type: ignore[valid-type]
        )
        self._known: dict[str, V] = {}
        self._version = ""
        self._listed_at = 0.0
        self._synced = asyncio.Event()
        self._work: asyncio.Future[None] | None = None
        self._heard = time.monotonic()
        self.lists = 0
        self.streams = 0

    # --- what is known ---

    def __len__(self) -> int:
        return len(self._known)

    def get(self, uid: str) -> V | None:
        """What is known of an object."""
        return self._known.get(uid)

    def all(self) -> list[V]:
        """Everything that is known."""
        return list(self._known.values())

    @property
    def quiet_for(self) -> float:
        """Seconds since the server was last heard of: a probe of liveness looks at this."""
        return time.monotonic() - self._heard

    @property
    def is_synced(self) -> bool:
        """Whether the list that was asked for last is in."""
        return self._synced.is_set()

    # --- wishes ---

    async def synced(self) -> None:
        """Until the list that was asked for last is in."""
        await self._synced.wait()

    async def refresh(self) -> None:
        """List anew, as new as the store itself, and wait for it: what a new leader does first."""
        self._restart()
        await self.synced()

    async def take(self, shards: Collection[int]) -> None:
        """Watch these shards from now on, and wait until they are listed."""
        self._shards = frozenset(shards)
        wanted = {names.shard_label(shard) for shard in shards}
        self._known = {uid: view for uid, view in self._known.items() if view.shard in wanted}
        await self.refresh()

    def _restart(self) -> None:
        self._synced.clear()
        self._version = ""
        if self._work is not None:
            self._work.cancel()

    # --- the work ---

    async def run(self) -> None:
        """Work until cancelled."""
        failures, ourselves = 0, asyncio.current_task()
        assert ourselves is not None
        while True:
            begun = time.monotonic()
            self._work = asyncio.ensure_future(self._once())
            try:
                await self._work
                if time.monotonic() - begun > _BRIEF:
                    failures = 0
                    continue
            except asyncio.CancelledError:
                if ourselves.cancelling():
                    raise
                continue  # a wish: begin anew
            except _Anew as reason:
                log.info("watch lists anew", path=self._path, reason=str(reason))
                self._version = ""
            except FairleadError as error:
                log.info("watch is taken up again", path=self._path, reason=str(error))
            except Exception:
                log.exception("watch met a bug and lists anew", path=self._path)
                self._version = ""
            if self.quiet_for < _BACKOFF:
                failures = 0
            await asyncio.sleep(min(_MAX_BACKOFF, _BACKOFF * 2**failures) * random())  # noqa: S311 - spreads load
            failures = min(failures + 1, 16)

    async def _once(self) -> None:
        """A list if one is due, then a stream until the server ends it."""
        if self._shards is not None and not self._shards:
            self._synced.set()
            await asyncio.Event().wait()  # nothing is ours; `take` ends this
        if not self._version or time.monotonic() - self._listed_at > AUDIT * uniform(1.0, 1.2):  # noqa: S311
            await self._list()
        await self._stream()

    async def _list(self) -> None:
        """Everything there is, and what is no more. As new as the store, or at least as what we know."""
        try:
            await self._list_at(self._version)
        except Ambiguous:
            if not self._version:
                raise
            await self._list_at("")  # the server that answers knows less than we do: ask the store

    async def _list_at(self, version: str) -> None:
        selector, found, place = self._full_selector(), dict[str, V](), ""
        while True:
            params = {"labelSelector": selector, "limit": str(PAGE)}
            if place:
                params["continue"] = place
            elif version:
                params |= {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}
            try:
                body = await self._client.request(
                    "GET", self._path, params=params, accept=self._accept[0], channel=Channel.WATCH
                )
            except Expired as expired:
                raise _Anew("the list took longer than the server remembers") from expired
            self._heard = time.monotonic()
            page = self._page_decoder.decode(body)
            for view in page.items or ():  # an empty list of metadata is null
                found[view.metadata.uid] = view
            place = page.metadata.continue_
            if not place:
                break
            await asyncio.sleep(0)
        self.lists += 1
        self._client.observer.listed(self._kind)
        self._listed_at = time.monotonic()
        self._version = page.metadata.resource_version
        for uid in [uid for uid in self._known if uid not in found]:
            self._gone(uid, self._known[uid])
        for view in found.values():
            self._seen(view)
        self._synced.set()

    async def _stream(self) -> None:
        params = {
            "watch": "1",
            "labelSelector": self._full_selector(),
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(uniform(*SERVER_TIMEOUT))),  # noqa: S311
        }
        self.streams += 1
        self._client.observer.streamed(self._kind)
        try:
            async with self._client.stream(
                self._path, params, silence=self._silence, accept=self._accept[1]
            ) as content:
                rest, begun = bytearray(), time.monotonic()
                async for chunk in content.iter_any():
                    self._heard = time.monotonic()
                    rest += chunk
                    if b"\n" not in chunk:
                        continue
                    *lines, last = bytes(rest).split(b"\n")
                    rest = bytearray(last)
                    for line in lines:
                        if line:
                            self._take_in(line)
                        if time.monotonic() - begun > _BREATH:
                            await asyncio.sleep(0)
                            begun = time.monotonic()
        except Expired as expired:
            raise _Anew(str(expired)) from expired

    def _take_in(self, line: bytes) -> None:
        try:
            event = _event_decoder.decode(line)
            match event.type:
                case "ADDED" | "MODIFIED":
                    view = self._view_decoder.decode(event.object)
                    self._version = view.metadata.resource_version
                    self._seen(view)
                case "DELETED":
                    view = self._view_decoder.decode(event.object)
                    self._version = view.metadata.resource_version
                    self._gone(view.metadata.uid, view)
                case "BOOKMARK":
                    self._version = _partial_decoder.decode(event.object).metadata.resource_version
                case "ERROR":
                    status = _status_decoder.decode(event.object)
                    raise _Anew(f"{status.code} {status.reason}: {status.message}")
                case _:
                    raise _Anew(f"an event of type {event.type} is unknown")
        except msgspec.DecodeError as error:
            raise _Anew(f"a line makes no sense: {error}") from error

    def _seen(self, view: V) -> None:
        uid = view.metadata.uid
        before = self._known.get(uid)
        if before is not None and before.metadata.resource_version == view.metadata.resource_version:
            return
        self._known[uid] = view
        self._tell(Change(Kind.CHANGED if before is not None else Kind.APPEARED, view, before))

    def _gone(self, uid: str, view: V) -> None:
        before = self._known.pop(uid, None)
        if before is not None:
            self._tell(Change(Kind.GONE, view, before))

    def _tell(self, change: Change[V]) -> None:
        """One object with which the listener cannot cope does not hide the others."""
        try:
            self._listener(change)
        except Exception:
            log.exception("a change could not be taken in", path=self._path, uid=change.view.metadata.uid)

    def _full_selector(self) -> str:
        if self._shards is None:
            return self._selector
        return f"{self._selector},{names.SHARD} in ({','.join(sorted(map(names.shard_label, self._shards)))})"
