"""Old events of a log are packed as it grows: readers see no difference, damage is named, old stores go on."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import DEFINITION, a_run, first_bad, program, record, tamper

from fairlead.local.store import Store, schema
from fairlead.local.store.segments import EVENTS, KEPT
from fairlead.model.errors import LogDamaged

LONG = 3 * EVENTS + KEPT + 17


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the log `u` of three segments and some rows, and another of the same events that stays short of packing."""
    path = tmp_path_factory.mktemp("packed") / "store.db"
    with Store(path) as store:
        grow(store, "u", LONG)
        grow(store, "short", EVENTS)
    return path


@pytest.fixture
def store(packed: Path, tmp_path: Path):
    """A copy of it."""
    path = tmp_path / "store.db"
    path.write_bytes(packed.read_bytes())
    with Store(path) as opened:
        yield opened


def grow(store: Store, uid: str, to: int, step: int = 37) -> None:
    events = a_run(to)
    for start in range(0, to, step):
        asyncio.run(store.append(uid, start, events[start : start + step]))


def rows(path: Path, question: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def test_a_log_is_packed_as_it_grows_and_the_newest_events_stay_rows(store):
    """Three segments of a thousand, the rest as rows; a short log has none."""
    segments = rows(store.path, "SELECT uid, first, last FROM segments ORDER BY first")

    assert [("u", 1, 1_000), ("u", 1_001, 2_000), ("u", 2_001, 3_000)] == segments
    assert [(3_001, LONG)] == rows(store.path, "SELECT min(seq), max(seq) FROM events WHERE uid = 'u'")
    size = rows(store.path, "SELECT sum(length(data)) FROM segments")[0][0]
    assert size < 3 * EVENTS * 10


@pytest.mark.parametrize("after", [0, 1, 999, 1_000, 1_001, 2_500, 3_000, 3_001, LONG - 1, LONG, LONG + 5])
def test_reading_from_anywhere_gives_every_event_once(store, after):
    """Within a segment, at its edges, in the rows and beyond the end."""
    assert a_run(LONG)[after:] == asyncio.run(store.read("u", after))
    assert store.damage("u") is None


def test_a_checkpoint_of_a_packed_event_still_counts(store):
    """Its seal is over the hash of the chain there, which follows from the segment."""
    asyncio.run(store.save("u", 1_500, b"state"))

    assert (1_500, b"state") == asyncio.run(store.latest("u"))
    tamper(store.path, "UPDATE segments SET data = x'00' WHERE uid = 'u' AND first = 1001")
    assert asyncio.run(store.latest("u")) is None


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("UPDATE segments SET data = x'0102' WHERE first = 1001", 1_001),
        ("UPDATE segments SET data = (SELECT data FROM segments WHERE first = 1) WHERE first = 2001", 2_001),
        ("UPDATE segments SET chain = zeroblob(16) WHERE first = 1001", 1_001),
        ("DELETE FROM segments WHERE first = 1001", 1_001),
        ("DELETE FROM segments WHERE first = 1", 1_000),
        ("DELETE FROM segments", 1),
        ("DELETE FROM segments WHERE first = 2001", 2_001),
    ],
    ids=[
        "unreadable",
        "another's",
        "its hash",
        "middle removed",
        "first removed",
        "all removed",
        "last removed",
    ],
)
def test_damage_to_a_segment_is_named(store, change, seq):
    """The first event of what cannot be trusted."""
    tamper(store.path, change)

    with pytest.raises(LogDamaged) as caught:
        asyncio.run(store.read("u"))

    assert (seq, seq) == (caught.value.seq, first_bad(store, "u"))


def test_a_damaged_row_is_not_packed_away(tmp_path):
    """A gap stays where it is: the log grows on and the gap is what a reader is told of."""
    with Store(tmp_path / "store.db") as store:
        grow(store, "u", EVENTS + 500, 100)
        tamper(store.path, "DELETE FROM events WHERE uid = 'u' AND seq = 7")
        events = a_run(2 * EVENTS + 500)
        asyncio.run(store.append("u", EVENTS + 500, events[EVENTS + 500 :]))

        assert [(0,)] == rows(store.path, "SELECT count(*) FROM segments")
        assert 7 == first_bad(store, "u")


def test_a_store_of_the_release_before_goes_on(tmp_path):
    """Its long log has rows alone; the next appends pack it."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        grow(store, "u", EVENTS + KEPT - 10)
    for statement in (
        "DROP TABLE segments",
        "DROP TABLE blobs",
        f"PRAGMA user_version = {schema.VERSION - 1}",
    ):
        tamper(path, statement)

    with Store(path) as store:
        assert a_run(EVENTS + KEPT - 10) == asyncio.run(store.read("u"))
        events = a_run(EVENTS + KEPT + 10)
        asyncio.run(store.append("u", EVENTS + KEPT - 10, events[EVENTS + KEPT - 10 :]))
        assert events == asyncio.run(store.read("u"))

    assert [(1,)] == rows(path, "SELECT count(*) FROM segments")
    assert [(schema.VERSION,)] == rows(path, "PRAGMA user_version")


def test_deleting_an_execution_takes_its_segments_and_values_along(tmp_path):
    """Nothing of it stays in the file."""
    with Store(tmp_path / "store.db") as store:
        store.create(record("demo", uid="u"), DEFINITION)
        grow(store, "u", EVENTS + KEPT, 500)
        asyncio.run(store.keep("u", {"sha256:1": b"value"}))
        store.delete("demo")

    for table in ("events", "segments", "blobs"):
        assert [(0,)] == rows(tmp_path / "store.db", f"SELECT count(*) FROM {table}")


WRITER = """
events = [completed(seq) for seq in range(1, 6001)]
with Store(path) as store:
    say("begun")
    for start in range(0, 6000, 50):
        append(store, "shared", start, events[start:start + 50])
    say("done")
"""


def test_readers_in_other_processes_see_no_gap_and_no_double_while_a_log_is_packed(tmp_path):
    """Whatever they read, at any moment, is the beginning of the log; a writer killed at any moment leaves such a log too."""
    path = tmp_path / "store.db"
    whole = a_run(6_000)
    lengths: list[int] = []
    with Store(path) as store, program(path, WRITER) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        while not lengths or lengths[-1] < 4_500:
            found = asyncio.run(store.read("shared"))
            assert whole[: len(found)] == found
            lengths.append(len(found))
        writer.kill()
        writer.wait()
        found = asyncio.run(store.read("shared"))
        assert whole[: len(found)] == found
        assert store.damage("shared") is None
        assert len(found) >= lengths[-1]
    assert lengths == sorted(lengths)
