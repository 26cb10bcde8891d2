"""`wait` for and until: semantics 8 and 30, api.md."""

from __future__ import annotations

import pytest
from tests.support.driver import START, Driver

from fairlead.model import commands as c
from fairlead.model.times import HOUR, format_time


def waiting(**wait: object) -> Driver:
    """A run of a wait `w`, and what follows from its two ports."""
    nodes = [
        {"name": "w", "wait": wait},
        {"name": "on", "after": ["w"], "set": {"way": "done"}},
    ]
    if "timeout" in wait:
        nodes.append({"name": "late", "after": ["w.expired"], "set": {"way": "expired"}})
    return Driver({"nodes": nodes}).create({"at": format_time(START + HOUR)})


def test_a_wait_for_a_duration_ends_after_it():
    """Nothing runs meanwhile; WaitWoken and the end are one step."""
    run = waiting(**{"for": "48h"}).tick(48 * 3600 - 1)

    assert "Waiting" == run.status("w")

    run.tick(1)

    assert {"way": "done"} == run.state.variables
    assert ["WaitStarted", "WaitWoken", "NodeCompleted"] == [x for x in run.types("w") if "Path" not in x]
    run.check_ended()


def test_a_wait_until_a_time_takes_it_from_an_expression():
    """Until is a template that gives RFC 3339."""
    run = waiting(until="${inputs.at}").tick(3599)

    assert "Waiting" == run.status("w")

    run.tick(1)

    assert "Succeeded" == run.state.phase


def test_an_until_that_has_passed_is_over_at_once_and_says_so():
    """The event tells why nobody waited."""
    run = waiting(until="2001-01-01T00:00:00Z")

    assert "2001-01-01T00:00:00Z had passed when the wait began" == run.of("NodeCompleted", "w")[0].message
    run.check_ended()


@pytest.mark.parametrize("until", ["tomorrow", "${1 + 1}", "2026-01-01"])
def test_an_until_that_is_no_time_fails_the_node(until):
    """With the value and what was expected."""
    run = waiting(until=until)

    assert "ExpressionError" == run.failure.error.reason
    assert "expected a time such as" in run.failure.error.message


def test_the_timeout_of_a_wait_takes_the_port_expired():
    """Whichever comes first decides."""
    run = waiting(**{"for": "2h", "timeout": "1h"}).tick(3600)

    assert {"way": "expired"} == run.state.variables
    assert ["w"] == [event.node for event in run.of("WaitExpired")]
    run.check_ended()


def test_for_stands_still_while_suspended_and_until_does_not():
    """Suspended time does not count for `for`; `until` is wall time, recorded at once, its successor starts on resume."""
    pausing = waiting(**{"for": "1h"}).tick(1800).wish(suspend=True).tick(7200).wish(suspend=False).tick(1799)
    wall = waiting(until="${inputs.at}").wish(suspend=True).tick(3600)

    assert "Waiting" == pausing.status("w")
    assert ["Succeeded", "Ready"] == [wall.status("w"), wall.status("on")]

    pausing.tick(1)
    wall.wish(suspend=False)

    assert ["Succeeded", "Succeeded"] == [pausing.state.phase, wall.state.phase]


def test_a_cancelled_wait_is_cancelled():
    """It had started: Cancelled, and no timer stays."""
    run = waiting(**{"for": "1h", "timeout": "2h"}).wish(cancel=True)

    assert "Cancelled" == run.status("w")
    run.check_ended()


def test_a_wait_survives_crashes_for_days():
    """The due time is in the log."""
    run = waiting(**{"for": "72h"})
    for _ in range(6):
        run.tick(12 * 3600 - 1).crash()

    assert "Waiting" == run.status("w")

    run.tick(6).crash()

    assert "Succeeded" == run.state.phase


def test_a_wait_whose_store_fails_goes_down_the_ladder():
    """A failure after the wait is handled like any other: here by a fallback, and by none."""
    nodes = [{"name": "w", "wait": {"for": "1s"}, "store": {"x": "${outputs.nothing}"}, "fallback": "f"}]
    spare = {"name": "f", "run": {"sh": "true"}}
    stood_in = Driver({"nodes": [*nodes, spare]}).create().tick(1).end("w/f", {"nothing": 1})
    failed = Driver({"nodes": [{**nodes[0], "fallback": None}]}).create().tick(1)

    assert {"x": 1} == stood_in.state.variables
    assert "ExpressionError" == failed.failure.error.reason


def test_a_held_wait_begins_on_resume():
    """Created suspended: the wait is held like any node."""
    run = Driver({"nodes": [{"name": "w", "wait": {"for": "1s"}}]})
    run.create(wish=c.Wish(suspend=True)).wish(suspend=False)

    assert "Waiting" == run.status("w")

    run.tick(1)
    run.check_ended()
