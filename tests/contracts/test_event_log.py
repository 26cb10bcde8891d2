"""The contract of `EventLog`: append-only, gapless, all or nothing, one writer at a time by compare-and-set."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.adapters import ADAPTERS, EVERY, Adapter, opened
from tests.support.stores import a_run, completed, created

from fairlead.model import events as e
from fairlead.model.errors import Bug, Conflict, FairleadError
from fairlead.runtime.ports import EventLog


@pytest.fixture(params=EVERY)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    with closing(opened(request)) as home:
        yield home


def append(adapter: Adapter, uid: str, after: int, events: list[e.Event]) -> None:
    asyncio.run(adapter.log.append(uid, after, events))


def read(adapter: Adapter, uid: str, after: int = 0) -> list[Any]:
    return asyncio.run(adapter.log.read(uid, after))


def test_what_was_appended_is_read_in_its_order(adapter):
    """Several appends read back as one log: the same events, equal in every field, seq without gaps."""
    events = [created(), *a_run(5, after=1)]
    append(adapter, "u", 0, events[:2])
    append(adapter, "u", 2, events[2:])

    assert events == read(adapter, "u")
    assert [1, 2, 3, 4, 5, 6] == [event.seq for event in read(adapter, "u")]


def test_an_unknown_uid_has_an_empty_log(adapter):
    """Nobody has to say that a log begins."""
    append(adapter, "u", 0, a_run(2))

    assert [] == read(adapter, "other")
    assert [] == read(adapter, "")


@pytest.mark.parametrize(
    "after, rest", [(0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (3, []), (4, []), (1_000_000, [])]
)
def test_reading_goes_on_after_a_sequence_number(adapter, after, rest):
    """Only the events after the number come, none at or beyond the end."""
    append(adapter, "u", 0, a_run(3))

    assert rest == [event.seq for event in read(adapter, "u", after)]


@pytest.mark.parametrize("after", [0, 1, 2, 4, 100])
def test_an_append_elsewhere_than_at_the_end_is_a_conflict(adapter, after):
    """Both an older and a newer idea of where the log ends lose, and nothing changes."""
    append(adapter, "u", 0, a_run(3))

    with pytest.raises(Conflict, match=rf"the log of u ends at event 3; expected {after}"):
        append(adapter, "u", after, a_run(2, after))

    assert a_run(3) == read(adapter, "u")


def test_a_log_that_is_not_there_ends_at_zero(adapter):
    """The first append of a log may not claim that something stands before it."""
    with pytest.raises(Conflict, match="the log of u ends at event 0; expected 7"):
        append(adapter, "u", 7, a_run(1, after=7))

    assert [] == read(adapter, "u")


def test_the_same_append_twice_is_a_conflict(adapter):
    """Who does not know whether an append went through finds out by trying again."""
    append(adapter, "u", 0, a_run(2))

    with pytest.raises(Conflict):
        append(adapter, "u", 0, a_run(2))

    assert a_run(2) == read(adapter, "u")


@pytest.mark.parametrize(
    "numbers",
    [(2, 3), (1, 3), (1, 1), (1, 2, 4), (0,), (2, 1)],
    ids=lambda numbers: "-".join(map(str, numbers)),
)
def test_events_with_wrong_numbers_are_refused(adapter, numbers):
    """An event says where it stands; a batch that would leave a gap or a double is our own bug and changes nothing."""
    with pytest.raises(Bug, match=r"NodeCompleted has seq \d; expected \d"):
        append(adapter, "u", 0, [completed(number) for number in numbers])

    assert [] == read(adapter, "u")


def test_a_batch_is_committed_whole_or_not_at_all(adapter):
    """One event that has no stored form keeps out those before it and after it."""
    append(adapter, "u", 0, a_run(1))
    unfit = e.NodeCompleted(seq=3, node="n3", path="0", port="success", outputs={"x": object()})

    with pytest.raises(TypeError):
        append(adapter, "u", 1, [completed(2), unfit, completed(4)])

    assert a_run(1) == read(adapter, "u")
    append(adapter, "u", 1, a_run(1, after=1))
    assert a_run(2) == read(adapter, "u")


def test_an_empty_append_only_asks_where_the_log_ends(adapter):
    """Nothing to write is no error, but an old idea of the end still is one."""
    append(adapter, "u", 0, [])
    append(adapter, "u", 0, a_run(1))
    append(adapter, "u", 1, [])

    with pytest.raises(Conflict):
        append(adapter, "u", 0, [])
    assert a_run(1) == read(adapter, "u")


def test_logs_know_nothing_of_each_other(adapter):
    """Each uid counts for itself, also those that look alike."""
    uids = ["u", "U", "u ", "ü", "u/1", "u%", "0"]
    for count, uid in enumerate(uids, 1):
        append(adapter, uid, 0, a_run(count))

    assert list(range(1, len(uids) + 1)) == [len(read(adapter, uid)) for uid in uids]


def test_what_is_read_shares_nothing_with_the_log(adapter):
    """A reader may do what it likes with the values of an event, and so may the writer afterwards."""
    outputs: dict[str, Any] = {"list": [1]}
    append(adapter, "u", 0, [completed(1, outputs=outputs)])
    outputs["list"].append("writer")
    read(adapter, "u")[0].outputs["list"].append("reader")

    assert [completed(1, outputs={"list": [1]})] == read(adapter, "u")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "äöü €",
        "日本語",
        "👩‍👩‍👧 \U0010ffff",
        "a\x00b",
        "\x1b[31m",
        "\u202eright to left",
        'q"\\\n\r\t\u2028',
        "\ufeff",
    ],
    ids=ascii,
)
def test_any_text_comes_back_as_it_was(adapter, text):
    """Unicode, control characters and quotes pass, as values and as names."""
    events: list[e.Event] = [completed(1, outputs={text: [text, {text: text}]}, message=text)]
    append(adapter, "u", 0, events)

    assert events == read(adapter, "u")


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 0, 1.5, -0.0, 1e308, 5e-324, True, None, [], {}], ids=repr
)
def test_any_json_value_keeps_its_type(adapter, value):
    """Integers stay integers to the last bit, floats floats, empty things empty."""
    append(adapter, "u", 0, [completed(1, outputs={"value": value})])
    [event] = read(adapter, "u")

    assert repr(value) == repr(event.outputs["value"])


def test_an_event_may_have_a_mebibyte(adapter):
    """The largest output that a node may give fits, between small ones."""
    events = [completed(1), completed(2, outputs={"blob": "x" * (1 << 20)}), completed(3)]
    append(adapter, "u", 0, events)

    assert events == read(adapter, "u")
    assert events[1:2] == read(adapter, "u", 1)[:1]


def test_ten_thousand_events_in_one_append_and_in_many(adapter):
    """The size of a batch is nobody's business but the writer's."""
    events = a_run(10_000)
    append(adapter, "one", 0, events)
    for after in range(0, 10_000, 333):
        append(adapter, "many", after, events[after : after + 333])

    assert events == read(adapter, "one")
    assert events == read(adapter, "many")


def test_writers_that_race_lose_nothing_and_leave_no_gap(adapter):
    """Who loses a race reads on and tries again; in the end each writer's events are there once, in its order."""
    writers, each = 4, 25

    def writer(number: int) -> Any:
        async def write(log: EventLog) -> None:
            last = done = 0
            while done < each:
                event = e.NodeCompleted(seq=last + 1, node=f"{number}/{done}", path="0", port="success")
                try:
                    await log.append("u", last, [event])
                except Conflict:
                    last += len(await log.read("u", last))
                else:
                    last, done = last + 1, done + 1

        return write

    adapter.race(*(writer(number) for number in range(writers)))
    events = read(adapter, "u")
    by_writer = [[event.node for event in events if event.node.startswith(f"{n}/")] for n in range(writers)]

    assert list(range(1, writers * each + 1)) == [event.seq for event in events]
    assert [[f"{n}/{done}" for done in range(each)] for n in range(writers)] == by_writer


def test_a_reader_never_sees_half_a_batch(adapter):
    """While somebody appends batches of three, every read ends at a multiple of three."""
    batches = 40
    lengths: list[int] = []

    async def write(log: EventLog) -> None:
        for after in range(0, 3 * batches, 3):
            await log.append("u", after, a_run(3, after))
            await asyncio.sleep(0)

    async def look(log: EventLog) -> None:
        while not lengths or lengths[-1] < 3 * batches:
            events = await log.read("u")
            assert list(range(1, len(events) + 1)) == [event.seq for event in events]
            lengths.append(len(events))
            await asyncio.sleep(0)

    adapter.race(write, look)

    assert set() == {length for length in lengths if length % 3}
    assert sorted(lengths) == lengths


UIDS = st.sampled_from(["a", "b"])
APPENDS = st.tuples(st.just("append"), UIDS, st.integers(-2, 2), st.lists(st.integers(-1, 3), max_size=4))
NO_VALUES: list[int] = []
READS = st.tuples(st.just("read"), UIDS, st.integers(-3, 3), st.just(NO_VALUES))


@given(steps=st.lists(st.one_of(APPENDS, READS), max_size=30))
def test_every_adapter_agrees_with_memory(steps):
    """Random appends (right, late, early, with gaps) and reads give the same answers and the same errors everywhere."""
    with TemporaryDirectory() as folder:
        stories = {name: _story(make(Path(folder)), steps) for name, make in ADAPTERS.items()}

    assert dict.fromkeys(ADAPTERS, stories["memory"]) == stories


def _story(adapter: Adapter, steps: list[tuple[str, str, int, list[int]]]) -> list[object]:
    """What the steps gave; numbers are offsets from where the log ends, and events say what they carry."""
    answers: list[object] = []
    with closing(adapter):
        for number, (step, uid, offset, values) in enumerate(steps):
            after = max(0, len(read(adapter, uid)) + offset)
            seqs = [after + 1 + at + min(0, value) for at, value in enumerate(values)]
            try:
                if step == "append":
                    append(
                        adapter,
                        uid,
                        after,
                        [completed(s, message=f"{number}.{v}") for s, v in zip(seqs, values, strict=True)],
                    )
                answers.append(read(adapter, uid, after if step == "read" else 0))
            except FairleadError as error:
                answers.append((type(error), str(error)))
    return answers
