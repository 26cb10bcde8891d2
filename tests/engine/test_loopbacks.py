"""Loopback connections: semantics 15, 17, 18, 20, 21, 22."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.driver import Driver

from fairlead.model import commands as c
from fairlead.model.times import SECOND

RUN: dict[str, Any] = {"run": {"sh": "true"}}
Json = dict[str, Any]


def flow(nodes: dict[str, Json], *connections: str | Json, **spec: Any) -> Driver:
    """A run of nodes by name; a connection is `a>b`, a loopback `a.port^b` (100 times at most), or written out."""
    return Driver({"nodes": named(nodes), "connections": list(map(written, connections)), **spec})


def named(nodes: dict[str, Json]) -> list[Json]:
    return [{"name": name, **node} for name, node in nodes.items()]


def written(connection: str | Json) -> Json:
    if not isinstance(connection, str):
        return connection
    source, sign, target = connection.partition("^" if "^" in connection else ">")
    return {"from": source, "to": target, **({"loopback": {}} if sign == "^" else {})}


def back(source: str, target: str, most: int, **more: Any) -> Json:
    """A loopback."""
    return {"from": source, "to": target, "loopback": {"maxIterations": most}, **more}


def ends(run: Driver, *nodes: str) -> Driver:
    """Attempts that end well, one after the other."""
    for node in nodes:
        run.end(node)
    return run


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


# --- what is abandoned -----------------------------------------------------------------------------------------------


def abandoned(slow: Json, **spec: Any) -> Driver:
    """`fast` loops back to `a` while `slow`, beside it, has not ended; `b` joins any of them."""
    nodes = {"a": RUN, "slow": slow, "fast": RUN, "b": {**RUN, "join": "any"}, "out": RUN}
    run = flow(
        nodes, "a>slow", "a>fast", "slow>b", "fast>b", "b>out", back("b.failed", "a", 1), **spec
    ).create()
    return ends(run, "a", "fast")


def test_a_running_attempt_of_the_pass_that_is_left_is_stopped_first():
    """The fresh pass begins once it has ended: never two live instances of one node. The instance is Cancelled."""
    run = abandoned(RUN).fail("b")

    assert [("slow", 1, 1)] == list(run.running) == list(run.stopping)
    assert "PassAbandoned" == run.of("NodeStopping", "slow")[0].reason
    assert not run.of("LoopIteration")

    run.fail("slow")

    assert "PassAbandoned" == run.of("NodeCancelled", "slow")[0].reason
    assert [("a#1", 1, 1)] == list(run.running)
    ends(run, "a#1", "fast#1", "slow#1", "b#1", "out").check_ended()
    assert "Succeeded" == run.state.phase


def test_a_stopped_attempt_that_succeeds_all_the_same_has_succeeded():
    """It is in the log for a compensation, and its store counts; its connections are not taken, the pass is over."""
    run = abandoned({**RUN, "store": {"x": "${outputs.n}"}}).fail("b").end("slow", {"n": 7})

    assert 7 == run.state.variables["x"]
    assert [] == run.of("NodeCompleted", "slow")[0].taken
    assert [("a#1", 1, 1)] == list(run.running)
    run.wish(cancel=True).fail("a#1").check_ended()


def test_what_waits_or_is_held_is_cancelled_at_once():
    """Retries, waits and held instances have nothing running; the fresh pass begins in the same turn."""
    retry = {**RUN, "retry": {"maxAttempts": 3, "initialDelay": "1h"}}
    run = flow(
        {"a": RUN, "slow": retry, "pause": {"wait": {"for": "1h"}}, "fast": RUN, "b": {**RUN, "join": "any"}},
        *("a>slow", "a>pause", "a>fast", "slow>b", "pause>b", "fast>b"),
        back("b", "a", 1, when="pass.index < 1"),
    ).create()
    run.end("a").fail("slow").end("fast").end("b")

    assert ["slow", "pause"] == [x.node for x in run.of("NodeCancelled")]
    assert [("a#1", 1, 1)] == list(run.running)
    assert not run.state.waiting and not run.state.paused_timers.due
    run.wish(cancel=True).fail("a#1").check_ended()


def test_what_never_started_is_skipped_and_its_paths_end():
    """A join that waits for others keeps its arrivals until the pass is left; then they are cancelled."""
    nodes = {
        "a": RUN,
        "x": RUN,
        "slow": RUN,
        "both": RUN,
        "b": {**RUN, "join": "any"},
    }
    run = flow(
        nodes,
        "a>x",
        "a>slow",
        "x>both",
        "slow>both",
        "both>b",
        "x>b",
        back("b", "a", 1, when="pass.index < 1"),
    ).create()
    ends(run, "a", "x", "b").fail("slow")

    assert "PassAbandoned" == run.of("NodeSkipped", "both")[0].reason
    assert {"PassAbandoned"} == {x.reason for x in run.of("PathCancelled")}
    ends(run, "a#1", "x#1", "slow#1", "b#1", "both#1").check_ended()
    assert "Succeeded" == run.state.phase


def test_a_fallback_at_work_is_stopped_with_the_node_it_stands_for():
    """Both instances end before the fresh pass begins, and the next pass has a stand-in of its own."""
    nodes = {"a": RUN, "s": {**RUN, "fallback": "f"}, "x": RUN, "b": {**RUN, "join": "any"}, "f": RUN}
    run = flow(nodes, "a>s", "a>x", "s>b", "x>b", back("b", "a", 1, when="pass.index < 1")).create()
    run.end("a").fail("s").end("x").end("b")

    assert [("s/f", 1, 1)] == list(run.running)

    run.fail("s/f")

    assert ["s/f", "s"] == [x.node for x in run.of("NodeCancelled")]
    run.end("a#1").fail("s#1").end("x#1").end("s#1/f").end("b#1").check_ended()
    assert "fallback" == run.state.node("s").via


def test_a_container_in_the_pass_that_is_left_ends_with_all_it_started():
    """Its bodies are ended; in the next pass its scopes have another name."""
    each = {"forEach": {"items": [1, 2], "maxParallel": 1, "nodes": [{"name": "n", **RUN}]}}
    nodes = {"a": RUN, "c": each, "x": RUN, "b": {**RUN, "join": "any"}}
    run = flow(nodes, "a>c", "a>x", "c>b", "x>b", back("b", "a", 1, when="pass.index < 1")).create()
    ends(run, "a", "x", "b").fail("c[0]/n")

    assert [("a#1", 1, 1)] == list(run.running)

    ends(run, "a#1", "c#1[0]/n", "c#1[1]/n", "x#1", "b#1").check_ended()

    assert ["c#1[0]/", "c#1[1]/"] == [x.scope for x in run.of("BodyEnded") if x.node == "c#1"]
    assert {"items": [{}, {}], "failed": 0} == run.state.node("c").outputs


def test_a_while_and_branches_inside_a_loop_see_its_passes():
    """Scopes are named after the instance, `pass` is the innermost and `pass.parent` the loopback's."""
    inner = {"condition": "pass.index < 1", "nodes": [{"name": "s", "set": {"w": "${pass.parent.index}"}}]}
    branch = {
        "name": "l",
        "nodes": [{"name": "n", **RUN, "with": {"p": "${pass.index}"}}],
        "outputs": {"k": 1},
    }
    nodes: dict[str, Json] = {"w": {"while": inner}, "p": {"parallel": {"branches": [branch]}}}
    run = flow(nodes, "w>p", back("p", "w", 1, when="pass.index < 1")).create()

    assert 0 == run.running["p.l/n", 1, 1].document["inputs"]["p"]

    run.end("p.l/n")

    assert 1 == run.running["p#1.l/n", 1, 1].document["inputs"]["p"]
    assert 1 == run.state.variables["w"]
    run.end("p#1.l/n").check_ended()
    assert ["w[0]/", "p.l/", "w#1[0]/", "p#1.l/"] == [x.scope for x in run.of("BodyEnded")]
    assert {"l": {"k": 1}} == run.state.node("p").outputs


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


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["while", "forEach", "parallel", "finally"])
def test_loops_in_bodies(kind):
    """A body ends only when its loops have; its instances are `prefix/node#k`, and nothing is left of it."""
    nodes = named({"a": RUN, "b": RUN})
    edges = [written("a>b"), back("b.failed", "a", 1)]
    body = {"nodes": nodes, "connections": edges}
    container: dict[str, tuple[Json, str]] = {
        "while": ({"while": {"condition": "pass.index < 1", **body}}, "c[0]/"),
        "forEach": ({"forEach": {"items": [1], **body}}, "c[0]/"),
        "parallel": ({"parallel": {"branches": [{"name": "l", **body}]}}, "c.l/"),
        "finally": ({"parallel": {"branches": [{"name": "l", **body}]}}, "c.l/"),
    }
    node, prefix = container[kind]
    spec = {"nodes": [{"name": "c", **node}]}
    if kind == "finally":
        spec = {"nodes": [{"name": "s", "set": {"x": 1}}], "finally": spec["nodes"]}
    run = Driver(spec).create().end(f"{prefix}a").fail(f"{prefix}b")

    assert [(f"{prefix}a#1", 1, 1)] == list(run.running)

    run.end(f"{prefix}a#1").end(f"{prefix}b#1").check_ended()

    assert "Succeeded" == run.state.phase
    assert {"c"} == {key[0] for key in run.state.nodes} - {"s"}
    assert not run.state.iterations


def test_a_loop_that_is_spent_fails_its_body():
    """The item fails with the instance's id, and its siblings go on if they may."""
    body = {"nodes": [{"name": "a", **RUN}], "connections": [back("a.failed", "a", 1)]}
    each = {"forEach": {"items": [1, 2], "onItemError": "continue", **body}}
    run = Driver({"nodes": [{"name": "c", **each}]}).create()
    run.fail("c[0]/a").fail("c[0]/a#1").end("c[1]/a").check_ended()

    assert {"items": [None, {}], "failed": 1} == run.state.node("c").outputs


def test_a_race_that_is_decided_ends_a_loop_in_the_loser():
    """A pass that was to begin does not, once the body around it is being ended."""
    loop = {
        "name": "l",
        "nodes": named({"a": RUN, "s": RUN, "x": RUN, "b": {**RUN, "join": "any"}}),
        "connections": list(map(written, ["a>s", "a>x", "s>b", "x>b", "b^a"])),
    }
    quick = {"name": "q", "nodes": [{"name": "n", **RUN}]}
    race = {"parallel": {"strategy": "race", "branches": [loop, quick]}}
    run = Driver({"nodes": [{"name": "c", **race}]}).create()
    ends(run, "c.l/a", "c.l/x", "c.l/b", "c.q/n")

    assert [("c.l/s", 1, 1)] == list(run.running)

    run.fail("c.l/s").check_ended()

    assert "Succeeded" == run.state.phase
    assert not run.of("LoopIteration")


# --- wishes, failures, crashes ---------------------------------------------------------------------------------------


def test_suspended_a_pass_begins_and_its_first_node_is_held():
    """A decision is recorded at once, its successors start on resume."""
    run = flow({"a": RUN}, back("a", "a", 1, when="pass.index < 1")).create().wish(suspend=True).end("a")

    assert ("Ready", "Suspended") == (run.status("a"), run.state.node("a").held)
    assert not run.running

    run.wish(suspend=False).end("a#1").check_ended()


def test_cancel_while_a_pass_is_being_left_begins_no_other():
    """The loopback was taken, and nothing follows from it any more."""
    run = abandoned(RUN).fail("b").wish(cancel=True).fail("slow")

    assert ("Cancelled", []) == (run.state.phase, run.of("LoopIteration"))
    run.check_ended()


def test_a_failed_last_pass_is_run_again_by_a_redrive():
    """Only what failed in it, and what follows: earlier passes and what succeeded in this one stay."""
    later = {"from": "b", "to": "out", "when": "pass.index > 0"}
    run = flow({"a": RUN, "b": RUN, "out": RUN}, "a>b", later, back("b", "a", 3, when="pass.index < 1"))
    ends(run.create(), "a", "b", "a#1").fail("b#1")

    assert "Failed" == run.state.phase

    run.wish(redrive=1)

    assert [("b#1", 2, 1)] == list(run.running)
    ends(run, "b#1", "out").check_ended()
    assert "Succeeded" == run.state.phase


def test_a_redrive_lets_a_loop_go_on():
    """What its end had made dead outside is open again, and the passes are counted on."""
    nodes = {"a": {"if": "pass.index == 1"}, "b": RUN, "out": RUN}
    run = flow(nodes, "a.true>out", "a.ended>b", back("b", "a", 1)).create().fail("b")

    assert ("Failed", "Skipped") == (run.state.phase, run.status("out"))

    run.wish(redrive=1).end("b")

    assert [("b#1", 1, 1), ("out", 1, 1)] == sorted(run.running)

    run.end("out").end("b#1").check_ended()

    assert "MaxIterationsExceeded" == run.failure.error.reason


def test_a_redrive_begins_the_pass_that_was_about_to():
    """A cancel came between the loopback and the end of what it had to stop."""
    run = abandoned(RUN).fail("b").wish(cancel=True).fail("slow")

    assert ("Cancelled", []) == (run.state.phase, run.of("LoopIteration"))

    run.wish(cancel=True, redrive=1)

    assert [("a#1", 1, 1)] == list(run.running)
    ends(run, "a#1", "fast#1", "slow#1", "b#1", "out").check_ended()
    assert "Succeeded" == run.state.phase


def test_finish_in_a_loop_ends_the_run():
    """The first finish wins, in whatever pass; a loopback taken at the same time begins nothing."""
    nodes = {"a": RUN, "end": {"finish": {"result": "done"}}}
    run = flow(nodes, "a>end", back("a", "a", 5)).create().end("a")

    assert ("Succeeded", "done") == (run.state.phase, run.state.result)
    assert not run.running
    run.check_ended()


def test_without_fail_fast_a_loop_goes_on_after_a_failure_beside_it():
    """The failure is the outcome all the same."""
    run = flow({"a": RUN, "x": RUN}, back("a", "a", 1, when="pass.index < 1"), failFast=False).create()
    run.fail("x").end("a").end("a#1").check_ended()

    assert ("Failed", "x") == (run.state.phase, run.failure.node)


def test_reports_of_an_earlier_pass_change_nothing():
    """A late or repeated report names an instance that is over; attempts of the new pass are not theirs."""
    run = flow({"a": RUN}, back("a", "a", 1, when="pass.index < 1")).create().end("a")
    before = len(run.log)
    run.tell(c.AttemptEnded(node="a", attempt=1, delivery=1, error=None, outputs={"n": 9}))
    run.tell(c.AttemptLost(node="a", attempt=1, delivery=1))
    run.tell(c.AttemptStarted(node="a", attempt=1, delivery=1))

    assert before == len(run.log)
    run.end("a#1").check_ended()


def test_a_timer_of_an_earlier_pass_does_not_fire_in_the_next():
    """The timeout of an attempt is that of its own pass."""
    run = flow({"a": {**RUN, "timeout": "10s"}}, back("a", "a", 1, when="pass.index < 1")).create()
    run.started("a").tick(9).end("a").started("a#1").tick(9)

    assert "Running" == run.status("a")

    run.tick(1)

    assert "Stopping" == run.status("a")
    run.fail("a#1").check_ended()


def test_the_state_does_not_grow_with_the_passes():
    """Forks, joins, loops inside and fallbacks: after a thousand passes the state is as large as after ten."""
    nodes: dict[str, Json] = {
        "a": {"set": {"n": "${vars.n + 1}"}},
        "l": {"log": {"message": "${inputs.missing}"}, "fallback": "f"},
        "r": {"set": {"x": 1}},
        "i": {"set": {"x": "${pass.index}"}},
        "w": {"while": {"condition": "pass.index < 2", "nodes": [{"name": "s", "set": {"y": 1}}]}},
        "b": {"if": "vars.n < inputs.passes"},
        "f": {"set": {"z": 1}},
    }

    def size(passes: int) -> tuple[int, ...]:
        run = flow(
            nodes,
            *("a>l", "a>r", "l>i", "r>i", "i>w", "w>b"),
            back("i", "i", 5, when="pass.index < 3"),
            back("b.true", "a", 2_000),
            variables={"n": 0},
        )
        run.check = False
        run.create({"passes": passes})
        assert "Succeeded" == run.state.phase, run.failure
        state = run.state
        kept: list[Json] = [state.nodes, state.path_children, state.paths, state.iterations, state.scopes]
        return tuple(len(each) for each in kept)

    assert size(100) == size(1_000)


def test_time_passes_between_passes():
    """A wait in a loop begins anew in each pass: a poll without a pod."""
    nodes = {"probe": RUN, "pause": {"wait": {"for": "60s"}}, "out": RUN}
    run = flow(nodes, "probe>out", "probe.failed>pause", "pause^probe").create()
    begun = run.now
    for name in ("probe", "probe#1"):
        run.fail(name)
        assert run.wait_for_timer()
    run.end("probe#2").end("out").check_ended()

    assert 120 * SECOND == run.now - begun
