"""Containers that stand in for another node, and containers that others stand in for: semantics 2, 17, 26."""

from __future__ import annotations

from typing import Any

from tests.support.driver import Driver

from fairlead.engine.graph import compile_workflow

RUN: dict[str, Any] = {"run": {"sh": "true"}}
WHY: dict[str, Any] = {"with": {"why": "${error.reason}", "n": "${nodes.first.outputs.n}"}}
SPARE: dict[str, Any] = {
    "name": "spare",
    "forEach": {
        "items": ["${error.message}", "b"],
        "nodes": [{"name": "m", **RUN, **WHY}],
        "outputs": {"i": "${item}", "why": "${error.reason}"},
    },
}
FIRST: dict[str, Any] = {"name": "first", **RUN}


def test_a_container_stands_in_for_a_node():
    """It sees what the node sees and its error, in its own fields and in its bodies; its outputs become the node's."""
    run = Driver(
        {"nodes": [FIRST, {"name": "a", "after": ["first"], **RUN, "fallback": "spare"}, SPARE]}
    ).create()
    run.end("first", {"n": 7}).fail("a", message="gone")

    assert {("a/spare[0]/m", 1, 1), ("a/spare[1]/m", 1, 1)} == set(run.running)
    assert {"why": "NonZeroExit", "n": 7} == run.running["a/spare[1]/m", 1, 1].document["inputs"]

    run.end("a/spare[1]/m").end("a/spare[0]/m")

    items = [{"i": "gone", "why": "NonZeroExit"}, {"i": "b", "why": "NonZeroExit"}]
    assert {"items": items, "failed": 0} == run.state.node("a").outputs
    assert ("Succeeded", "fallback") == (run.status("a"), run.state.node("a").via)
    run.check_ended()


def test_a_container_stands_in_for_a_container():
    """Of the same name in its ids as the node it stands for, and yet found."""
    body = {"items": [1], "nodes": [{"name": "n", **RUN}]}
    nodes = [FIRST, {"name": "c", "after": ["first"], "forEach": body, "fallback": "spare"}, SPARE]
    run = Driver({"nodes": nodes}).create().end("first", {"n": 1}).fail("c[0]/n")
    run.end("c/spare[0]/m").end("c/spare[1]/m")

    assert 2 == len(run.state.node("c").outputs["items"])
    run.check_ended()


def test_a_pod_node_stands_in_for_each_kind_of_container():
    """While, forEach and parallel."""
    node = {"nodes": [{"name": "n", **RUN}]}
    for kind, body, inside in (
        ("while", {"condition": "pass.index < 1", **node}, "c[0]/n"),
        ("forEach", {"items": [1], **node}, "c[0]/n"),
        ("parallel", {"branches": [{"name": "x", **node}]}, "c.x/n"),
    ):
        run = Driver({"nodes": [{"name": "c", kind: body, "fallback": "s"}, {"name": "s", **RUN}]}).create()
        run.fail(inside).wish(suspend=True).wish(suspend=False).end("c/s", {"v": 1})

        assert {"v": 1} == run.state.node("c").outputs
        assert not run.state.kept
        run.check_ended()


def test_a_while_stands_in_and_its_condition_sees_the_error():
    """The error of the node, in each pass."""
    loop = {"condition": "error.exitCode == 3 && pass.index < 2", "nodes": [{"name": "m", **RUN}]}
    run = Driver({"nodes": [{"name": "a", **RUN, "fallback": "s"}, {"name": "s", "while": loop}]}).create()
    run.fail("a", exit_code=3).end("a/s[0]/m").end("a/s[1]/m")

    assert {"iterations": 2} == run.state.node("a").outputs
    run.check_ended()


def test_stand_ins_in_bodies_are_instances_of_their_own():
    """One for each item that failed, with all that is inside of it."""
    spare = {"name": "s", "parallel": {"branches": [{"name": "x", "nodes": [{"name": "m", **RUN}]}]}}
    nodes = [{"name": "n", **RUN, "fallback": "s"}, spare]
    run = Driver({"nodes": [{"name": "c", "forEach": {"items": [1, 2], "nodes": nodes}}]}).create()
    run.fail("c[0]/n").fail("c[1]/n")

    assert {("c[0]/n/s.x/m", 1, 1), ("c[1]/n/s.x/m", 1, 1)} == set(run.running)

    run.end("c[0]/n/s.x/m").end("c[1]/n/s.x/m")

    assert {"c"} == set(run.state.nodes)
    run.check_ended()


def test_the_failure_of_a_container_that_stands_in_has_both_causes():
    """And nothing of it is kept, for the next failure has another stand-in."""
    run = Driver(
        {"nodes": [FIRST, {"name": "a", "after": ["first"], **RUN, "fallback": "spare"}, SPARE]}
    ).create()
    run.end("first", {"n": 7}).fail("a").fail("a/spare[0]/m").fail("a/spare[1]/m", "Signalled")

    assert ["NonZeroExit", "BodyFailed"] == [cause.reason for cause in run.failure.error.causes]
    assert not run.state.kept

    run.wish(redrive=1).fail("a")

    assert {("a/spare[0]/m", 2, 1), ("a/spare[1]/m", 2, 1)} == set(run.running)

    run.end("a/spare[0]/m").end("a/spare[1]/m")
    run.check_ended()


def test_a_container_that_stands_in_has_retry_and_timeout():
    """Its own."""
    spare = {**SPARE, "retry": {"maxAttempts": 2, "initialDelay": "1s", "jitter": 0}, "timeout": "1m"}
    run = Driver(
        {"nodes": [FIRST, {"name": "a", "after": ["first"], **RUN, "fallback": "spare"}, spare]}
    ).create()
    run.end("first", {"n": 7}).fail("a").tick(60)
    run.fail("a/spare[0]/m", "Signalled").fail("a/spare[1]/m", "Signalled").tick(1)

    assert ["Timeout"] == [event.error.reason for event in run.of("NodeRetrying", "a/spare")]

    run.end("a/spare[0]/m").end("a/spare[1]/m")
    run.check_ended()


def test_a_cancel_goes_into_a_container_that_stands_in():
    """The node that it stands for is Cancelled with it, at the top and in a body."""
    inner = {"items": [1], "nodes": [{"name": "n", **RUN, "fallback": "spare"}, SPARE]}
    nodes = [FIRST, {"name": "c", "after": ["first"], "forEach": inner}]
    run = Driver({"nodes": nodes}).create().end("first", {"n": 1}).fail("c[0]/n").wish(cancel=True)

    assert 2 == len(run.stopping)

    run.fail("c[0]/n/spare[0]/m", "Signalled").fail("c[0]/n/spare[1]/m", "Signalled")

    assert {"c", "c[0]/n", "c[0]/n/spare"} <= {event.node for event in run.of("NodeCancelled")}
    run.check_ended()


def test_every_instance_of_a_stand_in_is_found_in_the_graph():
    """By its id, with whatever stands around it."""
    run = Driver({"nodes": [FIRST, {"name": "a", "after": ["first"], **RUN, "fallback": "spare"}, SPARE]})
    graph = compile_workflow(run.spec)

    assert "m" == graph.find("a/spare[3]/m").name
    assert "spare" == graph.find("a#2/spare").name
    assert graph.find("a#2/spare[1]/m") is graph.find("a/spare[0]/m")
    assert graph.named("a/spare[0]/m")
    assert not graph.named("b/spare[0]/m")
    assert not graph.named("b/first")
