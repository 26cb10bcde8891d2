"""`cache` on nodes: what is shared, what is not, and what a run does with a hit, a miss and anything else (semantics 40)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.support.driver import Driver

from fairlead.model import commands as c
from fairlead.model import reasons
from fairlead.model.effects import FillCache, LookUp
from fairlead.model.errors import Unavailable
from fairlead.model.times import HOUR, SECOND
from fairlead.runtime import caching
from fairlead.runtime.memory import MemoryCache

CACHED: dict[str, Any] = {
    "name": "a",
    "run": {"sh": "true"},
    "cache": {"key": "${inputs.k}", "ttl": "1h"},
    "store": {"seen": "${outputs.n}"},
}


def run_of(*nodes: dict[str, Any], **more: Any) -> Driver:
    return Driver({"nodes": [*nodes]}, **more)


def filled(node: dict[str, Any] | None = None, key: Any = "k", **outputs: Any) -> MemoryCache:
    """The cache after a run named first."""
    run = run_of(node or CACHED, name="first").create({"k": key}).end("a", outputs or {"n": 1})
    run.check_ended()
    return run.cache


def test_a_second_run_takes_the_result_of_the_first():
    """No attempt starts; the outputs are there, `store` is applied, the default port is taken, and the log says whose it is."""
    after = {"name": "b", "after": ["a"], "set": {"twice": "${nodes.a.outputs.n + vars.seen}"}}
    cache = filled(n=21)
    run = run_of(CACHED, after, cache=cache).create({"k": "k"})

    run.check_ended()
    assert {"seen": 21, "twice": 42} == run.state.variables
    assert [] == run.of("NodeScheduled") and 0 == run.state.node("a").attempt
    end = run.of("NodeCompleted", "a")[0]
    assert ("cache", "first") == (end.via, end.cached_from)
    assert end.cached_at > 0 and "" == end.cache


def test_a_miss_runs_the_node_once_asked():
    """The question, the miss and the intent to run are in the log; so is the key of what is kept."""
    run = run_of(CACHED).create({"k": "k"}).end("a", {"n": 1})

    kinds = ["CacheLookup", "CacheMissed", "NodeScheduled", "NodeStarted", "NodeCompleted"]
    assert kinds == run.types("a")[1:-1]
    assert "k" == run.of("NodeCompleted", "a")[0].cache


@pytest.mark.parametrize(
    "change",
    [
        {"run": {"sh": "false"}},
        {"cache": {"key": "${inputs.k}", "ttl": "2h"}},
        {"name": "b"},
        {"run": {"sh": "true", "serviceAccountName": "other"}},
    ],
    ids=["script", "ttl", "name", "service account"],
)
def test_a_changed_node_misses(change):
    """The result is that of one definition of one node."""
    node = {**CACHED, **change}
    run = run_of(node, cache=filled()).create({"k": "k"})

    assert [node["name"]] == [key[0] for key in run.running]


def test_another_workflow_or_namespace_misses():
    """Both are part of the key that the home stores a result under."""
    run = run_of(CACHED, slow=True).create({"k": "k"})
    (lookup,) = run.asked.values()
    mine = caching.store_key(lookup.identity)

    assert "flow" == lookup.identity["workflow"]
    assert mine != caching.store_key({**lookup.identity, "workflow": "other"})
    assert mine != caching.store_key(lookup.identity, "other")


def test_another_key_misses():
    """The key alone says what the result depends on."""
    run = run_of(CACHED, cache=filled(key="k")).create({"k": "other"})

    assert run.running


def test_items_and_passes_share_what_they_have_the_same_key_for():
    """The place in the graph counts, not the index: of three items in order only the first runs."""
    inner = {"name": "n", "run": {"sh": "true"}, "cache": {"key": "same"}}
    loop = {"name": "each", "forEach": {"items": [1, 2, 3], "maxParallel": 1, "nodes": [inner]}}
    run = run_of(loop).create().end("each[0]/n", {"n": 1})

    run.check_ended()
    assert ["each[0]/n"] == [event.node for event in run.of("NodeScheduled")]


def test_a_result_is_good_until_its_ttl_is_over():
    """Counted from the event that ended the node to the event that asks."""
    first = run_of(CACHED, name="first").create({"k": "k"}).end("a", {"n": 1})
    for seconds, hit in ((3_599, True), (3_600, False)):
        run = run_of(CACHED, cache=first.cache)
        run.now += seconds * SECOND
        run.create({"k": "k"})

        assert hit == run.state.ended


def test_without_ttl_a_result_stays_good():
    """There is no limit unless one is written."""
    node = {**CACHED, "cache": {"key": "k"}}
    run = run_of(node, cache=filled(node))
    run.now += 100 * 365 * 24 * HOUR

    run.create().check_ended()


def test_only_success_is_kept():
    """Neither a failure nor what a fallback gave in its stead."""
    failed = run_of(CACHED).create({"k": "k"}).fail("a")
    spared = run_of({**CACHED, "fallback": "b"}, {"name": "b", "run": {"sh": "true"}}).create({"k": "k"})
    spared.fail("a").end("a/b", {"n": 1})

    assert {} == failed.cache.entries == spared.cache.entries


def test_a_result_whose_store_fails_is_not_kept():
    """The node has failed."""
    run = run_of(CACHED).create({"k": "k"}).end("a", {})

    assert ("Failed", {}) == (run.status("a"), run.cache.entries)


def test_of_two_at_once_both_run_and_the_first_stays():
    """Each has its own result; the cache has that of the first commit."""
    one, cache = run_of(CACHED, name="one"), MemoryCache()
    one.cache = cache
    two = run_of(CACHED, name="two", cache=cache)
    one.create({"k": "k"})
    two.create({"k": "k"})
    two.end("a", {"n": 2})
    one.end("a", {"n": 1})
    three = run_of(CACHED, cache=cache).create({"k": "k"})

    assert [{"n": 1}, {"n": 2}, {"n": 2}] == [run.state.node("a").outputs for run in (one, two, three)]
    assert ["two"] == [event.cached_from for event in three.of("NodeCompleted", "a")]


@pytest.mark.parametrize("key", [5, True, None, ["x"], "", "x" * 1_025], ids=str)
def test_a_key_that_is_none_fails_the_node(key):
    """With the value and what was expected; nothing is asked and nothing runs."""
    run = run_of(CACHED).create({"k": key})

    error = run.state.node("a").error
    assert error is not None and reasons.CACHE_KEY_INVALID == error.reason
    assert error.message.endswith("expected a text of 1 to 1024 bytes")
    assert not run.running and not run.of("CacheLookup")


def test_a_bad_key_goes_down_the_ladder():
    """A `failed` connection handles it as any other failure."""
    run = run_of(CACHED, {"name": "b", "after": ["a.failed"], "set": {"x": "${nodes.a.error.reason}"}})
    run.create({"k": 5}).check_ended()

    assert ("Succeeded", reasons.CACHE_KEY_INVALID) == (run.state.phase, run.state.variables["x"])


def test_a_retry_does_not_ask_again():
    """Once per instance, before its first attempt; the result of the last attempt is kept."""
    node = {**CACHED, "retry": {"maxAttempts": 3, "initialDelay": "1s"}}
    run = run_of(node).create({"k": "k"}).fail("a").crash()
    run.wait_for_timer()
    run.end("a", {"n": 1}).check_ended()

    assert 1 == len(run.of("CacheLookup"))
    run_of(node, cache=run.cache).create({"k": "k"}).check_ended()


def test_a_redriven_node_asks_again():
    """Somebody else may have filled the key meanwhile."""
    run = run_of(CACHED).create({"k": "k"}).fail("a")
    run.cache = filled()
    run.wish(redrive=1)

    run.check_ended()
    assert "Succeeded" == run.state.phase and 2 == len(run.of("CacheLookup"))


def test_a_crash_asks_again():
    """An answer that was lost with the process is asked for by the next one, and the log goes on as it would have."""
    run = run_of(CACHED, cache=filled(), slow=True).create({"k": "k"})
    run.asked.clear()
    run.crash().answer()

    run.check_ended()
    assert ["CacheLookup", "NodeCompleted"] == run.types("a")[1:-1]


def test_an_answer_counts_once_and_only_for_its_question():
    """Stale and doubled answers change nothing."""
    run = run_of(CACHED, slow=True).create({"k": "k"})
    asked = min(run.asked)
    stale = c.CacheAnswered(node="a", asked=asked - 1, outputs={"n": 9}, filled_by="x", filled_at=1)
    run.tell(stale)

    assert "LookingUp" == run.status("a")

    run.tell(c.CacheAnswered(node="a", asked=asked)).tell(stale, msgspec.structs.replace(stale, asked=asked))

    assert 1 == len(run.running) and "Scheduled" == run.status("a")


def test_a_cache_that_does_not_answer_is_a_miss():
    """After ten seconds, and the log says so; until then the status says what the run waits for."""
    run = run_of(CACHED, slow=True).create({"k": "k"})
    assert run.wait_for_timer()

    assert "had not answered after 10s" in run.of("CacheMissed")[0].note
    assert run.running


def test_a_question_needs_no_slot_and_a_miss_waits_for_one():
    """`maxNodes` counts attempts: what is in the cache ends though all slots are taken."""
    other = {**CACHED, "name": "b", "cache": {"key": "b"}, "store": {}}
    spec = {"nodes": [CACHED, other], "concurrency": {"maxNodes": 1}}
    run = Driver(spec).create({"k": "k"})

    assert ["Scheduled", "Ready"] == [run.status("a"), run.status("b")]

    run.crash().end("a", {"n": 1}).end("b")
    run.check_ended()


def test_a_hit_counts_while_suspended_and_a_miss_is_held():
    """What was asked before is answered; nothing new starts, and nothing is asked twice."""
    other = {**CACHED, "name": "b", "store": {}}
    run = run_of(CACHED, other, cache=filled(), slow=True).create({"k": "k"}).wish(suspend=True).answer()

    assert ["Succeeded", "Ready"] == [run.status("a"), run.status("b")]
    assert reasons.SUSPENDED == run.state.node("b").held

    run.wish(suspend=False).end("b")
    run.check_ended()
    assert 1 == len(run.of("CacheLookup", "b"))


def test_a_cancelled_run_waits_for_no_answer():
    """An open question is given up at once; its answer comes too late."""
    run = run_of(CACHED, cache=filled(), slow=True).create({"k": "k"}).wish(cancel=True)

    run.check_ended()
    assert "Cancelled" == run.status("a")
    assert "Cancelled" == run.answer().status("a")


# --- between the engine and a cache ----------------------------------------------------------------------------------

FILL = FillCache(
    id="f", identity={"node": "a", "key": "k"}, outputs={"n": 1}, execution="first", at=5, expires=None
)
ASK = LookUp(id="l", node="a", asked=4, identity=FILL.identity, at=6)


def test_what_is_filled_is_what_is_answered():
    """Outputs of any JSON, whose they are and since when."""
    outputs = {"big": 2**60 + 1, "double": 2.5, "text": "ä", "list": [None, True, {}]}
    fill = msgspec.structs.replace(FILL, outputs=outputs)

    answer = caching.answer(ASK, caching.entry_of(fill))

    assert (outputs, "first", 5, 4) == (answer.outputs, answer.filled_by, answer.filled_at, answer.asked)


@pytest.mark.parametrize(
    "damage",
    [
        lambda form: form[:-1],
        lambda form: form[:0],
        lambda form: form.replace(b"1}", b"2}"),
        lambda form: b"\xff" * len(form),
    ],
    ids=["cut", "empty", "changed", "garbage"],
)
def test_a_damaged_entry_is_a_miss_that_makes_room(damage):
    """With a note; it is dropped, and the next result is kept."""
    cache = MemoryCache()
    cache.entries[caching.store_key(FILL.identity)] = (damage(caching.entry_of(FILL)), None)

    async def story() -> tuple[c.CacheAnswered, c.CacheAnswered]:
        hand = caching.Caching(cache)
        first = await hand.look_up(ASK)
        await hand.fill(FILL)
        return first, await hand.look_up(ASK)

    missed, hit = asyncio.run(story())

    assert missed.outputs is None and "damaged" in missed.note
    assert {"n": 1} == hit.outputs


def test_an_entry_of_another_identity_is_a_miss():
    """Should two keys ever be the same, the results are not mixed up."""
    other = msgspec.structs.replace(FILL, identity={"node": "b", "key": "k"})

    answer = caching.answer(ASK, caching.entry_of(other))

    assert answer.outputs is None and "another node" in answer.note


def test_a_result_that_is_too_large_is_not_kept_and_the_next_run_is_told():
    """With its size and the limit."""
    large = msgspec.structs.replace(FILL, outputs={"x": "y" * caching.LARGEST})

    answer = caching.answer(ASK, caching.entry_of(large))

    assert answer.outputs is None
    assert "the result of first has 524296 bytes and was not kept; expected at most 524288" == answer.note
    assert len(caching.entry_of(large)) < 1_000


class Broken(MemoryCache):
    """A cache that cannot be reached."""

    async def get(self, key: str, now: int) -> bytes | None:
        raise Unavailable("the disk is gone")

    async def put(self, key: str, entry: bytes, expires: int | None, now: int) -> bool:
        raise Unavailable("the disk is gone")


def test_a_cache_that_cannot_be_reached_is_a_miss_with_the_reason():
    """Neither looking up nor filling raises anything."""

    async def story() -> c.CacheAnswered:
        hand = caching.Caching(Broken())
        await hand.fill(FILL)
        return await hand.look_up(ASK)

    answer = asyncio.run(story())

    assert answer.outputs is None
    assert "the cache cannot be reached: the disk is gone" == answer.note
