"""The contract of `Checkpoints`: a cache that gives back the newest state or none."""

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


@pytest.fixture(params=EVERY)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    with closing(opened(request)) as home:
        yield home


def save(adapter: Adapter, uid: str, seq: int, state: bytes) -> None:
    asyncio.run(adapter.checkpoints.save(uid, seq, state))


def latest(adapter: Adapter, uid: str) -> tuple[int, bytes] | None:
    return asyncio.run(adapter.checkpoints.latest(uid))


def test_without_a_checkpoint_there_is_none(adapter):
    """An unknown uid is no error: the log has all."""
    save(adapter, "other", 1, b"state")

    assert latest(adapter, "u") is None


def test_the_newest_state_comes_back(adapter):
    """Of several the one with the highest number."""
    for seq in (10, 20, 30):
        save(adapter, "u", seq, f"state {seq}".encode())

    assert (30, b"state 30") == latest(adapter, "u")


def test_an_older_state_does_not_hide_a_newer_one(adapter):
    """Newest means the state's place in the log, not when it was saved."""
    save(adapter, "u", 30, b"new")
    save(adapter, "u", 10, b"old")

    assert (30, b"new") == latest(adapter, "u")


def test_a_state_of_the_same_place_replaces_the_one_before(adapter):
    """Saving again is fine."""
    save(adapter, "u", 5, b"first")
    save(adapter, "u", 5, b"second")

    assert (5, b"second") == latest(adapter, "u")


def test_executions_have_their_own(adapter):
    """States of one uid are never given to another."""
    save(adapter, "a", 5, b"a")
    save(adapter, "b", 6, b"b")

    assert [(5, b"a"), (6, b"b")] == [latest(adapter, uid) for uid in "ab"]


@pytest.mark.parametrize(
    "state", [b"", b"\x00\xff" * 4, b"x" * (8 << 20)], ids=["empty", "any bytes", "8 MiB"]
)
def test_a_state_is_any_bytes(adapter, state):
    """States of large graphs have megabytes; what is in them is nobody's business here."""
    save(adapter, "u", 1, state)

    assert (1, state) == latest(adapter, "u")


@given(
    saves=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.binary(max_size=3)), max_size=20)
)
def test_every_adapter_keeps_what_memory_keeps(saves):
    """After any saves the newest of each uid is the same everywhere."""
    with TemporaryDirectory() as folder:
        stories = {name: _story(make(Path(folder)), saves) for name, make in ADAPTERS.items()}

    assert dict.fromkeys(ADAPTERS, stories["memory"]) == stories


def _story(adapter: Adapter, saves: list[tuple[str, int, bytes]]) -> list[object]:
    answers: list[object] = []
    with closing(adapter):
        for uid, seq, state in saves:
            save(adapter, uid, seq, state)
            answers.append([latest(adapter, "a"), latest(adapter, "b")])
    return answers
