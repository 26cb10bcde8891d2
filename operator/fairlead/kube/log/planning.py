"""What an append does to a head, pure: where the batch goes, what is rolled into a segment, what is packed into an archive.

Rules of this file
- The open tail has at most 32 KiB. What would pass that rolls the tail into a segment; a batch that is larger than the tail
  may ever be goes into the segment itself.
- One patch of the head does it all: takes the rolled keys away, names the segment, swaps what was packed, carries the new batch.
- Archives keep the index short: eight entries of one level that stand in a row become one of the next, up to 8 MiB of batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fairlead.engine.transitions import EXECUTION
from fairlead.kube.log.forms import CLOSED, HEAD, INDEX, OPEN, Entry, Head, Stored, Tail
from fairlead.kube.names import LOG
from fairlead.kube.objects import Record
from fairlead.model.events import Event
from fairlead.model.state import CANCELLED, FAILED, SUCCEEDED

TAIL = 32 << 10
FAN = 8
LARGEST = 8 << 20
_ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})


def phase_after(phase: str, events: Sequence[Event]) -> str:
    """The phase that the events lead to, by the table of legal moves."""
    for event in events:
        phase = EXECUTION.get(phase, {}).get(type(event).__name__, phase)
    return phase


def label_of(phase: str) -> str:
    """The label of a head: those of ended runs are not listed when a leader starts."""
    return CLOSED if phase in _ENDED else OPEN


def rolled(stored: Stored | None, batch: Tail) -> list[Tail]:
    """The batches that have to go into a segment, none as long as the tail has room."""
    length = len(batch.text.encode())
    before = stored.tail if stored else []
    if length > TAIL:
        return [*before, batch]
    return list(before) if stored and stored.tail_bytes + length > TAIL else []


def packable(index: Sequence[Entry]) -> slice | None:
    """The entries that should become one: eight of the lowest level that has them."""
    end = len(index)
    while end:
        begin = end
        while begin and index[begin - 1].level == index[end - 1].level:
            begin -= 1
        if end - begin >= FAN and sum(one.size for one in index[begin : begin + FAN]) <= LARGEST:
            return slice(begin, begin + FAN)
        end = begin
    return None


def entry_of(record: Record, first: int, last: int, before: str, after: str, level: int = 0) -> Entry:
    """The entry that names a record."""
    return Entry(
        first,
        last,
        record.name,
        record.digest,
        before,
        after,
        record.size,
        record.stored,
        record.parts,
        level,
    )


def data_of(
    stored: Stored | None, head: Head, index: Sequence[Entry], batch: Tail | None, gone: Sequence[Tail]
) -> dict[str, str | None]:
    """The keys that change: None takes one away."""
    data: dict[str, str | None] = {HEAD: msgspec.json.encode(head).decode()}
    if stored is None or list(index) != stored.index:
        data[INDEX] = msgspec.json.encode(list(index)).decode()
    if stored is not None:
        data |= {one.key: None for one in gone if one in stored.tail}
    if batch is not None and batch not in gone:
        data[batch.key] = batch.text
    return data


def patch_of(stored: Stored, data: dict[str, str | None], label: str) -> dict[str, Any]:
    """The patch of a head: what it was when we read it is the condition.

    Raises AssertionError without a version: the server takes an empty one for no condition at all.
    """
    assert stored.resource_version, "a head is never patched without a resourceVersion"
    metadata: dict[str, Any] = {
        "resourceVersion": stored.resource_version,
        # Every key would be listed there, a third of a small head; emptied once they stay empty.
        "managedFields": [{}],
    }
    if label != stored.label:
        metadata["labels"] = {LOG: label}
    return {"metadata": metadata, "data": data}


def after_patch(
    stored: Stored | None,
    version: str,
    head: Head,
    index: Sequence[Entry],
    batch: Tail | None,
    gone: Sequence[Tail],
) -> Stored:
    """What is stored once the patch has been acknowledged."""
    tail = [one for one in (stored.tail if stored else ()) if one not in gone]
    if batch is not None and batch not in gone:
        tail.append(batch)
    return Stored(version, head, list(index), tail, label_of(head.phase))
