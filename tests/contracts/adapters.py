"""The adapters of the ports that keep something; the suites of this folder run on each of them.

An adapter opens the same home as often as it is asked to, and knows how writers race for it: the store's in threads that each
have a connection, those in memory and on Kubernetes as tasks of one loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from fairlead.local.store import Store
from fairlead.runtime.memory import MemoryBlobs, MemoryCache, MemoryCheckpoints, MemoryLog
from fairlead.runtime.ports import Blobs, Cache, Checkpoints, EventLog

Writer = Callable[[EventLog], Awaitable[None]]
Filler = Callable[[Cache], Awaitable[None]]


class Adapter(Protocol):
    """One home, as far as it keeps logs, large values, checkpoints and results for others."""

    @property
    def log(self) -> EventLog:
        """Its log."""

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints."""

    @property
    def blobs(self) -> Blobs:
        """Its large values."""

    def spoil(self, uid: str, digest: str, data: bytes | None) -> None:
        """Put other bytes in place of a blob, or take it away."""

    @property
    def cache(self) -> Cache:
        """Its cache."""

    def race(self, *writers: Writer) -> None:
        """Run writers at the same time, each with a log of its own on this home."""

    def race_to_fill(self, *fillers: Filler) -> None:
        """Run writers at the same time, each with a cache of its own on this home."""

    def close(self) -> None:
        """Let go of it."""


class Memory:
    """The reference."""

    def __init__(self, folder: Path) -> None:
        self.log = MemoryLog()
        self.checkpoints = MemoryCheckpoints()
        self.blobs = MemoryBlobs()
        self.cache = MemoryCache()

    def spoil(self, uid: str, digest: str, data: bytes | None) -> None:
        if data is None:
            del self.blobs.stored[uid][digest]
        else:
            self.blobs.stored[uid][digest] = data

    def race(self, *writers: Writer) -> None:
        asyncio.run(_all_of_them(writer(self.log) for writer in writers))

    def race_to_fill(self, *fillers: Filler) -> None:
        asyncio.run(_all_of_them(filler(self.cache) for filler in fillers))

    def close(self) -> None:
        pass


class SQLite:
    """The store of a laptop."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store.db"
        self.log = self.checkpoints = self.blobs = Store(self._path)
        self.cache = self.log.cache

    def spoil(self, uid: str, digest: str, data: bytes | None) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("DELETE FROM blobs WHERE uid = ? AND digest = ?", (uid, digest))
            if data is not None:
                connection.execute("INSERT INTO blobs VALUES (?, ?, ?)", (uid, digest, data))

    def race(self, *writers: Writer) -> None:
        self._race(writers)

    def race_to_fill(self, *fillers: Filler) -> None:
        self._race([_on_its_cache(filler) for filler in fillers])

    def _race(self, writers: Sequence[Callable[[Store], Awaitable[None]]]) -> None:
        failures: list[BaseException] = []
        start = threading.Barrier(len(writers))

        def write(writer: Callable[[Store], Awaitable[None]]) -> None:
            try:
                with Store(self._path) as store:
                    start.wait()
                    asyncio.run(_awaited(writer(store)))
            except BaseException as error:  # noqa: BLE001 - carried over to the test's thread
                failures.append(error)

        threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def close(self) -> None:
        self.log.close()


def _on_its_cache(filler: Filler) -> Callable[[Store], Awaitable[None]]:
    return lambda store: filler(store.cache)


async def _all_of_them(writing: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*writing)


async def _awaited(writing: Awaitable[None]) -> None:
    await writing


ADAPTERS: dict[str, Callable[[Path], Adapter]] = {"memory": Memory, "sqlite": SQLite}
"""Those that need nothing but a folder."""
KUBERNETES = "kubernetes"
ON_KUBERNETES = pytest.param(
    KUBERNETES,
    # starting the cluster has a deadline of its own
    marks=[pytest.mark.contracts, pytest.mark.timeout(60, func_only=True)],
)
EVERY = [*ADAPTERS, ON_KUBERNETES]


def opened(request: pytest.FixtureRequest) -> Adapter:
    """The adapter that a parameter of EVERY names."""
    if request.param != KUBERNETES:
        return ADAPTERS[request.param](request.getfixturevalue("tmp_path"))
    from tests.support.kube_home import KubernetesHome

    cluster = request.getfixturevalue("cluster")
    return KubernetesHome(cluster.kubeconfig, request.getfixturevalue("namespace"))
