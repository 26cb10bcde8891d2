"""Several processes at one store, and processes that are killed: nothing that was committed is lost, nothing is half there."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack

import pytest
from tests.support.stores import (
    DEFINITION,
    a_run,
    completed,
    first_bad,
    line_of,
    program,
    rest_of,
    tell,
    with_execution,
)

from fairlead.local.store import Store
from fairlead.model import events as e

APPENDS = """
with Store(path) as store:
    say("ready"); sys.stdin.readline()
    last, done = 0, 0
    while done < 100:
        try: append(store, "shared", last, [completed(last + 1, message=sys.argv[2]), completed(last + 2, message=sys.argv[2])])
        except Conflict: last = store.last_seq("shared")
        else: last, done = last + 2, done + 1
    say("done")
"""
NEVER_STOPS = """
with Store(path) as store:
    last = 0
    while True:
        count = 1 + last % 7
        append(store, "uid-demo", last, [completed(seq, message="x" * (seq % 5000)) for seq in range(last + 1, last + count + 1)])
        last += count
        say(last)
"""


def test_processes_share_a_log_without_gap_or_double(tmp_path):
    """Each of four appends a hundred pairs; all are there, each pair together, while a reader here sees only whole ones."""
    path = tmp_path / "store.db"
    with ExitStack() as stack:
        store = stack.enter_context(Store(path))
        writers = [stack.enter_context(program(path, APPENDS, str(number))) for number in range(4)]
        assert ["ready"] * 4 == [line_of(writer) for writer in writers]
        for writer in writers:
            tell(writer)
        lengths = [len(asyncio.run(store.read("shared")))]
        while lengths[-1] < 800 and len(lengths) < 100_000:
            lengths.append(len(asyncio.run(store.read("shared"))))
        assert ["done"] * 4 == [line_of(writer) for writer in writers]
        events = asyncio.run(store.read("shared"))
        authors = [getattr(event, "message", None) for event in events]

    assert {0} == {seen % 2 for seen in lengths}
    assert list(range(1, 801)) == [event.seq for event in events]
    assert authors[::2] == authors[1::2]
    assert {str(number): 200 for number in range(4)} == {author: authors.count(author) for author in authors}


def test_first_runs_may_begin_at_the_same_moment(tmp_path):
    """Five processes make one store: each gets it, no one an error."""
    path = tmp_path / "new" / "store.db"
    opens = """
say("ready"); sys.stdin.readline()
with Store(path) as store:
    store.create(record("run" + sys.argv[2]), sys.argv[3].encode())
say("done")
"""
    with ExitStack() as stack:
        words = [(str(number), DEFINITION.decode()) for number in range(5)]
        starters = [stack.enter_context(program(path, opens, *both)) for both in words]
        assert ["ready"] * 5 == [line_of(starter) for starter in starters]
        for starter in starters:
            tell(starter)
        assert ["done"] * 5 == [line_of(starter) for starter in starters]

    with Store(path, create=False) as store:
        assert {f"run{number}" for number in range(5)} == {row.name for row in store.list()}
        assert ("wal",) == store._database.row("PRAGMA journal_mode")


@pytest.mark.parametrize("commits", [1, 30, 200])
def test_kill_9_loses_nothing_that_was_committed(tmp_path, commits):
    """A writer is killed in the midst of its appends: the log has all that it was told of, whole batches, and goes on."""
    path = tmp_path / "store.db"
    with with_execution(path) as looking, program(path, NEVER_STOPS) as writer:
        for _ in range(commits):
            committed = int(line_of(writer))
        writer.send_signal(signal.SIGKILL)
        numbers = rest_of(writer).split("\n")[
            :-1
        ]  # a number that it did not get to the end of does not count
        committed = max([committed, *map(int, numbers)])
        last = len(asyncio.run(looking.read("uid-demo")))

        assert last in (committed, committed + 1 + committed % 7)
        assert (last, None) == (looking.last_seq("uid-demo"), first_bad(looking, "uid-demo"))
        with Store(path) as next_run:
            asyncio.run(next_run.append("uid-demo", last, a_run(1, after=last)))
        assert last + 1 == len(asyncio.run(looking.read("uid-demo")))


def test_readers_do_not_wait_for_a_writer_in_the_midst_of_its_work(tmp_path):
    """While a transaction is open and written to, others read what was there before."""
    path = tmp_path / "store.db"
    writes = """
store = Store(path)
with store._database.write() as connection:
    connection.execute("DELETE FROM events")
    say("in the midst"); sys.stdin.readline()
"""
    with with_execution(path) as store:
        asyncio.run(store.append("uid-demo", 0, a_run(5)))
        with program(path, writes) as writer:
            assert "in the midst" == line_of(writer)

            assert a_run(5) == asyncio.run(store.read("uid-demo"))
            assert "demo" == store.get("demo").name
            writer.kill()
            writer.wait()

        assert a_run(5) == asyncio.run(store.read("uid-demo"))


def test_a_reader_in_the_midst_does_not_stop_the_writer(tmp_path):
    """A long read sees its moment to the end; what is appended meanwhile comes with the next."""
    with with_execution(tmp_path / "store.db") as store, Store(store.path) as other:
        asyncio.run(store.append("uid-demo", 0, a_run(3)))
        with other._database.snapshot() as connection:
            before = connection.execute("SELECT count(*) FROM events").fetchone()
            asyncio.run(store.append("uid-demo", 3, a_run(3, after=3)))

            assert before == connection.execute("SELECT count(*) FROM events").fetchone() == (3,)
        assert a_run(6) == asyncio.run(other.read("uid-demo"))


def test_closing_one_of_two_stores_of_a_process_leaves_the_other(tmp_path):
    """The locks of the one that stays are not dropped with the files of the one that goes."""
    with with_execution(tmp_path / "store.db") as store:
        for after in range(5):
            with Store(store.path) as other:
                assert after == other.last_seq("uid-demo")
            asyncio.run(store.append("uid-demo", after, a_run(1, after)))

        assert a_run(5) == asyncio.run(store.read("uid-demo"))


@pytest.mark.parametrize(
    "event, flushed",
    [
        (e.NodeScheduled(seq=2, node="a", path="0", attempt=1), True),
        (e.ExecutionCompleted(seq=2), True),
        (e.ExecutionFailed(seq=2, error=e.Error(reason="NodeFailed")), True),
        (e.ExecutionCancelled(seq=2), True),
        (completed(2), False),
        (e.NodeStarted(seq=2, node="a", path="0", attempt=1), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_others_will_see_is_flushed_first(tmp_path, event, flushed):
    """SQLite is told to sync the commit after which an attempt starts or a command exits, and no other."""
    full, normal = (2,), (1,)
    with with_execution(tmp_path / "store.db") as store:
        asyncio.run(store.append("uid-demo", 0, [completed(1), event]))
        assert (full if flushed else normal) == store._database.row("PRAGMA synchronous")

        asyncio.run(store.append("uid-demo", 2, [completed(3)]))
        assert normal == store._database.row("PRAGMA synchronous")


def test_an_interrupted_change_is_not_there(tmp_path):
    """Ctrl-C in the midst of a transaction rolls it back, and the store goes on."""
    with with_execution(tmp_path / "store.db") as store:
        with pytest.raises(KeyboardInterrupt):
            _interrupted(store)

        assert "demo" == store.get("demo").name
        asyncio.run(store.append("uid-demo", 0, a_run(1)))
        assert a_run(1) == asyncio.run(store.read("uid-demo"))


def _interrupted(store: Store) -> None:
    with store._database.write() as connection:
        connection.execute("DELETE FROM executions")
        raise KeyboardInterrupt
