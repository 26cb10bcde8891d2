"""A store that cannot be reached, read or written: one sentence with the path and what to do, and nothing half-written.

The conditions are real: rights of files for a process without root's, a file system mounted small or read-only, a lock held by
another process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.stores import (
    DEFINITION,
    NO_RIGHTS,
    a_run,
    first_bad,
    line_of,
    program,
    said,
    tell,
    with_execution,
)

from fairlead.local.store import Store
from fairlead.model.errors import Unavailable
from fairlead.runtime.ports import EventLog

WRITABLE = "expected a file and a folder that this user may write, see --store and FAIRLEAD_STORE"
NO_ROOT = NO_RIGHTS if os.geteuid() == 0 else []
WRITES = """
try:
    with Store(path) as store:
        say(len(store.list()), len(read(store, "uid-demo")))
        append(store, "uid-demo", 3, [completed(4)])
except FairleadError as error:
    say(type(error).__name__, error)
"""


def append(log: EventLog, after: int, count: int = 1, uid: str = "uid-demo") -> None:
    asyncio.run(log.append(uid, after, a_run(count, after)))


def length(log: EventLog) -> int:
    return len(asyncio.run(log.read("uid-demo")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one execution and three events, closed."""
    with with_execution(tmp_path / "store.db") as store:
        append(store, 0, 3)
    return store.path


# ------------------------------------------------------------------------------------------------------------- read-only
def test_a_read_only_file_can_be_read_and_not_written(path):
    """Without the right to write the file, lists and logs still work; a write says why not."""
    path.chmod(0o400)

    answers = said(path, WRITES, prefix=NO_ROOT)

    assert [
        "1 3",
        f"Unavailable the store {path} is read-only and nothing was written; {WRITABLE}",
    ] == answers


def test_a_read_only_folder_can_be_read_and_not_written(path):
    """SQLite needs two files beside the store even to read; without the right to make them we read it as it is."""
    path.parent.chmod(0o500)
    try:
        answers = said(path, WRITES, prefix=NO_ROOT)
    finally:
        path.parent.chmod(0o700)

    assert [
        "1 3",
        f"Unavailable the store {path} is read-only and nothing was written; {WRITABLE}",
    ] == answers


def test_a_read_only_file_system_can_be_read_and_not_written(tmp_path):
    """The same on a medium that nobody can write."""
    path = tmp_path / "store.db"
    answers = said(
        path,
        "with Store(path) as store:\n  store.create(record(), b'{}' and sys.argv[2].encode())\n"
        "  append(store, 'uid-demo', 0, [completed(n) for n in (1, 2, 3)])\n"
        "import subprocess; subprocess.run(['mount', '-o', 'remount,bind,ro', path.parent], check=True)\n"
        + WRITES,
        DEFINITION.decode(),
        prefix=_mounted(tmp_path, "size=1m"),
    )

    assert [
        "1 3",
        f"Unavailable the store {path} is read-only and nothing was written; {WRITABLE}",
    ] == answers


def test_what_a_killed_run_left_needs_a_folder_that_may_be_written(path):
    """Commits that are still in the WAL are not passed over in silence: without the right to read them nothing is shown."""
    leaves = "store = Store(path); append(store, 'uid-demo', 3, [completed(4)]); os.kill(os.getpid(), 9)"
    with program(path, leaves) as killed:
        killed.wait()
    path.with_name("store.db-shm").unlink()
    path.parent.chmod(0o500)
    try:
        [answer] = said(path, WRITES, prefix=NO_ROOT)
    finally:
        path.parent.chmod(0o700)

    assert (
        f"Unavailable the store {path} cannot be opened (unable to open database file); {WRITABLE}" == answer
    )
    with Store(path) as store:
        assert 4 == length(store)


def test_a_file_that_may_not_be_read_is_refused(path):
    """Without any right there is nothing to show."""
    path.chmod(0o000)
    [answer] = said(path, WRITES, prefix=NO_ROOT)

    assert (
        f"Unavailable the store {path} cannot be opened (unable to open database file); {WRITABLE}" == answer
    )


def test_a_folder_in_which_nothing_may_be_made_is_refused(tmp_path):
    """The first run of somebody whose state folder belongs to another user."""
    (tmp_path / "closed").mkdir(mode=0o500)
    path = tmp_path / "closed" / "fairlead" / "store.db"
    [answer] = said(path, WRITES, prefix=NO_ROOT)

    assert (
        f"Unavailable the store {path} cannot be reached ({path.parent}: Permission denied); "
        "expected a file in a folder that this user may write, see --store and FAIRLEAD_STORE"
    ) == answer


def test_a_lock_needs_a_folder_that_may_be_written(path):
    """Owning an execution of a read-only store is refused like any write."""
    path.parent.chmod(0o500)
    try:
        [answer] = said(
            path,
            "try: Store(path).own('uid-demo')\nexcept FairleadError as error: say(type(error).__name__, error)",
            prefix=NO_ROOT,
        )
    finally:
        path.parent.chmod(0o700)

    assert answer.startswith(
        f"Unavailable the store {path} cannot be reached ({path}.d: Permission denied); "
    )


# ------------------------------------------------------------------------------------------------------------------ full
FILLS = """
store = Store(path)
store.create(record(), sys.argv[2].encode())
last = 0
try:
    while True:
        append(store, "uid-demo", last, [completed(last + 1, message="x" * 3000), completed(last + 2)])
        last += 2
except FairleadError as error:
    say(type(error).__name__, error)
say(last, len(read(store, "uid-demo")), first_bad(store, "uid-demo"))
for name in ("ballast", "more"): (path.parent / name).unlink()
append(store, "uid-demo", last, [completed(last + 1)])
say(len(read(store, "uid-demo")) - last, first_bad(store, "uid-demo"))
"""


@pytest.mark.parametrize("size", ["400k", "1m", "6m"])
def test_a_full_disk_takes_whole_batches_or_none(tmp_path, size):
    """On a real file system without room: what was committed is there, the next batch is not, and with room it goes on."""
    path = tmp_path / "store.db"
    ballast = "(path.parent / 'ballast').write_bytes(bytes(100_000)); (path.parent / 'more').write_bytes(bytes(60_000))"
    answers = said(path, ballast + FILLS, DEFINITION.decode(), prefix=_mounted(tmp_path, f"size={size}"))
    refused, found, afterwards = answers
    last, there, bad = found.split()

    assert (
        f"Unavailable the disk of the store {path} is full and nothing was written; free some space, then try again"
        == refused
    )
    assert int(last) > 0
    assert (last, "None") == (there, bad)
    assert "1 None" == afterwards


@pytest.mark.parametrize("end", ["store.close()", "os.kill(os.getpid(), 9)"], ids=["closed", "killed"])
def test_a_store_on_a_full_disk_is_read_and_not_written(tmp_path, end):
    """Not even the index of the WAL finds room then; what is in the WAL of a killed process is read all the same."""
    path = tmp_path / "store.db"
    opens = f"""
if not os.fork():
    store = Store(path)
    store.create(record(), sys.argv[2].encode())
    append(store, "uid-demo", 0, [created(), completed(2)])
    {end}
    os._exit(0)
os.wait()
path.with_name("store.db-shm").unlink(missing_ok=True)
ballast = path.parent / "ballast"
file = os.open(ballast, os.O_CREAT | os.O_WRONLY)
try:
    while True: os.write(file, bytes(4096))
except OSError: say("filled")
os.close(file)
with Store(path) as store:
    say(store.list()[0].name, len(read(store, "uid-demo")), first_bad(store, "uid-demo"))
    try: store.create(record("other"), sys.argv[2].encode())
    except FairleadError as error: say(type(error).__name__, error)
ballast.unlink()
with Store(path) as store:
    append(store, "uid-demo", 2, [completed(3)])
    say(len(read(store, "uid-demo")))
"""
    answers = said(path, opens, DEFINITION.decode(), prefix=_mounted(tmp_path, "size=300k"))

    told = f"Unavailable the disk of the store {path} is full and nothing was written; free some space, then try again"
    assert ["filled", "demo 2 None", told, "3"] == answers


def test_a_store_that_may_not_grow_is_full(path):
    """The same without a mount: SQLite is told how many pages there may be."""
    with Store(path) as store:
        [(pages,)] = store._database.rows("PRAGMA page_count")
        store._database.rows(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(
            Unavailable, match=r"the disk of the store .* is full and nothing was written; free some space"
        ):
            append(store, 3, 1000)
        assert 3 == length(store)

        store._database.rows("PRAGMA max_page_count = 1000000")
        append(store, 3, 1000)
        assert (1003, None) == (length(store), first_bad(store, "uid-demo"))


# ---------------------------------------------------------------------------------------------------------------- locked
LOCKS = """
import sqlite3
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
say("locked")
sys.stdin.readline()
connection.execute("COMMIT")
say("free")
sys.stdin.readline()
"""


def test_a_foreign_lock_is_waited_for_and_then_told(path):
    """Readers go on, a writer gives up after its patience, 5 s unless a test has less, and works again once the lock is gone."""
    with program(path, LOCKS) as foreign, Store(path, patience=0.3) as store:
        assert "locked" == line_of(foreign)
        assert 3 == length(store)

        with pytest.raises(Unavailable) as caught:
            append(store, 3)
        with pytest.raises(Unavailable, match=r"locked by another program for over 0\.3 s"):
            store.set_wish("demo", suspend=True)

        tell(foreign)
        assert "free" == line_of(foreign)
        append(store, 3)
        assert (4, False) == (length(store), store.wish("uid-demo").suspend)

    assert (
        f"the store {path} has been locked by another program for over 0.3 s; wait for that program or end it, then try again"
    ) == str(caught.value)


def test_the_usual_patience_is_five_seconds(path):
    """A lock held for a moment is no error; one that stays is told as 5 s."""
    with program(path, LOCKS) as foreign, Store(path) as store:
        assert "locked" == line_of(foreign)
        with pytest.raises(Unavailable, match="locked by another program for over 5 s"):
            append(store, 3)


def test_a_lock_that_goes_in_time_is_not_noticed(path):
    """A writer waits for as long as it must and then goes on."""
    waits = "with Store(path) as store:\n  say('there'); append(store, 'uid-demo', 3, [completed(4)]); say('written')"
    with program(path, LOCKS) as foreign:
        assert "locked" == line_of(foreign)
        with program(path, waits) as writer:
            assert "there" == line_of(writer)
            tell(foreign)

            assert "written" == line_of(writer)


def test_a_lock_in_the_way_of_the_very_first_opening(tmp_path):
    """Also a store that does not exist yet may be held by somebody."""
    path = tmp_path / "store.db"
    with program(path, LOCKS) as foreign:
        assert "locked" == line_of(foreign)
        with pytest.raises(Unavailable, match=r"locked by another program for over 0\.2 s"):
            Store(path, patience=0.2)
        tell(foreign)
        assert "free" == line_of(foreign)
        with Store(path) as store:
            assert [] == store.list()


def _mounted(folder: Path, options: str) -> list[str]:
    """What to put before a program so that it sees an empty file system of its own on the folder."""
    spaces = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    prefix = [*spaces, "sh", "-c", f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"', str(folder)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine does not let us mount a file system (unshare and mount)")
    return prefix
