"""Limits of values in the engine, what a container's outputs cost the log, and a state that does not grow (semantics 37)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.driver import Driver, spec_of

from fairlead.engine.effects import effects_of
from fairlead.engine.engine import Engine
from fairlead.engine.evolve import fold
from fairlead.engine.graph import compile_workflow
from fairlead.model import commands as c
from fairlead.model import state as s
from fairlead.model.effects import StartAttempt

MIB = 1024 * 1024
RUN = {"sh": "true"}


def test_outputs_beyond_1_mib_fail_the_node():
    """The message has both figures, and it is not tried again."""
    run = Driver({"nodes": [{"name": "a", "run": RUN, "retry": {"maxAttempts": 3}}]}).create()

    run.end("a", {"text": "x" * MIB})

    assert ("OutputTooLarge", f"the outputs are {MIB + 11} bytes of JSON; at most {MIB} are kept") == (
        run.failure.error.reason,
        run.failure.error.message,
    )
    assert [] == run.of("NodeRetrying")


def test_outputs_of_1_mib_are_passed_on_and_are_one_object():
    """A value that a hundred items read stands in memory once: in the state, the events and the node documents."""
    reader = {"name": "r", "run": RUN, "with": {"data": "${nodes.a.outputs.data}"}}
    loop = {"name": "all", "after": ["a"], "forEach": {"items": list(range(100)), "nodes": [reader]}}
    run = Driver({"nodes": [{"name": "a", "run": RUN}, loop]}, check=False).create()
    value = ["x" * 1_000] * 1_000

    run.end("a", {"data": value})

    data = run.state.node("a").outputs["data"]
    assert 100 == len(run.running)
    assert all(effect.document["inputs"]["data"] is data for effect in run.running.values())
    readers: list[Any] = [run.state.node(f"all[{n}]/r") for n in range(100)]
    assert all(reader.values["with"]["data"] is data for reader in readers)
    assert MIB / 2 < run.state.counters.stored < 1.1 * MIB


@pytest.mark.parametrize(
    "given",
    [{"a": "${nodes.a.outputs.x}", "b": "${nodes.a.outputs.x}"}],
    ids=["two of 600 KiB"],
)
def test_what_a_pod_is_given_beyond_1_mib_is_refused(given):
    """Before it is scheduled: InputTooLarge."""
    nodes = [{"name": "a", "run": RUN}, {"name": "b", "after": ["a"], "run": RUN, "with": given}]
    run = Driver({"nodes": nodes}).create()

    run.end("a", {"x": "x" * 600 * 1024})

    assert ("b", "InputTooLarge") == (run.failure.node, run.failure.error.reason)
    assert [] == run.of("NodeScheduled", "b")


def test_args_and_with_together_count_as_what_a_pod_is_given():
    """Each below 1 MiB and both above it: the message has the size."""
    x = "${nodes.a.outputs.x}"
    nodes = [
        {"name": "a", "run": RUN},
        {"name": "b", "after": ["a"], "run": {**RUN, "env": {"X": x}}, "with": {"x": x}},
    ]
    run = Driver({"nodes": nodes}).create()

    run.end("a", {"x": "x" * 600 * 1024})

    assert run.failure.error.reason == "InputTooLarge"
    assert f"bytes of JSON; at most {MIB} are" in run.failure.error.message


def test_an_expression_that_reads_more_than_4_mib_says_how_much():
    """Size and limit are in the sentence."""
    loop = {
        "name": "many",
        "forEach": {
            "items": list(range(5)),
            "nodes": [{"name": "r", "run": RUN}],
            "outputs": {"x": "${nodes.r.outputs.x}"},
        },
    }
    run = Driver(
        {"nodes": [loop, {"name": "b", "after": ["many"], "if": "size(nodes.many.outputs.items) == 5"}]},
        check=False,
    )
    run.create()
    for number in range(5):
        run.end(f"many[{number}]/r", {"x": "x" * 1_000_000})

    assert ("b", "ExpressionTooExpensive") == (run.failure.node, run.failure.error.reason)
    assert "it reads 50000" in run.failure.error.message
    assert "bytes, and 4 MiB is the most" in run.failure.error.message


def test_a_run_stores_at_most_256_mib():
    """The node whose outputs would be too many fails; a connection from its failed port handles that."""
    body = [{"name": "r", "run": RUN}]
    loop = {"name": "l", "while": {"condition": "true", "maxIterations": 1_000, "nodes": body}}
    graph = compile_workflow(spec_of(nodes=[loop]), "flow")
    engine = Engine(graph)
    events = engine.decide(c.Create(name="run", uid="u", digest="d", runtime="test"), 1)
    passes = 0
    while not engine.state.ended:
        started = [x for x in effects_of(graph, engine.state, events) if isinstance(x, StartAttempt)]
        assert len(started) == 1
        outputs = {"x": ["y" * 1_000_000]}
        passes += 1
        events = engine.decide(c.AttemptEnded(node=started[0].node, attempt=1, outputs=outputs), passes)

    failure = engine.state.failure
    assert passes == 269
    assert failure is not None
    assert failure.error.causes[0].reason == "StorageFull"
    assert f"at most {256 * MIB} are kept" in failure.error.causes[0].message


# --- containers ------------------------------------------------------------------------------------------------------


def test_the_results_of_items_stand_in_the_log_once():
    """The container's end says that its outputs are collected; the fold has them, and so does its `store`."""
    each = {"items": [1, 2], "nodes": [{"name": "r", "run": RUN}], "outputs": {"x": "${nodes.r.outputs.x}"}}
    nodes = [{"name": "all", "forEach": each, "store": {"kept": "${outputs.items[1].x}"}}]
    run = Driver({"nodes": nodes, "outputs": {"all": "${nodes.all.outputs}"}}).create()
    run.end("all[1]/r", {"x": "second"}).end("all[0]/r", {"x": "first"})

    end = run.of("NodeCompleted", "all")[0]

    assert ({}, []) == (end.outputs, end.collected)
    assert {"kept": "second"} == run.state.variables
    assert {"all": {"items": [{"x": "first"}, {"x": "second"}], "failed": 0}} == run.state.outputs


def test_the_results_of_branches_stand_in_the_log_once_in_their_order():
    """Only branches that succeeded, in the order in which they are declared."""
    branches = [
        {
            "name": name,
            "nodes": [{"name": f"{name}r", "run": RUN}],
            "outputs": {"x": f"${{nodes.{name}r.outputs.x}}"},
        }
        for name in ("left", "middle", "right")
    ]
    run = Driver({"nodes": [{"name": "p", "parallel": {"strategy": "any", "branches": branches}}]}).create()
    run.end("p.right/rightr", {"x": 3}).fail("p.middle/middler").end("p.left/leftr", {"x": 1})

    end = run.of("NodeCompleted", "p")[0]

    assert ({}, ["left", "right"]) == (end.outputs, end.collected)
    assert [("left", {"x": 1}), ("right", {"x": 3})] == list(run.state.node("p").outputs.items())


BODIES: dict[str, list[dict[str, Any]]] = {
    "one node": [{"name": "n", "set": {"x": "${pass.index}"}}],
    "a fork and a join": [
        {"name": "a", "log": {"message": "a"}},
        {"name": "b", "after": ["a"], "log": {"message": "b"}},
        {"name": "d", "after": ["a"], "log": {"message": "d"}},
        {"name": "e", "after": ["b", "d"], "log": {"message": "e"}},
    ],
    "a loop": [
        {"name": "i", "forEach": {"items": [1, 2], "nodes": [{"name": "n", "log": {"message": "n"}}]}}
    ],
}


@pytest.mark.parametrize("body", BODIES)
def test_the_state_does_not_grow_with_the_passes(body):
    """Three thousand passes leave as much as one thousand did, but for longer numbers."""

    def largest(passes: int) -> int:
        loop = {"condition": f"pass.index < {passes}", "maxIterations": passes, "nodes": BODIES[body]}
        engine = Engine(compile_workflow(spec_of(nodes=[{"name": "l", "while": loop}]), "flow"))
        engine.decide(c.Create(name="run", uid="u", digest="d", runtime="test"), 1)
        size = 0
        while engine.unfinished:
            engine.decide_more(1)
            if not engine.state.ended and engine.state.nodes:
                size = len(s.encode(engine.state))
        assert engine.state.phase == "Succeeded"
        return size

    assert largest(3_000) < 1.2 * largest(1_000)


def test_a_log_whose_containers_say_their_outputs_again_still_folds():
    """As logs of earlier releases do: the outputs in the end of a container count where nothing is collected."""
    each = {"items": [1, 2], "nodes": [{"name": "r", "run": RUN}], "outputs": {"x": "${nodes.r.outputs.x}"}}
    run = Driver({"nodes": [{"name": "all", "forEach": each}]}).create()
    run.end("all[0]/r", {"x": 1}).end("all[1]/r", {"x": 2})
    outputs = run.state.node("all").outputs
    end = run.of("NodeCompleted", "all")[0]
    old = msgspec.structs.replace(end, collected=None, outputs=outputs)

    state = fold(old if event == end else event for event in run.events)

    assert {"items": [{"x": 1}, {"x": 2}], "failed": 0} == outputs
    assert s.encode(state) == s.encode(run.state)
