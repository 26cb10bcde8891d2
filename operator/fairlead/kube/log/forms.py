"""The stored forms of a log, pure: text of a batch, index entry, head, and the checks that tell whether they fit together.

- A *batch* is one append: a JSON object with its random id, the epoch and the identity of who wrote it, the hash of the batch
  before it and its events. Its own hash is over all of that text, so it covers everything that precedes.
- An *entry* of the index stands for a run of batches in an immutable record, a segment or an archive of segments. It has the hash
  before the first batch and that of the last, so that whoever skips it can still check what follows.
- The *head* says where the log ends: last sequence number, hash of the last batch, its id, epoch, phase.

What a newer release has written is told from what somebody has changed by the chain: it fits. Such a release raises VERSION where
head, index or records have another form; an event type or a field that is new is recognised by itself.

Before the first batch stands a hash of the uid: what belongs to another log does not fit. Errors name the first event that is
missing, changed or unreadable; a change is seen by the batch, so that it is the first event of the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

import msgspec

from fairlead.kube.names import LOG
from fairlead.kube.objects import ConfigMap, Record
from fairlead.model.errors import Bug, LogDamaged, NewerRelease
from fairlead.model.events import AnyEvent, Event, decode, encode

HEAD, INDEX = "head", "index"
OPEN, CLOSED = "head", "closed"
"""Values of the head's label: live runs are found by the first."""
VERSION = 1
RELEASE = version("fairlead")
_BATCH = "b"
_HASH = 32


class Batch(msgspec.Struct, frozen=True, gc=False):
    """One append."""

    id: str
    epoch: int
    writer: str
    before: str
    events: list[msgspec.Raw]
    release: str = ""  # of Fairlead, that wrote it


class Entry(msgspec.Struct, frozen=True, gc=False, rename={"first": "from", "last": "to"}):
    """A run of batches in a record; `level` counts how often it was packed."""

    first: int
    last: int
    name: str
    digest: str
    before: str
    after: str
    size: int
    stored: int
    parts: int = 1
    level: int = 0

    @property
    def record(self) -> Record:
        """Where the batches are."""
        return Record(self.name, self.parts, self.size, self.digest, self.stored)


class Head(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Where the log ends."""

    uid: str
    last_seq: int
    chain: str
    epoch: int
    writer: str
    batch_id: str
    phase: str = ""
    version: int = VERSION


class Tail(msgspec.Struct, frozen=True, gc=False):
    """A batch that is still in the head, as it is stored."""

    first: int
    text: str

    @property
    def key(self) -> str:
        """Its key in the head: a batch that begins at the same number has the same one."""
        return f"{_BATCH}{self.first}"


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A head as it was read: the object's version, and its parts."""

    resource_version: str
    head: Head
    index: list[Entry]
    tail: list[Tail]
    label: str

    @property
    def tail_bytes(self) -> int:
        """How much of the head the open tail is."""
        return sum(len(one.text.encode()) for one in self.tail)


class _Version(msgspec.Struct, frozen=True, gc=False):
    """What a head of any release says of its form."""

    version: int = VERSION


class _Named(msgspec.Struct, frozen=True, gc=False):
    """What an event of any release says of itself."""

    type: str
    seq: int


_version_decoder = msgspec.json.Decoder(_Version)
_named_decoder = msgspec.json.Decoder(_Named)
_head_decoder = msgspec.json.Decoder(Head)
_index_decoder = msgspec.json.Decoder(list[Entry])
_batch_decoder = msgspec.json.Decoder(Batch)


def newer(what: str, seq: int, release: str = "") -> NewerRelease:
    """What is said of what a newer release has written; `what` tells what was met."""
    who = f"release {release} has written it" if release else "a newer release has written it"
    return NewerRelease(f"{what}; {who}, and this is {RELEASE}: upgrade again, and the run goes on", seq)


def root(uid: str) -> str:
    """What stands before the first batch."""
    return hashlib.sha256(uid.encode()).hexdigest()[:_HASH]


def chain_of(text: str) -> str:
    """The hash of a batch and, since it holds the one before it, of all that precedes."""
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]


def forms_of(after: int, events: Sequence[Event]) -> list[bytes]:
    """The stored forms of events `after + 1 …`. Raises Bug if they are not these, TypeError if one has no form."""
    for expected, event in enumerate(events, after + 1):
        if event.seq != expected:
            raise Bug(f"{type(event).__name__} has seq {event.seq}; expected {expected}")
    return [encode(event) for event in events]


def batch_text(id: str, epoch: int, writer: str, before: str, forms: Iterable[bytes]) -> str:
    """The text of a batch."""
    return msgspec.json.encode(
        Batch(id, epoch, writer, before, [msgspec.Raw(form) for form in forms], RELEASE)
    ).decode()


def read_head(uid: str, owner: str, there: ConfigMap) -> Stored:
    """The head in a ConfigMap, its parts checked against each other. Raises LogDamaged."""
    name = f"the head {there.metadata.namespace}/{there.metadata.name} of the log of {uid}"
    owners = [reference.uid for reference in there.metadata.owner_references]
    if owners != [owner]:
        raise LogDamaged(f"{name} belongs to {owners or 'nobody'}; expected {owner}", 1)
    try:
        form = _version_decoder.decode(there.data[HEAD]).version
        if form > VERSION:
            raise newer(f"{name} is of version {form}; expected at most {VERSION}", 1)
        head = _head_decoder.decode(there.data[HEAD])
        index = _index_decoder.decode(there.data[INDEX])
        tail = [Tail(int(key[1:]), text) for key, text in there.data.items() if key not in (HEAD, INDEX)]
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise LogDamaged(f"{name} is unreadable: {type(error).__name__} {error}", 1) from error
    if head.uid != uid or head.version < 1:
        raise LogDamaged(f"{name} says version {head.version} of {head.uid}; expected version {VERSION}", 1)
    tail.sort(key=lambda one: one.first)
    _check_index(uid, index, head)
    return Stored(there.metadata.resource_version, head, index, tail, there.metadata.labels.get(LOG, ""))


def _check_index(uid: str, index: list[Entry], head: Head) -> None:
    chain, expected = root(uid), 1
    for entry in index:
        if entry.first != expected or entry.last < entry.first:
            raise LogDamaged(f"event {expected} of the log of {uid} is not in its index", expected)
        if entry.before != chain:
            raise LogDamaged(
                f"event {expected} of the log of {uid} does not follow the one before it", expected
            )
        chain, expected = entry.after, entry.last + 1
    if expected > head.last_seq + 1:
        raise LogDamaged(
            f"the log of {uid} has events up to {expected - 1}, but ends at {head.last_seq}",
            head.last_seq + 1,
        )


def check_end(stored: Stored) -> None:
    """Whether a head that somebody wants to write on fits together, as far as that is seen without reading records.

    Raises LogDamaged.
    """
    head, expected = stored.head, stored.index[-1].last + 1 if stored.index else 1
    if stored.tail and stored.tail[0].first != expected:
        raise LogDamaged(f"event {expected} of the log of {head.uid} is missing", expected)
    rolled = stored.index[-1].after if stored.index else root(head.uid)
    chain = chain_of(stored.tail[-1].text) if stored.tail else rolled
    if chain != head.chain:
        seq = stored.tail[-1].first if stored.tail else head.last_seq
        raise LogDamaged(f"event {seq} of the log of {head.uid}, or one that follows, was changed", seq)


def payload_of(texts: Iterable[str]) -> bytes:
    """The content of a record: a line for each batch."""
    return "\n".join(texts).encode()


def texts_of(payload: bytes) -> list[str]:
    """The batches of a record. Raises UnicodeDecodeError."""
    return payload.decode().split("\n")


class Checker:
    """Follows the chain from batch to batch and gives out the events; `expected` is the next sequence number.

    An event that only a newer release can read is told of where the chain has been found whole (`end`): else it is damage.
    """

    def __init__(self, uid: str, before: str, expected: int) -> None:
        self.uid = uid
        self.chain = before
        self.expected = expected
        self._begins = expected
        self._unknown: NewerRelease | None = None

    def events(self, text: str) -> Iterator[AnyEvent]:
        """The events of the next batch. Raises LogDamaged naming the first bad one."""
        first = self.expected
        try:
            batch = _batch_decoder.decode(text)
        except msgspec.DecodeError as error:
            raise self._damage(first, f"is unreadable: {error}") from error
        if batch.before != self.chain:
            # The batch before was changed after it was written, or this one does not belong here.
            raise self._damage(self._begins, "was changed, or what follows it is missing")
        for form in batch.events:
            event = self._read(bytes(form), batch.release)
            if event.seq != self.expected:
                raise self._damage(self.expected, f"is missing; found {event.seq} in its place")
            self.expected += 1
            if not isinstance(event, _Named):
                yield event
        self.chain, self._begins = chain_of(text), first

    def end(self, chain: str, last: int) -> None:
        """What was read has to end so. Raises LogDamaged, NewerRelease."""
        if self.expected != last + 1:
            raise self._damage(
                min(self.expected, last + 1), f"is missing, or one too many: the log ends at {last}"
            )
        if self.chain != chain:
            raise self._damage(self._begins, "was changed: the hash of its batch is another")
        self._begins = self.expected  # all up to here is as it was written
        if self._unknown is not None:
            raise self._unknown

    def _read(self, form: bytes, release: str) -> AnyEvent | _Named:
        try:
            return decode(form)
        except msgspec.DecodeError as error:
            wrong = error
        try:
            named = _named_decoder.decode(form)
        except msgspec.DecodeError:
            raise self._damage(self.expected, f"is unreadable: {wrong}") from wrong
        what = f"event {named.seq} of the log of {self.uid}, {named.type}, cannot be read ({wrong})"
        self._unknown = self._unknown or newer(what, named.seq, release)
        return named

    def _damage(self, seq: int, what: str) -> LogDamaged:
        return LogDamaged(f"event {seq} of the log of {self.uid} {what}", seq)
