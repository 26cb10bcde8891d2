"""Notes as Kubernetes Events on a real API server, as `kubectl describe` shows them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from tests.support.kube_faults import Fault
from tests.support.waiting import until

from fairlead.kube.client import EVENTS, EXECUTIONS
from fairlead.kube.names import Place
from fairlead.kube.notices import Note, Notices, notes_of
from fairlead.kube.notices.desk import PACE
from fairlead.model import events as e
from fairlead.model.errors import Unavailable
from fairlead.model.state import State


class Writer:
    """Notices of a home, at work, on a clock that a test may push on."""

    def __init__(self, home):
        self.home = home
        self.ahead = 0.0
        self.notices = home.run(self._made())
        self._task = home.run(self._spawn())

    async def _made(self):
        time = asyncio.get_running_loop().time
        return Notices(self.home.client, self.home.reign, clock=lambda: time() + self.ahead)

    async def _spawn(self):
        return asyncio.ensure_future(self.notices.run())

    def notice(self, place, *notes):
        async def work():
            self.notices.notice(place, notes)

        self.home.run(work())

    def close(self):
        async def end():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

        self.home.run(end())

    def events(self, uid) -> list[dict[str, Any]]:
        listed = json.loads(self.home.run(self.home.client.get(EVENTS, self.home.namespace)))["items"]
        return [one for one in listed if one["regarding"].get("uid") == uid]


@pytest.fixture
def writer(home):
    """Notices at work."""
    made = Writer(home)
    yield made
    made.close()


def warning(reason, message="it happened"):
    return Note(reason, "Warning", message)


def test_kubectl_describe_shows_what_happened(writer, cluster):
    """The start, what failed and why, how it ended: in words, with their kind, at the execution."""
    home = writer.home
    place = home.places.of(home.born())
    why = e.Error(reason="NonZeroExit", message="exit code 3")
    where: dict[str, Any] = {"node": "pay", "path": "0", "attempt": 1}
    events = [
        e.ExecutionStarted(nodes=3),
        e.NodeStarted(**where),
        e.DeliveryHeld(**where, delivery=1, reason="ImagePullFailed", message="no such image"),
        e.NodeRetrying(**where, error=why, delay=1_000_000, due=5),
        e.NodeFailed(**where, error=why),
        e.ExecutionFailed(error=why, node="pay"),
    ]
    writer.notice(place, *notes_of(events, State()))
    until(lambda: len(writer.events(place.uid)) == 5, "five notes are written")
    said = cluster.kubectl("describe", "workflowexecution", place.name, "-n", home.namespace)

    shown = said[said.index("Events:") :]
    for kind, reason, words in [
        ("Normal", "ExecutionStarted", "the run has started, with 3 nodes"),
        ("Warning", "ImagePullFailed", "node pay, attempt 1, delivery 1 is held: no such image"),
        ("Warning", "NodeRetrying", "failed: NonZeroExit: exit code 3; the next attempt is due in 1s"),
        ("Warning", "NodeFailed", "node pay, attempt 1, failed: NonZeroExit: exit code 3"),
        ("Warning", "ExecutionFailed", "the run has failed at node pay now: NonZeroExit: exit code 3"),
    ]:
        [line] = [line for line in shown.splitlines() if reason in line]
        assert kind in line
        assert words in line
    assert "NodeStarted" not in shown


def test_a_series_counts(writer):
    """One Event for one reason, with how often it was said and when last."""
    home = writer.home
    place = home.places.of(home.born())
    writer.notice(place, warning("NodeFailed", "node a failed"))
    until(lambda: writer.events(place.uid), "the first is written")
    for number in range(99):
        writer.notice(place, warning("NodeFailed", f"node n{number} failed"))
    writer.ahead += PACE
    writer.notice(place, warning("ExecutionFailed"))
    until(lambda: len(writer.events(place.uid)) == 2, "the last is written")

    [failed] = [one for one in writer.events(place.uid) if one["reason"] == "NodeFailed"]
    assert 100 == failed["series"]["count"]
    assert "node a failed" == failed["note"]
    assert failed["series"]["lastObservedTime"] >= failed["eventTime"]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNANSWERED])
def test_what_cannot_be_written_stops_nothing(writer, fault):
    """It is dropped, and what comes next is written."""
    home = writer.home
    place = home.places.of(home.born())
    faults = iter([fault])
    home.client.fate = lambda *_: next(faults, Fault.NONE)
    writer.notice(place, warning("First"), warning("Second"))
    until(lambda: any(one["reason"] == "Second" for one in writer.events(place.uid)), "the second is written")

    expected = {"Second"} if fault is Fault.LOST else {"First", "Second"}
    assert expected == {one["reason"] for one in writer.events(place.uid)}


def test_an_event_that_was_deleted_begins_another(writer):
    """As after the hour for which the API server keeps it."""
    home = writer.home
    place = home.places.of(home.born())
    writer.notice(place, warning("NodeFailed"))
    [first] = until(lambda: writer.events(place.uid), "the first is written")
    home.run(home.client.delete(EVENTS, home.namespace, first["metadata"]["name"]))
    writer.ahead += PACE
    writer.notice(place, warning("NodeFailed"))
    until(lambda: not writer.notices._desk._series, "it is seen that the Event is gone")
    writer.notice(place, warning("NodeFailed"))
    [second] = until(lambda: writer.events(place.uid), "another is written")

    assert first["metadata"]["name"] != second["metadata"]["name"]


def test_who_does_not_lead_says_nothing(writer):
    """An old leader that wakes up drops what it had to say."""
    home = writer.home
    place = home.places.of(home.born())
    home.reign.number = None
    writer.notice(place, warning("Old"))
    until(lambda: not len(writer.notices._desk), "it is dropped")
    home.reign.number = 2
    writer.notice(place, warning("New"))
    until(lambda: writer.events(place.uid), "the new one is written")

    assert ["New"] == [one["reason"] for one in writer.events(place.uid)]


def test_a_namespace_that_is_not_there_stops_nothing(writer):
    """What belongs to it is dropped."""
    home = writer.home
    place = home.places.of(home.born())
    writer.notice(Place("not-there", "gone", "some-uid"), warning("NodeFailed"))
    writer.notice(place, warning("NodeFailed"))
    until(lambda: writer.events(place.uid), "the other is written")

    assert not len(writer.notices._desk)


def test_a_long_note_is_one_that_the_server_takes(writer):
    """1 KiB in bytes, a long writer too; and a name of an execution of the longest kind."""
    home = writer.home
    home.reign.writer = "w" * 400
    body = {
        "apiVersion": EXECUTIONS.api_version,
        "kind": EXECUTIONS.kind,
        "metadata": {"name": "e" * 253},
        "spec": {"workflow": {"name": "flow"}},
    }
    born = home.run(home.client.create(EXECUTIONS, home.namespace, body))
    place = Place(home.namespace, "e" * 253, born.uid)
    failed = e.NodeFailed(node="a", path="0", error=e.Error(reason="X", message="\u00e4" * 5000))
    writer.notice(place, *notes_of([failed], State()))

    [written] = until(lambda: writer.events(place.uid), "it is written")
    assert written["note"].endswith("...")
    assert "w" * 125 + "..." == written["reportingInstance"]


def test_a_server_that_is_away_is_not_waited_for(writer, monkeypatch):
    """Saying something returns at once, and what was said is dropped."""
    home = writer.home
    place = home.places.of(home.born())
    create = home.client.create

    async def away(*_, **__):
        raise Unavailable("it is away")

    monkeypatch.setattr(home.client, "create", away)
    writer.notice(place, *(warning(f"Reason{number}") for number in range(10)))
    until(lambda: not len(writer.notices._desk), "all of it is dropped")
    monkeypatch.setattr(home.client, "create", create)
    writer.notice(place, warning("Later"))
    until(lambda: writer.events(place.uid), "what comes later is written")

    assert ["Later"] == [one["reason"] for one in writer.events(place.uid)]
