"""Leadership as others see it: the Leases of operators, for commands of people who do not lead.

Whether somebody leads is told twice: by the times in the Lease, and, where these say no, by looking again whether it was renewed
meanwhile, since clocks of two machines may differ.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from fairlead.kube import names
from fairlead.kube.client import LEASES, Client, Forbidden, Metadata
from fairlead.kube.lease import DURATION, RETRY
from fairlead.model.errors import InvalidInput
from fairlead.model.times import SECOND, parse_time

LOOK_AGAIN = 2.5 * RETRY
"""Seconds after which a Lease that is held has been renewed."""


class _Spec(msgspec.Struct, rename="camel", gc=False):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class SeenLease(msgspec.Struct, gc=False):
    """A Lease of an operator."""

    metadata: Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)

    @property
    def place(self) -> str:
        """Namespace and name, for messages."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def holder(self) -> str:
        """Who holds it; empty if it was given back."""
        return self.spec.holder_identity or ""

    @property
    def epoch(self) -> int:
        """The number of the present reign, or of the last one."""
        return self.spec.lease_transitions or 0

    def fresh(self, now: int) -> bool:
        """Whether it is held at `now` (microseconds), if its times and our clock are right."""
        if not self.holder or not self.spec.renew_time:
            return False
        duration = self.spec.lease_duration_seconds or int(DURATION)
        return now < parse_time(self.spec.renew_time) + duration * SECOND


class _Leases(msgspec.Struct, gc=False):
    items: list[SeenLease] | None = None


_decoder = msgspec.json.Decoder(_Leases)


async def leases(client: Client, name: str = names.LEASE) -> list[SeenLease]:
    """The Leases of that name in all namespaces, or the one of `NAMESPACE/NAME`. Raises Forbidden, Unavailable."""
    namespace, _, last = name.rpartition("/")
    body = await client.get(LEASES, namespace or None, params={"fieldSelector": f"metadata.name={last}"})
    return _decoder.decode(body).items or []


async def leader(client: Client, name: str = names.LEASE) -> SeenLease | None:
    """The Lease by which an operator leads at this moment. Raises Forbidden, Unavailable."""
    seen = await leases(client, name)
    held = next((one for one in seen if one.fresh(time.time_ns() // 1_000)), None)
    if held is not None or not any(one.holder for one in seen):
        return held
    await asyncio.sleep(LOOK_AGAIN)
    before = {one.metadata.uid: one.metadata.resource_version for one in seen}
    return next(
        (
            one
            for one in await leases(client, name)
            if one.holder and one.metadata.resource_version != before.get(one.metadata.uid)
        ),
        None,
    )


async def reign(client: Client, namespace: str, name: str = names.LEASE) -> int:
    """The epoch under which records are written in a namespace at this moment; 0 where no operator ever led.

    The Lease of the namespace itself counts before any other. Raises InvalidInput if it cannot be told which one does.
    """
    try:
        seen = await leases(client, name)
    except Forbidden:
        body = await client.get(LEASES, namespace, params={"fieldSelector": f"metadata.name={name}"})
        seen = _decoder.decode(body).items or []
    own = [one for one in seen if one.metadata.namespace == namespace]
    found = own or seen
    if len(found) > 1:
        places = ", ".join(sorted(one.place for one in found))
        raise InvalidInput(
            f"several operators lead ({places}); expected one whose namespace this is, or --lease NAMESPACE/NAME"
        )
    return found[0].epoch if found else 0
