"""WorkflowExecutions as the API server gives them: what intake reads of one, all of them in pages, and our finalizer on them.

Rules of this file
- Of a user's metadata the finalizer and the shard label are all that is ever written (semantics 39).
- The phase in a status is a hint to whether a look is worth while; nothing is decided by it (protocol.md 14, 20).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from fairlead.kube import names
from fairlead.kube.client import EXECUTIONS, Client, Expired, Invalid, Metadata
from fairlead.kube.client.client import OPERATIONS
from fairlead.kube.client.replies import ListMetadata
from fairlead.kube.names import Place
from fairlead.model import state as s
from fairlead.model.errors import Conflict, NotFound, Unavailable

PAGE = 200
_log = structlog.get_logger(__name__)
_TRIES = 8


class _Log(msgspec.Struct, rename="camel", gc=False):
    sequence: int = 0
    retired_at: str | None = None


class _Status(msgspec.Struct, rename="camel", gc=False):
    phase: str = ""
    observed_generation: int = 0
    log: _Log | None = None


class Execution(msgspec.Struct, gc=False):
    """One WorkflowExecution."""

    metadata: Metadata
    spec: dict[str, Any] = {}
    status: _Status = msgspec.field(default_factory=_Status)

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def place(self) -> Place:
        """Where it is, and whether its status says that it has a log."""
        about, log = self.metadata, self.status.log
        return Place(about.namespace, about.name, about.uid, started=log is not None and log.sequence > 0)

    @property
    def unshown(self) -> bool:
        """Whether nobody has written a status yet."""
        return self.status == _Status()

    @property
    def retired(self) -> bool:
        """Whether retention has removed its log: its status is all that is left, and it never starts anew."""
        return self.status.log is not None and self.status.log.retired_at is not None

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def held(self) -> bool:
        """Whether our finalizer is on it."""
        return names.EXECUTION_FINALIZER in self.metadata.finalizers

    def is_older_than(self, other: Execution) -> bool:
        """Whether `other` shows the same object as it was later: the versions of one object only grow."""
        mine, theirs = self.metadata.resource_version, other.metadata.resource_version
        return mine.isdecimal() and theirs.isdecimal() and int(mine) < int(theirs)

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to look at: it has ended, we hold nothing of it, and its spec asks for nothing since.

        Nor is there of one whose log is just being written by `fairlead import`, or was removed by retention.
        """
        if self.held:
            return False
        if names.IMPORTING in self.metadata.annotations or self.retired:
            return True
        ended = (
            self.status.phase in s.ENDED_RUN and self.status.observed_generation >= self.metadata.generation
        )
        return ended or self.deleting


class _Page(msgspec.Struct, gc=False):
    metadata: ListMetadata
    items: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(Execution)
_page_decoder = msgspec.json.Decoder(_Page)


def execution_of(body: Mapping[str, Any]) -> Execution:
    """The execution in an object that was decoded already. Raises ValueError."""
    return msgspec.convert(body, Execution)


async def executions(client: Client, namespace: str | None) -> AsyncIterator[Execution]:
    """All there are that make sense, each at least once. Raises Forbidden, Unavailable."""
    place = ""
    while True:
        params = {"limit": str(PAGE)} | ({"continue": place} if place else {})
        try:
            page = _page_decoder.decode(await client.get(EXECUTIONS, namespace, params=params))
        except Expired:  # it took too long between two pages
            place = ""
            continue
        for item in page.items:
            try:
                there = _decoder.decode(item)
            except (msgspec.DecodeError, RecursionError) as wrong:  # one that makes no sense hides no other
                _log.warning("an execution cannot be read", reason=str(wrong))
                continue
            yield there
        place = page.metadata.continue_
        if not place:
            return


async def fetched(client: Client, place: Place) -> Execution | None:
    """An execution as it is now; None if it is gone, or another one has its name. Raises Unavailable."""
    try:
        there = _decoder.decode(await client.get(EXECUTIONS, place.namespace, place.name))
    except NotFound:
        return None
    return there if there.uid == place.uid else None


async def hold(client: Client, execution: Execution) -> Execution | None:
    """Put our finalizer and the shard label on it; None if it is gone or going. Raises Unavailable."""
    shard = names.shard_label(names.shard_of(execution.uid))
    there: Execution | None = execution
    for _ in range(_TRIES):
        if there is None or there.deleting:
            return None
        if there.held and there.metadata.labels.get(names.SHARD) == shard:
            return there
        finalizers = [*there.metadata.finalizers, *([] if there.held else [names.EXECUTION_FINALIZER])]
        written = await _write(client, there, {"labels": {names.SHARD: shard}, "finalizers": finalizers})
        if written is not None:
            metadata = msgspec.structs.replace(written, finalizers=finalizers)
            return Execution(metadata, there.spec, there.status)
        there = await fetched(client, execution.place)
    raise Unavailable(_contended(execution.place))


async def release(client: Client, place: Place, finalizers: Sequence[str] = ()) -> None:
    """Take our finalizer from it; gone or free already is fine. Raises Unavailable.

    `finalizers` are those that it had when it was last seen: as long as ours stands where it stood, one request does it.
    """
    if names.EXECUTION_FINALIZER in finalizers:
        at = f"/metadata/finalizers/{list(finalizers).index(names.EXECUTION_FINALIZER)}"
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": place.uid},
            {"op": "test", "path": at, "value": names.EXECUTION_FINALIZER},
            {"op": "remove", "path": at},
        ]
        with contextlib.suppress(NotFound, Conflict, Invalid):
            await client.patch(EXECUTIONS, place.namespace, place.name, operations, kind=OPERATIONS)
            return
    for _ in range(_TRIES):
        there = await fetched(client, place)
        if there is None or not there.held:
            return
        others = [one for one in there.metadata.finalizers if one != names.EXECUTION_FINALIZER]
        if await _write(client, there, {"finalizers": others}) is not None:
            return
    raise Unavailable(_contended(place))


async def _write(client: Client, there: Execution, metadata: dict[str, Any]) -> Metadata | None:
    """Write metadata over what we saw; None if it has changed, or is gone."""
    about = there.metadata
    body = {"metadata": {**metadata, "uid": about.uid, "resourceVersion": about.resource_version}}
    try:
        return await client.patch(EXECUTIONS, about.namespace, about.name, body)
    except (Conflict, NotFound):
        return None


def _contended(place: Place) -> str:
    return f"the finalizers of {place.namespace}/{place.name} changed {_TRIES} times under our hands"
