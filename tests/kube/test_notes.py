"""Which events are worth a note, in which words; and which note is written when, on a clock of our own."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.kube.names import Place
from fairlead.kube.notices import Note, log_frozen, notes_of
from fairlead.kube.notices.desk import BURST, LIMIT, PACE, PROCESS_RATE, QUIET, Desk, Series
from fairlead.kube.notices.notes import LONGEST
from fairlead.model import events as e
from fairlead.model.state import State
from fairlead.model.times import MINUTE, SECOND

WHERE: dict[str, Any] = {"node": "pay", "path": "0", "attempt": 2}
WHY = e.Error(reason="NonZeroExit", message="exit code 3")
ENDED = State(created_at=SECOND, started_at=2 * SECOND, finished_at=62 * SECOND)


# ------------------------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("event", "reason", "kind", "words"),
    [
        (e.ExecutionStarted(nodes=1), "ExecutionStarted", "Normal", "with 1 node"),
        (e.ExecutionSuspended(until=MINUTE), "ExecutionSuspended", "Normal", "until 1970-01-01T00:01:00Z"),
        (e.ExecutionResumed(reason="SuspendTimeout"), "ExecutionResumed", "Normal", "(SuspendTimeout)"),
        (e.CancelRequested(reason="wrong order", force=True), "CancelRequested", "Normal", "finally: wrong order"),
        (e.WishWithdrawn(wish="cancel"), "WishWithdrawn", "Warning", "spec.cancel"),
        (e.ExecutionTimedOut(timeout=MINUTE), "ExecutionTimedOut", "Warning", "limit of 1m"),
        (e.ExecutionCompleted(result="blocked"), "ExecutionCompleted", "Normal", "result blocked after 1m"),
        (e.ExecutionFailed(error=WHY, node="pay"), "ExecutionFailed", "Warning", "at node pay after 1m: NonZeroExit"),
        (e.ExecutionCancelled(reason="wrong"), "ExecutionCancelled", "Normal", "after 1m: wrong"),
        (e.Redriven(redrive=2, epoch=1, reset=[e.ResetNode(node="a")]), "Redriven", "Normal", "redrive 2: 1 node again"),
        (e.RedriveRefused(redrive=2, reason="it runs"), "RedriveRefused", "Warning", "it runs"),
        (e.BodyTimedOut(node="ship", scope="ship.finally/", timeout=MINUTE), "BodyTimedOut", "Warning", "1m"),
        (e.DeliveryHeld(**WHERE, delivery=1, reason="ImagePullFailed", message="no such image"),
         "ImagePullFailed", "Warning", "node pay, attempt 2, delivery 1 is held: no such image"),
        (e.DeliveryHeld(**WHERE, delivery=1, reason="QuotaExceeded"), "QuotaExceeded", "Warning", "is held"),
        (e.DeliveryHeld(**WHERE, delivery=1, reason="Unschedulable"), "Unschedulable", "Warning", "is held"),
        (e.NodeRetrying(**WHERE, error=WHY, delay=2 * SECOND, due=3), "NodeRetrying", "Warning",
         "attempt 2 failed: NonZeroExit: exit code 3; the next attempt is due in 2s"),
        (e.NodeTimedOut(**WHERE, reason="Timeout", limit=MINUTE), "NodeTimedOut", "Warning", "limit of 1m"),
        (e.NodeLost(**WHERE, delivery=1, reason="Evicted", due=0), "NodeLost", "Warning", "delivery 1 was lost, Evicted;"),
        (e.DeadLettered(**WHERE, deliveries=5), "DeadLettered", "Warning", "5 deliveries"),
        (e.NodeFallback(node="pay", path="0", fallback="cash", error=WHY), "NodeFallback", "Normal", "node cash stands in"),
        (e.NodeFailed(**WHERE, error=WHY), "NodeFailed", "Warning", "node pay, attempt 2, failed: NonZeroExit: exit code 3"),
        (e.NodeFailed(**WHERE, error=WHY, handled="port"), "NodeFailed", "Warning", "(its failed port is taken)"),
    ],
)  # fmt: skip
def test_what_is_told(event, reason, kind, words):
    """One sentence with the node, the cause and the numbers."""
    [note] = notes_of([event], ENDED)

    assert (reason, kind) == (note.reason, note.kind)
    assert words in note.message


@pytest.mark.parametrize(
    "event",
    [
        e.NodeStarted(**WHERE),
        e.NodeCompleted(**WHERE, port="done"),
        e.NodeScheduled(**WHERE),
        e.NodeSkipped(node="a", reason="DeadPath"),
        e.NodeReady(node="a", path="0", reason="MaxNodes"),
        e.DeliveryHeld(**WHERE, delivery=1),
        e.PathStarted(path="0", node="a"),
        e.ProgressUpdated(percent=10, done=1, total=10),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_goes_its_ordinary_way_is_not_told(event):
    """Nodes that start and succeed, and a delivery that is on its way again."""
    assert [] == notes_of([event], State())


def test_notes_keep_their_order_and_their_size():
    """In the order of the log, each in at most 1 KiB."""
    long = e.NodeFailed(node="a", path="0", error=e.Error(reason="X", message="\U0001f600" * 5000))
    notes = notes_of([e.ExecutionStarted(nodes=2), long, e.ExecutionFailed(error=WHY)], ENDED)

    assert ["ExecutionStarted", "NodeFailed", "ExecutionFailed"] == [note.reason for note in notes]
    assert len(notes[1].message.encode()) <= LONGEST
    assert Note("LogFrozen", "Warning", "the head is gone") == log_frozen("the head is gone")


# ------------------------------------------------------------------------------------------------------------------ rates


class Hand:
    """Writes what a desk gives, on a clock that jumps to when there is something."""

    def __init__(self):
        self.now = 1000.0
        self.desk = Desk(self.now)
        self.written: list[tuple[float, str, str, int]] = []

    def add(self, uid, *reasons):
        notes = [Note(reason, "Warning", f"{reason} happened") for reason in reasons]
        self.desk.add(self.now, int(self.now * SECOND), Place("shop", f"name-{uid}", uid), notes)

    def write(self, until=float("inf")):
        """All that can be written until a time."""
        while True:
            found = self.desk.next(self.now)
            if isinstance(found, Series):
                self.written.append((self.now, found.place.uid, found.note.reason, found.count))
            elif found == float("inf") or found > until:
                self.now = max(self.now, until) if until != float("inf") else self.now
                return
            else:
                assert found > self.now
                self.now = found


def test_notes_of_one_reason_are_one_series():
    """500 failed nodes are one note at once, and one with their number a little later."""
    hand = Hand()
    hand.add("u", "NodeFailed")
    hand.write(until=1000.0)
    for _ in range(499):
        hand.add("u", "NodeFailed")
    hand.write()

    assert [(1000.0, "u", "NodeFailed", 1), (1000.0 + PACE, "u", "NodeFailed", 500)] == hand.written


def test_an_execution_writes_25_at_once_and_one_a_second_then():
    """Whatever it has to say; and what comes late is not lost."""
    hand = Hand()
    hand.add("u", *(f"Reason{number}" for number in range(40)))
    hand.write()

    assert 40 == len(hand.written)
    for start, _, _, _ in hand.written:
        within = [at for at, _, _, _ in hand.written if start <= at <= start + 10]
        assert len(within) <= BURST + 10 + 1e-6
    assert 15.0 == pytest.approx(hand.written[-1][0] - 1000.0, abs=1.1)


def test_the_process_writes_20_a_second():
    """However many executions speak at once, each gets its turn in the order in which they came."""
    hand = Hand()
    for number in range(200):
        hand.add(f"u{number}", "ExecutionStarted")
    hand.write()

    assert [f"u{number}" for number in range(200)] == [uid for _, uid, _, _ in hand.written]
    assert (200 - PROCESS_RATE) / PROCESS_RATE == pytest.approx(hand.now - 1000.0, abs=0.1)


def test_one_that_speaks_too_much_stops_no_other():
    """Its notes wait, and the others go past them."""
    hand = Hand()
    hand.add("loud", *(f"Reason{number}" for number in range(60)))
    hand.write(until=1010.0)
    hand.add("quiet", "ExecutionFailed")
    hand.write(until=hand.now + 0.2)

    assert "quiet" == hand.written[-1][1]
    assert len(hand.desk) > 20


def test_what_waits_has_a_limit():
    """What finds no room is dropped and counted; series that wait for nothing make room, the oldest first."""
    hand = Hand()
    for number in range(LIMIT + 10):
        hand.add(f"u{number}", "ExecutionStarted")

    assert 10 == hand.desk.dropped
    hand.write()
    hand.add("later", "ExecutionStarted")
    hand.write()
    assert "later" == hand.written[-1][1]
    assert LIMIT + 1 == len(hand.written)


def test_a_series_that_was_quiet_is_over():
    """The next note has words of its own again."""
    hand = Hand()
    hand.add("u", "NodeFailed")
    hand.write()
    hand.now += QUIET + 1
    hand.add("u", "NodeFailed")
    hand.write()

    assert [1, 1] == [count for _, _, _, count in hand.written]


def test_an_execution_that_is_gone_is_forgotten():
    """Nothing more is written about it."""
    hand = Hand()
    hand.add("u", "A", "B")
    hand.add("v", "A")
    hand.desk.forget("u")
    hand.write()

    assert ["v"] == [uid for _, uid, _, _ in hand.written]
