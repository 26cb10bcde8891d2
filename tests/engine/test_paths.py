"""Paths and their ids: semantics 22."""

from __future__ import annotations

from tests.support.driver import Driver


def test_entry_points_are_roots_in_order_of_declaration():
    """Entry points open 0, 1, …."""
    run = Driver({"nodes": [{"name": "b", "set": {"x": 1}}, {"name": "a", "set": {"y": 1}}]}).create()

    assert [("0", "b"), ("1", "a")] == [(event.path, event.node) for event in run.of("PathStarted")]


def test_one_taken_connection_goes_on_in_the_same_path():
    """A chain is one path."""
    run = Driver(
        {"nodes": [{"name": "a", "set": {"x": 1}}, {"name": "b", "after": ["a"], "set": {"x": 2}}]}
    ).create()

    assert ["0", "0"] == [event.path for event in run.of("NodeCompleted")]
    assert [("0", "b", "GraphEnd")] == [(x.path, x.node, x.reason) for x in run.of("PathCompleted")]


def test_several_taken_open_children_and_a_join_the_next_free_child():
    """A fork opens .0 and .1; their join ends them and opens the next free child of their common prefix."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "set": {"x": 1}},
                {"name": "b", "after": ["a"], "set": {"b": 1}},
                {"name": "c", "after": ["a"], "set": {"c": 1}},
                {"name": "j", "after": ["b", "c"], "set": {"j": 1}},
            ]
        }
    ).create()

    paths = {event.node: event.path for event in run.of("NodeCompleted")}
    assert {"a": "0", "b": "0.0", "c": "0.1", "j": "0.2"} == paths
    joined = run.of("PathJoined")[0]
    assert (["0.0", "0.1"], "0.2") == (joined.joined, joined.path)
    run.check_ended()


def test_a_join_of_roots_opens_the_next_free_root():
    """Paths without a common prefix join into a new root."""
    run = Driver(
        {
            "nodes": [
                {"name": "a", "set": {"a": 1}},
                {"name": "b", "set": {"b": 1}},
                {"name": "j", "after": ["a", "b"], "set": {"j": 1}},
            ]
        }
    ).create()

    assert "2" == run.of("PathJoined")[0].path


def test_a_path_that_fails_says_so():
    """An unhandled failure ends its path as Failed; the other is Cancelled."""
    nodes = [{"name": "a", "run": {"sh": "true"}}, {"name": "b", "run": {"sh": "true"}}]
    run = Driver({"nodes": nodes}).create().fail("a")

    assert [("0", "a")] == [(event.path, event.node) for event in run.of("PathFailed")]

    run.fail("b", "Signalled")

    assert [("1", "ExecutionFailed")] == [(event.path, event.reason) for event in run.of("PathCancelled")]
    run.check_ended()


def test_the_state_keeps_few_ended_paths():
    """A wide fan-out leaves no trail of ended paths in memory; the log has them all."""
    nodes = [{"name": "a", "set": {"x": 1}}]
    nodes += [{"name": f"n{i}", "after": ["a"], "set": {"y": i}} for i in range(300)]
    run = Driver({"nodes": nodes}, check=False).create()

    assert 301 == len(run.of("PathCompleted"))
    assert len(run.state.paths) <= 51
