"""Leadership by Lease (protocol.md 2, 3, 22): who may write for a set of shards, and in which epoch.

Rules of this file
- The epoch is `leaseTransitions`: raised at every change of holder, also by our own restart, and never lowered. One that a head
  shows is passed with the next reign, whatever became of the Lease meanwhile.
- Every write of the Lease is a PUT that carries the version which we read, on connections of its own.
- We count from before a renewal is sent, by a clock that goes on while the machine sleeps; others count from when they saw it.
  We give up after `renew` seconds without a renewal, they take over after `duration`: between the two nobody leads.
- A holder of our own identity is taken over at once if nobody else can be running under it (`exclusive`: a container of the
  same pod, which is only started when the last one is dead).
- The fence is asked before each write, and says no from the moment in which we might have lost. Who is told that another leads
  (`doubt`) makes us renew at once, which settles it.
- Nobody leads beside a rival who leads here by another Lease (`rivals`).
- Stopping gives the Lease back, so that nobody has to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import LEASES, AlreadyExists, Channel, Client, Metadata
from fairlead.kube.fence import NotLeader
from fairlead.kube.rivals import EVERY, Rivals
from fairlead.model.errors import Conflict, FairleadError, NotFound, Unavailable

DURATION, RENEW, RETRY = 15.0, 10.0, 2.0
_RELEASE = 2.0
_SEPARATOR = "_"

log = structlog.get_logger(__name__)

Lead = Callable[[], Awaitable[None]]


class _Spec(msgspec.Struct, rename="camel", gc=False):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


_decoder = msgspec.json.Decoder(_Lease)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: how long others wait, how long we go on without a renewal, how often we try."""

    duration: float = DURATION
    renew: float = RENEW
    retry: float = RETRY


def clock() -> float:
    """Seconds by a clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leadership:
    """Leads for `shards` while it holds the Lease of that name; it is the Fence of all that it writes."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        shards: Collection[int] = range(names.SHARDS),
        exclusive: bool = False,
        times: Times = Times(),
        rivals: Rivals | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._exclusive = exclusive
        self._times = times
        self._rivals = rivals
        self.shards = frozenset(shards)
        self.writer = f"{identity}{_SEPARATOR}{secrets.token_hex(4)}"
        self._lease: _Lease | None = None
        self._observed_at = 0.0
        self._epoch = 0
        self._met = 0  # the highest epoch of somebody else that a head has shown
        self._held_until = -1.0
        self._writing = asyncio.Lock()
        self._doubted = asyncio.Event()

    @property
    def namespace(self) -> str:
        """Where the Lease is."""
        return self._namespace

    @property
    def rival(self) -> str:
        """Who leads in our place by another Lease, in one sentence; empty if nobody does."""
        return self._rivals.leads if self._rivals is not None and not self.leading else ""

    # --- the fence ---

    @property
    def leading(self) -> bool:
        """Whether we certainly lead at this moment."""
        return clock() < self._held_until

    def epoch(self) -> int:
        """The epoch that we lead in. Raises NotLeader."""
        if not self.leading:
            raise NotLeader(f"{self.writer} does not hold the Lease {self._namespace}/{self._name}")
        return self._epoch

    @property
    def last_epoch(self) -> int:
        """The epoch that we lead in, or led in last; 0 if we never did."""
        return self._epoch

    def doubt(self) -> None:
        """A write was fenced off: the API server may know another leader, or does not know us yet. Find out now."""
        self._doubted.set()

    # --- the work ---

    async def run(self, lead: Lead) -> None:
        """Wait for the Lease, run `lead` while we hold it, again and again; ends when `lead` does, or when cancelled.

        `lead` is cancelled when the Lease is lost, and waited for. If it raises NotLeader, that is a loss too.
        """
        try:
            while True:
                await self._acquire()
                if await self._yields():
                    continue
                log.info("leads", lease=self._name, epoch=self._epoch, shards=len(self.shards))
                if await self._serve(lead):
                    return
                log.warning("leads no more", lease=self._name, epoch=self._epoch)
                if self.rival:
                    await self._release()
        finally:
            await self._release()

    async def rise_above(self, epoch: int) -> None:
        """Raise our epoch above one that a head shows: the Lease was deleted and began anew. Raises NotLeader, Unavailable."""
        if epoch < self.epoch():
            return
        assert self._lease is not None
        if not await self._put(lambda: self._spec(epoch + 1), self._times.renew):
            self._held_until = -1.0
            raise NotLeader(f"the Lease {self._namespace}/{self._name} changed while its epoch was raised")

    async def _serve(self, lead: Lead) -> bool:
        """Lead and renew; whether `lead` came to its end."""
        work = asyncio.ensure_future(lead())
        renewal = asyncio.ensure_future(self._renew())
        yielding = asyncio.ensure_future(self._until_rivalled())
        try:
            await asyncio.wait({work, renewal, yielding}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return True
            self._held_until = -1.0
            if renewal.done():
                renewal.result()
            return False
        except NotLeader as lost:
            log.warning("was told that it does not lead", reason=str(lost))
            self._met = max(self._met, lost.epoch)
            self._held_until = -1.0
            return False
        finally:
            for task in (work, yielding, renewal):
                task.cancel()  # what is cut short may still want to write: renewals go on until it is done
                await asyncio.gather(task, return_exceptions=True)

    async def _acquire(self) -> None:
        said = ""
        while True:
            try:
                if not await self._is_rivalled() and await self._try(self._times.renew):
                    return
            except (Conflict, NotFound):
                pass
            except Unavailable as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("waits for the Lease", lease=f"{self._namespace}/{self._name}", reason=said)
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Seconds until the Lease is tried again: not after the moment in which one that nobody renews is over."""
        pause = self._times.retry * uniform(0.8, 1.2)  # noqa: S311 - spreads load
        if self._lease is None:
            return pause
        left = self._observed_at + self._duration_of(self._lease) - clock()
        return min(pause, left + uniform(0.01, 0.1)) if left > 0 else pause  # noqa: S311 - several may wait

    async def _yields(self) -> bool:
        """Whether the Lease that we have just taken was given back, since another leads here."""
        try:
            if not await self._is_rivalled():
                return False
        except Unavailable as error:
            log.warning("whether others lead here cannot be told", reason=str(error))
            return False
        await self._release()
        await asyncio.sleep(self._times.retry * uniform(0.5, 1.5))  # noqa: S311 - they may have taken theirs at the same time
        return True

    async def _until_rivalled(self) -> None:
        """Look for rivals from time to time until there is one; for ever if nobody may be one."""
        while True:
            await asyncio.sleep(EVERY * uniform(0.8, 1.2))  # noqa: S311 - spreads load
            with contextlib.suppress(Unavailable):
                if await self._is_rivalled(older=True):
                    return

    async def _is_rivalled(self, *, older: bool = False) -> bool:
        if self._rivals is None:
            return False
        return await self._rivals.look(clock(), seconds=self._times.renew / 2, older=older)

    async def _try(self, seconds: float) -> bool:
        """Take the Lease if it is free, expired, or of a process of ours that is dead."""
        lease = await self._read(seconds)
        if lease is None:
            return await self._create(seconds)
        holder = lease.spec.holder_identity or ""
        # Ours may stand there because an answer never came, or because we could not renew in time.
        mine = holder == self.writer or (
            self._exclusive and holder.rpartition(_SEPARATOR)[0] == self._identity
        )
        expired = clock() - self._observed_at > self._duration_of(lease)
        if holder and not mine and not expired:
            return False
        epoch = max(lease.spec.lease_transitions or 0, self._epoch, self._met) + 1
        return await self._put(lambda: self._spec(epoch), seconds)

    def _duration_of(self, lease: _Lease) -> float:
        """Seconds for which it holds without a renewal."""
        return lease.spec.lease_duration_seconds or self._times.duration

    async def _renew(self) -> None:
        """Renew until it is too late, or until somebody else holds it."""
        while self.leading:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._times.retry):
                    await self._doubted.wait()
            self._doubted.clear()
            left = self._held_until - clock()
            if left <= 0:
                return
            try:
                if await self._put(lambda: self._spec(self._epoch), left):
                    continue
                lease = await self._read(max(0.1, self._held_until - clock()))
            except Unavailable as error:
                log.warning("Lease could not be renewed", lease=self._name, reason=str(error))
                continue
            if lease is None or lease.spec.holder_identity != self.writer:
                self._held_until = -1.0

    async def _read(self, seconds: float) -> _Lease | None:
        """The Lease now; how long it has been so counts from when we first saw it."""
        try:
            body = await self._client.get(
                LEASES, self._namespace, self._name, channel=Channel.LEASE, seconds=seconds
            )
        except NotFound:
            self._lease = None
            return None
        lease = _decoder.decode(body)
        known = self._lease
        if known is None or known.metadata.resource_version != lease.metadata.resource_version:
            self._observed_at = clock()
        self._lease = lease
        return lease

    async def _create(self, seconds: float) -> bool:
        spec, begun = self._spec(max(self._epoch, self._met) + 1), clock()
        body = self._body({"name": self._name, "namespace": self._namespace}, spec)
        try:
            reply = await self._client.create(
                LEASES, self._namespace, body, channel=Channel.LEASE, seconds=seconds
            )
        except AlreadyExists:
            return False
        return self._holds(_Lease(reply, spec), begun)

    async def _put(self, wanted: Callable[[], _Spec], seconds: float) -> bool:
        """Write the Lease where we last saw it; False if somebody else wrote. Raises Unavailable, also if nobody knows."""
        async with self._writing:
            assert self._lease is not None
            begun, spec = clock(), wanted()
            version = self._lease.metadata.resource_version
            metadata = {"name": self._name, "namespace": self._namespace, "resourceVersion": version}
            try:
                reply = await self._client.replace(
                    LEASES,
                    self._namespace,
                    self._name,
                    self._body(metadata, spec),
                    channel=Channel.LEASE,
                    seconds=seconds,
                )
            except (Conflict, NotFound):
                return False
            return self._holds(_Lease(reply, spec), begun)

    def _holds(self, lease: _Lease, begun: float) -> bool:
        self._lease, self._observed_at = lease, begun
        self._epoch = lease.spec.lease_transitions or 0
        self._held_until = begun + self._times.renew
        return True

    def _spec(self, epoch: int) -> _Spec:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        known = self._lease.spec if self._lease else _Spec()
        ours = known.holder_identity == self.writer
        duration = max(1, round(self._times.duration))
        return _Spec(self.writer, duration, known.acquire_time if ours else now, now, epoch)

    def _body(self, metadata: dict[str, str], spec: _Spec) -> dict[str, object]:
        marked = {**metadata, **(self._rivals.mark if self._rivals is not None else {})}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": marked, "spec": spec}

    async def _release(self) -> None:
        """Give the Lease back; nobody waits long for it."""
        self._held_until = -1.0
        if self._lease is None or self._lease.spec.holder_identity != self.writer:
            return
        spec = self._spec(self._epoch)
        spec.holder_identity, spec.lease_duration_seconds = "", 1
        with contextlib.suppress(FairleadError):
            await self._put(lambda: spec, _RELEASE)
        self._held_until = -1.0
