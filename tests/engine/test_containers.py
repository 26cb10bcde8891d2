"""Parallel, and containers among the rest of the language: semantics 17, 23, 24, 25, 28, 30."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}


def one(kind: str, body: dict[str, Any], **spec: Any) -> Driver:
    """A run of the one container `c`."""
    common = {name: spec.pop(name) for name in ("timeout", "onError") if name in spec}
    return Driver({"nodes": [{"name": "c", kind: body, **common}], **spec})


def branches(strategy: Any) -> Driver:
    names = ("x", "y", "z")
    body = {
        "strategy": strategy,
        "branches": [
            {"name": n, "nodes": [{"name": "n", **RUN}], "outputs": {"v": "${nodes.n.outputs.v}"}}
            for n in names
        ],
    }
    return one("parallel", body).create()


@pytest.mark.parametrize("kind", ["forEach", "workflow"])
def test_a_container_whose_fallback_runs_is_left_alone(kind):
    """A resume looks at containers at work, and not at one that a fallback stands in for."""
    inner = {"nodes": [{"name": "n", **RUN}]}
    body = {"items": [1], **inner} if kind == "forEach" else {"name": "act", "inline": True}
    nodes = [{"name": "c", kind: body, "fallback": "spare"}, {"name": "spare", **RUN}]
    run = Driver({"nodes": nodes, "workflows": {"act": inner}}).create()
    run.fail("c[0]/n" if kind == "forEach" else "c/n").wish(suspend=True).wish(suspend=False)

    assert "Fallback" == run.status("c")
    run.end("c/spare").check_ended()


def test_all_needs_every_branch():
    """Outputs by branch name."""
    run = branches("all").end("c.y/n", {"v": 2}).end("c.x/n", {"v": 1}).end("c.z/n", {"v": 3})

    assert {"x": {"v": 1}, "y": {"v": 2}, "z": {"v": 3}} == run.state.node("c").outputs
    assert ["x", "y", "z"] == [event.branch for event in run.of("BranchStarted")]
    run.check_ended()


def test_all_fails_at_the_first_failure_and_cancels_the_rest():
    """The container ends only after what it started has ended."""
    run = branches("all").fail("c.x/n")

    assert 2 == len(run.stopping)

    run.fail("c.y/n", "Signalled").fail("c.z/n", "Signalled")

    assert "BodyFailed" == run.failure.error.reason
    run.check_ended()


def test_any_waits_for_all_and_needs_one():
    """Outputs hold only branches that succeeded."""
    run = branches("any").fail("c.x/n").end("c.y/n", {"v": 2})

    assert not run.state.ended

    run.fail("c.z/n")

    assert {"y": {"v": 2}} == run.state.node("c").outputs
    run.check_ended()


def test_in_a_race_the_first_success_decides_and_losers_are_cancelled():
    """They say so, and are waited for."""
    run = branches("race").fail("c.x/n").end("c.z/n", {"v": 3})

    assert {("c.y/n", 1, 1)} == run.stopping
    assert "Running" == run.state.phase

    run.fail("c.y/n", "Signalled")

    assert "Decided" == run.of("NodeCancelled", "c.y/n")[0].reason
    assert {"z": {"v": 3}} == run.state.node("c").outputs
    run.check_ended()


def test_a_race_all_of_whose_branches_fail_fails():
    """With the first failure as its cause."""
    run = branches("race").fail("c.x/n").fail("c.y/n").fail("c.z/n")

    assert "c.x failed" in run.failure.error.message
    run.check_ended()


def test_at_least_decides_at_the_nth_success_and_fails_once_out_of_reach():
    """Two of three."""
    done = branches({"atLeast": 2}).end("c.x/n", {"v": 1}).end("c.y/n", {"v": 2}).fail("c.z/n", "Signalled")
    failed = branches({"atLeast": 2}).fail("c.x/n").fail("c.y/n").fail("c.z/n", "Signalled")

    assert {"x", "y"} == set(done.state.node("c").outputs)
    assert "BodyFailed" == failed.failure.error.reason
    done.check_ended()
    failed.check_ended()


def test_the_timeout_of_a_container_ends_its_whole_body():
    """For the whole body, on the clock that stands still while suspended (semantics 30, 32)."""
    body = {"items": [1, 2], "maxParallel": 1, "nodes": [{"name": "n", **RUN}]}
    run = (
        one("forEach", body, timeout="1m")
        .create()
        .tick(30)
        .wish(suspend=True)
        .tick(3600)
        .wish(suspend=False)
        .tick(29)
    )

    assert not run.stopping

    run.tick(1).fail("c[0]/n", "Signalled")

    assert "Timeout" == run.failure.error.reason
    assert 1 == len(run.of("LoopIteration"))
    run.check_ended()


def test_cancel_goes_into_bodies():
    """Everything that runs in them is stopped and Cancelled, the containers after it."""
    inner = {
        "strategy": "all",
        "branches": [{"name": "x", "nodes": [{"name": "n", **RUN}, {"name": "w", "wait": {"for": "1h"}}]}],
    }
    run = (
        one("forEach", {"items": [1, 2], "nodes": [{"name": "p", "parallel": inner}]})
        .create()
        .wish(cancel=True)
    )

    assert 2 == len(run.stopping)

    run.fail("c[0]/p.x/n", "Signalled").end("c[1]/p.x/n")

    assert "Cancelled" == run.state.phase
    assert {"c", "c[0]/p", "c[1]/p"} <= {event.node for event in run.of("NodeCancelled")}
    run.check_ended()


def test_suspend_holds_the_next_item_and_pass():
    """Nothing new starts; it goes on at resume."""
    run = one("forEach", {"items": [1, 2], "maxParallel": 1, "nodes": [{"name": "n", **RUN}]}).create()
    run.wish(suspend=True).end("c[0]/n")

    assert 1 == len(run.of("LoopIteration"))

    run.wish(suspend=False)

    assert [("c[1]/n", 1, 1)] == list(run.running)
    run.end("c[1]/n")
    run.check_ended()


def test_finish_in_a_body_ends_the_run():
    """From any depth."""
    nodes = [{"name": "n", **RUN}, {"name": "end", "after": ["n"], "finish": {"result": "blocked"}}]
    run = one("forEach", {"items": [1, 2], "nodes": nodes}).create().end("c[0]/n").fail("c[1]/n", "Signalled")

    assert ("Succeeded", "blocked") == (run.state.phase, run.state.result)
    run.check_ended()


def test_a_container_has_failed_ports_and_on_error_like_any_node():
    """BodyFailed goes down the ladder."""
    loop = {"items": [1], "nodes": [{"name": "n", **RUN}]}
    run = Driver(
        {
            "nodes": [
                {"name": "c", "forEach": loop},
                {"name": "saved", "after": ["c.failed"], "set": {"why": "${nodes.c.error.reason}"}},
            ]
        }
    ).create()
    run.fail("c[0]/n")

    assert {"why": "BodyFailed"} == run.state.variables
    run.check_ended()


def test_containers_in_finally_run():
    """A `finally` is a body like the others."""
    loop = {"items": [1, 2], "nodes": [{"name": "n", **RUN}]}
    run = (
        Driver({"nodes": [{"name": "a", **RUN}], "finally": [{"name": "f", "forEach": loop}]})
        .create()
        .end("a")
    )
    run.end("f[0]/n").end("f[1]/n")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_max_nodes_counts_pods_and_not_containers():
    """One slot around nested containers does not deadlock (semantics 24)."""
    inner = {"condition": "pass.index < 2", "nodes": [{"name": "n", **RUN}]}
    run = one(
        "forEach", {"items": [1, 2], "nodes": [{"name": "w", "while": inner}]}, concurrency={"maxNodes": 1}
    ).create()
    count = 0
    while run.running:
        assert 1 == len(run.running)
        run.end(min(run.running)[0])
        count += 1

    assert 4 == count
    run.check_ended()
