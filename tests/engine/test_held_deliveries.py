"""A delivery that does not run, and says why."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

from fairlead.engine.waiting import waiting_for
from fairlead.model import commands as c


def one(**fields: Any) -> Driver:
    node = {"name": "a", "run": {"sh": "true"}, **fields}
    return Driver({"nodes": [node]}).create()


def held(run: Driver, reason: str, message: str = "", delivery: int = 1) -> Driver:
    return run.tell(c.AttemptHeld(node="a", attempt=1, delivery=delivery, reason=reason, message=message))


def shown(run: Driver) -> list[dict[str, Any]]:
    return waiting_for(run.graph, run.state)


def test_a_held_delivery_is_shown_with_its_reason():
    """What keeps a pod from running stands in waitingFor, in the words of whoever said it."""
    run = held(one(), "QuotaExceeded", "pods: 1 of 1 used")

    entry = shown(run)[0]

    assert ("pod", "a", "QuotaExceeded") == (entry["kind"], entry["node"], entry["name"])
    assert "QuotaExceeded: pods: 1 of 1 used" == entry["message"]


def test_the_same_reason_again_is_no_event():
    """Only a change of the reason is written, however often the words change."""
    run = held(held(one(), "ImagePullFailed", "ErrImagePull"), "ImagePullFailed", "ImagePullBackOff")

    assert 1 == len(run.of("DeliveryHeld"))


def test_a_delivery_that_starts_is_held_no_more():
    """The reason goes with the start, and the run ends as ever."""
    run = held(one(), "Unschedulable", "0/1 nodes").started("a")

    assert [] == shown(run)
    run.end("a", {})
    assert "Succeeded" == run.state.phase


def test_a_running_delivery_may_be_held_and_let_go():
    """A pod whose node does not answer is shown, and no more once it does."""
    run = held(one().started("a"), "NodeLost", "the node does not answer")
    assert "NodeLost" == shown(run)[0]["name"]

    held(run, "")

    assert [] == shown(run)


def test_a_reason_of_an_earlier_delivery_is_not_heard():
    """What is said of a delivery that was given up concerns nobody."""
    run = one().lose("a").tick(60)

    held(run, "Unschedulable")

    assert [] == run.of("DeliveryHeld")


def test_a_held_delivery_still_runs_into_its_start_timeout():
    """Waiting visibly is not waiting for ever: startTimeout ends it."""
    run = held(one(startTimeout="30s"), "ImagePullFailed", "ErrImagePull").tick(31)
    held(run, "PodDeleting")

    assert ["StartTimeout"] == [event.reason for event in run.of("NodeTimedOut")]
    run.end("a", reason="Signalled")
    assert "StartTimeout" == run.failure.error.reason
