"""A log that somebody changed: seen, named by its first bad event, and never folded (protocol.md 1; F25 of the
reliability anchors).
"""

from __future__ import annotations

import json

import pytest
from tests.support.stores import a_run, completed

from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.log import head_name, planning
from fairlead.model.errors import LogDamaged


@pytest.fixture
def uid(home, monkeypatch):
    """A log of six events: 1 to 4 in two segments, 5 and 6 in the tail."""
    uid = home.born()
    monkeypatch.setattr(planning, "TAIL", 1)
    for after in (0, 2):
        home.run(home.raw_log.append(uid, after, a_run(2, after)))
    monkeypatch.setattr(planning, "TAIL", 32 << 10)
    for after in (4, 5):
        home.run(home.raw_log.append(uid, after, a_run(1, after)))
    return uid


def head(home, uid):
    body = home.run(home.client.get(CONFIG_MAPS, home.namespace, head_name(home.places.of(uid))))
    return json.loads(body)["data"]


def change(home, uid, **data):
    """Change keys of the head, as an editor of ConfigMaps can."""
    name = head_name(home.places.of(uid))
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, name, {"data": data}))


def damage(home, uid):
    """What a reader says who knows nothing yet, and a writer too."""
    with pytest.raises(LogDamaged) as seen:
        home.run(home.another_log().read(uid))
    return seen.value


def test_an_untouched_log_is_whole(home, uid):
    """The layout that the cases below change."""
    data = head(home, uid)

    assert {"head", "index", "b5", "b6"} == set(data)
    assert [(1, 2), (3, 4)] == [(entry["from"], entry["to"]) for entry in json.loads(data["index"])]
    assert a_run(6) == home.run(home.another_log().read(uid))


def test_a_batch_that_was_edited(home, uid):
    """A word in an event."""
    text = head(home, uid)["b5"]
    change(home, uid, b5=text.replace('"success"', '"failed"'))

    assert 5 == damage(home, uid).seq


def test_a_batch_that_was_dropped(home, uid):
    """In the middle, and at the end."""
    before = head(home, uid)
    change(home, uid, b5=None)
    assert 5 == damage(home, uid).seq
    change(home, uid, b5=before["b5"], b6=None)
    assert 6 == damage(home, uid).seq


def test_batches_that_were_exchanged(home, uid):
    """Each is whole, and stands in the wrong place."""
    data = head(home, uid)
    change(home, uid, b5=data["b6"], b6=data["b5"])

    assert 5 == damage(home, uid).seq


def test_a_batch_that_was_added(home, uid):
    """Behind the end that the head says."""
    data = head(home, uid)
    change(home, uid, b7=data["b6"].replace('"seq":6', '"seq":7'))

    assert "event 7" in str(damage(home, uid)) or "event 6" in str(damage(home, uid))


def test_a_batch_that_is_no_json(home, uid):
    """Cut short."""
    change(home, uid, b6=head(home, uid)["b6"][:-5])

    assert "event 6 of the log" in str(damage(home, uid))


@pytest.mark.parametrize("key", ["head", "index"])
def test_a_head_that_cannot_be_read(home, uid, key):
    """Its own keys, unreadable or gone."""
    change(home, uid, **{key: "{"})
    assert "is unreadable" in str(damage(home, uid))
    change(home, uid, **{key: None})
    assert "is unreadable" in str(damage(home, uid))


def test_an_index_that_lost_a_segment(home, uid):
    """The first of the missing events is named."""
    index = json.loads(head(home, uid)["index"])
    change(home, uid, index=json.dumps(index[1:]))
    assert 1 == damage(home, uid).seq
    change(home, uid, index=json.dumps(index[:1]))
    assert 3 == damage(home, uid).seq


def test_a_segment_that_was_deleted(home, uid):
    """The head has not changed, so it cannot be that it was packed away."""
    entry = json.loads(head(home, uid)["index"])[1]
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, entry["name"]))
    seen = damage(home, uid)

    assert 3 <= seen.seq <= 4 or entry["name"] in str(seen)
    assert a_run(6)[4:] == home.run(home.another_log().read(uid, 4))


def test_a_segment_that_was_replaced(home, uid):
    """It cannot be changed, but deleted and made anew with another content."""
    entries = json.loads(head(home, uid)["index"])
    body = json.loads(home.run(home.client.get(CONFIG_MAPS, home.namespace, entries[0]["name"])))
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, entries[1]["name"]))
    forged = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": entries[1]["name"], "ownerReferences": body["metadata"]["ownerReferences"]},
        "binaryData": body["binaryData"],
    }
    home.run(home.client.create(CONFIG_MAPS, home.namespace, forged))
    seen = damage(home, uid)

    assert 3 == seen.seq
    assert entries[1]["name"] in str(seen)


def test_a_head_that_says_another_end(home, uid):
    """Later or earlier than what there is."""
    known = json.loads(head(home, uid)["head"])
    for last, bad in ((9, 7), (5, 6), (2, 3)):
        change(home, uid, head=json.dumps(known | {"lastSeq": last}))
        assert bad == damage(home, uid).seq


def test_the_head_of_another_log(home, uid):
    """A whole log under the wrong name is no log."""
    other = home.born()
    home.run(home.raw_log.append(other, 0, [completed(1)]))
    change(home, other, **{**dict.fromkeys(head(home, other)), **head(home, uid)})

    assert "expected version 1" in str(damage(home, other))


def test_a_writer_does_not_write_on_a_damaged_log(home, uid):
    """Who appends to a log whose head does not fit together is told, and nothing is written."""
    change(home, uid, index="[]")
    before = head(home, uid)

    with pytest.raises(LogDamaged):
        home.run(home.another_log().append(uid, 6, a_run(1, 6)))
    assert before == head(home, uid)
