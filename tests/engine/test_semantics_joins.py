"""Joins, ports and paths in combination, written from semantics.md 11-15 and 22."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

RUN: dict[str, Any] = {"run": {"sh": "true"}}
BROKEN = "${inputs.missing}"


def flow(*nodes: dict[str, Any], **spec: Any) -> Driver:
    return Driver({"nodes": list(nodes), **spec}).create(spec.pop("given", None))


def test_any_takes_the_failed_port_of_one_and_the_default_port_of_another():
    """A failed port, and the default port that `onError: continue` takes, are connections like all others to `any`."""
    nodes = [
        {"name": "a", **RUN},
        {"name": "b", "onError": "continue", **RUN},
        {"name": "c", **RUN},
        {"name": "j", "join": "any", "after": ["a.failed", "b", "c"], **RUN},
    ]
    by_port = flow(*nodes).fail("a")
    by_continue = flow(*nodes).fail("b")

    assert "Scheduled" == by_port.status("j") == by_continue.status("j")

    for run, others in ((by_port, "bc"), (by_continue, "ac")):
        run.end("j").end(others[0]).end(others[1])
        run.check_ended()

    assert "Succeeded" == by_port.state.phase == by_continue.state.phase
    assert ["b.done>j", "c.done>j"] == [event.connection for event in by_port.of("LateArrival")]
    assert ["c.done>j"] == [event.connection for event in by_continue.of("LateArrival")]


def test_continue_leaves_the_failed_port_dead_when_that_port_handles_nothing():
    """A `failed` connection whose `when` is false takes nothing; then `onError: continue` takes the default port alone."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "onError": "continue", **RUN},
                {"name": "on", "set": {"on": 1}},
                {"name": "off", "set": {"off": 1}},
            ],
            "connections": [
                {"from": "a.failed", "to": "off", "when": "error.exitCode == 9"},
                {"from": "a", "to": "on"},
            ],
        }
    ).create()
    run.fail("a")

    failed = run.of("NodeFailed", "a")[0]
    assert ("continue", "done", ["a.done>on"]) == (failed.handled, failed.port, failed.taken)
    assert ["a.failed>off"] == failed.dead
    assert {"on": 1} == run.state.variables


def test_a_handled_failure_prefers_its_port_to_continue():
    """The ladder asks failed and ended connections before onError: the default port stays dead."""
    run = flow(
        {"name": "a", "onError": "continue", **RUN},
        {"name": "on", "after": ["a"], "set": {"on": 1}},
        {"name": "off", "after": ["a.failed"], "set": {"off": 1}},
        {"name": "tidy", "after": ["a.ended"], "set": {"tidy": 1}},
    )
    run.fail("a")

    assert {"off": 1, "tidy": 1} == run.state.variables
    assert "DeadPath" == run.of("NodeSkipped", "on")[0].reason
    run.check_ended()


def test_ended_counts_towards_at_least():
    """`NODE.ended` of a failed node is a taken connection, also for a quorum."""
    run = flow(
        *({"name": name, **RUN} for name in "abc"),
        {"name": "j", "join": {"atLeast": 2}, "after": ["a.ended", "b.ended", "c"], **RUN},
        failFast=False,
    )
    run.fail("a")

    assert "Pending" == run.status("j")

    run.fail("b")

    assert "Scheduled" == run.status("j")

    run.end("j").end("c")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_when_false_takes_all_connections_of_its_default_port_and_of_ended():
    """A node passed through opens a child path for each connection of its default port and of `ended`, and no others."""
    run = flow(
        {"name": "a", "when": "false", **RUN},
        {"name": "b", "after": ["a"], "set": {"b": 1}},
        {"name": "c", "after": ["a"], "set": {"c": 1}},
        {"name": "d", "after": ["a.ended"], "set": {"d": 1}},
        {"name": "e", "after": ["a.failed"], "set": {"e": 1}},
    )

    skipped = run.of("NodeSkipped", "a")[0]
    assert ["a.done>b", "a.done>c", "a.ended>d"] == skipped.taken
    assert ["a.failed>e"] == skipped.dead
    assert ["0.0", "0.1", "0.2"] == [event.path for event in run.of("PathStarted")[1:]]
    assert {"b": 1, "c": 1, "d": 1} == run.state.variables
    run.check_ended()


def test_a_node_passed_through_keeps_its_path():
    """One taken connection goes on in the same path, also out of a node that its `when` skipped."""
    run = flow(
        {"name": "a", "set": {"a": 1}},
        {"name": "b", "after": ["a"], "when": "false", **RUN},
        {"name": "c", "after": ["b"], "set": {"c": 1}},
    )

    assert ["0"] == [event.path for event in run.of("PathStarted")]
    assert ["0", "0"] == [run.of("NodeSkipped", "b")[0].path, run.of("NodeCompleted", "c")[0].path]


def test_nodes_passed_through_count_towards_at_least_and_dead_ones_do_not():
    """Skipped by `when` is a taken connection to a quorum, Skipped by DeadPath a dead one."""
    run = flow(
        {"name": "gate", "if": "false"},
        {"name": "a", "when": "false", **RUN},
        {"name": "b", "when": "false", **RUN},
        {"name": "c", "after": ["gate.true"], **RUN},
        {"name": "j", "join": {"atLeast": 2}, "after": ["a", "b", "c"], "set": {"j": 1}},
        {"name": "k", "join": {"atLeast": 3}, "after": ["a", "b", "c"], "set": {"k": 1}},
    )

    assert {"j": 1} == run.state.variables
    assert "JoinUnreachable" == run.of("NodeFailed", "k")[0].error.reason
    run.check_ended()


def test_an_unreachable_join_uses_its_failed_port_and_its_fallback():
    """JoinUnreachable goes down the same ladder as every failure: fallback, failed port, onError."""
    sources = [{"name": "a", **RUN}, {"name": "b", **RUN}]
    join = {"name": "j", "join": {"atLeast": 2}, "after": ["a", "b"], **RUN}
    ported = flow(*sources, join, {"name": "k", "after": ["j.failed"], "set": {"k": 1}}, failFast=False)
    ported.end("a").fail("b")
    spare = flow(
        *sources, {**join, "fallback": "s"}, {"name": "s", "set": {"why": "${error.reason}"}}, failFast=False
    )
    spare.end("a").fail("b")

    assert {"k": 1} == ported.state.variables
    assert {"why": "JoinUnreachable"} == spare.state.variables
    assert "fallback" == spare.state.nodes["j"].via
    for run in (ported, spare):
        assert ("Failed", "b") == (run.state.phase, run.failure.node)
        run.check_ended()


def test_a_connections_when_on_failed_and_ended_ports_sees_the_error():
    """The `when` of a `failed` or `ended` connection reads `error`, empty outputs and the status of its source."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", **RUN},
                *({"name": name, "set": {name: 1}} for name in "bcd"),
            ],
            "connections": [
                {"from": "a.failed", "to": "b", "when": "error.exitCode == 7"},
                {"from": "a.failed", "to": "c", "when": "error.exitCode == 8"},
                {"from": "a.ended", "to": "d", "when": "nodes.a.status == 'Failed' && size(outputs) == 0"},
            ],
        }
    ).create()
    run.fail("a", exit_code=7)

    assert {"b": 1, "d": 1} == run.state.variables
    assert "Succeeded" == run.state.phase


def test_an_error_in_a_connection_out_of_an_engine_node_fails_that_node():
    """An `if` whose connection cannot be decided Failed with ExpressionError; its `failed` port applies, `store` does not."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "set": {"x": 1}},
                {"name": "b", "set": {"b": 1}},
                {"name": "saved", "after": ["a.failed"], "set": {"why": "${nodes.a.error.reason}"}},
            ],
            "connections": [{"from": "a", "to": "b", "when": "vars.missing > 1"}],
        }
    ).create()

    assert {"why": "ExpressionError"} == run.state.variables
    assert "DeadPath" == run.of("NodeSkipped", "b")[0].reason
    run.check_ended()


def test_an_error_in_a_connection_out_of_a_node_passed_through_fails_it():
    """Also a node that `when` skipped fails when the `when` of its connection does."""
    run = Driver(
        {
            "nodes": [{"name": "a", "when": "false", **RUN}, {"name": "b", "set": {"b": 1}}],
            "connections": [{"from": "a", "to": "b", "when": "outputs.missing"}],
        }
    ).create()

    assert ("Failed", "a") == (run.state.phase, run.failure.node)
    run.check_ended()


@pytest.mark.parametrize(
    "kind",
    [
        {"set": {"x": BROKEN}},
        {"log": {"message": BROKEN}},
        {"if": "inputs.missing"},
        {"switch": {"value": BROKEN, "cases": [{"name": "one", "equals": 1}]}},
        {"switch": {"value": 1, "cases": [{"name": "one", "when": "inputs.missing"}]}},
        {"finish": {"result": BROKEN}},
        {"finish": {"result": "ok", "reason": BROKEN}},
        {**RUN, "with": {"x": BROKEN}},
        {"run": {"sh": "true", "env": {"X": BROKEN}}},
        {"set": {"x": 1}, "when": "inputs.missing"},
        {"set": {"x": 1}, "store": {"y": BROKEN}},
        {"set": {"x": 1}, "when": "inputs.n"},
        {"set": {"x": "${0.0 / 0.0}"}},
    ],
)
def test_every_field_that_fails_is_an_expression_error_of_its_node(kind):
    """ExpressionError in `set`, `log`, `if`, `switch`, `finish`, `with`, `env`, `when`, `store`: Failed, nothing stored."""
    run = Driver({"nodes": [{"name": "a", **kind}]}).create({"n": 1})

    assert ("Failed", "ExpressionError", "a") == (
        run.state.phase,
        run.failure.error.reason,
        run.failure.node,
    )
    assert {} == run.state.variables
    assert not run.of("NodeScheduled")
    run.check_ended()


def test_three_levels_of_paths_join_into_their_common_ancestors():
    """Joins from the inside out open the next free child of the longest common prefix of what they join."""
    run = flow(
        {"name": "s", "set": {"s": 1}},
        *({"name": name, "after": ["s"], "set": {name: 1}} for name in ("a", "b")),
        *({"name": name, "after": ["a"], "set": {name: 1}} for name in ("c", "d")),
        *({"name": name, "after": ["d"], "set": {name: 1}} for name in ("e", "f")),
        {"name": "ef", "after": ["e", "f"], "set": {"ef": 1}},
        {"name": "cef", "after": ["c", "ef"], "set": {"cef": 1}},
        {"name": "all", "after": ["cef", "b"], "set": {"all": 1}},
    )

    joined = {event.node: (event.path, sorted(event.joined)) for event in run.of("PathJoined")}
    assert {
        "ef": ("0.0.1.2", ["0.0.1.0", "0.0.1.1"]),
        "cef": ("0.0.2", ["0.0.0", "0.0.1.2"]),
        "all": ("0.2", ["0.0.2", "0.1"]),
    } == joined
    assert "0.2" == run.of("PathCompleted")[-1].path
    run.check_ended()


def test_a_join_of_paths_of_unequal_depth_takes_their_common_prefix():
    """0.0 and a path below 0.1 have the prefix 0; below the same root no other root is opened."""
    run = flow(
        {"name": "s", "set": {"s": 1}},
        {"name": "a", "after": ["s"], **RUN},
        {"name": "b", "after": ["s"], "set": {"b": 1}},
        {"name": "c", "after": ["b"], "set": {"c": 1}},
        {"name": "d", "after": ["b"], "set": {"d": 1}},
        {"name": "j", "after": ["a", "c"], "set": {"j": 1}},
    )
    run.end("a")

    assert ("0.2", ["0.1.0", "0.0"]) == (run.of("PathJoined")[0].path, run.of("PathJoined")[0].joined)


def test_every_connection_settles_exactly_once():
    """Taken and dead over all ends of nodes are the connections of the graph, each once."""
    spec = {
        "nodes": [
            {"name": "a", **RUN},
            {"name": "b", "after": ["a"], "if": "inputs.n > 1"},
            {"name": "c", "after": ["b.true", "a.failed"], "join": "any", **RUN},
            {"name": "d", "after": ["b.false"], "when": "false", **RUN},
            {"name": "e", "after": ["c", "d.ended", "b.failed"], **RUN},
        ],
        "connections": [{"from": "a.ended", "to": "e", "when": "inputs.n > 5"}],
    }
    run = Driver(spec).create({"n": 3})
    run.end("a").end("c").end("e")

    settled = [
        connection
        for event in run.events
        for connection in [*getattr(event, "taken", []), *getattr(event, "dead", [])]
    ]
    edges = [edge.id for node in run.graph.root.nodes.values() for edge in node.outgoing]
    assert sorted(edges) == sorted(settled)
    run.check_ended()


def test_what_runs_upstream_of_a_met_join_is_not_cancelled():
    """After `any` was met its other sources run on, and the execution ends only when they have."""
    run = flow(
        {"name": "a", **RUN},
        {"name": "b", **RUN},
        {"name": "c", "after": ["b"], **RUN},
        {"name": "j", "join": "any", "after": ["a", "c"], "set": {"j": 1}},
    )
    run.end("a")

    assert not run.stopping
    assert "Running" == run.state.phase

    run.end("b").end("c")

    assert ["c.done>j"] == [event.connection for event in run.of("LateArrival")]
    run.check_ended()
