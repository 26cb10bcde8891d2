"""while, forEach and parallel: semantics 17, 18, 19, 21, 23, 26."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}


def one(kind: str, body: dict[str, Any], **spec: Any) -> Driver:
    """A run of the one container `c`."""
    common = {name: spec.pop(name) for name in ("timeout", "onError") if name in spec}
    return Driver({"nodes": [{"name": "c", kind: body, **common}], **spec})


# --- while ---


def test_a_while_repeats_its_body_as_long_as_its_condition_holds():
    """The condition is asked before each pass; body nodes see `pass.index` and what the last pass stored."""
    body = {
        "condition": "vars.n < 3",
        "nodes": [{"name": "step", "set": {"n": "${vars.n + 1}", "seen": "${pass.index}"}}],
    }
    run = one(
        "while",
        body,
        variables={"n": 0},
        outputs={"n": "${vars.n}", "times": "${nodes.c.outputs.iterations}"},
    ).create()

    assert {"n": 3, "times": 3} == run.state.outputs
    assert 2 == run.state.variables["seen"]
    assert ["c[0]/step", "c[1]/step", "c[2]/step"] == [
        x.node for x in run.of("NodeCompleted") if "/" in x.node
    ]
    assert ["0.0", "0.1", "0.2"] == [event.path for event in run.of("LoopIteration")]
    assert (3, False) == (run.of("LoopCompleted")[0].iterations, run.of("LoopCompleted")[0].condition)
    run.check_ended()


def test_a_condition_that_is_false_at_once_runs_no_pass():
    """Zero passes are a success."""
    run = one("while", {"condition": "false", "nodes": [{"name": "a", **RUN}]}).create()

    assert {"iterations": 0} == run.state.node("c").outputs
    run.check_ended()


def test_a_while_fails_when_its_condition_still_holds_after_max_iterations():
    """MaxIterationsExceeded, with both numbers."""
    run = one(
        "while", {"condition": "true", "maxIterations": 2, "nodes": [{"name": "a", "set": {"x": 1}}]}
    ).create()

    assert "MaxIterationsExceeded" == run.failure.error.reason
    assert 2 == len(run.of("LoopIteration"))
    run.check_ended()


def test_a_pass_sees_the_node_of_the_pass_before_until_its_own_has_ended():
    """`nodes.X` in pass k is X of k-1 until X of k has ended; the condition sees the last pass."""
    nodes = [
        {"name": "before", "set": {"seen": "${has(nodes.work.outputs.n) ? nodes.work.outputs.n : -1}"}},
        {"name": "work", "after": ["before"], **RUN},
    ]
    body = {"condition": "pass.index == 0 || nodes.work.outputs.n < 2", "nodes": nodes}
    run = one("while", body).create().end("c[0]/work", {"n": 1})

    assert 1 == run.state.variables["seen"]

    run.end("c[1]/work", {"n": 2})

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_a_failed_pass_fails_the_while():
    """Failure inside follows the body's own connections first; unhandled it is BodyFailed with its cause."""
    nodes = [
        {"name": "a", **RUN},
        {"name": "b", **RUN},
        {"name": "saved", "after": ["b.failed"], "set": {"x": 1}},
    ]
    run = one("while", {"condition": "pass.index < 2", "nodes": nodes}).create()
    run.fail("c[0]/b").end("c[0]/a").end("c[1]/b").fail("c[1]/a")

    error = run.failure.error
    assert ("c", "BodyFailed", "NonZeroExit") == (run.failure.node, error.reason, error.causes[0].reason)
    assert "c[1] failed" in error.message
    run.check_ended()


def test_the_state_does_not_grow_with_the_passes():
    """What ended passes leave is gone but for the last one."""
    body = {
        "condition": "vars.n < 500",
        "maxIterations": 1000,
        "nodes": [{"name": "s", "set": {"n": "${vars.n + 1}"}}],
    }
    run = Driver(
        {
            "variables": {"n": 0},
            "nodes": [{"name": "c", "while": body}, {"name": "z", "after": ["c"], **RUN}],
        },
        check=False,
    ).create()

    assert {"c", "z"} == set(run.state.nodes)
    assert len(run.state.paths) < 60
    run.end("z")
    run.check_ended()


def test_a_condition_that_fails_fails_the_while():
    """With ExpressionError, before a pass begins."""
    run = one("while", {"condition": "vars.missing > 1", "nodes": [{"name": "a", **RUN}]}).create()

    assert "ExpressionError" == run.failure.error.reason
    run.check_ended()


# --- forEach ---


def test_for_each_gives_outputs_in_item_order_whatever_the_order_of_ends():
    """Each item is a child path with `item`, `index` and the `as` name."""
    body = {
        "items": "${inputs.lines}",
        "as": "line",
        "nodes": [
            {
                "name": "pack",
                **RUN,
                "with": {"sku": "${line.sku}", "at": "${line_index}", "same": "${item == line}"},
            }
        ],
        "outputs": {"box": "${nodes.pack.outputs.box}", "sku": "${line.sku}"},
    }
    run = one("forEach", body, outputs={"all": "${nodes.c.outputs.items}"})
    run.create({"lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]})

    assert {"sku": "b", "at": 1, "same": True} == run.running["c[1]/pack", 1, 1].document["inputs"]

    run.end("c[2]/pack", {"box": 3}).end("c[0]/pack", {"box": 1}).end("c[1]/pack", {"box": 2})

    assert [{"box": 1, "sku": "a"}, {"box": 2, "sku": "b"}, {"box": 3, "sku": "c"}] == run.state.outputs[
        "all"
    ]
    run.check_ended()


@pytest.mark.parametrize("parallel", [1, 2])
def test_max_parallel_limits_items_at_once(parallel):
    """The next item begins when one has ended, in order."""
    body = {"items": [1, 2, 3, 4], "maxParallel": parallel, "nodes": [{"name": "n", **RUN}]}
    run = one("forEach", body).create()
    order = []
    while run.running:
        assert len(run.running) <= parallel
        node = min(run.running)[0]
        order.append(node)
        run.end(node)

    assert ["c[0]/n", "c[1]/n", "c[2]/n", "c[3]/n"] == order
    run.check_ended()


def test_an_empty_list_is_done_at_once():
    """No item, no failure."""
    run = one("forEach", {"items": [], "nodes": [{"name": "n", **RUN}]}).create()

    assert {"items": [], "failed": 0} == run.state.node("c").outputs


def test_a_failed_item_fails_the_container_after_the_others_were_stopped():
    """`onItemError: fail`: the others are cancelled, then the container fails with BodyFailed."""
    run = one(
        "forEach", {"items": [1, 2, 3], "nodes": [{"name": "n", **RUN}, {"name": "m", "after": ["n"], **RUN}]}
    ).create()
    run.fail("c[1]/n")

    assert {("c[0]/n", 1, 1), ("c[2]/n", 1, 1)} == run.stopping
    assert not run.state.ended

    run.fail("c[0]/n", "Signalled").end("c[2]/n")

    assert "BodyFailed" == run.failure.error.reason
    assert "c[1] failed" in run.failure.error.message
    assert not run.of("NodeScheduled", "c[2]/m")
    run.check_ended()


def test_with_continue_failed_items_are_null():
    """`onItemError: continue` counts them and goes on."""
    body = {
        "items": [1, 2],
        "onItemError": "continue",
        "nodes": [{"name": "n", **RUN}],
        "outputs": {"x": "${item}"},
    }
    run = one("forEach", body).create().fail("c[0]/n").end("c[1]/n")

    assert {"items": [None, {"x": 2}], "failed": 1} == run.state.node("c").outputs
    run.check_ended()


@pytest.mark.parametrize("items", ["${inputs.n}", "${'text'}", "${range(3).map(i, i) == []}"])
def test_items_that_are_no_list_fail_the_node(items):
    """With the value and what was expected; nothing begins."""
    run = one("forEach", {"items": items, "nodes": [{"name": "n", **RUN}]}).create({"n": 3})

    assert "ExpressionError" == run.failure.error.reason
    assert "expected a list" in run.failure.error.message
    assert not run.of("LoopStarted")


def test_a_million_items_are_refused_with_the_limit():
    """Before anything starts."""
    run = Driver(
        {"nodes": [{"name": "c", "forEach": {"items": "${inputs.xs}", "nodes": [{"name": "n", **RUN}]}}]},
        check=False,
    )
    run.create({"xs": [0] * 200_000})

    assert "at most 100000" in run.failure.error.message


def test_nested_loops_have_their_own_items():
    """Inner items see the outer ones by their `as` name; ids nest."""
    inner = {
        "items": "${row.cells}",
        "as": "cell",
        "nodes": [{"name": "n", "set": {"last": "${row.id}${cell}"}}],
    }
    body = {
        "items": "${inputs.rows}",
        "as": "row",
        "maxParallel": 1,
        "nodes": [{"name": "cells", "forEach": {**inner, "maxParallel": 1}}],
    }
    run = one("forEach", body).create({"rows": [{"id": "a", "cells": [1, 2]}, {"id": "b", "cells": [3]}]})

    done = [event.node for event in run.of("NodeCompleted")]
    assert ["c[0]/cells[0]/n", "c[0]/cells[1]/n", "c[0]/cells", "c[1]/cells[0]/n", "c[1]/cells", "c"] == done
    assert "b3" == run.state.variables["last"]
    run.check_ended()


def test_a_fallback_in_a_body_sees_the_item_and_the_error():
    """Its place is inside the item."""
    nodes = [
        {"name": "n", **RUN, "fallback": "spare"},
        {"name": "spare", **RUN, "with": {"i": "${item}", "why": "${error.reason}"}},
    ]
    body = {"items": [7], "nodes": nodes, "outputs": {"x": "${nodes.n.outputs.x}"}}
    run = one("forEach", body).create().fail("c[0]/n")

    assert {"i": 7, "why": "NonZeroExit"} == run.running["c[0]/n/spare", 1, 1].document["inputs"]

    run.end("c[0]/n/spare", {"x": 1})

    assert [{"x": 1}] == run.state.node("c").outputs["items"]
    run.check_ended()


def test_retry_works_inside_a_body():
    """Attempts count within the instance."""
    body = {"items": [1], "nodes": [{"name": "n", **RUN, "retry": {"maxAttempts": 2, "initialDelay": "1s"}}]}
    run = one("forEach", body).create().fail("c[0]/n")
    run.wait_for_timer()
    run.end("c[0]/n")

    assert [1, 2] == [event.attempt for event in run.of("NodeStarted", "c[0]/n")]
    run.check_ended()
