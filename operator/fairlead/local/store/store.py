"""The store of a laptop as one object: EventLog, Checkpoints, Blobs and StatusSink, its Cache, and what commands need besides.

Its async methods do their short synchronous work inline: a step is one transaction, and waiting in threads would cost more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from fairlead.local.store import blobs as large_values
from fairlead.local.store import checkpoints, executions, families, logs, ownership
from fairlead.local.store.cache import ResultCache
from fairlead.local.store.database import PATIENCE, Database
from fairlead.local.store.failures import explained
from fairlead.local.store.locations import folder_of
from fairlead.local.store.ownership import Ownership
from fairlead.local.store.records import EndedRun, ExecutionRecord, ExecutionRow, WishChanges
from fairlead.model.commands import Wish
from fairlead.model.errors import Bug, InvalidInput, LogDamaged, NotFound
from fairlead.model.events import Event


class Store:
    """A connection to the store at `path`, which is made if it is not there and `create` says so.

    It belongs to the thread that opened it; `patience` is how many seconds a foreign lock is waited for. All methods raise
    Unavailable when the file cannot be reached, read or written; after that the object goes on to work if the file does.
    """

    def __init__(self, path: str | Path, *, create: bool = True, patience: float = PATIENCE) -> None:
        self.path = Path(path)
        self.folder = folder_of(self.path.resolve())
        self._database = Database(self.path, create=create, patience=patience)
        self.cache = ResultCache(self._database)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the ports ---

    async def append(self, uid: str, after: int, events: Sequence[Event]) -> None:
        """EventLog: commit events `after + 1 …` all together, or none. Raises Conflict."""
        logs.append(self._database, uid, after, events)

    async def read(self, uid: str, after: int = 0) -> list[Event]:
        """EventLog: the events after a sequence number, empty for an unknown uid. Raises LogDamaged."""
        return logs.read(self._database, uid, after)

    async def save(self, uid: str, seq: int, state: bytes) -> None:
        """Checkpoints: keep a state as it was at `seq`."""
        checkpoints.save(self._database, uid, seq, state)

    async def latest(self, uid: str) -> tuple[int, bytes] | None:
        """Checkpoints: the newest state kept."""
        return checkpoints.latest(self._database, uid)

    async def keep(self, uid: str, blobs: Mapping[str, bytes]) -> None:
        """Blobs: keep large values by the digests of their bytes."""
        large_values.keep(self._database, uid, blobs)

    async def fetch(self, uid: str, digests: Collection[str]) -> dict[str, bytes]:
        """Blobs: those that there are."""
        return large_values.fetch(self._database, uid, digests)

    async def publish(self, uid: str, status: dict[str, Any]) -> None:
        """StatusSink: show a status to those who look."""
        executions.publish(self._database, uid, status)

    # --- executions ---

    def create(
        self,
        record: ExecutionRecord,
        definition: bytes,
        wish: Wish = Wish(),  # noqa: B008 - frozen
        bundle: bytes = b"",
    ) -> None:
        """Take in an execution; `definition` and `bundle` are the canonical JSON that the digests of the record are of.

        Raises InvalidInput with reason NameTaken.
        """
        executions.create(self._database, record, definition, wish, bundle)

    def take_in(
        self,
        record: ExecutionRecord,
        definition: bytes,
        wish: Wish,
        events: Sequence[Event],
        values: Mapping[str, bytes],
        bundle: bytes = b"",
    ) -> None:
        """Take in an execution with its whole log and large values, all or nothing.

        Raises InvalidInput with reason NameTaken.
        """
        with self._database.write(flush=True) as connection:
            executions.insert(connection, record, definition, wish, bundle)
            large_values.put(connection, record.uid, values)
            logs.put(connection, record.uid, events)

    def get(self, name: str) -> ExecutionRecord:
        """The record of an execution. Raises NotFound with the nearest known name."""
        return executions.get(self._database, name)

    def list(self) -> list[ExecutionRow]:
        """All executions, the newest last."""
        return executions.listed(self._database)

    def definition(self, digest: str) -> dict[str, Any]:
        """The definition of a digest as plain JSON."""
        return executions.definition(self._database, digest)

    def definition_form(self, digest: str) -> bytes:
        """The canonical form of a definition, or of a bundle of them."""
        return executions.definition_form(self._database, digest)

    def status(self, uid: str) -> dict[str, Any] | None:
        """The last status published."""
        return executions.status(self._database, uid)

    def delete(self, name: str) -> None:
        """Remove an execution that has ended, and those that its nodes waited for: records, logs, checkpoints and files.

        Raises NotFound, InvalidInput if one has not ended or a live process owns it.
        """
        record = self.get(name)
        with self.own(record.uid):
            records = [record, *self._waited_for(record.uid)]
            executions.delete(self._database, records)
            for folder in [folder for gone in records for folder in self.folders(gone.uid)]:
                shutil.rmtree(folder, ignore_errors=True)

    def _waited_for(self, uid: str) -> Sequence[ExecutionRecord]:
        """Those below an execution that one above them waited for, and so on up to it."""
        started: dict[str, list[ExecutionRecord]] = {}
        for record, _ in families.below(self._database, uid):
            if record.parent is not None and record.parent.wait:
                started.setdefault(record.parent.uid, []).append(record)
        found = started.get(uid, [])
        for record in found:  # which grows meanwhile
            found += started.get(record.uid, ())
        return found

    def folders(self, uid: str) -> tuple[Path, ...]:
        """Where the runner keeps the files of an execution, such as what its nodes printed."""
        name = self._file(uid).name
        return tuple(self.folder / kind / name for kind in ("logs", "scratch", "containers"))

    def _file(self, uid: str) -> Path:
        if not uid or uid.startswith(".") or "/" in uid:
            raise Bug(f"the uid {uid!r} cannot name a folder; expected letters, digits and dashes")
        return self.folder / uid

    # --- trees ---

    def by_uid(self, uid: str) -> ExecutionRecord:
        """The record of a uid. Raises NotFound."""
        return families.by_uid(self._database, uid)

    def find(self, name: str) -> ExecutionRecord | None:
        """The record of a name, None if there is none."""
        return families.find(self._database, name)

    def below(self, uid: str) -> Sequence[tuple[ExecutionRecord, bool]]:
        """All that came from an execution, the oldest first, each with whether it has ended."""
        return families.below(self._database, uid)

    def tree_size(self, root: str) -> int:
        """How many executions a tree has, the first one included."""
        return families.tree_size(self._database, root)

    def children_by_phase(self, uid: str) -> dict[str, int]:
        """How many executions the nodes of one have started, by phase."""
        return families.children_by_phase(self._database, uid)

    def roots_of(self, names: Collection[str]) -> set[str]:
        """The uids of the executions that the trees of some executions began with; unknown names are passed over."""
        return families.roots_of(self._database, names)

    def ended_runs(self) -> Sequence[EndedRun]:
        """Executions that have ended and that no other one has waited for, the longest ago first."""
        return families.ended_runs(self._database)

    def change_wish(self, uid: str, change: Callable[[Wish], Wish]) -> None:
        """Change what is wished for by a function, in one transaction."""
        families.change_wish(self._database, uid, change)

    # --- the log, as far as the port does not go ---

    def last_seq(self, uid: str) -> int:
        """The number of the last event, 0 for an unknown uid."""
        return logs.last_seq(self._database, uid)

    def damage(self, uid: str) -> LogDamaged | None:
        """What is wrong with the first bad event, as the error that `read` would raise."""
        return logs.first_bad(self._database, uid)

    def data_version(self) -> int:
        """A number that changes when another connection has changed anything: the cheapest question to poll with."""
        row = self._database.row("PRAGMA data_version")
        return int(row[0]) if row else 0

    # --- wishes ---

    def wish(self, uid: str) -> Wish:
        """What is wished for now."""
        return executions.wish(self._database, uid)[1]

    def wish_version(self, uid: str) -> int:
        """A number that grows with each change of the wish."""
        return executions.wish(self._database, uid)[0]

    def set_wish(self, name: str, **changes: Unpack[WishChanges]) -> Wish:
        """Change fields of what is wished for, in one transaction; the result. Raises NotFound."""
        return executions.set_wish(self._database, name, changes)

    def redrive(self, name: str) -> Wish:
        """Raise `redrive` by one; the result. Raises NotFound."""
        return executions.set_wish(self._database, name, {}, redrive=1)

    # --- ownership ---

    def own(self, uid: str) -> Ownership:
        """Become the one process that runs an execution and its tree, until released or this process ends.

        Raises InvalidInput naming the pid of a live process that owns it, NotFound.
        """
        with explained(self.path, self._database.patience):
            got = ownership.acquire(uid, self._lock_file(uid))
        name = executions.name_of(self._database, uid)
        if not isinstance(got, Ownership):
            who = f"process {got}" if got else "another process"
            raise InvalidInput(
                f"execution {name or uid} is owned by {who}, which is alive; expected that one to end first",
                "AlreadyOwned",
            )
        if name is None:
            got.release()
            raise NotFound(f"the store {self.path} has no execution with uid {uid}")
        return got

    def owner(self, uid: str) -> int | None:
        """The pid of the live process that runs an execution, or the tree it belongs to."""
        with explained(self.path, self._database.patience):
            return ownership.owner(self._lock_file(uid))

    def _lock_file(self, uid: str) -> Path:
        file = self._file(families.root_of(self._database, uid))
        return file.with_name(file.name + ".lock")
