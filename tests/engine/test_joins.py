"""Joins, dead paths and `when`: semantics 11-16."""

from __future__ import annotations

import pytest
from tests.support.driver import Driver

RUN = {"run": {"sh": "true"}}


def three_into(join: object) -> Driver:
    """a, b and c run side by side and lead into j."""
    nodes: list[dict[str, object]] = [{"name": name, **RUN} for name in "abc"]
    nodes.append({"name": "j", "join": join, "after": ["a", "b", "c"], **RUN})
    return Driver({"nodes": nodes, "failFast": False}).create()


def test_all_waits_until_every_connection_is_settled():
    """`join: all` starts after the last connection, not before."""
    run = three_into("all").end("a").end("b")

    assert "Pending" == run.status("j")

    run.end("c")

    assert "Scheduled" == run.status("j")


def test_all_is_ready_with_one_taken_and_the_rest_dead():
    """A dead connection does not block `all`."""
    run = three_into("all").end("a").fail("b").fail("c")

    assert "Scheduled" == run.status("j")


def test_any_is_ready_at_the_first_taken_and_later_takes_are_late():
    """`any` starts once; later takes are LateArrival and start nothing; the run ends only when they have ended too."""
    run = three_into("any").end("b")

    assert "Scheduled" == run.status("j")

    run.end("j").end("a")

    assert not run.state.ended

    run.end("c")

    assert ["a.done>j", "c.done>j"] == [event.connection for event in run.of("LateArrival")]
    assert 1 == len(run.of("NodeStarted", "j"))
    run.check_ended()


def test_at_least_two_is_ready_at_the_second():
    """`{atLeast: 2}` starts at the second taken connection."""
    run = three_into({"atLeast": 2}).end("c")

    assert "Pending" == run.status("j")

    run.end("a")

    assert "Scheduled" == run.status("j")


def test_at_least_two_fails_when_only_one_can_come():
    """Fewer than n taken and none open: Failed with JoinUnreachable, never skipped in silence."""
    run = three_into({"atLeast": 2}).end("a").fail("b").fail("c")

    failed = run.of("NodeFailed", "j")[0]
    assert "JoinUnreachable" == failed.error.reason
    assert "1 of 3" in failed.error.message
    assert "needs 2" in failed.error.message


@pytest.mark.parametrize("join", ["all", "any", {"atLeast": 2}])
def test_all_dead_is_skipped(join):
    """Whatever the join, a node all of whose connections are dead is Skipped by DeadPath."""
    run = three_into(join).fail("a").fail("b").fail("c")

    assert "DeadPath" == run.of("NodeSkipped", "j")[0].reason
    run.check_ended()


def test_when_false_is_passed_through():
    """A node skipped by its own `when` takes its default port; what follows runs."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "set": {"x": 1}},
                {"name": "b", "when": "vars.x > 1", "after": ["a"], "run": {"sh": "true"}},
                {"name": "c", "after": ["b"], "log": {"message": "${nodes.b.status}"}},
            ]
        }
    ).create()

    assert "WhenFalse" == run.of("NodeSkipped", "b")[0].reason
    assert ["b.done>c"] == run.of("NodeSkipped", "b")[0].taken
    assert "Skipped" == run.of("NodeCompleted", "c")[0].message
    run.check_ended()


def test_dead_path_runs_through_to_the_next_join():
    """An untaken branch of any length is Skipped and does not block the join behind it."""
    run = Driver(
        {
            "nodes": [
                {"name": "if-it", "if": "false"},
                {"name": "a", "after": ["if-it.true"], "set": {"x": 1}},
                {"name": "b", "after": ["a"], "set": {"x": 2}},
                {"name": "j", "after": ["b", "if-it.false"], "set": {"x": 3}},
            ]
        }
    ).create()

    assert {"a": "Skipped", "b": "Skipped", "j": "Succeeded"} == {k: run.status(k) for k in ("a", "b", "j")}
    assert {"x": 3} == run.state.variables
    run.check_ended()


def test_connection_when_takes_all_that_hold_and_sees_stored_variables():
    """All connections of the port whose `when` holds are taken, after `store`, with the source's outputs."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "run": {"sh": "true"}, "store": {"n": "${outputs.n}"}},
                {"name": "b", "set": {"b": 1}},
                {"name": "c", "set": {"c": 1}},
                {"name": "d", "set": {"d": 1}},
            ],
            "connections": [
                {"from": "a", "to": "b", "when": "outputs.n > 1"},
                {"from": "a", "to": "c", "when": "vars.n > 2"},
                {"from": "a", "to": "d", "when": "vars.n > 9"},
            ],
        }
    ).create()
    run.end("a", {"n": 3})

    done = run.of("NodeCompleted", "a")[0]
    assert ["a.done>b", "a.done>c"] == done.taken
    assert ["a.done>d"] == done.dead
    assert "DeadPath" == run.of("NodeSkipped", "d")[0].reason


def test_no_connection_taken_ends_the_path_and_says_so():
    """A port whose connections all say no ends the path with NoConnectionTaken."""
    run = Driver(
        {
            "nodes": [{"name": "a", "set": {"x": 1}}, {"name": "b", "set": {"x": 2}}],
            "connections": [{"from": "a", "to": "b", "when": "vars.x > 1"}],
        }
    ).create()

    assert "NoConnectionTaken" == run.of("PathCompleted")[0].reason
    run.check_ended()


def test_an_error_in_a_connection_fails_the_source():
    """A connection's `when` that fails is an ExpressionError of the source; its failed port applies."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "run": {"sh": "true"}},
                {"name": "b", "set": {"x": 1}},
                {"name": "saved", "after": ["a.failed"], "set": {"why": "${nodes.a.error.reason}"}},
            ],
            "connections": [{"from": "a", "to": "b", "when": "outputs.missing > 1"}],
        }
    ).create()
    run.end("a", {})

    assert "ExpressionError" == run.of("NodeFailed", "a")[0].error.reason
    assert {"why": "ExpressionError"} == run.state.variables
    assert "Succeeded" == run.state.phase


def test_ended_is_taken_on_success_and_failure_but_not_on_dead_path():
    """`NODE.ended` is taken on any end but Skipped by DeadPath and Cancelled, and counts as handling a failure."""
    nodes = [
        {"name": "gate", "if": "inputs.go"},
        {"name": "a", "after": ["gate.true"], "run": {"sh": "true"}},
        {"name": "tidy", "after": ["a.ended"], "set": {"tidied": True}},
    ]
    failed = Driver({"nodes": nodes}).create({"go": True}).fail("a")
    succeeded = Driver({"nodes": nodes}).create({"go": True}).end("a")
    dead = Driver({"nodes": nodes}).create({"go": False})

    assert ["Succeeded", "Succeeded", "Skipped"] == [run.status("tidy") for run in (failed, succeeded, dead)]
    assert "port" == failed.of("NodeFailed", "a")[0].handled
    assert ["Succeeded"] * 3 == [run.state.phase for run in (failed, succeeded, dead)]


def test_on_error_continue_takes_the_default_port_without_outputs_and_store():
    """`onError: continue`: default port, outputs {}, `error` set, `store` not applied."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "run": {"sh": "true"}, "onError": "continue", "store": {"n": "${outputs.n}"}},
                {
                    "name": "b",
                    "after": ["a"],
                    "set": {"why": "${nodes.a.error.reason}", "out": "${nodes.a.outputs}"},
                },
            ]
        }
    ).create()
    run.fail("a")

    assert {"why": "NonZeroExit", "out": {}} == run.state.variables
    assert "continue" == run.of("NodeFailed", "a")[0].handled
    assert "Succeeded" == run.state.phase


def test_a_failed_port_that_says_no_handles_nothing():
    """A failure that no connection of the failed port takes goes on down the ladder instead of being lost."""
    run = Driver(
        {
            "nodes": [{"name": "a", "run": {"sh": "true"}}, {"name": "b", "set": {"x": 1}}],
            "connections": [{"from": "a.failed", "to": "b", "when": "error.reason == 'Timeout'"}],
        }
    ).create()
    run.fail("a")

    assert "" == run.of("NodeFailed", "a")[0].handled
    assert "Failed" == run.state.phase


def test_outputs_leave_out_what_reads_a_node_that_did_not_succeed():
    """A key of `outputs` that reads a skipped node, or a variable never written, is left out of a good run."""
    run = Driver(
        {
            "nodes": [
                {"name": "gate", "if": "false"},
                {"name": "a", "after": ["gate.true"], "run": {"sh": "true"}},
                {"name": "b", "after": ["gate.false"], "set": {"b": 2}},
            ],
            "outputs": {"a": "${nodes.a.outputs.x}", "b": "${vars.b}", "c": "${vars.never}", "d": "fixed"},
        }
    ).create()

    assert {"b": 2, "d": "fixed"} == run.state.outputs


def test_an_output_that_fails_fails_the_run():
    """Elsewhere a missing key is an error: outputs are evaluated before `finally`, an error there fails the run."""
    run = Driver(
        {
            "nodes": [{"name": "a", "run": {"sh": "true"}}],
            "outputs": {"x": "${nodes.a.outputs.missing}"},
            "finally": [{"name": "f", "set": {"phase": "${execution.phase}"}}],
        }
    ).create()
    run.end("a", {})

    assert "Failed" == run.state.phase
    assert "ExpressionError" == run.failure.error.reason
    assert {"phase": "Failed"} == run.state.variables
