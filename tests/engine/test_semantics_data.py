"""Values, scopes, identities and determinism, written from semantics.md 10, 16, 17, 19, 34 and 36."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from tests.support.driver import START, Driver

from fairlead.engine.evolve import fold
from fairlead.model import commands as c
from fairlead.model import state as s
from fairlead.model.ids import idempotency_key
from fairlead.model.state import Timers

RUN: dict[str, Any] = {"run": {"sh": "true"}}


def flow(*nodes: dict[str, Any], **spec: Any) -> Driver:
    return Driver({"nodes": list(nodes), **spec}).create()


def chain(*nodes: dict[str, Any], **spec: Any) -> Driver:
    """A run of nodes a, b, c, … one after the other."""
    named = [{"name": "abcdefgh"[i], **node} for i, node in enumerate(nodes)]
    for before, after in pairwise(named):
        after["after"] = [before["name"]]
    return flow(*named, **spec)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, kept",
    [
        (2**53 + 1, 2**53 + 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (1.0, 1),
        (-0.0, 0),
        (2.5, 2.5),
        (1e15, 10**15),
    ],
)
def test_an_integral_number_of_outputs_is_an_int(given, kept):
    """On entry a number with integral value is an int, exact through log and expressions."""
    run = chain({**RUN, "store": {"x": "${outputs.x}"}}).end("a", {"x": given, "deep": [{"x": given}]})

    assert (kept, type(kept)) == (run.state.variables["x"], type(run.state.variables["x"]))
    assert [{"x": kept}] == run.state.nodes["a"].outputs["deep"]
    assert type(kept) is type(fold(run.events).nodes["a"].outputs["deep"][0]["x"])


@pytest.mark.parametrize("given", [2**63, -(2**63) - 1, 1e300, float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_makes_the_outputs_invalid(given):
    """Integers beyond int64, NaN and Inf are refused wherever they stand; nothing of the outputs is kept."""
    run = chain({**RUN, "store": {"x": 1}}).end("a", {"ok": 1, "list": [{"x": given}]})

    assert "OutputInvalid" == run.failure.error.reason
    assert "list[0].x" in run.failure.error.message
    assert ({}, {}) == (run.state.nodes["a"].outputs, run.state.variables)


# --- variables -------------------------------------------------------------------------------------------------------


def test_all_entries_of_one_set_and_of_its_store_see_the_values_from_before():
    """No entry sees another's write; where `set` and `store` write the same variable, `store` has the last word."""
    run = chain(
        {
            "set": {"x": "${vars.y}", "y": "${vars.x}", "z": 1},
            "store": {"z": "${vars.z + 10}", "w": "${vars.x}"},
        },
        variables={"x": 1, "y": 2, "z": 5},
    )

    assert {"x": 2, "y": 1, "z": 15, "w": 1} == run.state.variables


def test_a_connection_sees_what_the_end_of_its_source_writes():
    """The `when` of a connection is asked after `store`, and sees `computed` over the values that are about to stand."""
    run = Driver(
        {
            "variables": {"n": 1},
            "computed": {"twice": "vars.n * 2", "more": "computed.twice + 1"},
            "nodes": [
                {"name": "before", "log": {"message": "${computed.more}"}},
                {"name": "a", "after": ["before"], "set": {"n": 5}},
                {"name": "b", "log": {"message": "${computed.more}"}},
            ],
            "connections": [{"from": "a", "to": "b", "when": "computed.more == 11"}],
        }
    ).create()

    assert ["3", "11"] == [event.message for event in run.of("NodeCompleted") if event.message]


@pytest.mark.parametrize(
    "computed, after",
    [
        ("size(vars)", "2"),
        ("has(vars.x)", "true"),
        ("vars.map(name, name).size()", "2"),
        ("'x' in vars", "true"),
        ("has(vars.x) ? 'there' : 'none'", "there"),
    ],
)
def test_the_cache_of_computed_cannot_be_observed(computed, after):
    """A field read before and after a change gives what it would have given without a cache, null and absence told apart."""
    run = chain(
        {"log": {"message": "${computed.c}"}},
        {"set": {"x": None}},
        {"log": {"message": "${computed.c}"}},
        variables={"y": 1},
        computed={"c": computed},
    )

    assert after == run.of("NodeCompleted", "c")[0].message
    assert after != run.of("NodeCompleted", "a")[0].message


def test_a_crash_does_not_change_what_computed_gives():
    """A new engine has no cache; it writes the same log."""
    spec = {
        "variables": {"n": 1},
        "computed": {"sum": "vars.n + nodes.a.outputs.n"},
        "nodes": [
            {"name": "a", **RUN, "store": {"n": "${outputs.n}"}},
            {"name": "b", "after": ["a"], **RUN, "with": {"sum": "${computed.sum}"}},
            {"name": "c", "after": ["b"], "set": {"sum": "${computed.sum}"}},
        ],
    }
    calm = Driver(spec).create().end("a", {"n": 4}).end("b")
    rough = Driver(spec).create().crash().end("a", {"n": 4}).crash().end("b").crash()

    assert {"n": 4, "sum": 8} == calm.state.variables
    assert calm.log == rough.log


# --- outputs ---------------------------------------------------------------------------------------------------------


def test_an_output_is_left_out_also_where_a_computed_field_reads_the_skipped_node():
    """A key that reads a node that did not succeed through `computed` does not fail a good run; one that can do without stays."""
    run = flow(
        {"name": "gate", "if": "false"},
        {"name": "a", "after": ["gate.true"], **RUN},
        computed={
            "hard": "nodes.a.outputs.x",
            "around": "computed.hard + 1",
            "soft": "nodes.a.outputs.?x.orValue(7)",
        },
        outputs={"hard": "${computed.hard}", "around": "${computed.around}", "soft": "${computed.soft}"},
    )

    assert ("Succeeded", {"soft": 7}) == (run.state.phase, run.state.outputs)


def test_a_computed_output_that_fails_by_itself_fails_the_run():
    """Nothing is absent: then the error is the run's."""
    run = chain({"set": {"x": 1}}, computed={"c": "vars.x / 0"}, outputs={"c": "${computed.c}"})

    assert ("Failed", "ExpressionError") == (run.state.phase, run.failure.error.reason)


@pytest.mark.parametrize(
    "node, left_out",
    [
        ({**RUN, "onError": "continue"}, True),
        ({**RUN, "when": "false"}, True),
        ({**RUN, "fallback": "s"}, False),
    ],
)
def test_what_counts_as_not_succeeded_in_outputs(node, left_out):
    """A handled failure and a node passed through are left out, one that its fallback stood in for is not."""
    spare = [{"name": "s", **RUN}] if "fallback" in node else []
    run = flow({"name": "a", **node}, *spare, outputs={"x": "${nodes.a.status}"})
    if run.running:
        run.fail("a")
    if run.running:
        run.end("a/s")

    assert ("Succeeded", {} if left_out else {"x": "Succeeded"}) == (run.state.phase, run.state.outputs)


# --- identities ------------------------------------------------------------------------------------------------------


def test_values_and_key_are_the_same_for_all_attempts_and_deliveries():
    """`with`, `env` and `uuid()` are drawn once per instance; the idempotency key is that of uid and instance."""
    run = chain(
        {
            "run": {"sh": "true", "env": {"ID": "${uuid()}"}},
            "with": {"id": "${uuid()}", "other": "${uuid()}", "at": "${now}"},
            "retry": {"maxAttempts": 3, "initialDelay": "1s"},
        }
    )
    seen = [run.running["a", 1, 1].document]
    run.lose("a").tick()
    seen.append(run.running["a", 1, 2].document)
    run.fail("a").wait_for_timer()
    seen.append(run.running["a", 2, 1].document)

    first = seen[0]
    assert [first["inputs"]] * 3 == [document["inputs"] for document in seen]
    assert [first["env"]] * 3 == [document["env"] for document in seen]
    assert {idempotency_key("uid-1", "a")} == {document["idempotencyKey"] for document in seen}
    assert 3 == len({first["inputs"]["id"], first["inputs"]["other"], first["env"]["ID"]})


def test_uuid_differs_by_run_instance_and_field_also_in_conditions():
    """Two instances, two fields and two runs never draw the same; the same run always does."""
    spec = {
        "nodes": [
            {"name": "s", "set": {"x": "${uuid()}", "y": "${uuid()}"}},
            *({"name": f"n{i}", "after": ["s"], "if": "uuid() < '8'"} for i in range(24)),
        ]
    }
    run, again, other = Driver(spec).create(), Driver(spec).create(), Driver(spec)
    other.tell(c.Create(name="run", uid="uid-2", workflow="flow", digest=run.state.digest, runtime="test"))

    ports = [event.port for event in run.of("NodeCompleted") if event.condition is not None]
    assert {"true", "false"} == set(ports)
    assert run.state.variables["x"] != run.state.variables["y"]
    assert run.log == again.log
    assert run.state.variables["x"] != other.state.variables["x"]
    assert ports != [event.port for event in other.of("NodeCompleted") if event.condition is not None]


def test_the_instance_of_a_fallback_is_named_below_the_node_it_stands_for():
    """Instance ids stand in every event: a stand-in is `node/fallback`, and both use the node's path."""
    run = flow(
        {"name": "a", "fallback": "s", **RUN},
        {"name": "s", **RUN},
        {"name": "b", "after": ["a"], "set": {"b": 1}},
    )
    run.fail("a").end("a/s")

    nodes = {event.node: event.path for event in run.of("NodeCompleted")}
    assert {"a/s": "0", "a": "0", "b": "0"} == nodes


# --- the log ---------------------------------------------------------------------------------------------------------


def test_the_log_says_all_that_steers_a_run():
    """The fold needs no definition: ports, conditions, connections, paths, due times and values are all in the events."""
    run = Driver(
        {
            "variables": {"n": 2},
            "nodes": [
                {"name": "a", "if": "vars.n > 1"},
                {
                    "name": "b",
                    "after": ["a.true"],
                    **RUN,
                    "with": {"n": "${vars.n}"},
                    "timeout": "1m",
                    "retry": {"maxAttempts": 2, "initialDelay": "7s"},
                },
                {"name": "c", "after": ["a.false"], **RUN},
                {
                    "name": "d",
                    "after": ["b", "c"],
                    "switch": {"value": "${nodes.b.outputs.k}", "cases": [{"name": "k", "equals": 3}]},
                },
                {"name": "e", "after": ["d.k"], "finish": {"result": "done", "reason": "${nodes.d.status}"}},
            ],
            "finally": [{"name": "f", "set": {"phase": "${execution.phase}"}}],
        }
    )
    run.create().started("b").tick(60).fail("b")
    run.wait_for_timer()
    run.end("b", {"k": 3})

    folded = fold(run.events)

    assert s.encode(run.state) == s.encode(folded)
    assert ("Succeeded", "done", "Succeeded") == (folded.phase, folded.result, folded.reason)
    assert (True, "true") == (run.of("NodeCompleted", "a")[0].condition, run.of("NodeCompleted", "a")[0].port)
    retrying = run.of("NodeRetrying", "b")[0]
    assert retrying.delay == retrying.due - retrying.at
    assert {"with": {"n": 2}} == run.of("NodeScheduled", "b")[0].values
    run.check_ended()


# --- cost ------------------------------------------------------------------------------------------------------------


def test_timers_that_wait_cost_nothing_when_one_fires():
    """Ten thousand retry delays end one after the other; each tick touches a part of the heap, not all of it."""

    class Counting(list[tuple[int, str]]):
        touched = 0

        def __getitem__(self, index):
            Counting.touched += 1
            return super().__getitem__(index)

    timers = Timers()
    for i in range(10_000):
        timers.set(f"retry/n{i}", START + i)
    timers.heap = Counting(timers.heap)

    assert ["retry/n0", "retry/n1", "retry/n2"] == timers.fired(START + 2)
    assert Counting.touched < 50


def test_timers_fire_in_order_whatever_was_moved_or_cleared():
    """Names due at a time, earliest first, each once; those moved to later or forgotten are not among them."""
    timers = Timers()
    for i in range(500):
        timers.set(f"t{i}", START + (i * 37) % 500)
    for i in range(0, 500, 3):
        timers.clear(f"t{i}")
    for i in range(1, 500, 3):
        timers.set(f"t{i}", START + 1_000 + i)
    timers.set("t2", START + 5)
    timers.set("t2", START + 5)

    expected = sorted((due, name) for name, due in timers.due.items() if due <= START + 250)
    assert [name for _, name in expected] == timers.fired(START + 250)
    assert min(timers.due.values()) == timers.first()
