"""Loopback connections, their passes, the ways out of a loop, and how often it may go on: semantics 15, 17, 18, 20, 21, 22."""

from __future__ import annotations

from tests.support.flows import RUN, back, ends, flow

# --- passes ----------------------------------------------------------------------------------------------------------


def test_a_loopback_gives_its_region_a_fresh_pass():
    """All nodes between its ends run again as `node#k`, on a path of their own below that of the first pass."""
    run = flow({"a": RUN, "b": RUN, "c": RUN}, "a>b", "b>c", "b.failed^a").create()
    run.end("a").fail("b").end("a#1").fail("b#1").end("a#2").end("b#2").end("c")

    assert "Succeeded" == run.state.phase
    (started,), passes, (over,) = run.of("LoopStarted"), run.of("LoopIteration"), run.of("LoopCompleted")
    assert ("a", "0", "b.failed>a", ["a", "b"]) == (
        started.node,
        started.path,
        started.loopback,
        started.region,
    )
    assert [("a#1", 1, "0.0"), ("a#2", 2, "0.1")] == [(x.node, x.index, x.path) for x in passes]
    assert ("a#2", 2, "b.failed>a") == (over.node, over.iterations, over.loopback)
    assert ["Looped", "Looped", "GraphEnd"] == [x.reason for x in run.of("PathCompleted")]
    assert "0.1" == run.state.node("c").path
    run.check_ended()


def test_a_node_may_loop_to_itself():
    """A region of one node."""
    run = flow({"a": RUN, "b": RUN}, "a>b", back("a.failed", "a", 3)).create()
    run.fail("a").fail("a#1").end("a#2").end("b")

    assert "Succeeded" == run.state.phase
    run.check_ended()


def test_attempts_and_keys_begin_anew_with_each_pass():
    """A pass is another instance: attempts count from 1, templates are evaluated again, its key is another."""
    nodes = {"a": {**RUN, "retry": {"maxAttempts": 2, "initialDelay": "1s"}, "with": {"p": "${pass.index}"}}}
    run = flow(nodes, back("a", "a", 3, when="pass.index < 1")).create().fail("a")
    run.wait_for_timer()
    first = run.running["a", 2, 1]
    run.end("a")
    second = run.running["a#1", 1, 1]

    assert (0, 1) == (first.document["inputs"]["p"], second.document["inputs"]["p"])
    assert first.document["idempotencyKey"] != second.document["idempotencyKey"]
    run.end("a#1").check_ended()


def test_the_join_of_the_first_node_does_not_count_again():
    """It starts at once; what is still on its way there from before comes too late."""
    nodes = {"x": RUN, "y": RUN, "a": {**RUN, "join": "any"}, "b": RUN}
    run = flow(nodes, "x>a", "y>a", "a>b", back("b", "a", 1, when="pass.index < 1")).create()
    ends(run, "x", "a", "b")

    assert ("a#1", 1, 1) in run.running

    ends(run, "y", "a#1", "b#1").check_ended()

    assert ["y.done>a"] == [x.connection for x in run.of("LateArrival")]
    assert 2 == len([x for x in run.of("NodeCompleted") if x.node.startswith("a")])


def test_joins_inside_count_once_a_pass():
    """A fork and a join in the region are met anew in each pass, and paths are numbered below that of the pass."""
    nodes = {"a": RUN, "l": RUN, "r": RUN, "b": RUN}
    run = flow(nodes, "a>l", "a>r", "l>b", "r>b", back("b", "a", 2)).create()
    ends(run, "a", "l", "r", "b", "a#1", "r#1")

    assert "Pending" == run.status("b")

    ends(run, "l#1", "b#1")

    assert [("0.2", ["0.0", "0.1"]), ("0.3.2", ["0.3.1", "0.3.0"])] == [
        (x.path, x.joined) for x in run.of("PathJoined")
    ]
    ends(run, "a#2", "l#2", "r#2").fail("b#2").check_ended()


def test_pass_counts_the_passes_of_the_innermost_loop():
    """`pass.index` is 0 in the first pass, and `pass.parent` that of the loop around; the inner one begins anew."""
    nodes = {"a": RUN, "b": {"set": {"seen": "${vars.seen + [[pass.parent.index, pass.index]]}"}}, "c": RUN}
    run = flow(
        nodes,
        "a>b",
        "b>c",
        back("b", "b", 9, when="pass.index < 1"),
        back("c", "a", 9, when="pass.index < 1"),
        variables={"seen": []},
    ).create()
    ends(run, "a", "c", "a#1", "c#1").check_ended()

    assert [[0, 0], [0, 1], [1, 0], [1, 1]] == run.state.variables["seen"]
    assert ["b", "b#1", "b#2", "b#3"] == [x.node for x in run.of("NodeCompleted") if x.node[0] == "b"]
    assert 2 == len([x for x in run.of("LoopStarted") if x.loopback == "b.done>b"])


def test_a_node_is_seen_as_of_the_last_pass_until_it_has_ended_in_this_one():
    """`nodes.X` is X of pass k once that has ended, else of pass k-1, as in a while; before its first end it has no outputs."""
    seen = "${nodes.b.?outputs.n.orValue(-1)}"
    run = flow({"a": {"set": {"x": seen}}, "b": RUN, "c": {"set": {"y": seen}}}, "a>b", "b>c", "c^a").create()

    assert -1 == run.state.variables["x"]

    run.end("b", {"n": 1})

    assert (1, 1) == (run.state.variables["x"], run.state.variables["y"])

    run.end("b#1", {"n": 2})

    assert (2, 2) == (run.state.variables["x"], run.state.variables["y"])
    run.wish(cancel=True).fail("b#2").check_ended()


def test_a_condition_on_the_loopback_decides():
    """Of several connections of the port all whose `when` holds are taken, the loopback among them."""
    nodes = {"draft": RUN, "review": RUN, "publish": RUN}
    run = flow(
        nodes,
        "draft>review",
        back("review", "draft", 5, when="!outputs.good"),
        {"from": "review", "to": "publish", "when": "outputs.good"},
    ).create()
    run.end("draft").end("review", {"good": False})

    assert "Pending" == run.status("publish")

    run.end("draft#1").end("review#1", {"good": True}).end("publish").check_ended()


# --- leaving ---------------------------------------------------------------------------------------------------------


def test_a_connection_out_of_a_loop_is_taken_once():
    """At the first take the path forks; in later passes the same connection comes too late and starts nothing."""
    nodes = {"a": RUN, "b": RUN, "out": RUN}
    run = flow(nodes, "a>b", "a>out", back("b", "a", 1, when="pass.index < 1")).create()
    ends(run, "a", "b", "a#1")

    assert ["a.done>out"] == [x.connection for x in run.of("LateArrival")]
    assert [("out", 1, 1)] == [key for key in run.running if key[0] == "out"]

    ends(run, "out", "b#1").check_ended()

    assert "Succeeded" == run.state.phase


def test_a_connection_that_a_pass_does_not_take_stays_open():
    """Whoever joins on it waits until no pass can follow, and is skipped only then."""
    nodes = {"a": {"if": "false"}, "b": RUN, "out": RUN}
    run = flow(nodes, "a.false>b", "a.true>out", back("b", "a", 1, when="pass.index < 1")).create().end("b")

    assert "Pending" == run.status("out")

    run.end("b#1").check_ended()

    assert "Skipped" == run.status("out")
    assert ["a.true>out"] == run.of("NodeCompleted", "b#1")[0].dead


def test_a_later_pass_may_take_what_an_earlier_one_did_not():
    """The connection counts when it is taken, in whatever pass."""
    nodes = {"a": {"if": "pass.index == 1"}, "b": RUN, "side": RUN, "out": RUN}
    run = flow(nodes, "a.true>out", "side>out", "a.ended>b", back("b", "a", 1, when="pass.index < 1"))
    ends(run.create(), "side", "b")

    assert ("out", 1, 1) in run.running

    ends(run, "out", "b#1").check_ended()

    assert (2, 0) == (run.state.node("out").taken, run.state.node("out").dead)


def test_a_connection_out_of_two_loops_stays_open_for_both():
    """Only when neither the inner nor the outer loop can go on is it dead."""
    nodes = {"a": RUN, "b": {"if": "false"}, "c": RUN, "out": RUN}
    run = flow(
        nodes,
        "a>b",
        "b.ended>c",
        "b.true>out",
        back("b.false", "b", 1, when="pass.index < 1"),
        back("c", "a", 1, when="pass.index < 1"),
    )
    ends(run.create(), "a", "c", "a#1")

    assert "Pending" == run.status("out")

    run.end("c#1").check_ended()

    assert "Skipped" == run.status("out")


def test_a_path_that_leaves_together_with_the_loopback_goes_on():
    """Two connections are taken: the one that leaves has a child path, the pass another."""
    run = flow({"a": RUN, "out": RUN}, "a>out", back("a", "a", 1, when="pass.index < 1")).create()
    ends(run, "a", "out", "a#1").check_ended()

    assert ["Forked", "GraphEnd", "LateArrival"] == [
        getattr(x, "reason", "LateArrival")
        for x in run.events
        if type(x).__name__ in ("PathCompleted", "LateArrival")
    ]
    assert ("0.0", "0.1") == (run.state.node("out").path, run.state.node("a").path)


# --- how often -------------------------------------------------------------------------------------------------------


def test_one_take_too_many_fails_the_node_before_it_ends():
    """MaxIterationsExceeded, with the number; it is not retried, and its failed port applies."""
    nodes = {"a": RUN, "b": {**RUN, "retry": {"maxAttempts": 5}}, "help": RUN}
    run = flow(nodes, "a>b", back("b", "a", 1), "b.failed>help").create()
    ends(run, "a", "b", "a#1", "b#1", "help").check_ended()

    error = run.of("NodeFailed", "b#1")[0].error
    assert "MaxIterationsExceeded" == error.reason
    assert "the loopback b.done>a was taken once already, and maxIterations is 1" == error.message
    assert "Succeeded" == run.state.phase


def test_unhandled_it_fails_the_run():
    """Nothing follows from it but the end."""
    run = ends(flow({"a": RUN}, back("a", "a", 2)).create(), "a", "a#1", "a#2")

    assert ("Failed", "MaxIterationsExceeded", "a#2") == (
        run.state.phase,
        run.failure.error.reason,
        run.failure.node,
    )
    run.check_ended()


def test_a_loopback_from_the_failed_port_that_is_spent_lets_others_of_the_port_be_taken():
    """The failure becomes MaxIterationsExceeded with the node's own as its cause, and conditions see it."""
    run = flow(
        {"a": RUN, "help": RUN},
        back("a.failed", "a", 1),
        {"from": "a.failed", "to": "help", "when": "error.reason == 'MaxIterationsExceeded'"},
    ).create()
    run.fail("a").fail("a#1").end("help").check_ended()

    error = run.of("NodeFailed", "a#1")[0].error
    assert ("MaxIterationsExceeded", "NonZeroExit") == (error.reason, error.causes[0].reason)


def test_a_spent_loopback_goes_down_the_ladder():
    """The stand-in would take the loopback too, so the node fails; `onError: continue` leaves by what else there is."""
    nodes = {"a": {**RUN, "fallback": "f", "onError": "continue"}, "out": RUN, "f": RUN}
    run = flow(nodes, back("a", "a", 1), "a>out").create()
    ends(run, "a", "out", "a#1", "a#1/f").check_ended()

    assert ("continue", ["a.done>out"]) == (
        run.of("NodeFailed", "a#1")[0].handled,
        run.of("NodeFailed", "a#1")[0].taken,
    )
    assert "Succeeded" == run.state.phase


def test_a_node_that_is_passed_through_takes_the_loopback_too():
    """`when: false` takes the default port; a loopback on it that is spent fails the node."""
    run = flow({"a": RUN, "b": {**RUN, "when": "false"}}, "a>b", back("b", "a", 1)).create()
    ends(run, "a", "a#1")

    assert "MaxIterationsExceeded" == run.failure.error.reason
    run.check_ended()


def test_the_count_of_an_inner_loop_begins_anew_with_each_outer_pass():
    """`maxIterations` is how often a loopback may be taken within one pass of the loops around it."""
    nodes = {"a": RUN, "b": RUN, "c": RUN}
    run = flow(
        nodes, "a>b", "b>c", back("b.failed", "b", 1), back("c", "a", 1, when="pass.index < 1")
    ).create()
    run.end("a").fail("b").end("b#1").end("c").end("a#1").fail("b#2").end("b#3").end("c#1").check_ended()

    assert "Succeeded" == run.state.phase


def test_several_loopbacks_of_one_region_are_counted_apart():
    """Each has its own maximum; `pass.index` counts both."""
    nodes = {"a": {**RUN, "with": {"p": "${pass.index}"}}}
    run = flow(nodes, back("a.failed", "a", 1), back("a", "a", 1, when="pass.index < 2")).create()
    run.fail("a").end("a#1")

    assert 2 == run.running["a#2", 1, 1].document["inputs"]["p"]

    run.end("a#2").check_ended()


def test_of_two_loopbacks_taken_at_once_the_wider_loop_goes_on():
    """It gives the inner one's nodes a fresh pass too."""
    run = flow({"a": RUN, "b": RUN}, "a>b", back("b", "b", 9), back("b.ended", "a", 9)).create()
    ends(run, "a", "b")

    assert [("a#1", 1, 1)] == list(run.running)
    assert ["b.ended>a"] == [x.loopback for x in run.of("LoopIteration")]
    run.wish(cancel=True).fail("a#1").check_ended()
