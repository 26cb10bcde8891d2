"""Files that are no store, no whole one, or not at the place any more: refused in one sentence and left as they are."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.stores import (
    DEFINITION,
    a_run,
    record,
    tamper,
    with_execution,
)

from fairlead.local.store import Store
from fairlead.local.store.schema import VERSION
from fairlead.model.errors import Unavailable
from fairlead.runtime.ports import EventLog


def append(log: EventLog, after: int, count: int = 1, uid: str = "uid-demo") -> None:
    asyncio.run(log.append(uid, after, a_run(count, after)))


def length(log: EventLog) -> int:
    return len(asyncio.run(log.read("uid-demo")))


def use(path: Path) -> None:
    """What any command would do with a store."""
    with Store(path) as store:
        length(store)
        store.list()
        append(store, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one execution and three events, closed."""
    with with_execution(tmp_path / "store.db") as store:
        append(store, 0, 3)
    return store.path


# --------------------------------------------------------------------------------------------------------------- damaged
def test_a_file_that_is_no_database_is_refused(tmp_path):
    """Any other file is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 1000)
    with pytest.raises(Unavailable) as caught:
        Store(path)

    assert (
        f"{path} is no Fairlead store (file is not a database); expected a file that `fairlead run` made, see --store"
    ) == str(caught.value)
    assert "my notes\n" * 1000 == path.read_text()


@pytest.mark.parametrize(
    "marks",
    [(), ("PRAGMA user_version = 1",), ("PRAGMA application_id = 7",)],
    ids=["unmarked", "a version", "an id"],
)
def test_a_database_of_another_program_is_refused(tmp_path, marks):
    """An SQLite file that somebody else made gets no tables of ours."""
    path = tmp_path / "other.db"
    tamper(path, "CREATE TABLE mine (x)", *marks)
    with pytest.raises(
        Unavailable,
        match=r"other\.db is an SQLite file of another program \(application id [07], expected \d+\)",
    ):
        Store(path)

    with closing(sqlite3.connect(path)) as connection:
        assert [("mine",)] == connection.execute("SELECT name FROM sqlite_master").fetchall()


def test_a_store_of_a_newer_release_is_refused(path):
    """An older release neither reads nor changes what it does not know."""
    tamper(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(Unavailable) as caught:
        Store(path)

    assert (
        f"the store {path} was written by a newer Fairlead (schema version {VERSION + 1}); "
        f"expected at most {VERSION}: use that release, or another --store"
    ) == str(caught.value)


@pytest.mark.parametrize(
    "begin, end", [(0, 100), (100, 4096), (4096, None)], ids=["header", "first page", "the rest"]
)
def test_overwritten_pages_are_damage(path, begin, end):
    """Whatever part of the file was overwritten: one sentence, and no traceback of SQLite."""
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xa5" * ((end or path.stat().st_size) - begin))

    with pytest.raises(Unavailable, match=f"^(the store )?{path} (is damaged|is no Fairlead store) "):
        use(path)


def test_a_truncated_file_is_damage(path):
    """A copy that was cut off, a disk that lost its end."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)

    with pytest.raises(Unavailable) as caught:
        use(path)

    assert str(caught.value).startswith(f"the store {path} is damaged (")
    assert str(caught.value).endswith("; restore it from a copy, or move it away to begin anew")


def test_an_empty_file_becomes_a_store(tmp_path):
    """What `touch` or a crash in the very first moment leaves is no damage."""
    path = tmp_path / "store.db"
    path.touch()
    with Store(path) as store:
        store.create(record(), DEFINITION)
        assert "demo" == store.get("demo").name


# ----------------------------------------------------------------------------------------------------------------- paths
def test_a_folder_is_no_store(tmp_path):
    """--store names a file."""
    with pytest.raises(
        Unavailable, match=r"^the store .* is a folder; expected the path of a file, see --store$"
    ):
        Store(tmp_path)


def test_a_file_is_no_folder(path):
    """A path that leads through a file cannot be made."""
    with pytest.raises(Unavailable, match=r"cannot be reached \(.*(File exists|Not a directory)\)"):
        Store(path / "store.db")


def test_a_store_is_made_only_where_that_is_meant(tmp_path):
    """Commands that only look do not leave an empty store behind."""
    path = tmp_path / "nowhere" / "store.db"
    with pytest.raises(Unavailable) as caught:
        Store(path, create=False)

    assert f"there is no store {path}; expected a file that `fairlead run` made, see --store" == str(
        caught.value
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["ü ö.db", "a?b#c%20.db", "x&mode=ro.db", "'\"; DROP.db", "-.db"])
def test_any_file_name_will_do(tmp_path, name):
    """Nothing in a path is taken for something else."""
    with with_execution(tmp_path / name) as store:
        append(store, 0, 2)
        with store.own("uid-demo"):
            pass

    assert {name, f"{name}.d"} == {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_a_store_that_is_taken_away_takes_no_more_writes(path, replaced):
    """SQLite would go on writing into the file that nobody finds any more."""
    with Store(path) as store:
        append(store, 3)
        for file in path.parent.glob("store.db*"):
            file.unlink() if file.is_file() else None
        if replaced:
            with_execution(path).close()

        with pytest.raises(
            Unavailable, match=r"was removed or replaced while in use and nothing was written"
        ):
            append(store, 4)
