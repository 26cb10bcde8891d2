"""Contents by digest, pinned definitions, checkpoints and statuses on a real API server."""

from __future__ import annotations

import hashlib
import json
import secrets

import pytest
from tests.support.kube_faults import Fault
from tests.support.operators import UNSEEN

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS
from fairlead.kube.fence import NotLeader
from fairlead.kube.names import record_name, shard_of
from fairlead.kube.parts import Damaged, Packed, pack, unpack
from fairlead.kube.statuses import LIMIT, changed, fitted
from fairlead.model.errors import LogDamaged, NotFound, Unavailable


def every(home):
    """The ConfigMaps that are ours."""
    listed = json.loads(home.run(home.client.get(CONFIG_MAPS, home.namespace)))["items"]
    return [one for one in listed if one["metadata"]["name"].startswith("fairlead-")]


def status_of(home, uid):
    place = home.places.of(uid)
    return json.loads(home.run(home.client.get(EXECUTIONS, place.namespace, place.name))).get("status", {})


# ------------------------------------------------------------------------------------------------------------------ names


def test_names_hash_the_whole_identity():
    """130 bits in 26 letters, another name for any other part, and none that depends on what people call things."""
    name = record_name("head", "uid")

    assert name.startswith("fairlead-head-")
    assert 26 == len(name.removeprefix("fairlead-head-"))
    assert 4 == len(
        {name, record_name("head", "uid2"), record_name("b", "uid"), record_name("head", "u", "id")}
    )


def test_shards_are_stable_and_even():
    """The shard of a uid is the same for ever, and every shard has its share."""
    counts = [0] * names.SHARDS
    for number in range(6400):
        counts[shard_of(f"uid-{number}")] += 1

    assert 17 == shard_of("f4a1a2b0-0000-4000-8000-000000000001")
    assert 50 < min(counts)
    assert max(counts) < 150


# ------------------------------------------------------------------------------------------------------------------ parts


@pytest.mark.parametrize("size", [0, 1, 100_000, 3 << 20])
def test_what_was_packed_is_unpacked(size):
    """Whatever its size, in parts that are bounded."""
    data = secrets.token_bytes(size)
    packed = pack(data)

    assert data == unpack(packed.parts, packed.size, packed.digest)
    assert 352 << 10 >= max(map(len, packed.parts))


def test_what_was_changed_is_not_unpacked():
    """A part that is missing, foreign or garbage; and a bomb is not expanded beyond the size that was promised."""
    packed = pack(secrets.token_bytes(1 << 20))
    other = pack(b"x" * (1 << 20))
    wrong = [
        Packed(packed.parts[:-1], packed.size, packed.digest),
        Packed(packed.parts[::-1], packed.size, packed.digest),
        Packed(other.parts, packed.size, packed.digest),
        Packed(other.parts, 10, packed.digest),
        Packed((b"garbage",), packed.size, packed.digest),
        Packed((), packed.size, packed.digest),
    ]

    for one in wrong:
        with pytest.raises(Damaged):
            unpack(one.parts, one.size, one.digest)


# ------------------------------------------------------------------------------------------------------------------ blobs


def test_blobs_come_back_by_digest(home):
    """Large ones are cut into objects under the limit; those that are not there are left out."""
    uid = home.born()
    blobs = {
        hashlib.sha256(data).hexdigest(): data for data in (b"", b"a" * 10, secrets.token_bytes(1 << 20))
    }
    home.run(home.blobs.keep(uid, blobs))
    home.run(home.blobs.keep(uid, blobs))

    assert blobs == home.run(home.blobs.fetch(uid, [*blobs, "unknown"]))
    assert 512 << 10 >= max(len(json.dumps(one)) for one in every(home))
    assert {} == home.run(home.blobs.fetch(home.born(), blobs))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_record_without_an_answer_is_there_once(home, fault):
    """Its name tells its content, so it is sent again, and what is there already is compared."""
    uid, faults = home.born(), iter([fault, fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    home.run(home.blobs.keep(uid, {"d": b"content"}))

    assert {"d": b"content"} == home.run(home.blobs.fetch(uid, ["d"]))
    assert 1 == len(every(home))


def test_a_definition_is_pinned_for_good(home):
    """It is immutable, comes back by its digest, and belongs to its execution."""
    uid, text = home.born(), json.dumps({"nodes": [{"name": "a" * 50}] * 20_000}).encode()
    digest = home.run(home.definitions.pin(uid, text))
    home.run(home.definitions.pin(uid, text))

    assert f"sha256:{hashlib.sha256(text).hexdigest()}" == digest
    assert text == home.run(home.definitions.definition(uid, digest))
    assert all(one["immutable"] for one in every(home))
    assert {uid} == {one["metadata"]["ownerReferences"][0]["uid"] for one in every(home)}
    with pytest.raises(NotFound):
        home.run(home.definitions.definition(uid, "sha256:0"))


def test_a_definition_that_was_exchanged_is_named(home):
    """Deleted and made anew with another content: seen by its digest."""
    uid = home.born()
    digest = home.run(home.definitions.pin(uid, b"{}"))
    [there] = every(home)
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, there["metadata"]["name"]))
    packed = pack(b'{"nodes": []}')
    forged = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": there["metadata"]["name"]},
        "data": {"parts": "1", "size": str(packed.size), "digest": packed.digest},
        "binaryData": {"content": packed.parts[0]},
    }
    home.run(home.client.create(CONFIG_MAPS, home.namespace, forged))

    with pytest.raises(LogDamaged, match=f"expected {digest}"):
        home.run(home.definitions.definition(uid, digest))
    with pytest.raises(LogDamaged, match="is not the one we meant"):
        home.run(home.definitions.pin(uid, b"{}"))


# ------------------------------------------------------------------------------------------------------------ checkpoints


def test_a_checkpoint_that_was_changed_counts_as_none(home):
    """The one before it does; and when none is left, that is no error."""
    uid = home.born()
    for seq in (1, 2, 3):
        home.run(home.raw_checkpoints.save(uid, seq, b"state %d" % seq))
    states = [one for one in every(home) if one["metadata"]["labels"][names.LOG] == "state"]
    by_seq = {one["metadata"]["name"]: one for one in states}

    assert 2 == len(by_seq)
    newest = record_name("state", uid, "3", pack(b"state 3").digest)
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, newest))
    assert (2, b"state 2") == home.run(home.raw_checkpoints.latest(uid))
    [named] = [one for one in every(home) if one["metadata"]["labels"][names.LOG] == "checkpoint"]
    home.run(
        home.client.patch(CONFIG_MAPS, home.namespace, named["metadata"]["name"], {"data": {"kept": "?"}})
    )
    assert home.run(home.raw_checkpoints.latest(uid)) is None


# ---------------------------------------------------------------------------------------------------------------- statuses


def running(sequence, **fields):
    return {"phase": "Running", "log": {"sequence": sequence}, **fields}


def test_a_status_shows_what_was_published_last(home):
    """Keys come, change and go; what nobody changed is not sent."""
    uid = home.born()
    home.run(home.statuses.publish(uid, running(1, variables={"a": 1, "b": {"c": 2}}, result="x")))
    home.run(home.statuses.publish(uid, running(2, variables={"b": {"d": 3}})))
    before = home.client.writes
    home.run(home.statuses.publish(uid, running(2, variables={"b": {"d": 3}})))

    assert before == home.client.writes
    assert {**running(2), "variables": {"b": {"d": 3}}} == status_of(home, uid)


def test_a_change_of_the_spec_does_not_stop_the_status(home):
    """A 409 is normal: somebody paused the run."""
    uid = home.born()
    place = home.places.of(uid)
    home.run(home.statuses.publish(uid, running(1)))
    home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, {"spec": {"suspend": True}}))
    home.run(home.statuses.publish(uid, running(2)))

    assert running(2) == status_of(home, uid)


def test_a_newer_status_is_never_written_over(home):
    """An old leader that wakes up shows nothing."""
    uid = home.born()
    place = home.places.of(uid)
    home.run(home.statuses.publish(uid, running(5)))
    home.run(
        home.client.patch(
            EXECUTIONS, home.namespace, place.name, {"status": running(9)}, subresource="status"
        )
    )
    home.run(home.statuses.publish(uid, running(6)))
    home.statuses.forget(uid)
    home.run(home.statuses.publish(uid, running(8)))

    assert running(9) == status_of(home, uid)


def test_who_does_not_lead_shows_nothing(home):
    """The fence is asked."""
    uid = home.born()
    home.reign.number = None

    with pytest.raises(NotLeader):
        home.run(home.statuses.publish(uid, running(1)))


def test_the_status_of_a_run_that_is_gone_is_dropped(home):
    """Deleted, or deleted and made anew under its name."""
    uid = home.born()
    place = home.places.of(uid)
    home.run(home.client.delete(EXECUTIONS, home.namespace, place.name, uid=uid))
    home.run(home.statuses.publish(uid, running(1)))
    home.run(
        home.client.create(
            EXECUTIONS,
            home.namespace,
            {
                "apiVersion": EXECUTIONS.api_version,
                "kind": EXECUTIONS.kind,
                "metadata": {"name": place.name},
                "spec": {"workflow": {"name": "flow"}},
            },
        )
    )
    home.run(home.statuses.publish(uid, running(2)))

    assert UNSEEN == status_of(home, uid)


def test_a_status_that_does_not_fit_the_schema_is_told(home):
    """That is our own bug, and not hidden; it stops no run, as no status does that cannot be written."""
    with pytest.raises(Unavailable, match="phase"):
        home.run(home.statuses.publish(home.born(), {"phase": "Flying"}))


def test_a_status_is_bounded():
    """Lists are cut until it fits; everything else is bounded where it is made."""
    waiting = [{"kind": "timer", "message": "x" * 900} for _ in range(200)]
    cut = fitted(running(1, waitingFor=waiting, paths=[{"id": "0"}]))

    assert len(json.dumps(cut)) < LIMIT + 10_000
    assert waiting[: len(cut["waitingFor"])] == cut["waitingFor"]
    assert [{"id": "0"}] == cut["paths"]


def test_a_patch_has_what_changed_and_nothing_else():
    """Maps key by key, lists whole, None for what is gone."""
    before = {"a": 1, "b": {"c": 1, "d": 2}, "l": [1], "same": {"x": [1]}}
    after = {"b": {"c": 1, "e": 3}, "l": [1, 2], "same": {"x": [1]}, "n": None}

    assert {"a": None, "b": {"d": None, "e": 3}, "l": [1, 2], "n": None} == changed(before, after)
