"""The port EventLog on Kubernetes (protocol.md 1, 2, 6, 9).

Rules of this file
- An append is one patch of the head that carries the version which we read: compare-and-set and fence in one. It is a strategic
  one, which the server applies without writing the head out as JSON: half to a third of its cost. The patch is the only commit;
  records are created before it and deleted after it.
- No verdict (a cut, a time-out, an error of the server, a 409): the head is read. Our batch is there: committed. The log ends
  where it did, and no higher epoch stands there: sent again with the new version. Anything else: Conflict, the caller folds
  and decides again.
- A record has the id of the batch in its name, besides its content: only the append that made it ever names it. What an append
  left behind that failed is nobody's, and can be swept while others write.
- The fence is asked immediately before every write; a head with a higher epoch than ours says that we do not lead any more.
- A head is made once, by the first append of an execution that has never started; who finds it gone asks why, and makes no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fairlead.kube import names
from fairlead.kube.client import (
    CONFIG_MAPS,
    AlreadyExists,
    Ambiguous,
    Client,
    Invalid,
    NamespaceTerminating,
)
from fairlead.kube.client.client import STRATEGIC
from fairlead.kube.fence import Fence, NotLeader
from fairlead.kube.log import planning, reading
from fairlead.kube.log.forms import (
    Entry,
    Head,
    Stored,
    Tail,
    batch_text,
    chain_of,
    check_end,
    forms_of,
    payload_of,
    root,
)
from fairlead.kube.log.reading import ExecutionGone, head_name
from fairlead.kube.names import Place
from fairlead.kube.objects import born, part_names
from fairlead.kube.places import Places
from fairlead.kube.records import Records, packed
from fairlead.model.errors import Conflict, FairleadError, LogDamaged, NotFound, Unavailable
from fairlead.model.events import Event

VOID_AFTER = timedelta(minutes=10)
"""Age at which a record that no head names is deleted."""
_TRIES = 12
SEGMENT, ARCHIVE = "segment", "archive"


@dataclass(slots=True)
class _Writer:
    """What is known of one log; `stored` is dropped whenever it may be old."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stored: Stored | None = None
    seen: bool = False
    appends: int = 0
    listed: bool = False  # `stored` comes from a list of all heads: a claim is the proof that it still holds
    absent: bool = False  # a claim has just found no head: the first append says if one has come since
    claimed: bool = False  # `stored` is what a claim has just made of it: nobody else can have written since


class KubernetesLog:
    """The logs of all executions of `places`; one writer at a time for each, fenced by epoch across processes."""

    def __init__(self, client: Client, places: Places, fence: Fence) -> None:
        self._client = client
        self._places = places
        self._fence = fence
        self._records = Records(client)
        self._writers: dict[str, _Writer] = {}

    # --- the port ---

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        """Commit events `after + 1 …` all together, or none.

        Raises Conflict, NotLeader, ExecutionGone, LogMissing, LogDamaged, Unavailable.
        """
        forms = forms_of(after, events)
        writer, place, begun = self._writer(uid), self._places.of(uid), time.monotonic()
        async with writer.lock:
            begins, writer.absent = writer.absent and not after and bool(events), False
            if not begins and (writer.stored is None or writer.stored.head.last_seq != after or not events):
                await self._look(uid, place, writer)
            self._expect(uid, writer, after)
            if events:
                try:
                    size = await self._commit(uid, place, writer, after, events, forms)
                except (
                    Invalid
                ) as refused:  # by an admission policy, or because somebody made the head immutable
                    raise Unavailable(f"the log of {uid} cannot be written: {refused}") from refused
                self._client.observer.appended(len(events), size, time.monotonic() - begun)

    async def read(self, uid: str, after: int = 0) -> list[Event]:
        """The events after a sequence number; empty for one that never started. Raises LogDamaged, LogMissing, ExecutionGone."""
        writer, place = self._writer(uid), self._places.of(uid)
        async with writer.lock:
            if writer.absent:
                return []
            known, writer.claimed = writer.stored if writer.claimed else None, False
            stored, found = await reading.events(self._client, self._records, uid, place, after, known)
            await self._keep(uid, place, writer, stored)
            return list(found)

    # --- leadership ---

    async def claim(self, uid: str) -> None:
        """Make the head ours: until this has returned, nothing may be decided or done for the execution.

        One that has no log needs no claim. Raises NotLeader if a later leader has it, and what `append` raises.
        """
        writer, place = self._writer(uid), self._places.of(uid)
        async with writer.lock:
            writer.absent = False
            for _ in range(_TRIES):
                if not (writer.listed and writer.stored is not None):
                    await self._look(uid, place, writer)
                writer.listed = False
                stored, epoch = writer.stored, self._epoch(uid, writer)
                if stored is None or stored.head.epoch == epoch:
                    writer.claimed, writer.absent = stored is not None, stored is None
                    return
                head = Head(
                    uid,
                    stored.head.last_seq,
                    stored.head.chain,
                    epoch,
                    self._fence.writer,
                    "",
                    stored.head.phase,
                )
                if await self._write(uid, place, writer, head, stored.index, None, ()):
                    writer.claimed = True
                    return
            raise Unavailable(
                f"the log of {uid} could not be claimed: others wrote to its head {_TRIES} times"
            )

    async def sweep(self, uid: str, now: datetime | None = None) -> int:
        """Delete the old records of a log that its head does not name; how many objects there were.

        Only where the head has our epoch: a writer of an earlier one, which still wanted to name them, cannot write that head
        any more.
        """
        writer, place = self._writer(uid), self._places.of(uid)
        async with writer.lock:  # nobody may be about to name what is deleted
            limit = (now or datetime.now(UTC)) - VOID_AFTER
            old = [one for one in await self._records.list(place, (SEGMENT, ARCHIVE)) if born(one) < limit]
            await self._look(uid, place, writer)
            if writer.stored is None or writer.stored.head.epoch != self._fence.epoch():
                return 0
            named = {name for entry in writer.stored.index for name in part_names(entry.name, entry.parts)}
            void = [one for one in old if one.name not in named]
            for one in void:
                with contextlib.suppress(NotFound, Conflict):
                    await self._client.delete(CONFIG_MAPS, place.namespace, one.name, uid=one.uid)
            return len(void)

    def adopt(self, uid: str, stored: Stored) -> None:
        """The head of a log as a list has just shown it: `claim` need not read it once more."""
        writer = self._writer(uid)
        writer.stored, writer.listed, writer.seen = stored, True, True

    def segments(self, uid: str) -> int:
        """How many closed segments a log has, as far as it is known here."""
        writer = self._writers.get(uid)
        stored = writer.stored if writer is not None else None
        return len(stored.index) if stored is not None else 0

    def wrote(self, uid: str, resource_version: str) -> bool:
        """Whether a head is as we left it."""
        writer = self._writers.get(uid)
        stored = writer.stored if writer is not None else None
        return stored is not None and stored.resource_version == resource_version

    def appends(self, uid: str) -> int:
        """How often we have written a head."""
        writer = self._writers.get(uid)
        return writer.appends if writer is not None else 0

    def refers_to(self, uid: str, name: str) -> bool:
        """Whether the head of a log, as we know it, names an object."""
        writer = self._writers.get(uid)
        stored = writer.stored if writer is not None else None
        return stored is not None and any(name in part_names(one.name, one.parts) for one in stored.index)

    async def verify(self, uid: str) -> None:
        """Look whether somebody else has touched a log. Raises what `read` does, and NotLeader for a later leader."""
        writer, place = self._writer(uid), self._places.of(uid)
        async with writer.lock:
            before = writer.stored
            stored, _ = await reading.events(self._client, self._records, uid, place, 0)
            await self._keep(uid, place, writer, stored)
            self._epoch(uid, writer)
            if before is not None and stored is not None and stored.head.last_seq < before.head.last_seq:
                raise LogDamaged(
                    f"the log of {uid} ends at event {stored.head.last_seq}; it had {before.head.last_seq}",
                    stored.head.last_seq + 1,
                )

    async def last(self, uid: str) -> int:
        """The sequence number at which a log ends now. Raises what `read` does."""
        stored = await reading.look(self._client, uid, self._places.of(uid))
        return stored.head.last_seq if stored is not None else 0

    def forget(self, uid: str) -> None:
        """Let go of what is known of a log; it is read again when it is wanted."""
        self._writers.pop(uid, None)

    # --- how it is done ---

    def _writer(self, uid: str) -> _Writer:
        return self._writers.setdefault(uid, _Writer())

    async def _look(self, uid: str, place: Place, writer: _Writer) -> None:
        writer.stored = None
        await self._keep(uid, place, writer, await reading.look(self._client, uid, place))

    async def _keep(self, uid: str, place: Place, writer: _Writer, stored: Stored | None) -> None:
        """Remember what was read. Raises what it means when nothing is there and something should be."""
        writer.stored = stored
        if stored is not None:
            check_end(stored)
            writer.seen = True
        elif writer.seen or place.started:
            raise await reading.why_missing(self._client, uid, place)

    def _expect(self, uid: str, writer: _Writer, after: int) -> None:
        last = writer.stored.head.last_seq if writer.stored else 0
        if last != after:
            raise Conflict(
                f"the log of {uid} ends at event {last}; expected {after}: somebody else wrote first"
            )

    async def _commit(
        self,
        uid: str,
        place: Place,
        writer: _Writer,
        after: int,
        events: Sequence[Event],
        forms: Sequence[bytes],
    ) -> int:
        """Have a batch in the log; the bytes of its events."""
        size = sum(map(len, forms))
        batch_id, last = secrets.token_hex(8), after + len(events)
        for _ in range(_TRIES):
            stored, epoch = writer.stored, self._epoch(uid, writer)
            before = stored.head.chain if stored else root(uid)
            batch = Tail(after + 1, batch_text(batch_id, epoch, self._fence.writer, before, forms))
            phase = planning.phase_after(stored.head.phase if stored else "", events)
            head = Head(uid, last, chain_of(batch.text), epoch, self._fence.writer, batch_id, phase)
            index, gone, packed_away = await self._roll(uid, place, stored, batch, head)
            if await self._write(uid, place, writer, head, index, batch, gone):
                await self._discard(place, packed_away)
                return size
            await self._look(uid, place, writer)
            if writer.stored is not None and writer.stored.head.batch_id == batch_id:
                await self._discard(place, packed_away)
                return size
            self._expect(uid, writer, after)
        writer.stored = None
        raise Unavailable(f"the log of {uid} could not be written: others changed its head {_TRIES} times")

    def _epoch(self, uid: str, writer: _Writer) -> int:
        """Our epoch, if nobody later has written. Raises NotLeader."""
        epoch = self._fence.epoch()
        if writer.stored is not None and writer.stored.head.epoch > epoch:
            theirs = writer.stored.head
            raise NotLeader(
                f"the log of {uid} is written by {theirs.writer} in epoch {theirs.epoch}; ours is {epoch}",
                theirs.epoch,
            )
        return epoch

    async def _roll(
        self, uid: str, place: Place, stored: Stored | None, batch: Tail, head: Head
    ) -> tuple[list[Entry], list[Tail], list[Entry]]:
        """The index as it shall be, the batches that leave the tail, the entries that were packed into another."""
        index = list(stored.index) if stored else []
        gone = planning.rolled(stored, batch)
        if not gone:
            return index, [], []
        try:
            packed_away = await self._pack(uid, place, index, head)
            content = await packed(payload_of(one.text for one in gone))
            until = head.last_seq if gone[-1] is batch else batch.first - 1
            identity = (str(gone[0].first), str(until), content.digest, head.batch_id)
            record = await self._records.put(place, SEGMENT, identity, content, head.epoch)
        except NamespaceTerminating as ending:
            raise ExecutionGone(str(ending)) from ending
        except ValueError as squatted:  # parts.Damaged: a record of our name with another content
            raise LogDamaged(str(squatted), gone[0].first) from squatted
        before = index[-1].after if index else root(uid)
        index.append(planning.entry_of(record, gone[0].first, until, before, chain_of(gone[-1].text)))
        return index, gone, packed_away

    async def _pack(self, uid: str, place: Place, index: list[Entry], head: Head) -> list[Entry]:
        """Replace a run of entries of the index by one; what was replaced."""
        run = planning.packable(index)
        if run is None:
            return []
        old = index[run]
        try:
            batches = [
                text for entry in old for text in await reading.texts(self._records, uid, place, entry)
            ]
        except NotFound as missing:
            raise LogDamaged(
                f"a segment of the log of {uid} is missing: {missing}", old[0].first
            ) from missing
        content = await packed(payload_of(batches))
        identity = (str(old[0].first), str(old[-1].last), content.digest, head.batch_id)
        record = await self._records.put(place, ARCHIVE, identity, content, head.epoch)
        level = old[0].level + 1
        index[run] = [
            planning.entry_of(record, old[0].first, old[-1].last, old[0].before, old[-1].after, level)
        ]
        return old

    async def _write(
        self,
        uid: str,
        place: Place,
        writer: _Writer,
        head: Head,
        index: Sequence[Entry],
        batch: Tail | None,
        gone: Sequence[Tail],
    ) -> bool:
        """Create or patch the head; False if there is no verdict, or a foreign one: then the head has to be read."""
        stored = writer.stored
        data = planning.data_of(stored, head, index, batch, gone)
        label = planning.label_of(head.phase)
        if self._fence.epoch() != head.epoch:
            raise NotLeader(f"leadership changed while the log of {uid} was written")
        writer.stored = None  # until we know
        try:
            if stored is None:
                body = {
                    "apiVersion": CONFIG_MAPS.api_version,
                    "kind": CONFIG_MAPS.kind,
                    "metadata": names.metadata(place, head_name(place), label, head.epoch),
                    "data": data,
                }
                reply = await self._client.create(CONFIG_MAPS, place.namespace, body)
            else:
                patch = planning.patch_of(stored, data, label)
                reply = await self._client.patch(
                    CONFIG_MAPS, place.namespace, head_name(place), patch, kind=STRATEGIC
                )
        except (AlreadyExists, Conflict, Ambiguous):
            return False
        except NamespaceTerminating as ending:
            raise ExecutionGone(str(ending)) from ending
        except NotFound:
            raise await reading.why_missing(self._client, uid, place) from None
        writer.stored = planning.after_patch(stored, reply.resource_version, head, index, batch, gone)
        writer.seen = True
        writer.appends += 1
        return True

    async def _discard(self, place: Place, entries: Sequence[Entry]) -> None:
        """Delete records that the head names no more; what stays behind is swept later."""
        for entry in entries:
            with contextlib.suppress(FairleadError):
                await self._records.remove(place, entry.name, entry.parts)
