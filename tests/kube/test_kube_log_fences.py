"""Who may write a log (protocol.md 1, 2, 6, 9): epochs, answers that never came, executions that are gone."""

from __future__ import annotations

import json

import pytest
from tests.support.kube_faults import Fault
from tests.support.kube_home import Reign
from tests.support.stores import a_run, completed

from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS
from fairlead.kube.fence import NotLeader
from fairlead.kube.log import ExecutionGone, LogMissing, head_name, planning
from fairlead.kube.names import Place
from fairlead.model.errors import Conflict, LogDamaged, NotFound, Unavailable


@pytest.fixture
def uid(home):
    """An execution whose log has two events."""
    uid = home.born()
    home.run(home.raw_log.append(uid, 0, a_run(2)))
    return uid


def append(home, uid, after, log=None, count=1):
    home.run((log or home.raw_log).append(uid, after, a_run(count, after)))


def stored(home, uid):
    """Everything in the head, with its version."""
    body = home.run(home.client.get(CONFIG_MAPS, home.namespace, head_name(home.places.of(uid))))
    return json.loads(body)


def logged(home, uid):
    """The log as somebody reads it who knows nothing yet."""
    return home.run(home.another_log().read(uid))


# ---------------------------------------------------------------------------------------------------------------- epochs


def test_an_old_leader_may_write_until_the_new_one_has_claimed(home, uid):
    """The version that it knows stays good until then, so nothing may be decided before the claim is acknowledged."""
    new = home.another_log(Reign(2))
    append(home, uid, 2)
    home.run(new.claim(uid))
    before = stored(home, uid)

    with pytest.raises(NotLeader, match="in epoch 2; ours is 1"):
        append(home, uid, 3)

    assert before == stored(home, uid)
    append(home, uid, 3, new)
    assert a_run(4) == logged(home, uid)


def test_a_claim_of_what_is_ours_writes_nothing(home, uid):
    """Nor does that of an execution that has no log yet."""
    before = stored(home, uid)
    home.run(home.raw_log.claim(uid))
    home.run(home.raw_log.claim(home.born()))

    assert before == stored(home, uid)


def test_a_claim_of_a_later_leaders_log_says_that_we_do_not_lead(home, uid):
    """A head with a higher epoch than ours ends our reign."""
    home.run(home.another_log(Reign(7)).claim(uid))

    with pytest.raises(NotLeader, match="in epoch 7"):
        home.run(home.another_log(Reign(6)).claim(uid))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_claim_without_an_answer_is_settled_by_reading(home, uid, fault):
    """Afterwards the head has our epoch, whatever became of the first request."""
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    home.run(home.another_log(Reign(2)).claim(uid))

    assert 2 == json.loads(stored(home, uid)["data"]["head"])["epoch"]


def test_who_does_not_lead_sends_nothing(home, uid):
    """The fence is asked before every write."""
    fresh = home.born()
    home.reign.number = None
    before = home.client.writes

    for where, after in ((uid, 2), (fresh, 0)):
        with pytest.raises(NotLeader):
            append(home, where, after)

    assert before == home.client.writes


def test_leadership_that_is_lost_while_a_segment_is_made_commits_nothing(home, uid, monkeypatch):
    """The fence is asked once more before the head is written; the segment is nobody's."""
    monkeypatch.setattr(planning, "TAIL", 1)
    before = stored(home, uid)

    async def lose(method, path):
        home.client.between = None
        home.reign.number = None

    home.client.between = lose
    with pytest.raises(NotLeader):
        append(home, uid, 2)

    assert before == stored(home, uid)


# --------------------------------------------------------------------------------------------------- answers that never came


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_an_append_without_an_answer_is_committed_once(home, uid, fault):
    """Lost on the way there or on the way back: the head tells, and the events are in the log once."""
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    append(home, uid, 2)
    append(home, uid, 3)

    assert a_run(4) == logged(home, uid)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_a_birth_without_an_answer_is_one_birth(home, fault):
    """The same for the request that makes the head."""
    uid, faults = home.born(), iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    append(home, uid, 0, count=3)

    assert a_run(3) == logged(home, uid)


def test_a_foreign_write_to_the_head_is_no_conflict(home, uid):
    """Somebody's annotation moves the version; the log still ends where it did, so the append is sent again."""

    async def annotate(method, path):
        home.client.between = None
        await home.client.patch(
            CONFIG_MAPS,
            home.namespace,
            head_name(home.places.of(uid)),
            {"metadata": {"annotations": {"somebody": "was here"}}},
        )

    home.client.between = annotate
    append(home, uid, 2)

    assert a_run(3) == logged(home, uid)
    assert "was here" == stored(home, uid)["metadata"]["annotations"]["somebody"]


def test_an_unanswered_append_behind_which_another_wrote_is_a_conflict(home, uid):
    """Ours lost, theirs committed: the caller folds and decides again; nothing of ours is in the log."""
    other = home.another_log()

    async def overtake(method, path):
        home.client.between = None
        await other.append(uid, 2, [completed(3, message="theirs")])

    home.client.between = overtake
    with pytest.raises(Conflict):
        append(home, uid, 2)

    assert [None, None, "theirs"] == [event.message for event in logged(home, uid)]


def test_a_reply_that_comes_late_does_not_commit_twice(home, uid):
    """A request that was given up and arrives after we looked carries an old version, and is refused."""
    before = stored(home, uid)
    append(home, uid, 2)
    late = {
        "metadata": {"resourceVersion": before["metadata"]["resourceVersion"]},
        "data": {"b3": "a batch that was sent long ago"},
    }

    with pytest.raises(Conflict):
        home.run(home.client.patch(CONFIG_MAPS, home.namespace, head_name(home.places.of(uid)), late))

    assert a_run(3) == logged(home, uid)


# ------------------------------------------------------------------------------------------------ executions that are gone


def test_a_head_that_somebody_deleted_freezes_a_living_run(home, uid):
    """No other head is made: who appends or reads is told that the log is missing, also a new leader that knows it had
    started.
    """
    place = home.places.of(uid)
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, head_name(place)))

    with pytest.raises(LogMissing, match="lives, but the head of its log"):
        append(home, uid, 2)
    with pytest.raises(LogMissing):
        home.run(home.raw_log.read(uid))
    home.places.tell(uid, Place(place.namespace, place.name, place.uid, started=True))
    with pytest.raises(LogMissing):
        append(home, uid, 0, home.another_log())

    listed = json.loads(home.run(home.client.get(CONFIG_MAPS, home.namespace)))["items"]
    assert [] == [one for one in listed if one["metadata"]["name"].startswith("fairlead-")]


@pytest.mark.parametrize("held", [False, True], ids=["deleted", "being deleted"])
def test_the_log_of_an_execution_that_goes_is_not_missed(home, uid, held):
    """Foreground deletion takes the log before the execution: that is an end, and no damage."""
    place = home.places.of(uid)
    if held:
        hold = {"metadata": {"finalizers": ["test.fairlead.dev/hold"]}}
        home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, hold))
    home.run(home.client.delete(EXECUTIONS, home.namespace, place.name, uid=place.uid))
    _delete_head(home, place)

    with pytest.raises(ExecutionGone):
        append(home, uid, 2)
    home.run(
        _ignoring_absence(
            home.client.patch(EXECUTIONS, home.namespace, place.name, {"metadata": {"finalizers": None}})
        )
    )


def test_an_execution_of_the_same_name_is_another_one(home, uid):
    """Deleted and created again at once: the log of the first is gone, and the second has one of its own."""
    place = home.places.of(uid)
    home.run(home.client.delete(EXECUTIONS, home.namespace, place.name, uid=place.uid))
    body = {
        "apiVersion": EXECUTIONS.api_version,
        "kind": EXECUTIONS.kind,
        "metadata": {"name": place.name},
        "spec": {"workflow": {"name": "flow"}},
    }
    again = home.run(home.client.create(EXECUTIONS, home.namespace, body))
    home.places.tell(again.uid, Place(home.namespace, place.name, again.uid))
    append(home, again.uid, 0)
    _delete_head(home, place)

    with pytest.raises(ExecutionGone, match="another of its name"):
        append(home, uid, 2)
    assert a_run(1) == logged(home, again.uid)


def test_a_namespace_that_goes_takes_no_log(home, cluster):
    """Nothing can be created there any more: that is an end, too."""
    uid = home.born()
    hold = {"metadata": {"finalizers": ["test.fairlead.dev/hold"]}}
    place = home.places.of(uid)
    home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, hold))
    cluster.kubectl("delete", "namespace", home.namespace, "--wait=false")

    with pytest.raises(ExecutionGone):
        append(home, uid, 0)
    home.run(home.client.patch(EXECUTIONS, home.namespace, place.name, {"metadata": {"finalizers": None}}))


def test_a_head_that_somebody_made_immutable_cannot_be_written(home, uid):
    """The server says why, and the log is still read."""
    name = head_name(home.places.of(uid))
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, name, {"immutable": True}))

    with pytest.raises(Unavailable, match="field is immutable"):
        append(home, uid, 2)
    assert a_run(2) == logged(home, uid)


def test_a_squatted_name_is_told(home):
    """Somebody else's object under the name of our head is never written to."""
    uid = home.born()
    name = head_name(home.places.of(uid))
    squat = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"mine": "all mine"},
    }
    home.run(home.client.create(CONFIG_MAPS, home.namespace, squat))

    with pytest.raises(LogDamaged, match="belongs to nobody"):
        append(home, uid, 0)
    assert {"mine": "all mine"} == stored(home, uid)["data"]


def _delete_head(home, place):
    home.run(_ignoring_absence(home.client.delete(CONFIG_MAPS, home.namespace, head_name(place))))


async def _ignoring_absence(work):
    try:
        await work
    except NotFound:
        return
