"""The cache on a real API server, beyond the contract of the port: what an entry is made of, tampering, answers that never came,
sweeping.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.adapters import Memory
from tests.contracts.test_cache import STEPS, answers
from tests.support.kube import with_client
from tests.support.kube_faults import Fault
from tests.support.kube_home import KubernetesHome, Reign

from fairlead.kube import names
from fairlead.kube.caches import LIMIT, MOST, KubernetesCache, sweep
from fairlead.kube.client import CONFIG_MAPS, Invalid
from fairlead.kube.fence import NotLeader
from fairlead.kube.names import record_name
from fairlead.model.effects import FillCache, LookUp
from fairlead.model.errors import NotFound, Unavailable
from fairlead.runtime.caching import LARGEST, Caching, entry_of, store_key


def put(
    home: KubernetesHome, key: str = "k", entry: bytes = b"entry", expires: int | None = None, now: int = 0
) -> bool:
    return home.run(home.raw_cache.put(key, entry, expires, now))


def get(home: KubernetesHome, key: str = "k", now: int = 0) -> bytes | None:
    return home.run(home.raw_cache.get(key, now))


def stored(home: KubernetesHome, key: str = "k") -> dict[str, Any]:
    """The object of a key."""
    body = home.run(home.client.get(CONFIG_MAPS, home.namespace, record_name("cache", key)))
    found: dict[str, Any] = json.loads(body)
    return found


def patch(home: KubernetesHome, body: dict[str, Any], key: str = "k") -> None:
    """Somebody changes the object of a key."""
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, record_name("cache", key), body))


# ------------------------------------------------------------------------------------------------------- what an entry is


def test_an_entry_belongs_to_no_execution(home):
    """It outlives the run that filled it; it says that it is ours, in which epoch, of which key, and until when."""
    put(home, expires=100)
    there = stored(home)

    labels = {names.MANAGED: "true", names.EPOCH: "1", names.LOG: "cache", names.EXPIRES: "100"}
    assert (labels, {"key": "k"}) == (there["metadata"]["labels"], there["data"])
    assert "ownerReferences" not in there["metadata"]


def test_every_result_that_is_kept_fits_into_one_object(home):
    """Also text that hardly compresses, up to the largest that the runtime keeps; the object has less than 512 KiB."""
    outputs = {"text": base64.b64encode(os.urandom(LARGEST * 3 // 4 - 100)).decode()}
    entry = entry_of(FillCache(id="f", identity={}, outputs=outputs, execution="e", at=0, expires=None))

    assert put(home, entry=entry)
    assert entry == get(home)
    assert len(base64.b64decode(stored(home)["binaryData"]["entry"])) < LIMIT < 512 << 10


@pytest.mark.parametrize("entry", [os.urandom(LIMIT + 1), bytes(MOST + 1)], ids=["compressed", "as it is"])
def test_what_is_too_large_is_not_kept(home, entry):
    """The next one who asks has to run."""
    assert not put(home, entry=entry)
    assert get(home) is None


# ------------------------------------------------------------------------------------------------------------- tampering


IDENTITY = {"node": "a"}
KEY = store_key(IDENTITY)
TAMPERED: dict[str, dict[str, Any]] = {
    "other bytes": {"binaryData": {"entry": base64.b64encode(b"forged").decode()}},
    "no bytes": {"binaryData": None},
    "empty": {"binaryData": {"entry": ""}},
    "of another key": {"data": {"key": "another"}},
    "of no key": {"data": None},
    "until no time": {"metadata": {"labels": {names.EXPIRES: "soon"}}},
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_entry_is_a_miss_and_makes_room(home, change):
    """The note says that it is damaged; it is dropped, so that the next result takes its place."""
    caching = Caching(home.raw_cache)
    fill = FillCache(id="f", identity=IDENTITY, outputs={"n": 1}, execution="first", at=0, expires=1_000)
    look = LookUp(id="l", node="a", asked=1, identity=IDENTITY, at=1)
    home.run(caching.fill(fill))
    assert {"n": 1} == home.run(caching.look_up(look)).outputs
    patch(home, change, KEY)

    answer = home.run(caching.look_up(look))
    assert (None, True) == (answer.outputs, answer.note.startswith("the entry is damaged"))
    assert home.run(caching.look_up(look)).note == ""
    home.run(caching.fill(fill))
    assert {"n": 1} == home.run(caching.look_up(look)).outputs


def test_an_entry_never_decides_how_much_memory_it_takes(home):
    """One that would expand beyond the limit is given as it stands, which is damaged."""
    put(home)
    bomb = zlib.compress(bytes(MOST + 1))
    patch(home, {"binaryData": {"entry": base64.b64encode(bomb).decode()}})

    assert bomb == get(home)


def test_an_entry_that_somebody_froze_is_not_replaced(home):
    """An immutable ConfigMap is refused by the server: that is told, and harms nobody."""
    put(home, expires=10)
    patch(home, {"immutable": True})

    with pytest.raises(Unavailable, match="is refused"):
        put(home, entry=b"new", now=10)
    home.run(home.raw_cache.drop("k", b"entry"))
    assert put(home, entry=b"new", now=10)


# ------------------------------------------------------------------------------------------------- answers that never came


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
@pytest.mark.parametrize("expired", [False, True], ids=["created", "replaced"])
def test_a_put_without_an_answer_is_settled_by_looking(home, fault, expired):
    """It is there, and whoever put it knows that it is theirs."""
    if expired:
        put(home, entry=b"old", expires=10)
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)

    assert put(home, expires=99, now=10)
    assert b"entry" == get(home, now=98)


def test_a_put_without_an_answer_behind_which_another_wrote_is_not_kept(home):
    """Ours was lost, theirs stands."""

    async def overtake(method, path):
        home.client.between = None
        await home.raw_cache.put("k", b"theirs", None, 0)

    faults = iter([Fault.LOST])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    home.client.between = overtake

    assert not put(home)
    assert b"theirs" == get(home)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_drop_without_an_answer_is_settled_by_looking(home, fault):
    """It is gone afterwards."""
    put(home)
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    home.run(home.raw_cache.drop("k", b"entry"))

    assert get(home) is None


def test_of_several_that_replace_an_expired_entry_one_wins(home):
    """By the version that they read."""
    put(home, entry=b"old", expires=10)

    async def overtake(method, path):
        if method == "PUT":
            home.client.between = None
            await KubernetesCache(home.client, home.namespace, home.reign).put("k", b"first", None, 10)

    home.client.between = overtake

    assert not put(home, entry=b"second", now=10)
    assert b"first" == get(home, now=10)


def test_a_drop_takes_nothing_that_came_meanwhile(home):
    """An entry that another has put in place of the damaged one, between look and delete, stays."""
    put(home, entry=b"damaged", expires=10)

    async def replace(method, path):
        home.client.between = None
        await home.raw_cache.put("k", b"new", None, 10)

    home.client.between = replace
    home.run(home.raw_cache.drop("k", b"damaged"))

    assert b"new" == get(home, now=10)


def test_a_foreign_label_is_in_nobodys_way(home):
    """It moves the version between look and write; both are done again."""
    count = itertools.count()

    async def label(method, path):
        if method != "POST":
            home.client.between = None
            patch_body = {"metadata": {"labels": {"somebody": f"n{next(count)}"}}}
            await home.client.patch(CONFIG_MAPS, home.namespace, record_name("cache", "k"), patch_body)

    put(home, entry=b"old", expires=10)
    home.client.between = label
    assert put(home, entry=b"new", now=10)
    home.client.between = label
    home.run(home.raw_cache.drop("k", b"new"))

    assert (get(home), 2) == (None, next(count))


def test_who_does_not_lead_writes_nothing(home):
    """The fence is asked before every write; reading is free."""
    put(home, expires=10)
    home.reign.number = None
    before = home.client.writes
    for work in (
        home.raw_cache.put("other", b"x", None, 0),
        home.raw_cache.put("k", b"x", None, 10),
        home.raw_cache.drop("k", b"entry"),
        sweep(home.client, home.reign, home.namespace, 10),
    ):
        with pytest.raises(NotLeader):
            home.run(work)

    assert (b"entry", before) == (get(home), home.client.writes)


# --------------------------------------------------------------------------------------------------------------- sweeping


def test_a_sweep_takes_what_has_expired_and_nothing_else(home, monkeypatch):
    """Page by page, so many at most; entries without an end, and other ConfigMaps, stay."""
    monkeypatch.setattr("fairlead.kube.caches._PAGE", 2)
    for number in range(7):
        put(home, f"old-{number}", expires=10)
    put(home, "good", expires=11)
    put(home, "for ever")
    labels = {names.EXPIRES: "1"}
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "foreign", "labels": labels}}
    home.run(home.client.create(CONFIG_MAPS, home.namespace, foreign))

    def swept(most: int) -> int:
        number: int = home.run(sweep(home.client, home.reign, home.namespace, 10, most))
        return number

    assert [5, 2, 0] == [swept(5), swept(500), swept(500)]
    assert [b"entry", b"entry"] == [get(home, "good", 10), get(home, "for ever", 10)]
    home.run(home.client.get(CONFIG_MAPS, home.namespace, "foreign"))


def test_a_sweep_takes_nothing_that_was_put_anew_meanwhile(home):
    """What was listed and has changed since is left for the next one."""
    put(home, entry=b"old", expires=10)

    async def renew(method, path):
        home.client.between = None
        await home.raw_cache.put("k", b"new", 99, 10)

    home.client.between = renew

    assert 0 == home.run(sweep(home.client, home.reign, home.namespace, 10))
    assert b"new" == get(home, now=98)


def test_a_sweep_passes_over_what_a_policy_keeps(home):
    """Somebody's admission policy denies it: that is an answer about one entry, and the others go."""
    for number in range(3):
        put(home, f"old-{number}", expires=10)
    refused = iter([Invalid("ValidatingAdmissionPolicy 'keep' denied request", "Invalid")])

    async def deny(method, path):
        if (error := next(refused, None)) is not None:
            raise error

    home.client.between = deny

    assert 2 == home.run(sweep(home.client, home.reign, home.namespace, 10))
    assert 1 == home.run(sweep(home.client, home.reign, home.namespace, 10))


def test_a_sweep_can_be_of_all_namespaces(plane):
    """For whoever does not know which of them have a cache."""

    async def work(client):
        for namespace in ("default", "kube-public"):
            assert await KubernetesCache(client, namespace, Reign()).put("k", b"entry", 10, 0)
        assert 2 == await sweep(client, Reign(), None, 10)
        for namespace in ("default", "kube-public"):
            with pytest.raises(NotFound):
                await client.get(CONFIG_MAPS, namespace, record_name("cache", "k"))

    with_client(plane.kubeconfig, work)


# ----------------------------------------------------------------------------------------------------------------- random


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_the_cluster_caches_what_memory_caches(home, tmp_path, steps):
    """After any puts, drops and expiries the answers are the same; every example has keys of its own."""
    home.examples = prefix = getattr(home, "examples", 0) + 1

    assert asyncio.run(answers(Memory(tmp_path).cache, steps)) == asyncio.run(
        answers(home.cache, steps, f"{prefix}-")
    )
