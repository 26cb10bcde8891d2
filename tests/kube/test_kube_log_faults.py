"""Random faults on the way to a real API server: requests that are lost, answers that are lost, a process that dies, a second
leader.

The oracle is a model that knows what the caller was told: what was acknowledged is in the log, in its order, once; what was
refused is not; and what was neither is there whole or not at all.
"""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.kube_faults import Crash, Fault
from tests.support.kube_home import Reign
from tests.support.stores import completed

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.log import planning
from fairlead.model.errors import Conflict, Unavailable

STEPS = 60
LIKELY = {
    Fault.NONE: 14,
    Fault.LOST: 2,
    Fault.UNANSWERED: 2,
    Fault.CRASH_BEFORE: 1,
    Fault.CRASH_AFTER: 1,
}


@pytest.mark.parametrize("seed", range(6))
def test_faults_lose_nothing_and_double_nothing(home, monkeypatch, seed):
    """With a tiny tail, so that nearly every append rolls and many pack."""
    monkeypatch.setattr(planning, "TAIL", 700)
    monkeypatch.setattr(planning, "FAN", 3)
    chance = random.Random(seed)
    home.client.fate = lambda *_: chance.choices(list(LIKELY), list(LIKELY.values()))[0]
    uid = _born_without_faults(home)

    told = home.run(_live(home, uid, chance))
    home.client.fate = lambda *_: Fault.NONE
    log = home.another_log(Reign(1000))
    home.run(log.claim(uid))
    found = home.run(log.read(uid))

    assert list(range(1, len(found) + 1)) == [event.seq for event in found]
    assert told == [event.message for event in found]
    assert _records_beyond_those_named(home, log, uid) == []


async def _live(home, uid, chance):
    """Append as an actor does, dying and being replaced on the way; the messages that have to be in the log."""
    told: list[str] = []
    epoch, log = 1, home.another_log(Reign(1))
    await _until_it_works(log.claim, uid)
    for step in range(STEPS):
        texts = [f"{step}.{number}" for number in range(chance.randint(1, 4))]
        text_of = dict(enumerate(texts, len(told) + 1))
        events = [completed(seq, message=text, outputs={"x": "y" * 60}) for seq, text in text_of.items()]
        try:
            await log.append(uid, len(told), events)
        except (Crash, Unavailable):
            epoch += 1
            log = home.another_log(Reign(epoch))
            found = await _taken_over(log, uid)
            assert told == found[: len(told)]
            assert found[len(told) :] in ([], texts), "an append is there whole or not at all"
            told = found
        except Conflict:
            raise AssertionError("nobody else writes here") from None
        else:
            told += texts
    return told


async def _taken_over(log, uid):
    await _until_it_works(log.claim, uid)
    return [event.message for event in await log.read(uid)]


async def _until_it_works(work, uid):
    for _ in range(50):
        try:
            await work(uid)
        except (Crash, Unavailable):
            continue
        return
    raise AssertionError("a claim that fails fifty times")


def _born_without_faults(home):
    fate, home.client.fate = home.client.fate, lambda *_: Fault.NONE
    try:
        return home.born()
    finally:
        home.client.fate = fate


def _records_beyond_those_named(home, log, uid):
    """What is left after a sweep, ten minutes later, besides what the head names."""
    home.run(log.sweep(uid, datetime.now(UTC) + timedelta(minutes=11)))
    listed = json.loads(home.run(home.client.get(CONFIG_MAPS, home.namespace)))["items"]
    ours = [one for one in listed if one["metadata"].get("labels", {}).get(names.EXECUTION_UID) == uid]
    [head] = [one for one in ours if one["metadata"]["labels"][names.LOG] == "head"]
    named = {entry["name"] for entry in json.loads(head["data"]["index"])}
    return [
        one["metadata"]["name"] for one in ours if one is not head and one["metadata"]["name"] not in named
    ]


def test_a_reader_never_sees_a_gap_while_segments_are_rolled_and_packed(home, monkeypatch):
    """Every read while somebody appends is a prefix that ends at a batch, and grows."""
    monkeypatch.setattr(planning, "TAIL", 1)
    monkeypatch.setattr(planning, "FAN", 2)
    uid, batches = home.born(), 40

    async def write():
        for after in range(0, 2 * batches, 2):
            await home.raw_log.append(uid, after, [completed(after + 1), completed(after + 2)])

    async def look():
        reader, lengths = home.another_log(), [0]
        while lengths[-1] < 2 * batches:
            events = await reader.read(uid)
            assert list(range(1, len(events) + 1)) == [event.seq for event in events]
            lengths.append(len(events))
        return lengths

    async def both():
        _, one, two = await asyncio.gather(write(), look(), look())
        return one + two

    assert {0} == {length % 2 for length in home.run(both())}


def test_records_that_no_head_names_are_swept_when_they_are_old(home, monkeypatch):
    """Not before, not by who has not claimed the head, and never one that is named."""
    monkeypatch.setattr(planning, "TAIL", 1)
    uid, later = home.born(), datetime.now(UTC) + timedelta(minutes=11)
    home.run(home.raw_log.append(uid, 0, [completed(1)]))

    def die(method, path):
        return Fault.CRASH_BEFORE if method == "PATCH" else Fault.NONE

    home.client.fate = die
    with pytest.raises(Crash):
        home.run(home.raw_log.append(uid, 1, [completed(2)]))
    home.client.fate = lambda *_: Fault.NONE
    new = home.another_log(Reign(2))

    assert [0, 0] == [home.run(new.sweep(uid)), home.run(new.sweep(uid, later))]
    home.run(new.claim(uid))
    assert [0, 1, 0] == [home.run(new.sweep(uid, when)) for when in (None, later, later)]
    assert [completed(1)] == home.run(new.read(uid))


def test_a_sweep_that_comes_late_takes_nothing_that_is_named(home, monkeypatch):
    """What one leader found to be nobody's is not what the next one names, although it holds the same events."""
    monkeypatch.setattr(planning, "TAIL", 700)
    uid, big = home.born(), {"x": "y" * 400}
    home.run(home.raw_log.append(uid, 0, [completed(1, outputs=big)]))
    home.client.fate = lambda method, _: Fault.CRASH_BEFORE if method == "PATCH" else Fault.NONE
    with pytest.raises(Crash):
        home.run(home.raw_log.append(uid, 1, [completed(2, outputs=big)]))
    home.client.fate = lambda *_: Fault.NONE
    listed = json.loads(home.run(home.client.get(CONFIG_MAPS, home.namespace)))["items"]
    kinds = {one["metadata"]["name"]: one["metadata"].get("labels", {}).get(names.LOG) for one in listed}
    [void] = [name for name, kind in kinds.items() if kind == "segment"]
    later = home.another_log(Reign(2))
    home.run(later.claim(uid))
    home.run(later.append(uid, 1, [completed(2, outputs=big)]))

    home.run(home.client.delete(CONFIG_MAPS, home.namespace, void))

    assert [1, 2] == [event.seq for event in home.run(home.another_log(Reign(3)).read(uid))]
