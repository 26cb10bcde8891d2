"""Other operators that lead here by a Lease of another name: two that write the same logs would take them from each other.

    before our Lease is taken     a rival that leads: it is not taken, and looked again
    once it is taken              the same: it is given back, and tried again. Of two who begin together one sees the other, since
                                  both have written before they look
    each minute, while we lead    a rival that leads by an older Lease, which a look that failed had not shown: ours is given back

Rules of this file
- Each Lease says whom its holder serves; those who serve different namespaces are no rivals.
- A rival leads until its Lease was given back, or was not renewed for its duration by our own clock, as with our own Lease.
- Leases in the namespace of ours are seen, no others: that is where the rights of the chart reach. Who may not list them leads as
  if it were alone; the right is named as lacking.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import LEASES, Channel, Client, Forbidden, Metadata

ALL = "*"
"""Served are all namespaces."""
EVERY = 60.0
"""Seconds between two looks while we lead."""
DURATION = 15
"""Seconds that a Lease holds if it does not say so."""

_log = structlog.get_logger(__name__)


class _Spec(msgspec.Struct, rename="camel", gc=False):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)

    @property
    def age(self) -> tuple[str, str]:
        """By which of two the older is found, whatever they are called."""
        return self.metadata.creation_timestamp, self.metadata.name


class _Leases(msgspec.Struct, gc=False):
    items: list[_Lease] | None = None


_decoder = msgspec.json.Decoder(_Leases)


class Rivals:
    """Those of the holder of one Lease, who serves a namespace, or (None) all. `leads` says which of them leads, if any does."""

    def __init__(self, client: Client, namespace: str, name: str, served: str | None) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._served = served or ALL
        self._seen: dict[str, tuple[str, float]] = {}
        self.leads = ""

    @property
    def mark(self) -> dict[str, Any]:
        """What our Lease has in its metadata, so that others find it."""
        return {"labels": {names.OPERATOR: "true"}, "annotations": {names.SERVED: self._served}}

    async def look(self, now: float, *, seconds: float, older: bool = False) -> bool:
        """Whether a rival leads, by an `older` Lease than ours if that is asked; it is said once. Raises Unavailable."""
        params = {"labelSelector": f"{names.OPERATOR}=true"}
        try:
            body = await self._client.get(
                LEASES, self._namespace, params=params, channel=Channel.LEASE, seconds=seconds
            )
        except Forbidden:
            self.leads = ""
            return False
        there = _decoder.decode(body).items or []
        ours = next((one.age for one in there if one.metadata.name == self._name), None)
        alive = [one for one in there if self._is_rival(one) and self._is_held(one, now)]
        if older and ours is not None:
            alive = [one for one in alive if one.age < ours]
        said = self._told(alive[0]) if alive else ""
        if said and said != self.leads:
            _log.error("another operator leads here", reason=said)
        self.leads = said
        return bool(said)

    def _is_rival(self, lease: _Lease) -> bool:
        serves = lease.metadata.annotations.get(names.SERVED, ALL)
        return lease.metadata.name != self._name and (serves == self._served or ALL in (serves, self._served))

    def _is_held(self, lease: _Lease, now: float) -> bool:
        about = lease.metadata
        version, since = self._seen.get(about.uid, ("", 0.0))
        if version != about.resource_version:
            since = now
            self._seen[about.uid] = about.resource_version, since
        return bool(lease.spec.holder_identity) and now - since <= (
            lease.spec.lease_duration_seconds or DURATION
        )

    def _told(self, lease: _Lease) -> str:
        about = lease.metadata
        serves = about.annotations.get(names.SERVED, ALL)
        whom = "all namespaces" if serves == ALL else f"namespace {serves}"
        return (
            f"{lease.spec.holder_identity} leads for {whom} by the Lease {about.namespace}/{about.name}, we would by "
            f"{self._namespace}/{self._name}; expected one install for each namespace, or the same Lease (--lease)"
        )
