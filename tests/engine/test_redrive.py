"""Redrive and checkpoints: semantics 31."""

from __future__ import annotations

import pytest
from tests.support.driver import Driver

from fairlead.model import commands as c

RUN = {"run": {"sh": "true"}}


def side_by_side(*names: str, **spec: object) -> Driver:
    return Driver({"nodes": [{"name": name, **RUN} for name in names], **spec}).create()


def test_redrive_runs_again_what_failed_and_what_follows():
    """Succeeded nodes stay; attempts go on counting; earlier ones stay in the log."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", "after": ["a"], **RUN},
                {"name": "c", "after": ["b"], "set": {"done": True}},
            ],
            "finally": [{"name": "f", "set": {"ended": "${execution.phase}"}}],
        }
    ).create()
    run.end("a").fail("b")

    assert "Failed" == run.state.phase

    run.wish(redrive=1)

    assert [("b", 2, 1)] == list(run.running)
    assert "Running" == run.state.phase

    run.end("b")

    assert "Succeeded" == run.state.phase
    assert {"done": True, "ended": "Succeeded"} == run.state.variables
    assert [1, 2] == [event.attempt for event in run.of("NodeStarted", "b")]
    assert 1 == len(run.of("NodeStarted", "a"))
    run.check_ended()


def test_redrive_after_cancel_voids_the_cancel():
    """spec.cancel is still there and does not cancel the new epoch (semantics 31)."""
    run = side_by_side("a", "b").wish(cancel=True).end("a").fail("b", "Signalled")

    run.wish(cancel=True, redrive=1)

    assert [("b", 2, 1)] == list(run.running)

    run.wish(cancel=True, redrive=1).end("b")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_cancel_taken_back_and_given_anew_cancels_the_new_epoch():
    """Once the void cancel has left the spec, another one counts."""
    run = side_by_side("a").wish(cancel=True).fail("a", "Signalled").wish(cancel=True, redrive=1)
    run.wish(redrive=1).wish(cancel=True, redrive=1).fail("a", "Signalled")

    assert "Cancelled" == run.state.phase


def test_redrive_gives_retries_and_timeout_anew():
    """MaxAttempts and spec.timeout count anew in the new epoch."""
    run = Driver(
        {"nodes": [{"name": "a", **RUN, "retry": {"maxAttempts": 2, "backoff": "none"}}], "timeout": "1m"}
    ).create()
    run.fail("a").wait_for_timer()
    run.fail("a").tick(3600).wish(redrive=1).tick(59)

    assert not run.stopping

    run.fail("a").wait_for_timer()
    run.end("a")

    assert [1, 2, 3, 4] == [event.attempt for event in run.of("NodeStarted")]
    run.check_ended()


def test_joins_fired_by_other_connections_do_not_fire_again():
    """An `any` that had its token stays Succeeded; the redriven branch arrives late."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "b", **RUN},
                {"name": "j", "join": "any", "after": ["a", "b"], **RUN},
            ],
            "failFast": False,
        }
    ).create()
    run.end("a").end("j").fail("b").wish(redrive=1).end("b")

    assert 1 == len(run.of("NodeCompleted", "j"))
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_handled_failures_stay():
    """A failure that a port handled is not run again."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                {"name": "saved", "after": ["a.failed"], "set": {"x": 1}},
                {"name": "b", "after": ["saved"], **RUN},
            ]
        }
    ).create()
    run.fail("a").fail("b").wish(redrive=1)

    assert [("b", 2, 1)] == list(run.running)

    run.end("b")
    run.check_ended()


@pytest.mark.parametrize("end", [True, False])
def test_redrive_of_a_run_that_has_not_failed_is_refused(end):
    """Refused in the log with the phase, and not taken up later."""
    run = side_by_side("a")
    if end:
        run.end("a")
    phase = run.state.phase
    run.wish(redrive=1)

    assert phase in run.of("RedriveRefused")[0].reason
    assert phase == run.state.phase
    if not end:
        run.fail("a").wish(redrive=1)

        assert "Failed" == run.state.phase


def test_the_redrive_at_creation_is_the_baseline():
    """A manifest applied with redrive: 3 redrives nothing."""
    run = Driver({"nodes": [{"name": "a", **RUN}]}).create(wish=c.Wish(redrive=3)).fail("a").wish(redrive=3)

    assert "Failed" == run.state.phase

    run.wish(redrive=4)

    assert "Running" == run.state.phase


@pytest.mark.parametrize(
    "policy, taken",
    [({"every": "node"}, 4), ({"every": 2}, 2), ({"every": "manual"}, 0), ({"every": "1h"}, 0)],
)
def test_checkpoints_follow_their_policy(policy, taken):
    """every: node, N nodes, a duration, or manual."""
    nodes = [{"name": "n0", **RUN}, *({"name": f"n{i}", "after": [f"n{i - 1}"], **RUN} for i in range(1, 5))]
    run = Driver({"nodes": nodes, "checkpoint": policy}).create()
    for i in range(5):
        run.tick(1).end(f"n{i}")

    assert taken == len(run.of("CheckpointTaken"))


def test_a_node_can_ask_for_a_checkpoint():
    """`checkpoint: true` on a node, whatever the policy."""
    run = Driver(
        {
            "nodes": [{"name": "a", "checkpoint": True, **RUN}, {"name": "b", "after": ["a"], **RUN}],
            "checkpoint": {"every": "manual"},
        }
    ).create()
    run.end("a")

    assert 1 == len(run.of("CheckpointTaken"))
