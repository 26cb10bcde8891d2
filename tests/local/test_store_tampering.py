"""A log that somebody or something has changed: the first bad event is named, and what is wrong with it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.stores import a_run, completed, first_bad, tamper

from fairlead.local.store import Store
from fairlead.model.errors import LogDamaged

COUNT = 6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with the log `u` of six events, and another that nobody touches."""
    with Store(tmp_path / "store.db") as opened:
        for uid in ("u", "untouched"):
            asyncio.run(opened.append(uid, 0, a_run(COUNT)))
        yield opened


AT = "WHERE uid = 'u' AND seq"
CHANGED = "was changed: its hash is"
MISSING = "is missing; expected all of 1 to 6"
ADDED = "was added from elsewhere"
UNREADABLE = "is unreadable: "
CHANGES = [
    ("a value", f"""UPDATE events SET data = replace(data, '"n3"', '"n9"') {AT} = 3""", 3, CHANGED),
    ("a space", f"UPDATE events SET data = replace(data, ',', ', ') {AT} = 1", 1, CHANGED),
    ("the last", f"""UPDATE events SET data = replace(data, '"n6"', '"n9"') {AT} = 6""", 6, CHANGED),
    ("a hash", f"UPDATE events SET chain = zeroblob(16) {AT} = 4", 4, CHANGED),
    ("a hash of another type", f"UPDATE events SET chain = 'x' {AT} = 4", 4, CHANGED),
    ("first removed", f"DELETE FROM events {AT} = 1", 1, MISSING),
    ("one removed", f"DELETE FROM events {AT} = 3", 3, MISSING),
    ("several removed", f"DELETE FROM events {AT} IN (2, 3, 5)", 2, MISSING),
    ("last removed", f"DELETE FROM events {AT} = 6", 6, MISSING),
    ("tail removed", f"DELETE FROM events {AT} > 2", 3, MISSING),
    ("all removed", "DELETE FROM events WHERE uid = 'u'", 1, MISSING),
    ("one moved", f"UPDATE events SET seq = 9 {AT} = 5", 5, MISSING),
    (
        "two swapped",
        f"UPDATE events SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END {AT} IN (2, 3); UPDATE events SET seq = -seq {AT} < 0",
        2,
        CHANGED,
    ),
    (
        "closed up",
        f"DELETE FROM events {AT} = 3; UPDATE events SET seq = -(seq - 1) {AT} > 3; UPDATE events SET seq = -seq {AT} < 0",
        3,
        CHANGED,
    ),
    ("one added", f"INSERT INTO events SELECT uid, 7, data, chain FROM events {AT} = 6", 7, ADDED),
    ("one of another log", f"UPDATE events SET uid = 'u2' {AT} = 6", 6, MISSING),
    ("no JSON", f"UPDATE events SET data = substr(data, 1, 20) {AT} = 5", 5, UNREADABLE),
    ("empty", f"UPDATE events SET data = '' {AT} = 5", 5, UNREADABLE),
    ("no UTF-8", f"UPDATE events SET data = x'7b22fffe' {AT} = 2", 2, UNREADABLE),
    ("a number", f"UPDATE events SET data = 7 {AT} = 2", 2, UNREADABLE),
    ("no known type", f"""UPDATE events SET data = '{{"type":"Nonsense","seq":2}}' {AT} = 2""", 2, UNREADABLE),
    ("end forgotten", "DELETE FROM logs WHERE uid = 'u'", 1, ADDED + "; expected the log to end at 0"),
    ("end moved back", "UPDATE logs SET last_seq = 4 WHERE uid = 'u'", 5, ADDED + "; expected the log to end at 4"),
    ("end moved on", "UPDATE logs SET last_seq = 8 WHERE uid = 'u'", 7, "is missing; expected all of 1 to 8"),
    ("end nonsense", "UPDATE logs SET last_seq = 'many' WHERE uid = 'u'", 1, ADDED + "; expected the log to end at 0"),
    ("last hash", "UPDATE logs SET chain = zeroblob(16) WHERE uid = 'u'", 6, "was changed: the log ends with hash"),
    ("last hash text", "UPDATE logs SET chain = 'x' WHERE uid = 'u'", 6, "was changed: the log ends with hash"),
]  # fmt: skip


@pytest.mark.parametrize(
    "statements, seq, what", [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
def test_the_first_bad_event_is_named(store, statements, seq, what):
    """`read` refuses, `damage` names the event; the other log is fine."""
    tamper(store.path, *statements.split(";"))

    with pytest.raises(LogDamaged, match=f"^event {seq} of the log of u {re.escape(what)}") as caught:
        asyncio.run(store.read("u"))
    assert seq == caught.value.seq == first_bad(store, "u")
    assert str(caught.value) == str(store.damage("u"))
    assert (None, a_run(COUNT)) == (first_bad(store, "untouched"), asyncio.run(store.read("untouched")))


def test_a_whole_log_has_no_damage(store):
    """Neither a log as it was written nor one that does not exist."""
    assert [None, None] == [first_bad(store, "u"), first_bad(store, "nobody")]
    assert store.damage("u") is None


def test_who_also_mends_the_hash_of_the_last_event_is_found(store):
    """The end of the chain is kept apart: a last event that fits by itself still does not end the log as recorded."""
    forged = b'{"type":"NodeCompleted","seq":6,"node":"forged","path":"0","port":"success"}'
    [(before,)] = store._database.rows("SELECT chain FROM events WHERE uid = 'u' AND seq = 5")
    link = hashlib.sha256(before + forged).digest()[:16]
    tamper(
        store.path,
        f"UPDATE events SET data = CAST(x'{forged.hex()}' AS TEXT), chain = x'{link.hex()}' WHERE uid = 'u' AND seq = 6",
    )

    assert 6 == first_bad(store, "u")


def test_an_event_of_another_log_does_not_fit(store):
    """Two logs with the same events have different chains: a first event carried over is found."""
    tamper(
        store.path,
        "DELETE FROM events WHERE uid = 'u'",
        "UPDATE events SET uid = 'u' WHERE uid = 'untouched'",
        "UPDATE logs SET chain = (SELECT chain FROM logs WHERE uid = 'untouched') WHERE uid = 'u'",
    )

    assert 1 == first_bad(store, "u")


@pytest.mark.parametrize("after, found", [(0, 3), (1, 3), (2, 3), (3, None), (4, None), (6, None)])
def test_reading_on_checks_what_it_reads(store, after, found):
    """Who folds on from a checkpoint does not pay for what lies before it, and is not stopped by it."""
    tamper(
        store.path, """UPDATE events SET data = replace(data, '"n3"', '"n9"') WHERE uid = 'u' AND seq = 3"""
    )
    try:
        asyncio.run(store.read("u", after))
        named = None
    except LogDamaged as damage:
        named = damage.seq

    assert found == named


@pytest.mark.parametrize(
    "gone, after, named", [("seq = 4", 3, 4), ("seq = 4", 4, 4), ("seq = 6", 6, 6), ("seq > 4", 4, 5)]
)
def test_reading_on_finds_what_is_missing(store, gone, after, named):
    """Also when the event that is gone is the one after which the reader goes on."""
    tamper(store.path, f"DELETE FROM events WHERE uid = 'u' AND {gone}")

    with pytest.raises(LogDamaged) as caught:
        asyncio.run(store.read("u", after))
    assert named == caught.value.seq


def test_nothing_is_appended_over_an_event_from_elsewhere(store):
    """Where an event stands that the log does not know of, an append stops, and the store stays as it is."""
    tamper(
        store.path, "INSERT INTO events SELECT uid, 7, data, chain FROM events WHERE uid = 'u' AND seq = 6"
    )

    with pytest.raises(LogDamaged, match="event 7 of the log of u is there already"):
        asyncio.run(store.append("u", 6, a_run(1, after=6)))
    asyncio.run(store.append("untouched", 6, a_run(1, after=6)))
    assert 7 == len(asyncio.run(store.read("untouched")))


@given(
    seq=st.integers(1, COUNT),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
    column=st.sampled_from(["data", "chain"]),
)
@settings(max_examples=60)
def test_one_flipped_bit_is_found(tmp_path_factory, seq, place, bit, column):
    """Whichever bit of whichever event, the event named is the one that was touched."""
    path = tmp_path_factory.mktemp("flip") / "store.db"
    with Store(path) as store:
        asyncio.run(store.append("u", 0, [completed(n, message="größe") for n in range(1, COUNT + 1)]))
        with closing(sqlite3.connect(path)) as connection, connection:
            query = f"SELECT CAST({column} AS BLOB) FROM events WHERE uid = 'u' AND seq = ?"
            flipped = bytearray(connection.execute(query, (seq,)).fetchone()[0])
            flipped[place % len(flipped)] ^= 1 << bit
            connection.execute(
                f"UPDATE events SET {column} = ? WHERE uid = 'u' AND seq = ?", (bytes(flipped), seq)
            )

        assert seq == first_bad(store, "u")


def test_a_damaged_checkpoint_is_passed_over(store):
    """The one before it serves, and without that none; the log has all."""
    for seq in (2, 4):
        asyncio.run(store.save("u", seq, f"state {seq}".encode()))
    tamper(store.path, "UPDATE checkpoints SET state = CAST('state 5' AS BLOB) WHERE seq = 4")
    assert (2, b"state 2") == asyncio.run(store.latest("u"))

    tamper(store.path, "UPDATE checkpoints SET state = 'state 2'")
    assert asyncio.run(store.latest("u")) is None


def test_a_checkpoint_of_another_past_is_passed_over(store):
    """A state belongs to the event that it was taken at; where that one has changed, it does not fit the log."""
    asyncio.run(store.save("u", 4, b"state"))
    tamper(store.path, "UPDATE events SET chain = zeroblob(16) WHERE uid = 'u' AND seq = 4")

    assert asyncio.run(store.latest("u")) is None


def test_only_two_checkpoints_are_kept(store):
    """What is older than the newest two of an execution is dropped with the next save."""
    for seq in (1, 2, 3, 4):
        asyncio.run(store.save("u", seq, b"state"))
    asyncio.run(store.save("untouched", 1, b"state"))

    assert [("u", 3), ("u", 4), ("untouched", 1)] == store._database.rows(
        "SELECT uid, seq FROM checkpoints ORDER BY uid, seq"
    )
