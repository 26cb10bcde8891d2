"""Containers that had begun go on after a redrive, with what succeeded in them: semantics 31."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

from fairlead.engine.evolve import fold
from fairlead.model import state as s

RUN: dict[str, Any] = {"run": {"sh": "true"}}
NODE: list[dict[str, Any]] = [{"name": "n", **RUN}]
OUT: dict[str, Any] = {"v": "${nodes.n.outputs.v}"}


def one(kind: str, body: dict[str, Any], **spec: Any) -> Driver:
    """A run of the one container `c`."""
    return Driver({"nodes": [{"name": "c", kind: body}], **spec}).create()


def test_only_the_item_that_failed_and_those_it_cancelled_run_again():
    """What succeeded stays, outputs are in order, and the next attempt counts on."""
    run = one("forEach", {"items": [0, 1, 2], "nodes": NODE, "outputs": OUT})
    run.end("c[0]/n", {"v": 0}).fail("c[1]/n").fail("c[2]/n", "Signalled").wish(redrive=1)

    assert {("c[1]/n", 2, 1), ("c[2]/n", 2, 1)} == set(run.running)

    run.end("c[2]/n", {"v": 2}).end("c[1]/n", {"v": 1})

    assert {"items": [{"v": 0}, {"v": 1}, {"v": 2}], "failed": 0} == run.state.node("c").outputs
    assert ["c[1]/", "c[2]/"] == [event.scope for event in run.of("BodyReopened")]
    assert 3 == len(run.of("LoopIteration"))
    run.check_ended()


def test_items_that_had_not_begun_begin_after_those_that_run_again():
    """As maxParallel allows."""
    run = one("forEach", {"items": [0, 1, 2, 3], "maxParallel": 1, "nodes": NODE})
    run.end("c[0]/n").fail("c[1]/n").wish(redrive=1)

    order = []
    while run.running:
        (node, _, _) = next(iter(run.running))
        order.append(node)
        run.end(node)

    assert ["c[1]/n", "c[2]/n", "c[3]/n"] == order
    run.check_ended()


def test_in_an_item_only_what_failed_and_what_follows_runs_again():
    """A node of it that succeeded stays, and is still seen."""
    nodes = [
        {"name": "a", **RUN},
        {"name": "b", "after": ["a"], **RUN, "with": {"v": "${nodes.a.outputs.v}"}},
        {"name": "d", "after": ["b"], **RUN},
    ]
    run = (
        one("forEach", {"items": [1], "nodes": nodes}).end("c[0]/a", {"v": 5}).fail("c[0]/b").wish(redrive=1)
    )

    assert {"v": 5} == run.running["c[0]/b", 2, 1].document["inputs"]

    run.end("c[0]/b").end("c[0]/d")

    assert 1 == len(run.of("NodeScheduled", "c[0]/a"))
    run.check_ended()


def test_a_failed_output_of_a_body_is_tried_again_alone():
    """No node runs; the output is evaluated once more."""
    run = Driver(
        {
            "nodes": [
                {"name": "w", **RUN, "store": {"x": "${outputs.x}"}},
                {"name": "c", "forEach": {"items": [1], "nodes": NODE, "outputs": {"v": "${vars.x}"}}},
            ],
            "failFast": False,
        }
    ).create()
    run.end("c[0]/n").end("w", {"x": 1}).wish(redrive=1)

    assert [{"v": 1}] == run.state.node("c").outputs["items"]
    assert 1 == len(run.of("NodeScheduled", "c[0]/n"))
    run.check_ended()


def test_handled_failures_of_items_stay():
    """With onItemError: continue an item that failed is done; nothing of it is kept, also of ten thousand."""
    nodes = [{"name": "n", "log": {"message": "${inputs.none}"}}]
    body = {"items": list(range(10_000)), "onItemError": "continue", "nodes": nodes}
    run = Driver(
        {"nodes": [{"name": "c", "forEach": body}, {"name": "z", "after": ["c"], **RUN}]}, check=False
    ).create()

    assert {"c", "z"} == set(run.state.nodes)
    assert 10_000 == run.state.node("c").outputs["failed"]

    run.fail("z").wish(redrive=1)

    assert [("z", 2, 1)] == list(run.running)


def test_items_that_were_cancelled_run_again_and_items_whose_failure_is_handled_do_not():
    """A cancel comes between them."""
    run = one("forEach", {"items": [0, 1, 2], "onItemError": "continue", "nodes": NODE, "outputs": OUT})
    run.fail("c[0]/n").end("c[1]/n", {"v": 1}).wish(cancel=True).fail("c[2]/n", "Signalled")
    run.wish(cancel=True, redrive=1)

    assert [("c[2]/n", 2, 1)] == list(run.running)

    run.end("c[2]/n", {"v": 2})

    assert {"items": [None, {"v": 1}, {"v": 2}], "failed": 1} == run.state.node("c").outputs
    run.check_ended()


def test_of_a_while_only_the_last_pass_runs_again():
    """It still sees the pass before, and the index goes on."""
    nodes = [{"name": "n", **RUN, "with": {"seen": "${pass.index > 0 ? nodes.n.outputs.v : 0}"}}]
    run = one("while", {"condition": "pass.index < 3", "nodes": nodes})
    run.end("c[0]/n", {"v": 10}).end("c[1]/n", {"v": 11}).fail("c[2]/n").wish(redrive=1)

    assert [("c[2]/n", 2, 1)] == list(run.running)
    assert {"seen": 11} == run.running["c[2]/n", 2, 1].document["inputs"]

    run.end("c[2]/n")

    assert {"iterations": 3} == run.state.node("c").outputs
    run.check_ended()


def test_a_while_past_its_max_iterations_may_take_as_many_again():
    """Its condition is asked again; passes go on counting, so that no pass has the id of another."""
    run = one("while", {"condition": "vars.go", "maxIterations": 2, "nodes": NODE}, variables={"go": True})
    run.end("c[0]/n").end("c[1]/n")

    assert "MaxIterationsExceeded" == run.failure.error.reason

    run.wish(redrive=1).end("c[2]/n").end("c[3]/n")

    assert "4 passes, 2 of them since the run was redriven" in run.failure.error.message
    run.check_ended()


def test_failed_branches_run_again():
    """Those that succeeded stay."""
    branches = [{"name": name, "nodes": NODE, "outputs": OUT} for name in "xyz"]
    run = one("parallel", {"strategy": {"atLeast": 2}, "branches": branches})
    run.end("c.x/n", {"v": 1}).fail("c.y/n").fail("c.z/n").wish(redrive=1)

    assert {("c.y/n", 2, 1), ("c.z/n", 2, 1)} == set(run.running)

    run.end("c.z/n", {"v": 3}).fail("c.y/n", "Signalled")

    assert {"x": {"v": 1}, "z": {"v": 3}} == run.state.node("c").outputs
    run.check_ended()


def test_losers_of_a_decided_race_stay():
    """Also when the run was cancelled while they were being ended."""
    branches = [{"name": name, "nodes": NODE, "outputs": OUT} for name in "xy"]
    run = one("parallel", {"strategy": "race", "branches": branches})
    run.end("c.x/n", {"v": 1}).wish(cancel=True).fail("c.y/n", "Signalled")

    assert "Cancelled" == run.status("c")

    run.wish(cancel=True, redrive=1)

    assert {"x": {"v": 1}} == run.state.node("c").outputs
    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_containers_in_items_go_on_in_their_turn():
    """Down to the one node that failed."""
    inner = {"items": [0, 1], "nodes": [{"name": "m", **RUN}], "outputs": {"v": "${nodes.m.outputs.v}"}}
    nodes = [{"name": "d", "forEach": inner}]
    outer = {"items": [0, 1], "nodes": nodes, "outputs": {"all": "${nodes.d.outputs.items}"}}
    run = one("forEach", outer)
    run.end("c[0]/d[0]/m", {"v": 0}).end("c[0]/d[1]/m", {"v": 1}).end("c[1]/d[0]/m", {"v": 2})
    run.fail("c[1]/d[1]/m").crash().wish(redrive=1)

    assert [("c[1]/d[1]/m", 2, 1)] == list(run.running)

    run.fail("c[1]/d[1]/m").wish(redrive=2).end("c[1]/d[1]/m", {"v": 3})

    items = [{"all": [{"v": 0}, {"v": 1}]}, {"all": [{"v": 2}, {"v": 3}]}]
    assert items == run.state.node("c").outputs["items"]
    assert {"c"} == set(run.state.nodes)
    run.check_ended()


def test_a_timeout_and_retries_of_a_container_count_anew():
    """From when it goes on; its attempts count on."""
    container = {
        "name": "c",
        "forEach": {"items": [0, 1], "nodes": NODE},
        "timeout": "1m",
        "retry": {"maxAttempts": 2, "backoff": "none"},
    }
    run = Driver({"nodes": [container]}).create().tick(60).fail("c[0]/n").fail("c[1]/n").tick()
    run.end("c[0]/n").fail("c[1]/n").tick(60).wish(redrive=1).tick(59)

    assert [("c[1]/n", 3, 1)] == list(run.running)
    assert not run.stopping

    run.fail("c[1]/n").tick()

    assert {("c[0]/n", 4, 1), ("c[1]/n", 4, 1)} == set(run.running)
    assert [1, 2, 3, 4] == [event.attempt for event in run.of("NodeStarted", "c")]

    run.end("c[0]/n").end("c[1]/n")
    run.check_ended()


def test_a_finish_with_result_failed_in_an_item_runs_again():
    """It is an unhandled failure, wherever it stands (semantics 25)."""
    nodes = [*NODE, {"name": "end", "after": ["n"], "finish": {"result": "failed"}}]
    run = one("forEach", {"items": [0, 1], "nodes": nodes}).end("c[0]/n").fail("c[1]/n", "Signalled")

    assert "FinishedFailed" == run.failure.error.reason

    run.wish(redrive=1)

    assert ["c[0]/end", "c[0]/end"] == [
        event.node for event in run.of("NodeCompleted") if "end" in event.node
    ]
    assert 1 == len(run.of("NodeScheduled", "c[0]/n"))


def test_containers_in_finally_run_anew():
    """As all of finally does; attempts of what is inside count on."""
    run = Driver(
        {
            "nodes": NODE,
            "finally": [{"name": "f", "forEach": {"items": [0, 1], "nodes": [{"name": "m", **RUN}]}}],
        }
    )
    run.create().fail("n").end("f[0]/m").fail("f[1]/m").wish(redrive=1).end("n")

    assert {("f[0]/m", 2, 1), ("f[1]/m", 2, 1)} == set(run.running)

    run.end("f[0]/m").end("f[1]/m")
    run.check_ended()


def test_a_redrive_may_be_ended_before_a_container_has_gone_on():
    """What was kept of it is kept on."""
    run = one("forEach", {"items": [0, 1], "nodes": NODE}).end("c[0]/n").fail("c[1]/n")
    run.wish(redrive=1, suspend=True).wish(redrive=1, cancel=True).wish(redrive=1).wish(redrive=2)

    assert [("c[1]/n", 2, 1)] == list(run.running)

    run.end("c[1]/n")
    run.check_ended()


def test_a_checkpoint_holds_what_a_redrive_needs():
    """A state that was encoded and decoded goes on as the one folded from the log."""
    run = one("forEach", {"items": [0, 1], "nodes": NODE}).end("c[0]/n").fail("c[1]/n")
    before = s.encode(run.state)
    run.wish(redrive=1).end("c[1]/n")
    events = run.events
    seq = s.decode(before).seq

    assert s.encode(run.state) == s.encode(fold(events[seq:], s.decode(before)))
