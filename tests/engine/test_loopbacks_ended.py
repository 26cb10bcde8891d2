"""What a loopback abandons, loops in bodies, and loops under wishes, failures and stale reports: semantics 20, 30, 31."""

from __future__ import annotations

import pytest
from tests.support.driver import Driver
from tests.support.flows import RUN, Json, back, ends, flow, named, written

from fairlead.model import commands as c
from fairlead.model.times import SECOND

# --- what is abandoned -----------------------------------------------------------------------------------------------


def abandoned(slow: Json) -> Driver:
    """`b` joins any of `fast` and `slow`, and when it fails it loops back to `a`; `fast` has ended and `slow` has not."""
    nodes = {"a": RUN, "slow": slow, "fast": RUN, "b": {**RUN, "join": "any"}, "out": RUN}
    edges = ("a>slow", "a>fast", "slow>b", "fast>b", "b>out", back("b.failed", "a", 1))
    run = flow(nodes, *edges).create()
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


def test_a_loop_inside_that_has_just_begun_a_pass_is_left_with_it():
    """Its first node may be that of the loop around; paths go on below the one on which that began."""
    nodes = {"a": RUN, "b": {"set": {"x": 1}}, "c": {"set": {"x": 1}}}
    inner, outer = back("a.ended", "a", 1), back("b", "a", 2, when="pass.index < 2")
    run = ends(flow(nodes, "a>b", "a>c", inner, outer).create(), "a", "a#2", "a#4")
    run.fail("a#5").check_ended()

    assert ["a#1", "a#3"] == [x.node for x in run.of("NodeSkipped") if x.reason == "PassAbandoned"]
    assert ["0"] == [x.path for x in run.of("LoopStarted") if x.loopback == "b.done>a"]
    assert all(x.path.startswith("0.") for x in run.of("LoopIteration"))


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


def test_a_redrive_may_take_a_spent_loopback_again():
    """As often as `maxIterations` says, counted anew; the passes are counted on."""
    run = ends(flow({"a": RUN}, back("a", "a", 1, when="pass.index < 2")).create(), "a", "a#1")

    assert "MaxIterationsExceeded" == run.failure.error.reason

    ends(run.wish(redrive=1), "a#1", "a#2").check_ended()

    assert "Succeeded" == run.state.phase


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
