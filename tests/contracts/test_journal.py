"""The journal over every home: large values stand once, come back as one object, and their damage is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.contracts.adapters import EVERY, Adapter, opened
from tests.support.stores import created

from fairlead.engine.evolve import evolve, fold
from fairlead.model import events as e
from fairlead.model import state as s
from fairlead.model.errors import Bug, LogDamaged, Unavailable
from fairlead.runtime.journal import Journal

BIG = [{"n": 9_007_199_254_740_993 + n, "text": "x" * 50} for n in range(200)]
NODES = 20


@pytest.fixture(params=EVERY)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    with closing(opened(request)) as home:
        yield home


def journal(adapter: Adapter, uid: str = "uid-demo") -> Journal:
    return Journal(uid, adapter.log, adapter.checkpoints, adapter.blobs)


def story() -> list[e.Event]:
    """A node gives a large list, and twenty others are given it."""
    given: Any = {"list": BIG, "n": 1}
    events: list[e.Event] = [created(), e.ExecutionStarted(seq=2, nodes=NODES + 1)]
    events.append(e.NodeCompleted(seq=3, node="a", path="0", port="done", outputs=given))
    for number in range(NODES):
        values = {"with": {"data": BIG, "number": number}}
        events.append(e.NodeScheduled(seq=4 + number, node=f"b{number}", path="0", attempt=1, values=values))
    return events


def written(adapter: Adapter) -> list[e.Event]:
    events = story()
    writer = journal(adapter)
    asyncio.run(writer.append(0, events[:5]))
    asyncio.run(writer.append(5, events[5:]))
    return events


def references(adapter: Adapter) -> list[e.Large]:
    stored = asyncio.run(adapter.log.read("uid-demo"))
    return [large for event in stored for large in event.large or ()]


def test_a_value_that_many_read_is_stored_once_and_is_one_object(adapter):
    """Every event refers to the same blob, the log stays small, and reading gives back what was written."""
    events = written(adapter)
    stored = asyncio.run(adapter.log.read("uid-demo"))

    found: list[Any] = list(asyncio.run(journal(adapter).read()))

    assert events == found
    assert (NODES + 1, 1) == (len(references(adapter)), len({large.digest for large in references(adapter)}))
    assert all(len(e.encode(event)) < 400 for event in stored)
    assert all(event.values["with"]["data"] is found[2].outputs["list"] for event in found[3:])


def test_the_parts_of_a_list_are_blobs_of_their_own(adapter):
    """An item that a body is given is the blob that the list refers to, not a copy."""
    documents = [[name * 50] * 100 for name in "abc"]
    first = e.NodeCompleted(seq=2, node="a", path="0", port="done", outputs={"documents": documents})
    then = e.NodeScheduled(seq=3, node="b", path="0", attempt=1, values={"with": {"document": documents[1]}})
    writer = journal(adapter)
    asyncio.run(writer.append(0, [created(), first, then]))

    found: list[Any] = list(asyncio.run(journal(adapter).read()))

    assert [created(), first, then] == found
    assert found[2].values["with"]["document"] is found[1].outputs["documents"][1]


@pytest.mark.parametrize(
    "outputs",
    [
        {"large": [{"path": ["outputs", "list"], "digest": "sha256:00", "size": 3}]},
        {"list": {"digest": "sha256:00", "size": 9}, "large": "x" * 5_000},
        {"value": None, "many": {f"k{n}": n for n in range(2_000)}},
        {f"k{n}": "small" for n in range(2_000)},
        {"": "x" * 9_000, "0": ["y" * 9_000, None, {"z": "z" * 9_000}]},
    ],
    ids=["a list of references", "a reference", "nulls", "many small", "odd names"],
)
def test_no_value_of_a_users_is_taken_for_a_reference(adapter, outputs):
    """Where references stand is said beside the values, so values may look like anything."""
    event = e.NodeCompleted(seq=2, node="a", path="0", port="done", outputs=outputs)
    asyncio.run(journal(adapter).append(0, [created(), event]))

    assert [created(), event] == asyncio.run(journal(adapter).read())


def test_a_checkpoint_beyond_the_end_of_the_log_is_thrown_away(adapter):
    """Somebody has put an older log in its place: what it says is where the run stands, and it goes on from there."""
    events = written(adapter)
    more = [*events, e.NodeCompleted(seq=len(events) + 1, node="z", path="0", port="done", outputs={})]
    asyncio.run(journal(adapter).save(fold(more)))

    state = asyncio.run(journal(adapter).load())

    assert len(events) == state.seq
    asyncio.run(journal(adapter).append(state.seq, more[-1:]))
    assert len(more) == asyncio.run(journal(adapter).load()).seq


@pytest.mark.parametrize("data", [None, b"", b'{"value":[1]}'], ids=["missing", "empty", "another value"])
def test_a_blob_that_is_missing_or_altered_is_named(adapter, data):
    """The first event that refers to it, and the digest."""
    written(adapter)
    digest = references(adapter)[0].digest
    adapter.spoil("uid-demo", digest, data)

    with pytest.raises(LogDamaged) as caught:
        asyncio.run(journal(adapter).read())

    what = "is missing" if data is None else "was changed: its digest is sha256:"
    assert str(caught.value).startswith(
        f"event 3 of the log of uid-demo refers to what is not there: the value {digest} {what}"
    )
    assert 3 == caught.value.seq


def test_a_checkpoint_refers_to_the_blobs_of_the_log(adapter):
    """It is small, comes back whole, and is thrown away where a blob is gone that the log does not need any more."""
    events = written(adapter)
    state = fold(events)
    before = s.encode(state)
    asyncio.run(journal(adapter).save(state))
    kept = asyncio.run(adapter.checkpoints.latest("uid-demo"))

    loaded = asyncio.run(journal(adapter).load())

    assert before == s.encode(state) == s.encode(loaded)
    assert kept is not None
    assert len(kept[1]) < 20_000 < len(before)
    assert {large["digest"] for large in json.loads(kept[1])["large"]} == {references(adapter)[0].digest}
    adapter.spoil("uid-demo", references(adapter)[0].digest, None)
    assert asyncio.run(journal(adapter).checkpoint()) is None


def test_values_beyond_what_a_reader_asks_for_stay_references(adapter):
    """They are not even fetched; such an event cannot be folded by mistake."""
    written(adapter)
    adapter.spoil("uid-demo", references(adapter)[0].digest, None)

    found = asyncio.run(journal(adapter).read(up_to=1_000))

    assert [(["outputs", "list"], len(json.dumps(BIG, separators=(",", ":"))))] == [
        (large.path, large.size) for large in found[2].large or ()
    ]
    with pytest.raises(Bug, match="event 3 is as it is stored, without its large values"):
        fold(found)


def test_events_whose_values_cannot_be_kept_are_not_appended(adapter, monkeypatch):
    """The value comes first: a log never refers to what is not there, wherever a process dies."""
    written(adapter)

    async def refused(*_):
        raise Unavailable("no room")

    monkeypatch.setattr(type(adapter.blobs), "keep", refused)
    event = e.NodeCompleted(seq=NODES + 4, node="z", path="0", port="done", outputs={"x": "z" * 9_000})
    with pytest.raises(Unavailable, match="no room"):
        asyncio.run(journal(adapter).append(NODES + 3, [event]))

    assert NODES + 3 == len(asyncio.run(journal(adapter).read()))


def test_a_refused_append_leaves_nothing_that_matters(adapter):
    """Its blobs are there before it; who wrote first has the log."""
    written(adapter)
    late = journal(adapter)
    event = e.NodeCompleted(seq=2, node="z", path="0", port="done", outputs={"x": "z" * 9_000})
    with pytest.raises(Exception, match="ends at event 23; expected 1"):
        asyncio.run(late.append(1, [event]))

    state = asyncio.run(late.load())

    assert state.seq == NODES + 3
    assert s.encode(state) == s.encode(_folded(story()))


def _folded(events: list[e.Event]) -> s.State:
    state = s.State()
    for event in events:
        evolve(state, event)
    return state
