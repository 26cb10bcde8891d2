"""The log on a real API server: what is stored, in which objects, and who finds it (protocol.md 1, 13 to 18)."""

from __future__ import annotations

import json
import secrets

import msgspec
import pytest
from tests.support.stores import a_run, completed, created

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.log import head_name, heads, planning
from fairlead.model import events as e

BIG = {"text": "x" * 3000}


def objects(home, kind=None):
    """The ConfigMaps of the namespace, as they are stored."""
    body = home.run(home.client.request("GET", f"/api/v1/namespaces/{home.namespace}/configmaps"))
    found = [one for one in json.loads(body)["items"] if names.LOG in one["metadata"].get("labels", {})]
    return [one for one in found if kind in (None, one["metadata"]["labels"][names.LOG])]


def fill(home, uid, count, after=0, **fields):
    """So many appends of one event each."""
    for seq in range(after + 1, after + count + 1):
        home.run(home.raw_log.append(uid, seq - 1, [completed(seq, **fields)]))


def test_the_head_says_whose_it_is(home):
    """Labels with uid, shard and epoch, the execution as owner and controller, nothing that blocks its deletion."""
    uid = home.born()
    place = home.places.of(uid)
    fill(home, uid, 1)
    [head] = objects(home)
    about = head["metadata"]

    assert head_name(place) == about["name"]
    assert {
        names.MANAGED: "true",
        names.LOG: "head",
        names.EXECUTION_UID: place.uid,
        names.SHARD: f"{names.shard_of(place.uid):02d}",
        names.EPOCH: "1",
    } == about["labels"]
    assert {names.EXECUTION: place.name} == about["annotations"]
    [owner] = about["ownerReferences"]
    assert (place.uid, place.name, True) == (owner["uid"], owner["name"], owner["controller"])
    assert "blockOwnerDeletion" not in owner


def test_managed_fields_are_emptied_by_the_first_patch(home):
    """They would list every key of the head."""
    uid = home.born()
    fill(home, uid, 3)
    [head] = objects(home)

    assert "managedFields" not in head["metadata"]


def test_the_open_tail_is_bounded_and_the_rest_is_in_immutable_segments(home):
    """However much is appended, the head's batches have 32 KiB at most, and what left them cannot be changed."""
    uid = home.born()
    for seq in range(1, 41):
        fill(home, uid, 1, seq - 1, outputs=BIG)
        [head] = objects(home, "head")
        tail = [text for key, text in head["data"].items() if key not in ("head", "index")]
        assert sum(map(len, tail)) <= planning.TAIL
    segments = objects(home, "segment")

    assert 2 <= len(segments)
    assert all(one["immutable"] for one in segments)
    assert list(range(1, 41)) == [event.seq for event in home.run(home.raw_log.read(uid))]


def test_archives_keep_the_index_short(home, monkeypatch):
    """Segments are packed by the eight; what was packed is deleted, and every event is still there once."""
    monkeypatch.setattr(planning, "TAIL", 1)
    uid = home.born()
    fill(home, uid, 75)
    [head] = objects(home, "head")
    index = json.loads(head["data"]["index"])

    assert len(index) < 2 * planning.FAN
    assert {entry["level"] for entry in index} >= {0, 2}
    assert {entry["name"] for entry in index} == {
        one["metadata"]["name"] for one in objects(home) if one["metadata"]["labels"][names.LOG] != "head"
    }
    assert a_run(75) == home.run(home.another_log().read(uid))
    assert a_run(75)[70:] == home.run(home.another_log().read(uid, 70))


def test_no_object_passes_the_limit(home):
    """Not with the largest output that a node may give, that does not compress, nor with many events in one append."""
    uid = home.born()
    blob = secrets.token_urlsafe(1 << 20)
    home.run(home.raw_log.append(uid, 0, [completed(1, outputs={"blob": blob})]))
    home.run(home.raw_log.append(uid, 1, [completed(seq, outputs=BIG) for seq in range(2, 500)]))

    assert 3 <= len(objects(home, "segment"))
    assert 512 << 10 >= max(len(json.dumps(one)) for one in objects(home))
    assert blob == home.run(home.another_log().read(uid))[0].outputs["blob"]


def test_an_append_without_a_version_is_never_sent(home):
    """The server takes an empty resourceVersion for no condition at all."""
    uid = home.born()
    fill(home, uid, 1)
    stored = home.raw_log._writers[uid].stored
    with pytest.raises(AssertionError):
        planning.patch_of(msgspec.structs.replace(stored, resource_version=""), {}, "head")


def test_a_new_leader_finds_the_heads_of_live_runs(home):
    """By label, in pages, those of its shards; a run that has ended is not among them, one that is redriven is again."""
    uids = [home.born() for _ in range(103)]
    for uid in uids:
        home.run(home.raw_log.append(uid, 0, [created()]))
    gone = uids[7]
    over = [
        e.ExecutionStarted(seq=2, at=1, nodes=1),
        e.ExecutionFailed(seq=3, at=2, error=e.Error(reason="Timeout", message="late")),
    ]
    home.run(home.raw_log.append(gone, 1, over))

    async def found(shards=None):
        return sorted([one.place.uid async for one in heads(home.client, home.namespace, shards)])

    mine = {uid for uid in uids if names.shard_of(uid) in (3, 4, 5)} - {gone}

    assert sorted({*uids} - {gone}) == home.run(found())
    assert sorted(mine) == home.run(found({3, 4, 5}))
    home.run(home.raw_log.append(gone, 3, [e.Redriven(seq=4, at=3, redrive=1, epoch=1, reset=[])]))
    assert sorted(uids) == home.run(found())


def test_a_head_that_cannot_be_read_does_not_hide_the_others(home):
    """The damage of one log is told in its place."""
    bad, good = home.born(), home.born()
    for uid in (bad, good):
        fill(home, uid, 1)
    name = head_name(home.places.of(bad))
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, name, {"data": {"head": "{"}}))

    async def found():
        return {one.place.uid: one.damage async for one in heads(home.client, home.namespace)}

    damages = home.run(found())

    assert damages[good] is None
    assert "unreadable" in str(damages[bad])
