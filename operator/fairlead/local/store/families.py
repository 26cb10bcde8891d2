"""Executions that came from others: trees in the store.

A tree has a root, which is the execution that a person started; `parent` and `root` of its row are uids. One process runs a tree:
the root's lock is that of all. What an execution may start (its *bundle*) is pinned with it, as its definition is, and kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from fairlead.local.store import executions
from fairlead.local.store.database import Database
from fairlead.local.store.logs import ENDED
from fairlead.local.store.records import EndedRun, ExecutionRecord
from fairlead.model.commands import Wish
from fairlead.model.errors import NotFound
from fairlead.model.state import PENDING

_BELOW = """
WITH RECURSIVE below(uid) AS (
  SELECT uid FROM executions WHERE parent = ?
  UNION SELECT e.uid FROM executions e JOIN below b ON e.parent = b.uid)
SELECT CAST(e.record AS BLOB), coalesce(l.phase, '') FROM below b JOIN executions e ON e.uid = b.uid
LEFT JOIN logs l ON l.uid = e.uid ORDER BY e.created_at, e.rowid
"""


def root_of(database: Database, uid: str) -> str:
    """The uid of the execution that a tree began with; that of an unknown one is its own."""
    row = database.row("SELECT root FROM executions WHERE uid = ?", uid)
    return str(row[0]) if row and row[0] else uid


def by_uid(database: Database, uid: str) -> ExecutionRecord:
    """The record of a uid. Raises NotFound."""
    name = executions.name_of(database, uid)
    if name is None:
        raise NotFound(f"the store {database.path} has no execution with uid {uid}")
    return executions.get(database, name)


def find(database: Database, name: str) -> ExecutionRecord | None:
    """The record of a name, None if there is none."""
    row = database.row("SELECT 1 FROM executions WHERE name = ?", name)
    return executions.get(database, name) if row else None


def below(database: Database, uid: str) -> list[tuple[ExecutionRecord, bool]]:
    """All that came from an execution, the oldest first, each with whether it has ended."""
    found = []
    for form, phase in database.rows(_BELOW, uid):
        record = executions.record_of(database, uid, form)
        found.append((record, phase in ENDED))
    return found


def tree_size(database: Database, root: str) -> int:
    """How many executions a tree has, the first one included."""
    row = database.row("SELECT count(*) FROM executions WHERE root = ?", root)
    return 1 + (int(row[0]) if row else 0)


def roots_of(database: Database, names: Collection[str]) -> set[str]:
    """The uids of the executions that the trees of some executions began with; unknown names are passed over."""
    found = set()
    for name in names:
        row = database.row("SELECT coalesce(root, uid) FROM executions WHERE name = ?", name)
        if row is not None:
            found.add(str(row[0]))
    return found


_ENDED = """
SELECT e.name, e.digest, l.phase, max(l.finished_at, e.created_at), coalesce(e.root, e.uid)
FROM logs l JOIN executions e ON e.uid = l.uid
WHERE l.finished_at IS NOT NULL
AND (e.parent IS NULL OR CASE WHEN json_valid(e.record) THEN json_extract(e.record, '$.parent.wait') END = 0)
ORDER BY l.finished_at
"""


def ended_runs(database: Database) -> list[EndedRun]:
    """Executions that have ended and that no other one has waited for, the longest ago first."""
    return [EndedRun(*row) for row in database.rows(_ENDED)]


def children_by_phase(database: Database, uid: str) -> dict[str, int]:
    """How many executions the nodes of one have started, by phase."""
    rows = database.rows(
        "SELECT coalesce(l.phase, ?), count(*) FROM executions e LEFT JOIN logs l ON l.uid = e.uid"
        " WHERE e.parent = ? GROUP BY 1 ORDER BY 1",
        PENDING,
        uid,
    )
    return dict(rows)


def change_wish(database: Database, uid: str, change: Callable[[Wish], Wish]) -> None:
    """Change what is wished for by a function, in one transaction; nothing is written if nothing changes."""
    before = executions.wish(database, uid)[1]
    if change(before) == before:
        return
    with database.write() as connection:
        row = connection.execute("SELECT CAST(wish AS BLOB) FROM wishes WHERE uid = ?", (uid,)).fetchone()
        after = change(msgspec.json.decode(row[0], type=Wish))
        connection.execute(
            "UPDATE wishes SET version = version + 1, wish = CAST(? AS TEXT) WHERE uid = ?",
            (msgspec.json.encode(after), uid),
        )
