"""Reading: the head first, then what it names. A reader never sees a gap or a double, whatever is rolled and packed meanwhile.

A record that the head names and that is not there means that the head is old, and it is read again; if it still is the same,
the log is damaged. A head that is not there means: never started, or the execution is gone or going (both told by a live look
at the execution), or somebody deleted it under a living run, which freezes that run.
"""

from __future__ import annotations

import msgspec

from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, Client
from fairlead.kube.client.replies import Metadata
from fairlead.kube.log.forms import Checker, Entry, Stored, read_head, root, texts_of
from fairlead.kube.names import Place, record_name
from fairlead.kube.objects import config_map_decoder
from fairlead.kube.parts import Damaged
from fairlead.kube.records import Records
from fairlead.model.errors import FairleadError, LogDamaged, NotFound, Unavailable
from fairlead.model.events import AnyEvent

_TRIES = 20


class ExecutionGone(NotFound):
    """The execution, or its namespace, is deleted or being deleted: no more log and no verdicts, only cleaning up."""


class LogRetired(ExecutionGone):
    """The execution has ended and retention has removed its log; its status is all that is left. It never starts anew."""


class LogMissing(LogDamaged):
    """The execution lives and had a log, which is gone."""


def head_name(place: Place) -> str:
    """The name of an execution's head."""
    return record_name("head", place.uid)


async def look(client: Client, uid: str, place: Place) -> Stored | None:
    """The head, None if there is none. Raises LogDamaged, Unavailable."""
    try:
        body = await client.get(CONFIG_MAPS, place.namespace, head_name(place))
    except NotFound:
        return None
    try:
        there = config_map_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise LogDamaged(f"the head of the log of {uid} is unreadable: {error}", 1) from error
    return read_head(uid, place.uid, there)


class _Log(msgspec.Struct, rename="camel", gc=False):
    retired_at: str | None = None


class _Status(msgspec.Struct, gc=False):
    log: _Log | None = None


class _Execution(msgspec.Struct, gc=False):
    metadata: Metadata
    status: _Status | None = None


_execution_decoder = msgspec.json.Decoder(_Execution)


async def why_missing(client: Client, uid: str, place: Place) -> FairleadError:
    """Why an execution that had a log has none: ExecutionGone, LogRetired, or LogMissing if it lives. Raises Unavailable."""
    who = f"the execution {place.namespace}/{place.name}"
    try:
        there = _execution_decoder.decode(await client.get(EXECUTIONS, place.namespace, place.name))
    except NotFound:
        return ExecutionGone(f"{who} is deleted")
    if there.metadata.uid != place.uid:
        return ExecutionGone(f"{who} is deleted, and another of its name is there")
    if there.metadata.deletion_timestamp is not None:
        return ExecutionGone(f"{who} is being deleted")
    if there.status is not None and there.status.log is not None and there.status.log.retired_at:
        return LogRetired(
            f"the log of {who} was removed by its retention on {there.status.log.retired_at}; its status is all that is left"
        )
    return LogMissing(
        f"{who} lives, but the head of its log ({head_name(place)}) is not there: somebody deleted it", 1
    )


async def events(
    client: Client, records: Records, uid: str, place: Place, after: int, known: Stored | None = None
) -> tuple[Stored | None, list[AnyEvent]]:
    """The head and the events after a sequence number. Raises LogDamaged naming the first bad one, Unavailable.

    `known` is a head that was read just now.
    """
    stored = known or await look(client, uid, place)
    for _ in range(_TRIES):
        if stored is None:
            return None, []
        try:
            return stored, await _events(records, uid, place, stored, after)
        except NotFound as missing:
            fresh = await look(client, uid, place)
            if fresh is not None and fresh.resource_version == stored.resource_version:
                why = await why_missing(client, uid, place)
                if isinstance(why, ExecutionGone):  # it is being cleaned up, record by record
                    raise why from missing
                seq = next((one.first for one in stored.index if one.last > after), 1)
                raise LogDamaged(
                    f"event {seq} of the log of {uid}, or one that follows, is missing: {missing}", seq
                ) from missing
            stored = fresh
    raise Unavailable(f"the log of {uid} changed {_TRIES} times while it was read")


async def _events(records: Records, uid: str, place: Place, stored: Stored, after: int) -> list[AnyEvent]:
    if after >= stored.head.last_seq:
        return []
    found: list[AnyEvent] = []
    skipped = [entry for entry in stored.index if entry.last <= after]
    chain = skipped[-1].after if skipped else root(uid)
    checker = Checker(uid, chain, skipped[-1].last + 1 if skipped else 1)
    for entry in stored.index[len(skipped) :]:
        for text in await texts(records, uid, place, entry):
            found += checker.events(text)
        checker.end(entry.after, entry.last)
    for one in stored.tail:
        if one.first != checker.expected:
            raise LogDamaged(f"event {checker.expected} of the log of {uid} is missing", checker.expected)
        found += checker.events(one.text)
    checker.end(stored.head.chain, stored.head.last_seq)
    return [event for event in found if event.seq > after] if found and found[0].seq <= after else found


async def texts(records: Records, uid: str, place: Place, entry: Entry) -> list[str]:
    """The batches of an entry. Raises NotFound, LogDamaged."""
    try:
        return texts_of(await records.get(place, entry.record))
    except (Damaged, UnicodeDecodeError) as wrong:
        raise LogDamaged(
            f"event {entry.first} of the log of {uid}, or one up to {entry.last}, was changed: {wrong}",
            entry.first,
        ) from wrong
