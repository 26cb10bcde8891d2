"""The contract of `Cache`: the first entry of a key stays while it is good, and what is not good is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.adapters import ADAPTERS, EVERY, Adapter, opened

from fairlead.runtime.ports import Cache


@pytest.fixture(params=EVERY)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    with closing(opened(request)) as home:
        yield home


def get(adapter: Adapter, key: str, now: int = 0) -> bytes | None:
    return asyncio.run(adapter.cache.get(key, now))


def put(adapter: Adapter, key: str, entry: bytes, expires: int | None = None, now: int = 0) -> bool:
    return asyncio.run(adapter.cache.put(key, entry, expires, now))


def drop(adapter: Adapter, key: str, entry: bytes) -> None:
    asyncio.run(adapter.cache.drop(key, entry))


def test_what_was_put_comes_back(adapter):
    """Under its key and no other."""
    assert put(adapter, "k", b"entry")

    assert [b"entry", None] == [get(adapter, "k"), get(adapter, "other")]


def test_the_first_entry_stays(adapter):
    """A second one under the same key is refused and changes nothing."""
    put(adapter, "k", b"first")

    assert not put(adapter, "k", b"second")
    assert get(adapter, "k") == b"first"


def test_an_entry_is_good_until_it_expires(adapter):
    """By the time that is given, to the microsecond."""
    put(adapter, "k", b"entry", expires=100, now=10)

    assert [b"entry", None] == [get(adapter, "k", 99), get(adapter, "k", 100)]


def test_an_expired_entry_makes_room(adapter):
    """The next one takes its place."""
    put(adapter, "k", b"old", expires=100)

    assert put(adapter, "k", b"new", expires=300, now=100)
    assert get(adapter, "k", 200) == b"new"


def test_what_has_expired_already_is_not_kept(adapter):
    """A fill that comes late, after a crash, does not come back from the dead."""
    assert not put(adapter, "k", b"late", expires=100, now=100)
    assert get(adapter, "k", 1) is None


def test_a_dropped_entry_is_gone(adapter):
    """And another can be put in its place."""
    put(adapter, "k", b"damaged")
    drop(adapter, "k", b"damaged")

    assert get(adapter, "k") is None
    assert put(adapter, "k", b"whole")


def test_only_the_entry_that_is_meant_is_dropped(adapter):
    """Whoever found a damaged one does not remove what somebody else has put there since; unknown keys are fine."""
    put(adapter, "k", b"new")
    drop(adapter, "k", b"old")
    drop(adapter, "unknown", b"old")

    assert get(adapter, "k") == b"new"


@pytest.mark.parametrize(
    "entry", [b"", b"\x00\xff" * 4, b"x" * (1 << 20)], ids=["empty", "any bytes", "1 MiB"]
)
def test_an_entry_is_any_bytes(adapter, entry):
    """What is in it is nobody's business here."""
    put(adapter, "k", entry)

    assert get(adapter, "k") == entry


def test_of_many_that_fill_one_key_one_wins(adapter):
    """All are told whether theirs is the one that stays."""
    kept: dict[bytes, bool] = {}

    def filler(entry: bytes):
        async def fill(cache: Cache) -> None:
            kept[entry] = await cache.put("k", entry, None, 0)

        return fill

    entries = [b"%d" % number for number in range(8)]
    adapter.race_to_fill(*map(filler, entries))

    assert [get(adapter, "k")] == [entry for entry in entries if kept[entry]]


Step = tuple[str, str, bytes, int | None, int]
STEPS = st.tuples(
    st.sampled_from(["put", "drop"]),
    st.sampled_from("ab"),
    st.sampled_from([b"1", b"2"]),
    st.none() | st.integers(0, 9),
    st.integers(0, 9),
)


@given(steps=st.lists(STEPS, max_size=20))
def test_every_adapter_caches_what_memory_caches(steps):
    """After any puts, drops and expiries the answers are the same everywhere."""
    with TemporaryDirectory() as folder:
        stories = {name: _story(make(Path(folder)), steps) for name, make in ADAPTERS.items()}

    assert dict.fromkeys(ADAPTERS, stories["memory"]) == stories


def _story(adapter: Adapter, steps: list[Step]) -> list[object]:
    with closing(adapter):
        return asyncio.run(answers(adapter.cache, steps))


async def answers(cache: Cache, steps: list[Step], prefix: str = "") -> list[object]:
    """What a cache says to some steps, under keys that begin with `prefix`."""
    said: list[object] = []
    now = 0
    for step, name, entry, expires, later in steps:
        now, key = now + later, f"{prefix}{name}"
        if step == "put":
            said.append(await cache.put(key, entry, None if expires is None else now + expires, now))
        else:
            await cache.drop(key, entry)
        said.append([await cache.get(f"{prefix}{each}", now) for each in "ab"])
    return said
