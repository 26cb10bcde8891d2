"""The note of a run whose leader died before it was written: read from the log, once."""

from __future__ import annotations

import msgspec

from fairlead.kube.blobs import PinnedDefinitions
from fairlead.kube.client import Client, Metadata
from fairlead.kube.fence import Fence
from fairlead.kube.log import reading
from fairlead.kube.log.forms import CLOSED
from fairlead.kube.names import Place
from fairlead.kube.places import Places
from fairlead.kube.records import Records
from fairlead.kube.retention import deciding
from fairlead.kube.retention.deciding import Kept
from fairlead.model.errors import LogDamaged
from fairlead.model.events import ExecutionCancelled, ExecutionCompleted, ExecutionCreated, ExecutionFailed
from fairlead.model.manifests import Retention as Policy
from fairlead.model.manifests import parse_spec
from fairlead.model.times import parse_time

_ENDS = (ExecutionCompleted, ExecutionFailed, ExecutionCancelled)


async def found_out(client: Client, fence: Fence, place: Place, head: Metadata) -> Kept | None:
    """How long a run is kept, as its log and its definition say; None for one that has not ended, or is gone.

    Only executions that a node has started count as made by the operator here: of any other the execution stays.
    Raises LogDamaged, NotFound without the definition, Unavailable.
    """
    stored, events = await reading.events(client, Records(client), place.uid, place, 0)
    if stored is None or stored.label != CLOSED:
        return None
    created = events[0] if events else None
    ended = next((event for event in reversed(events) if isinstance(event, _ENDS)), None)
    if not isinstance(created, ExecutionCreated) or ended is None:
        raise LogDamaged(f"the log of {place.uid} is closed and has no birth or no end", 1)
    places = Places()
    places.tell(place.uid, place)
    form = await PinnedDefinitions(client, places, fence).definition(place.uid, created.digest)
    policy: Policy = parse_spec(Policy, msgspec.json.decode(form).get("retention", {}))
    return deciding.kept(
        policy,
        stored.head.phase,
        max(ended.at, parse_time(head.creation_timestamp)),  # one that was imported has ended when it came
        seq=stored.head.last_seq,
        by_operator=created.parent is not None,
        parent=created.parent,
    )
