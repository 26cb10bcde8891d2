"""Containers on the whole ladder of a failure, retry first: semantics 8, 10, 17, 26, 30, 32, 33."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}
RETRY: dict[str, Any] = {"maxAttempts": 2, "initialDelay": "10s", "jitter": 0}
SAVE: dict[str, Any] = {"name": "n", **RUN, "with": {"item": "${item}"}}


def one(kind: str, body: dict[str, Any], spec: dict[str, Any] | None = None, **common: Any) -> Driver:
    """A run of the one container `c`."""
    return Driver({"nodes": [{"name": "c", kind: body, **common}], **(spec or {})})


def each(**fields: Any) -> dict[str, Any]:
    """Two items, one at a time."""
    return {
        "items": [1, 2],
        "maxParallel": 1,
        "nodes": [SAVE],
        "outputs": {"v": "${nodes.n.outputs.v}"},
    } | fields


def test_a_failed_body_is_tried_again_from_its_start_after_the_delay():
    """Items that had succeeded run once more; the container counts its attempts."""
    run = one("forEach", each(), retry=RETRY).create().end("c[0]/n", {"v": "old"}).fail("c[1]/n")

    assert ("Retrying", "BodyFailed") == (run.status("c"), run.of("NodeRetrying", "c")[0].error.reason)

    run.tick(9)

    assert not run.running

    run.tick(1).end("c[0]/n", {"v": "new"}).end("c[1]/n", {"v": 2})

    assert [{"v": "new"}, {"v": 2}] == run.state.node("c").outputs["items"]
    assert [1, 2] == [event.attempt for event in run.of("NodeStarted", "c")]
    run.check_ended()


def test_instances_inside_keep_their_ids_and_count_their_attempts_on():
    """No delivery of an instance ever comes twice, whichever attempt of the container it belongs to."""
    inner = {"items": [1], "nodes": [{"name": "m", **RUN, "retry": {"maxAttempts": 2, "backoff": "none"}}]}
    run = one("forEach", {"items": [1], "nodes": [{"name": "d", "forEach": inner}]}, retry=RETRY).create()
    run.fail("c[0]/d[0]/m").tick().fail("c[0]/d[0]/m").tick(10)

    assert [("c[0]/d[0]/m", 3, 1)] == list(run.running)

    run.fail("c[0]/d[0]/m").tick().end("c[0]/d[0]/m")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_an_instance_has_one_idempotency_key_whatever_attempt_its_container_is_at():
    """What a service did for `c[0]/n` it does not do again (semantics 10)."""
    run = one("forEach", each(), retry=RETRY).create()
    first = run.running["c[0]/n", 1, 1].document
    run.fail("c[0]/n").tick(10)
    second = run.running["c[0]/n", 2, 1].document

    assert first["idempotencyKey"] == second["idempotencyKey"]
    assert first["attempt"] < second["attempt"]


def test_all_attempts_are_about_the_same_items():
    """Items are evaluated once, so that `c[0]/n` is about the same thing in each attempt."""
    nodes = [{"name": "w", "set": {"list": ["other"]}}, {**SAVE, "after": ["w"]}]
    body = each(items="${vars.list}", nodes=nodes, outputs={"i": "${item}"})
    run = one("forEach", body, {"variables": {"list": ["a"]}}, retry=RETRY).create().fail("c[0]/n").tick(10)

    assert {"item": "a"} == run.running["c[0]/n", 2, 1].document["inputs"]

    run.end("c[0]/n")

    assert [{"i": "a"}] == run.state.node("c").outputs["items"]
    assert 1 == len(run.of("LoopStarted"))


def test_a_while_that_is_tried_again_begins_with_pass_zero():
    """It sees nothing of the passes of the attempt before."""
    condition = "pass.index == 0 || nodes.n.outputs.v < 2"
    body = {"condition": condition, "nodes": [{"name": "n", **RUN}]}
    run = one("while", body, retry=RETRY).create()
    run.end("c[0]/n", {"v": 1}).fail("c[1]/n").tick(10).end("c[0]/n", {"v": 2})

    assert {"iterations": 1} == run.state.node("c").outputs
    run.check_ended()


def test_a_parallel_that_is_tried_again_runs_all_its_branches():
    """Also those that had succeeded."""
    branches = [{"name": name, "nodes": [{"name": f"n{name}", **RUN}]} for name in "xy"]
    run = one("parallel", {"branches": branches}, retry=RETRY).create()
    run.end("c.x/nx").fail("c.y/ny").tick(10)

    assert {("c.x/nx", 2, 1), ("c.y/ny", 2, 1)} == set(run.running)

    run.end("c.x/nx").end("c.y/ny")
    run.check_ended()


def test_the_timeout_of_a_container_is_that_of_each_attempt():
    """Suspended time does not count, neither for it nor for the delay."""
    run = one("forEach", each(items=[1]), retry=RETRY, timeout="1m").create().tick(60)

    assert {("c[0]/n", 1, 1)} == run.stopping

    run.fail("c[0]/n", "Signalled").wish(suspend=True).tick(3600).wish(suspend=False).tick(10)
    run.tick(30).wish(suspend=True).tick(3600).wish(suspend=False).tick(29)

    assert not run.stopping

    run.tick(1).fail("c[0]/n", "Signalled")

    assert "Timeout" == run.failure.error.reason
    run.check_ended()


def test_retry_on_and_reasons_that_are_not_retried_hold_for_containers():
    """MaxIterationsExceeded is tried again only if retryOn says so; retryOn sees the error of the container."""
    body = {"condition": "true", "maxIterations": 1, "nodes": [{"name": "n", "log": {"message": "x"}}]}
    plain = one("while", body, retry=RETRY).create()
    named = one("while", body, retry={**RETRY, "retryOn": "error.reason == 'MaxIterationsExceeded'"}).create()
    other = one("forEach", each(), retry={**RETRY, "noRetryOn": "error.reason == 'BodyFailed'"}).create()
    other.fail("c[0]/n")

    assert [] == plain.of("NodeRetrying")
    assert 1 == len(named.of("NodeRetrying"))
    assert [] == other.of("NodeRetrying")
    for run in (plain, named.tick(10), other):
        assert "Failed" == run.state.phase
        run.check_ended()


def test_retry_on_of_a_container_in_a_body_sees_the_item():
    """It has the scope of the container."""
    inner = {"items": [1], "nodes": [{"name": "m", **RUN}]}
    retry = {**RETRY, "retryOn": "item == 'again'"}
    nodes = [{"name": "d", "forEach": inner, "retry": retry}]
    run = one("forEach", {"items": ["again", "not"], "onItemError": "continue", "nodes": nodes}).create()
    run.fail("c[0]/d[0]/m").fail("c[1]/d[0]/m")

    assert ["c[0]/d"] == [event.node for event in run.of("NodeRetrying")]


def test_containers_spend_the_budget_of_retries():
    """A container's next attempt is a retry of the run (semantics 33)."""
    retry = {"maxAttempts": 50, "backoff": "none", "budget": 0.1}
    run = one(
        "forEach", {"items": [1], "nodes": [{"name": "n", "log": {"message": "${inputs.none}"}}]}, retry=retry
    )
    run.create()
    while run.wait_for_timer():
        pass

    assert 10 == len(run.of("NodeRetrying"))
    assert "Failed" == run.state.phase


def test_a_container_that_waits_for_its_next_attempt_is_cancelled_at_once():
    """And says what it waits for until then."""
    run = one("forEach", each(), retry=RETRY).create().fail("c[0]/n").wish(cancel=True)

    assert "Cancelled" == run.state.phase
    run.check_ended()


def test_the_state_does_not_grow_with_attempts():
    """What an attempt leaves is forgotten, and counted once."""
    run = one("forEach", each(outputs={}), retry={**RETRY, "maxAttempts": 9}).create()
    run.end("c[0]/n").fail("c[1]/n").tick(10)
    small, total = len(run.state.nodes), run.state.counters.total
    for _ in range(6):
        run.end("c[0]/n").fail("c[1]/n").wait_for_timer()

    assert (small, total) == (len(run.state.nodes), run.state.counters.total)
    assert not run.state.kept

    run.end("c[0]/n").end("c[1]/n")

    assert (3, 3, 0) == (run.state.counters.total, run.state.counters.done, run.state.counters.failed)
    run.check_ended()


def test_retry_comes_before_the_failed_port():
    """Only when its attempts are spent is the failure handled, and nothing of it is kept."""
    nodes = [
        {"name": "c", "forEach": each(), "retry": RETRY},
        {"name": "saved", "after": ["c.failed"], "set": {"x": 1}},
    ]
    run = Driver({"nodes": nodes}).create().fail("c[0]/n").tick(10).fail("c[0]/n")

    assert {"x": 1} == run.state.variables
    assert not run.state.kept
    run.check_ended()
