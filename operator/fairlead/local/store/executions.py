"""Executions in the store: their records, definitions, wishes and last status."""

from __future__ import annotations

import difflib
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from fairlead.local.store.database import Database
from fairlead.local.store.logs import ENDED
from fairlead.local.store.records import ExecutionRecord, ExecutionRow, WishChanges
from fairlead.model.commands import Wish
from fairlead.model.errors import Bug, InvalidInput, LogDamaged, NotFound, Unavailable
from fairlead.model.state import PENDING

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(ExecutionRecord).decode
_wish = msgspec.json.Decoder(Wish).decode


def create(
    database: Database, record: ExecutionRecord, definition: bytes, wish: Wish, bundle: bytes = b""
) -> None:
    """Take in an execution with the canonical form of its definition, kept once for all that share it, as its bundle is."""
    with database.write() as connection:
        insert(connection, record, definition, wish, bundle)


def insert(
    connection: sqlite3.Connection,
    record: ExecutionRecord,
    definition: bytes,
    wish: Wish,
    bundle: bytes = b"",
) -> None:
    """The rows of an execution, within a transaction. Raises InvalidInput (NameTaken)."""
    if record.digest != digest_of(definition):
        raise Bug(
            f"the definition of {record.name} has digest {digest_of(definition)}; expected {record.digest}"
        )
    if connection.execute("SELECT 1 FROM executions WHERE name = ?", (record.name,)).fetchone():
        raise InvalidInput(
            f"an execution named {record.name} exists already; expected another name", "NameTaken"
        )
    if bundle:
        _pin(connection, record.bundle, bundle)
    _pin(connection, record.digest, definition)
    parent = record.parent
    connection.execute(
        "INSERT INTO executions (uid, name, workflow, created_at, digest, record, parent, root, bundle)"
        " VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, ?)",
        (
            record.uid,
            record.name,
            record.workflow,
            record.created_at,
            record.digest,
            _encode(record),
            parent.uid if parent is not None else None,
            parent.root if parent is not None else None,
            record.bundle or None,
        ),
    )
    connection.execute("INSERT INTO wishes VALUES (?, 1, CAST(? AS TEXT))", (record.uid, _encode(wish)))


def _pin(connection: sqlite3.Connection, digest: str, form: bytes) -> None:
    connection.execute("INSERT OR IGNORE INTO definitions VALUES (?, CAST(? AS TEXT))", (digest, form))


def get(database: Database, name: str) -> ExecutionRecord:
    """The execution of a name. Raises NotFound with the nearest name."""
    row = database.row("SELECT CAST(record AS BLOB) FROM executions WHERE name = ?", name)
    if row is None:
        raise _not_found(database, name)
    return record_of(database, name, row[0])


def record_of(database: Database, what: str, form: bytes) -> ExecutionRecord:
    """The record of a stored form; `what` it is of, should it be damaged."""
    return _decoded(database, f"the record of {what}", _record, form)


def name_of(database: Database, uid: str) -> str | None:
    """The name of an execution, None for an unknown uid."""
    row = database.row("SELECT name FROM executions WHERE uid = ?", uid)
    return str(row[0]) if row else None


def listed(database: Database) -> list[ExecutionRow]:
    """All executions, the newest last."""
    rows = database.rows(
        "SELECT e.uid, e.name, e.workflow, e.created_at, l.phase, l.started_at, l.finished_at, l.last_seq,"
        " p.name, CAST(s.status AS BLOB) FROM executions e LEFT JOIN logs l ON l.uid = e.uid"
        " LEFT JOIN executions p ON p.uid = e.parent LEFT JOIN statuses s ON s.uid = e.uid"
        " ORDER BY e.created_at, e.rowid"
    )
    return [
        ExecutionRow(
            uid=uid,
            name=name,
            workflow=workflow,
            phase=phase or PENDING,
            created_at=created,
            started_at=started,
            finished_at=finished,
            last_seq=last or 0,
            parent=parent or "",
            status=_status(status),
        )
        for uid, name, workflow, created, phase, started, finished, last, parent, status in rows
    ]


def definition(database: Database, digest: str) -> dict[str, Any]:
    """The definition of a digest as plain JSON. Raises NotFound, LogDamaged."""
    spec: dict[str, Any] = msgspec.json.decode(definition_form(database, digest))
    return spec


def definition_form(database: Database, digest: str) -> bytes:
    """The canonical form of a definition. Raises NotFound, LogDamaged if it is not what it was when it was pinned."""
    row = database.row("SELECT CAST(spec AS BLOB) FROM definitions WHERE digest = ?", digest)
    if row is None:
        raise NotFound(
            f"the store {database.path} has no definition {digest}; expected one that an execution is pinned to"
        )
    if digest_of(row[0]) != digest:
        raise LogDamaged(f"the definition was changed: its digest is {digest_of(row[0])}, expected {digest}")
    return bytes(row[0])


def digest_of(form: bytes) -> str:
    """The digest of a canonical form."""
    return "sha256:" + hashlib.sha256(form).hexdigest()


def wish(database: Database, uid: str) -> tuple[int, Wish]:
    """What is wished for now, and a number that grows with each change."""
    row = database.row("SELECT version, CAST(wish AS BLOB) FROM wishes WHERE uid = ?", uid)
    if row is None:
        raise NotFound(f"the store {database.path} has no execution with uid {uid}")
    return row[0], _decoded(database, f"the wish of {uid}", _wish, row[1])


def set_wish(database: Database, name: str, changes: WishChanges, *, redrive: int = 0) -> Wish:
    """Change what is wished for; `redrive` is added to what stands there."""
    with database.write() as connection:
        row = connection.execute(
            "SELECT w.uid, CAST(w.wish AS BLOB) FROM wishes w JOIN executions e ON e.uid = w.uid WHERE e.name = ?",
            (name,),
        ).fetchone()
        if row is None:
            raise _not_found(database, name)
        before = _decoded(database, f"the wish of {name}", _wish, row[1])
        after = msgspec.structs.replace(before, **changes, redrive=before.redrive + redrive)
        if after != before:
            connection.execute(
                "UPDATE wishes SET version = version + 1, wish = CAST(? AS TEXT) WHERE uid = ?",
                (_encode(after), row[0]),
            )
    return after


def publish(database: Database, uid: str, status: dict[str, Any]) -> None:
    """Keep a status in place of the one before."""
    form = _encode(status)
    with database.write() as connection:
        connection.execute(
            "INSERT INTO statuses VALUES (?, CAST(? AS TEXT)) ON CONFLICT (uid) DO UPDATE SET status = excluded.status",
            (uid, form),
        )


def status(database: Database, uid: str) -> dict[str, Any] | None:
    """The last status published; one that is damaged counts as none."""
    row = database.row("SELECT CAST(status AS BLOB) FROM statuses WHERE uid = ?", uid)
    return (_status(row[0]) or None) if row else None


def delete(database: Database, records: Sequence[ExecutionRecord]) -> None:
    """Remove executions that have ended, or never began, with everything in the store that is only theirs: all or none."""
    with database.write() as connection:
        for record in records:
            phase = _phase(connection, record.uid)
            if phase and phase not in ENDED:
                raise InvalidInput(
                    f"execution {record.name} is {phase}; expected one that has ended, cancel it first",
                    "NotEnded",
                )
        for record in records:
            for statement in _DELETE:
                connection.execute(statement, (record.uid,))
        for pinned in dict.fromkeys(one for record in records for one in (record.digest, record.bundle)):
            connection.execute(_UNPIN, (pinned, pinned, pinned))


_UNPIN = (
    "DELETE FROM definitions WHERE digest = ?"
    " AND NOT EXISTS (SELECT 1 FROM executions WHERE digest = ?)"
    " AND NOT EXISTS (SELECT 1 FROM executions WHERE bundle = ?)"
)
_DELETE = (
    "DELETE FROM events WHERE uid = ?",
    "DELETE FROM segments WHERE uid = ?",
    "DELETE FROM blobs WHERE uid = ?",
    "DELETE FROM logs WHERE uid = ?",
    "DELETE FROM checkpoints WHERE uid = ?",
    "DELETE FROM wishes WHERE uid = ?",
    "DELETE FROM statuses WHERE uid = ?",
    "DELETE FROM executions WHERE uid = ?",
)


def _phase(connection: sqlite3.Connection, uid: str) -> str:
    row = connection.execute("SELECT phase FROM logs WHERE uid = ?", (uid,)).fetchone()
    return str(row[0]) if row else ""


def _decoded(database: Database, what: str, decode: Callable[[bytes], T], form: bytes) -> T:
    try:
        return decode(form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"the store {database.path} is damaged ({what}: {error}); restore it from a copy, or move it away to begin anew"
        ) from error


def _status(form: bytes | None) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(form) if form else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}  # a cache: the next one published puts it right
    return found if isinstance(found, dict) else {}


def _not_found(database: Database, name: str) -> NotFound:
    names = [row[0] for row in database.rows("SELECT name FROM executions")]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; see `fairlead list --local`"
    return NotFound(f"no execution is named {name} in the store {database.path}{hint}")
