"""A home on Kubernetes for suites that know nothing of it: it has a loop and a client of its own, and makes
executions as they are named.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.kube_faults import FaultyClient

from fairlead.kube.blobs import KubernetesBlobs, PinnedDefinitions
from fairlead.kube.caches import KubernetesCache
from fairlead.kube.checkpoints import KubernetesCheckpoints
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, from_kubeconfig
from fairlead.kube.fence import NotLeader
from fairlead.kube.log import KubernetesLog
from fairlead.kube.names import Place, record_name
from fairlead.kube.places import Places
from fairlead.kube.statuses import KubernetesStatus
from fairlead.model.events import Event
from fairlead.runtime.ports import Cache, EventLog

T = TypeVar("T")


@dataclass
class Reign:
    """A fence that says what it is told; no number means that we do not lead."""

    number: int | None = 1
    writer: str = "tests"

    def epoch(self) -> int:
        if self.number is None:
            raise NotLeader("this fence was told that we do not lead")
        return self.number


class KubernetesHome:
    """The ports on one namespace; every uid that is named becomes an execution of its own."""

    def __init__(self, kubeconfig: Path, namespace: str, reign: Reign | None = None) -> None:
        self.namespace = namespace
        self.places = Places()
        self.reign = reign or Reign()
        self._prefix = f"e-{secrets.token_hex(4)}"
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._making: dict[str, asyncio.Task[None]] = {}
        self.client = FaultyClient(from_kubeconfig(kubeconfig))
        self.run(self.client.__aenter__())
        self.raw_log = self.another_log()
        self.log = OnItsLoop(self, self.raw_log)
        self.raw_checkpoints = KubernetesCheckpoints(self.client, self.places, self.reign)
        self.checkpoints = OnItsLoop(self, self.raw_checkpoints)
        self.raw_blobs = KubernetesBlobs(self.client, self.places, self.reign)
        self.blobs = OnItsLoop(self, self.raw_blobs)
        self.raw_cache = KubernetesCache(self.client, namespace, self.reign)
        self.cache = CacheOnItsLoop(self, self.raw_cache)
        self.definitions = PinnedDefinitions(self.client, self.places, self.reign)
        self.statuses = KubernetesStatus(self.client, self.places, self.reign)

    def another_log(self, reign: Reign | None = None) -> KubernetesLog:
        """A log on the same home, as another process would have it."""
        return KubernetesLog(self.client, self.places, reign or self.reign)

    def another_cache(self) -> Cache:
        """A cache on the same home, as another process would have it."""
        return CacheOnItsLoop(self, KubernetesCache(self.client, self.namespace, self.reign))

    async def on_its_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop of this home, from another."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the loop of this home."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def made(self, uid: str) -> Place:
        """The place of an execution, made if it is not there."""
        self.run(self.make(uid))
        return self.places.of(uid)

    def born(self, name: str = "") -> str:
        """The uid of a new execution, known by that uid."""

        async def work() -> str:
            place = await self._create(name)
            self.places.tell(place.uid, place)
            return place.uid

        return self.run(work())

    async def make(self, uid: str) -> None:
        if uid not in self.places:
            if uid not in self._making:
                self._making[uid] = asyncio.ensure_future(self._make(uid))
            await self._making[uid]

    async def _make(self, uid: str) -> None:
        self.places.tell(uid, await self._create())

    async def _create(self, name: str = "") -> Place:
        self._count += 1
        name = name or f"{self._prefix}-{self._count}"
        body = {
            "apiVersion": EXECUTIONS.api_version,
            "kind": EXECUTIONS.kind,
            "metadata": {"name": name},
            "spec": {"workflow": {"name": "flow"}},
        }
        born = await self.client.create(EXECUTIONS, self.namespace, body)
        return Place(self.namespace, name, born.uid)

    def spoil(self, uid: str, digest: str, data: bytes | None) -> None:
        """Put other bytes in place of a large value, or take it away."""
        place = self.made(uid)
        name = record_name("value", place.uid, digest)
        self.run(self.client.delete(CONFIG_MAPS, self.namespace, name))
        if data is not None:
            self.run(self.blobs.keep(uid, {digest: data}))

    def race(self, *writers: Any) -> None:
        """Run writers at the same time, each with a log of its own on this home."""

        async def all_of_them() -> None:
            await asyncio.gather(*(writer(OnItsLoop(self, self.another_log())) for writer in writers))

        asyncio.run(all_of_them())

    def race_to_fill(self, *fillers: Callable[[Cache], Awaitable[None]]) -> None:
        """Run writers at the same time, each with a cache of its own on this home."""

        async def all_of_them() -> None:
            await asyncio.gather(*(filler(self.another_cache()) for filler in fillers))

        asyncio.run(all_of_them())

    def close(self) -> None:
        """End the client and its loop."""
        self.run(self.client.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class OnItsLoop:
    """A port that is called from any loop and works in that of its home."""

    def __init__(self, home: KubernetesHome, port: Any) -> None:
        self._home = home
        self._port = port

    async def _do(self, uid: str, work: Coroutine[Any, Any, T]) -> T:
        async def made() -> T:
            await self._home.make(uid)
            return await work

        return await self._home.on_its_loop(made())

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        await self._do(uid, self._port.append(uid, after, events))

    async def read(self, uid: str, after: int = 0) -> list[Event]:
        return await self._do(uid, self._port.read(uid, after))

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        await self._do(uid, self._port.keep(uid, blobs))

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        return await self._do(uid, self._port.fetch(uid, digests))

    async def save(self, uid: str, seq: int, state: bytes) -> None:
        await self._do(uid, self._port.save(uid, seq, state))

    async def latest(self, uid: str) -> tuple[int, bytes] | None:
        return await self._do(uid, self._port.latest(uid))


class CacheOnItsLoop:
    """The same for a cache, which knows nothing of executions."""

    def __init__(self, home: KubernetesHome, cache: KubernetesCache) -> None:
        self._home = home
        self._cache = cache

    async def get(self, key: str, now: int) -> bytes | None:
        return await self._home.on_its_loop(self._cache.get(key, now))

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        return await self._home.on_its_loop(self._cache.put(key, entry, expires, now))

    async def drop(self, key: str, entry: bytes) -> None:
        await self._home.on_its_loop(self._cache.drop(key, entry))


def is_a_log(home: KubernetesHome) -> EventLog:
    """The type checker's word that the port is implemented."""
    return home.raw_log
