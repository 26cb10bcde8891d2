"""The contract of `Blobs`: bytes by digest, an execution's own, kept once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.contracts.adapters import EVERY, Adapter, opened

from fairlead.model.large import digest_of


@pytest.fixture(params=EVERY)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    with closing(opened(request)) as home:
        yield home


def keep(adapter: Adapter, uid: str, *values: bytes) -> None:
    asyncio.run(adapter.blobs.keep(uid, {digest_of(data): data for data in values}))


def fetch(adapter: Adapter, uid: str, *values: bytes) -> list[bytes | None]:
    found = asyncio.run(adapter.blobs.fetch(uid, [digest_of(data) for data in values]))
    return [found.get(digest_of(data)) for data in values]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff" * 4, b'{"value":[1]}', bytes(range(256)) * (8 << 12)],
    ids=["empty", "any", "json", "8 MiB"],
)
def test_what_was_kept_is_given_back(adapter, data):
    """Byte for byte, whatever the bytes are and however many."""
    keep(adapter, "u", b"other", data)

    assert [data] == fetch(adapter, "u", data)


def test_what_is_not_there_is_left_out(adapter):
    """Neither an unknown digest nor an unknown uid is an error: who reads says what is damaged by it."""
    keep(adapter, "u", b"a")

    assert [b"a", None] == fetch(adapter, "u", b"a", b"b")
    assert [None] == fetch(adapter, "v", b"a")


def test_keeping_again_changes_nothing(adapter):
    """After a crash the same blobs come once more, some of them for the first time."""
    keep(adapter, "u", b"a", b"b")
    keep(adapter, "u", b"b", b"c")

    assert [b"a", b"b", b"c"] == fetch(adapter, "u", b"a", b"b", b"c")


def test_executions_have_their_own_blobs(adapter):
    """What one of them loses, the other still has: they live and go with their execution."""
    keep(adapter, "u", b"a")
    keep(adapter, "v", b"a")
    adapter.spoil("u", digest_of(b"a"), None)

    assert ([None], [b"a"]) == (fetch(adapter, "u", b"a"), fetch(adapter, "v", b"a"))
