"""A bundle: one execution in one file, to move it between homes (protocol.md 19). Pure: bytes in, bytes out.

    gzip of JSON lines:   header │ definition │ workflows, if any │ event … event │ value … value │ end

Rules of this file
- The header says kind and version first; a newer version is refused before anything else is looked at.
- Events and values are the stored forms of the log, large values apart; the definition is its canonical text. Nothing is derived
  from anything else, so what is imported is what was exported.
- The last line counts the lines before it and has their digest: a file that was cut or altered is refused as a whole. It is a
  guard against accidents, no signature: who may write the file may write another.
- `check` says whether all of it fits together: digests, sequence, fold. Nothing is taken in before that.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from fairlead.engine.evolve import fold
from fairlead.engine.graph import Graph, compile_workflow
from fairlead.model.errors import Bug, FairleadError, InvalidInput, LogDamaged
from fairlead.model.events import SCHEMA_VERSION, Event, ExecutionCreated, decode, encode
from fairlead.model.large import Changed, Giver
from fairlead.model.manifests import Definition, ExecutionSpec, parse_spec
from fairlead.model.state import State
from fairlead.model.wording import problems_of
from fairlead.runtime.journal import FETCHED
from fairlead.runtime.ports import Blobs

KIND, VERSION = "FairleadBundle", 1
LARGEST = 1 << 30
"""Bytes that a bundle has unpacked at most."""
BAD = "BadBundle"


class Header(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the file is, and whose: the WorkflowExecution object as it was, when it was exported, and from what home."""

    kind: str
    version: int
    execution: dict[str, Any] = {}
    exported_at: str = ""
    source: str = ""
    events: int = 0


_NOTHING = msgspec.Raw()


class _EventLine(msgspec.Struct, frozen=True):
    event: msgspec.Raw


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    definition: str | None = None
    workflows: str | None = None
    event: msgspec.Raw = _NOTHING
    value: str | None = None
    content: str | None = None


class _End(msgspec.Struct, frozen=True):
    lines: int
    digest: str


class Bundle(msgspec.Struct, frozen=True):
    """An execution outside any home; `values` are its large values by digest, `workflows` what its nodes may start."""

    header: Header
    definition: bytes
    events: list[Event]
    values: dict[str, bytes]
    workflows: bytes = b""

    @property
    def created(self) -> ExecutionCreated:
        """The first event, as `check` has seen it."""
        first = self.events[0]
        assert isinstance(first, ExecutionCreated)
        return first


_encode = msgspec.json.Encoder().encode
_header = msgspec.json.Decoder(Header).decode
_line = msgspec.json.Decoder(_Line).decode
_end = msgspec.json.Decoder(_End).decode


def log_digest(events: Sequence[Event]) -> str:
    """The digest of a log, the same in every home: over the stored forms of its events, a line each."""
    digest = hashlib.sha256()
    for event in events:
        digest.update(encode(event) + b"\n")
    return f"sha256:{digest.hexdigest()}"


async def values_of(blobs: Blobs, uid: str, events: Sequence[Event]) -> dict[str, bytes]:
    """The large values that events refer to, directly or through others. Raises LogDamaged, Unavailable."""
    giver, values = Giver(), dict[str, bytes]()
    references = [one for event in events for one in event.large or ()]
    while missing := giver.missing(references):
        for start in range(0, len(missing), FETCHED):
            part = missing[start : start + FETCHED]
            found = await blobs.fetch(uid, part)
            for digest in part:
                try:
                    giver.take(digest, found.get(digest))
                except Changed as wrong:
                    raise LogDamaged(f"the log of {uid} refers to what is not there: {wrong}") from wrong
                values[digest] = found[digest]
    return values


def definition_in(bundle: Bundle, where: str) -> Graph:
    """The definition of a bundle, compiled. Raises InvalidInput if this release cannot run it."""
    try:
        spec = parse_spec(Definition, msgspec.json.decode(bundle.definition))
        return compile_workflow(spec, bundle.created.workflow)
    except ValidationError as wrong:
        problem = problems_of(wrong, Definition)[0]
        raise _bad(f"the definition in {where} cannot run here: {problem.message}") from wrong
    except (msgspec.DecodeError, FairleadError) as wrong:
        raise _bad(f"the definition in {where} cannot run here: {wrong}") from wrong


def packed(bundle: Bundle) -> bytes:
    """The file."""
    lines = [_encode(bundle.header), _encode(_Line(definition=bundle.definition.decode()))]
    if bundle.workflows:
        lines.append(_encode(_Line(workflows=bundle.workflows.decode())))
    lines += [_encode(_EventLine(msgspec.Raw(encode(event)))) for event in bundle.events]
    lines += [
        _encode(_Line(value=digest, content=content.decode())) for digest, content in bundle.values.items()
    ]
    body = b"".join(line + b"\n" for line in lines)
    end = _End(len(lines), f"sha256:{hashlib.sha256(body).hexdigest()}")
    return gzip.compress(body + _encode(end) + b"\n", mtime=0)


def unpacked(data: bytes, where: str) -> Bundle:
    """What a file holds, `where` naming it in messages. Raises InvalidInput with reason BadBundle."""
    lines = _lines(data, where)
    try:
        header = _header(lines[0])
    except (IndexError, msgspec.DecodeError):
        raise _not_one(where) from None
    if header.kind != KIND:
        raise _not_one(where)
    if header.version > VERSION:
        raise _bad(
            f"{where} was written by a newer Fairlead (bundle version {header.version}); expected at most {VERSION}"
        )
    _check_end(lines, where)
    definition = workflows = b""
    events: list[Event] = []
    values: dict[str, bytes] = {}
    for number, text in enumerate(lines[1:-1], 2):
        try:
            line = _line(text)
            if form := bytes(line.event):
                events.append(decode(form))
            elif line.value is not None:
                values[line.value] = (line.content or "").encode()
            elif line.definition is not None:
                definition = line.definition.encode()
            elif line.workflows is not None:
                workflows = line.workflows.encode()
        except msgspec.DecodeError as error:
            raise _bad(f"line {number} of {where} cannot be read: {error}") from None
    return Bundle(header, definition, events, values, workflows)


def check(bundle: Bundle, where: str) -> State:
    """The state that the log of a bundle folds to. Raises InvalidInput if something in it does not fit the rest."""
    first = bundle.events[0] if bundle.events else None
    if not isinstance(first, ExecutionCreated) or len(bundle.events) != bundle.header.events:
        raise _bad(f"{where} has {len(bundle.events)} events; expected {bundle.header.events or 'some'}")
    if first.schema > SCHEMA_VERSION:
        raise _bad(
            f"the log in {where} was written by a newer Fairlead (version {first.schema}); expected at most {SCHEMA_VERSION}"
        )
    try:
        parse_spec(ExecutionSpec, bundle.header.execution.get("spec"))
    except ValidationError as wrong:
        problem = problems_of(wrong, ExecutionSpec)[0]
        raise _bad(f"the execution in {where} is no execution: {problem.message}") from wrong
    found = f"sha256:{hashlib.sha256(bundle.definition).hexdigest()}"
    if found != first.digest:
        raise _bad(f"the definition in {where} has the digest {found}; expected {first.digest}")
    events = [decode(encode(event)) for event in bundle.events]  # giving changes them in place
    giver = Giver()
    try:
        for digest, content in bundle.values.items():
            giver.take(digest, content)
        for event in events:
            if missing := giver.missing(event.large or ()):
                raise Changed(missing[0], "is missing")
            giver.give(event, event.large or ())
            msgspec.structs.force_setattr(event, "large", None)
        return fold(events, State())
    except (Changed, Bug, LookupError, TypeError, msgspec.DecodeError) as wrong:
        raise _bad(f"the log in {where} does not fit together: {wrong}") from wrong


def _lines(data: bytes, where: str) -> list[bytes]:
    found: list[bytes] = []
    size = 0
    try:
        for part in _parts(data):
            size += len(part)
            if size > LARGEST:
                raise _bad(f"{where} has more than {LARGEST >> 20} MiB unpacked; expected at most that")
            found.append(part)
    except gzip.BadGzipFile as wrong:
        raise _not_one(where) if not found else _altered(where, str(wrong)) from None
    except (EOFError, zlib.error) as wrong:
        if not found and size == 0 and not data.startswith(b"\x1f\x8b"):
            raise _not_one(where) from None
        raise _altered(where, str(wrong)) from None
    return b"".join(found).splitlines()


def _parts(data: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while part := file.read(1 << 20):
            yield part


def _check_end(lines: Sequence[bytes], where: str) -> None:
    try:
        end = _end(lines[-1])
    except msgspec.DecodeError:
        raise _altered(where, "its last line is missing") from None
    body = b"".join(line + b"\n" for line in lines[:-1])
    if end.lines != len(lines) - 1 or end.digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
        raise _altered(where, "its content does not fit the digest in its last line")


def _bad(message: str) -> InvalidInput:
    return InvalidInput(f"{message}; nothing was imported", BAD)


def _not_one(where: str) -> InvalidInput:
    return _bad(f"{where} is no bundle; expected a file that `fairlead export` has written")


def _altered(where: str, how: str) -> InvalidInput:
    return _bad(f"{where} was cut or altered ({how}); export the execution once more")
