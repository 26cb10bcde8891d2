"""Retention on a real API server: what goes when, what stays, and that nothing is taken for damaged or started anew."""

from __future__ import annotations

import contextlib
import time

import msgspec
import pytest
from tests.support.kube_faults import Crash, Fault
from tests.support.kube_home import Reign
from tests.support.kube_runs import done_pod, ended, execution, head, left
from tests.support.waiting import until

from fairlead.kube import names
from fairlead.kube.client import CONFIG_MAPS, EXECUTIONS, PODS
from fairlead.kube.fence import NotLeader
from fairlead.kube.log import LogRetired
from fairlead.kube.names import Place, shard_of
from fairlead.kube.retention import Retention
from fairlead.kube.retention.deciding import due, kept
from fairlead.model import events as e
from fairlead.model.children import Parent
from fairlead.model.errors import LogDamaged
from fairlead.model.manifests import Retention as Policy
from fairlead.model.manifests import parse_spec
from fairlead.model.times import HOUR, MINUTE

NOW = time.time_ns() // 1_000 + 200 * HOUR
"""Later than anything that these tests create, by the clock of the server."""
WEEK = 168 * HOUR


def policy(**times):
    return parse_spec(Policy, times)


def retention(home, reign=None, pods_of=lambda _: None):
    return Retention(home.client, reign or home.reign, pods_of, namespace=home.namespace)


def swept(home, now=NOW, **options):
    return home.run(retention(home).sweep(now, **options))


def told(home, place, phase, at, *, by_operator=False, parent=None, rule=None, seq=3):
    """What the home says when a run has ended."""
    saying = retention(home).ended(place, rule or policy(), phase, at, by_operator, seq=seq, parent=parent)
    home.run(saying)


# ------------------------------------------------------------------------------------------------------------ decisions


@pytest.mark.parametrize(
    ("phase", "stays"), [("Succeeded", HOUR), ("Failed", 2 * HOUR), ("Cancelled", 3 * HOUR)]
)
def test_how_long_a_run_is_kept_follows_its_outcome(phase, stays):
    """To the microsecond, from its end on; a week where nothing is written."""
    rule = policy(succeeded="1h", failed="2h", cancelled="3h", pods="1m")
    note = kept(rule, phase, 1000, seq=9, by_operator=False)
    usual = kept(policy(), phase, 1000, seq=9, by_operator=False)

    assert (1000 + stays, MINUTE) == (note.until, note.pods)
    assert (False, True) == (due(note, 999 + stays), due(note, 1000 + stays))
    assert (1000 + WEEK, HOUR) == (usual.until, usual.pods)


# ----------------------------------------------------------------------------------------------------------- tombstones


@pytest.mark.parametrize("noted", [True, False])
def test_an_execution_that_somebody_applied_stays_with_its_last_status(home, noted):
    """Log, values, definition and pods are gone, the object says so; whether or not its leader lived to make a note."""
    place = ended(home, "Failed", NOW - 3 * HOUR, failed="2h")
    done_pod(home, place, NOW - 3 * HOUR)
    if noted:
        told(home, place, "Failed", NOW - 3 * HOUR, rule=policy(failed="2h"))

    result = swept(home)

    assert (1, 0, 1, False) == (result.pods, result.executions, result.logs, result.more)
    assert ([], []) == (left(home, CONFIG_MAPS, place), left(home, PODS, place))
    there = execution(home, place)
    assert there is not None
    assert ("Failed", 3) == (there["status"]["phase"], there["status"]["log"]["sequence"])
    assert there["status"]["log"]["retiredAt"]
    (condition,) = there["status"]["conditions"]
    assert ("LogRetired", "True") == (condition["type"], condition["status"])
    assert "annotations" not in there["metadata"]


def test_a_retired_log_is_gone_on_purpose(home):
    """A reader and a leader are told so, by an error of its own; nobody writes a new head."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h")
    swept(home)
    started = Place(place.namespace, place.name, place.uid, started=True)
    home.places.tell(place.uid, started)

    for work in (
        lambda log: log.read(place.uid),
        lambda log: log.claim(place.uid),
        lambda log: log.append(
            place.uid,
            0,
            [e.ExecutionCreated(seq=1, name=place.name, uid=place.uid, digest="d", runtime="r")],
        ),
    ):
        with pytest.raises(LogRetired, match="removed by its retention on"):
            home.run(work(home.another_log()))
    assert [] == left(home, CONFIG_MAPS, place)


def test_what_is_not_due_stays(home):
    """By outcome and to the moment; a run that goes on is no matter of retention."""
    young = ended(home, "Succeeded", NOW - HOUR, succeeded="2h", failed="0")
    usual = ended(home, "Failed", NOW - WEEK + 2 * HOUR)
    uid = home.born()
    home.run(
        home.raw_log.append(
            uid, 0, [e.ExecutionCreated(seq=1, at=1, name="n", uid=uid, digest="d", runtime="r")]
        )
    )
    before = left(home, CONFIG_MAPS)

    result = swept(home)

    assert (0, 0, 0) == (result.pods, result.executions, result.logs)
    assert before == left(home, CONFIG_MAPS)
    assert 1 == swept(home, NOW + HOUR).logs
    assert ([], False) == (left(home, CONFIG_MAPS, young), left(home, CONFIG_MAPS, usual) == [])


def test_a_run_that_the_operator_made_goes_as_a_whole(home):
    """Its execution is deleted, and the cluster takes the rest."""
    place = ended(home, "Cancelled", NOW - 2 * HOUR, cancelled="1h")
    told(home, place, "Cancelled", NOW - 2 * HOUR, rule=policy(cancelled="1h"), by_operator=True)

    assert 1 == swept(home).executions
    assert execution(home, place) is None
    until(lambda: not left(home, CONFIG_MAPS, place), "the log went with its owner")


def test_a_child_is_kept_while_its_parent_is(home):
    """One that was waited for, by a redrive of the parent it may be wanted; one that was let go is not."""
    parent = ended(home, "Failed", NOW - 2 * HOUR, failed="100h")
    about = Parent(name=parent.name, uid=parent.uid, node="call", root=parent.uid, depth=1)
    waited = ended(home, "Failed", NOW - 2 * HOUR, parent=about, failed="1h")
    let_go = msgspec.structs.replace(about, wait=False)
    free = ended(home, "Failed", NOW - 2 * HOUR, parent=let_go, failed="1h")

    assert 1 == swept(home).executions
    assert (True, None) == (execution(home, waited) is not None, execution(home, free))

    swept(home, NOW + 100 * HOUR)  # the parent is a tombstone now
    swept(home, NOW + 100 * HOUR)
    assert execution(home, waited) is None
    assert execution(home, parent) is not None


def test_a_run_that_has_gone_on_is_judged_anew(home):
    """A note of before a redrive counts no more; without one the log tells."""
    place = ended(home, "Failed", NOW - 2 * HOUR, failed="1h")
    told(home, place, "Failed", NOW - 2 * HOUR, rule=policy(failed="1h"))
    home.run(
        home.raw_log.append(place.uid, 3, [e.Redriven(seq=4, at=NOW - HOUR, redrive=1, epoch=1, reset=[])])
    )
    assert 0 == swept(home).logs

    home.run(home.raw_log.append(place.uid, 4, [e.ExecutionCompleted(seq=5, at=NOW - MINUTE)]))

    assert 0 == swept(home).logs
    assert '"seq":5' in head(home, place)["metadata"]["annotations"][names.RETENTION]
    home.run(home.statuses.publish(place.uid, {"phase": "Succeeded", "log": {"sequence": 5}}))
    assert 1 == swept(home, NOW + WEEK).logs


@pytest.mark.parametrize("by_operator", [False, True], ids=["applied", "made by a node"])
@pytest.mark.parametrize("meanwhile", [False, True], ids=["before the sweep", "while it looks"])
def test_a_redrive_that_nobody_has_heard_yet_keeps_the_run(home, by_operator, meanwhile):
    """A person wants it to go on at the moment in which its time is over: nothing of it is taken away."""
    place = ended(home, "Failed", NOW - 2 * HOUR, failed="1h")
    told(home, place, "Failed", NOW - 2 * HOUR, rule=policy(failed="1h"), by_operator=by_operator)
    redriven = {"spec": {"redrive": 1}}

    async def redrive(*_):
        home.client.between = None
        await home.client.patch(EXECUTIONS, place.namespace, place.name, redriven)

    if meanwhile:
        home.client.between = redrive  # before the first write of the sweep
    else:
        home.run(redrive())
    before = left(home, CONFIG_MAPS, place)
    result = swept(home)

    assert (0, 0, before) == (result.executions, result.logs, left(home, CONFIG_MAPS, place))
    there = execution(home, place)
    assert there is not None
    assert "retiredAt" not in there["status"]["log"]
    heard = {"phase": "Failed", "observedGeneration": 2, "log": {"sequence": 3}}
    home.run(home.statuses.publish(place.uid, heard))
    result = swept(home)
    assert 1 == result.executions + result.logs


def test_a_log_stays_until_the_end_is_shown(home):
    """The status is all that will be left: one that still says Running is no tombstone."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h", shown=False)

    assert 0 == swept(home).logs
    assert len(left(home, CONFIG_MAPS, place)) == 3
    home.run(home.statuses.publish(place.uid, {"phase": "Succeeded", "log": {"sequence": 3}}))
    assert 1 == swept(home).logs


# ----------------------------------------------------------------------------------------------------------------- pods


def test_pods_go_before_their_run(home):
    """An hour after the end of their container, or what the run says; also of a run that goes on."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, pods="90m")
    old = done_pod(home, place, NOW - 100 * MINUTE, "old")
    young = done_pod(home, place, NOW - 80 * MINUTE, "young")
    live = home.places.of(home.born())
    done_pod(home, live, NOW - 5 * MINUTE, "gone")
    kept_pod = done_pod(home, live, NOW - MINUTE, "kept")
    keeping = retention(home, pods_of={live.uid: 3 * MINUTE}.get)

    assert 2 == home.run(keeping.sweep(NOW)).pods
    assert [young] == left(home, PODS, place)
    assert [kept_pod] == left(home, PODS, live)
    assert old not in left(home, PODS)


def test_what_is_not_ours_stays(home):
    """A pod or a ConfigMap with our labels that does not belong to the run; a done pod of which nothing is known."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h")
    foreign = names.metadata(place, "mine", "", 1)
    del foreign["ownerReferences"]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": foreign, "data": {"a": "b"}}
    home.run(home.client.create(CONFIG_MAPS, home.namespace, body))
    unknown = done_pod(home, home.places.of(home.born()), NOW - 10 * HOUR)

    assert 1 == swept(home).logs
    assert ["mine"] == left(home, CONFIG_MAPS, place)
    assert [unknown] == left(home, PODS)


# --------------------------------------------------------------------------------------------------------------- faults


def test_one_poisoned_run_stops_no_other(home):
    """One log is damaged, one has no definition: both stay as they are, the third goes."""
    damaged = ended(home, "Failed", NOW - 2 * HOUR, failed="1h")
    patch = {"data": {"b1": "{}"}}
    home.run(home.client.patch(CONFIG_MAPS, home.namespace, names.record_name("head", damaged.uid), patch))
    without = ended(home, "Failed", NOW - 2 * HOUR, failed="1h")
    pinned = next(name for name in left(home, CONFIG_MAPS, without) if "definition" in name)
    home.run(home.client.delete(CONFIG_MAPS, home.namespace, pinned))
    good = ended(home, "Failed", NOW - 2 * HOUR, failed="1h")

    assert 1 == swept(home).logs
    assert [] == left(home, CONFIG_MAPS, good)
    assert (3, 2) == (len(left(home, CONFIG_MAPS, damaged)), len(left(home, CONFIG_MAPS, without)))
    with pytest.raises(LogDamaged):
        home.run(home.another_log().read(damaged.uid))


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.LOST, Fault.UNANSWERED])
def test_a_sweep_that_is_cut_short_is_made_good(home, fault):
    """Wherever it was: the next one ends where one without faults does, and nobody ever reads damage."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h")
    done_pod(home, place, NOW - 2 * HOUR)
    home.places.tell(place.uid, Place(place.namespace, place.name, place.uid, started=True))
    writes = 0
    while True:
        left_over = [writes]

        def fate(*_, left_over=left_over):
            left_over[0] -= 1
            return fault if left_over[0] < 0 else Fault.NONE

        home.client.fate = fate
        try:
            swept(home)
        except Crash:
            pass
        finally:
            home.client.fate = lambda *_: Fault.NONE
        with contextlib.suppress(LogRetired):
            home.run(home.another_log().read(place.uid))
        writes += 1
        if left_over[0] >= 0:
            break

    assert ([], []) == (left(home, CONFIG_MAPS, place), left(home, PODS, place))
    assert writes >= 3
    there = execution(home, place)
    assert there is not None
    assert there["status"]["log"]["retiredAt"]


def test_who_does_not_lead_takes_nothing_away(home):
    """The fence is asked at the start and before each write; notes are refused as well."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h")
    before, zombie = left(home, CONFIG_MAPS), Reign()

    async def lost(*_):
        zombie.number = None

    home.client.between = lost
    with pytest.raises(NotLeader):
        home.run(retention(home, zombie).sweep(NOW))
    home.client.between = None
    with pytest.raises(NotLeader):
        home.run(retention(home, zombie).ended(place, policy(), "Succeeded", 1, False, seq=3))

    assert before == left(home, CONFIG_MAPS)


def test_shards_are_swept_by_their_leaders(home):
    """Only what is asked for."""
    place = ended(home, "Succeeded", NOW - 2 * HOUR, succeeded="1h")
    others = [shard for shard in range(names.SHARDS) if shard != shard_of(place.uid)]

    assert 0 == swept(home, shards=others).logs
    assert 1 == swept(home, shards=[shard_of(place.uid)]).logs


def test_a_sweep_is_bounded_and_goes_on_where_it_stopped(home, monkeypatch):
    """Runs that are kept do not hide those that are due."""
    monkeypatch.setattr("fairlead.kube.retention.sweeping.HEADS", 2)
    monkeypatch.setattr("fairlead.kube.retention.sweeping.HEAD_PAGES", 1)
    for _ in range(5):
        ended(home, "Succeeded", NOW, succeeded="1h")
    ended(home, "Failed", NOW - HOUR, failed="1h")
    keeping = retention(home)

    results = [home.run(keeping.sweep(NOW))]
    while results[-1].more:
        results.append(home.run(keeping.sweep(NOW)))

    assert len(results) >= 3
    assert 1 == sum(result.logs for result in results)
    assert 5 == len([one for one in left(home, CONFIG_MAPS) if one.startswith("fairlead-head-")])


def test_a_note_for_what_is_gone_is_dropped(home):
    """The execution may be deleted meanwhile."""
    place = ended(home, "Succeeded", NOW)
    home.run(home.client.delete(EXECUTIONS, home.namespace, place.name, uid=place.uid))
    until(lambda: not left(home, CONFIG_MAPS, place), "the log is gone")

    told(home, place, "Succeeded", NOW)

    assert [] == left(home, CONFIG_MAPS, place)
