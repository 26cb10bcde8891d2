"""Another workflow's graph as the body of a node: semantics 8, 16, 17, 18, 25, 26, 29, 30, 32, 34, 38."""

from __future__ import annotations

import pytest
from tests.support.driver import Driver
from tests.support.inlined import NODE, RUN, call, one

from fairlead.engine.graph import compile_workflow
from fairlead.model import state as s
from fairlead.model.manifests import Definition, parse_spec


# ----------------------------------------------------------------------------------------------------- what goes in and out
def test_it_takes_inputs_and_gives_outputs():
    """Inputs are evaluated where the node stands and have the schema's defaults; outputs are the node's, for its store."""
    schema = {"type": "object", "properties": {"who": {}, "mark": {"default": "!"}, "n": {"type": "number"}}}
    act = {
        "inputs": schema,
        "nodes": [{**NODE, "with": {"text": "${inputs.who + inputs.mark}", "half": "${inputs.n / 2.0}"}}],
        "outputs": {"text": "${nodes.n.outputs.text}"},
    }
    run = one(act, inputs={"who": "${inputs.name}", "n": 3}, store={"said": "${outputs.text}"})
    run.create({"name": "ada"})

    (attempt,) = run.running.values()
    assert ("a/n", {"text": "ada!", "half": 1.5}) == (attempt.node, attempt.document["inputs"])

    run.end("a/n", {"text": "hello"}).check_ended()
    assert {"text": "hello"} == run.state.node("a").outputs
    assert {"said": "hello"} == run.state.variables
    assert ["a"] == list(run.state.nodes)


def test_outputs_that_read_what_did_not_run_are_left_out():
    """Rule 16 holds for the outputs of an inlined workflow: nodes skipped, variables never written, and computed over both."""
    act = {
        "nodes": [
            {"name": "big", "if": "false"},
            {"name": "n", "after": ["big.true"], **RUN},
            {"name": "m", "set": {"y": 1}},
        ],
        "computed": {"c": "nodes.n.outputs.x", "d": "vars.y + 1"},
        "outputs": {
            "x": "${nodes.n.outputs.x}",
            "v": "${vars.never}",
            "c": "${computed.c}",
            "d": "${computed.d}",
        },
    }
    run = one(act).create()

    run.check_ended()
    assert {"d": 2} == run.state.node("a").outputs


@pytest.mark.parametrize(
    "given, field",
    [
        ({"n": "${inputs.n}"}, "inputs.n"),
        ({}, "inputs: n is missing"),
        ({"n": 1, "m": 2}, "'m' is not known"),
    ],
)
def test_inputs_that_do_not_fit_fail_the_node(given, field):
    """Reason InputsInvalid with the field and the workflow; nothing of it starts, and a failed port handles it."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    act = {"inputs": {**schema, "additionalProperties": False}, "nodes": [NODE]}
    run = one(act, inputs=given, spec={"nodes": [{"name": "b", "after": ["a.failed"], "set": {"x": 1}}]})
    run.create({"n": "three"})

    run.check_ended()
    error = run.state.node("a").error
    assert error is not None
    assert "InputsInvalid" == error.reason
    assert field in error.message
    assert error.message.endswith("by the schema of workflow act")
    assert [] == run.of("InlineStarted")
    assert s.SUCCEEDED == run.state.phase


def test_a_template_that_fails_fails_the_node():
    """Of the inputs and of the variables: reason ExpressionError."""
    for act, given in (
        ({"nodes": [NODE]}, {"x": "${inputs.no}"}),
        ({"nodes": [NODE], "variables": {"x": "${inputs.no}"}}, {}),
    ):
        run = one(act, inputs=given).create()

        run.check_ended()
        assert "ExpressionError" == run.failure.error.reason


# ----------------------------------------------------------------------------------------------------------------- the scope
def test_it_is_closed():
    """Variables, computed fields, nodes, items and names of the caller mean nothing inside, and its own mean nothing outside."""
    act = {
        "variables": {"v": "${inputs.start}"},
        "computed": {"c": "vars.v * 10"},
        "version": "3",
        "nodes": [
            {"name": "n", "set": {"v": "${vars.v + 1}"}},
            {
                "name": "m",
                "after": ["n"],
                **RUN,
                "with": {"c": "${computed.c}", "of": "${workflow.name + workflow.version}"},
            },
            *[
                {"name": f"x{i}", "log": {"message": f"${{{text}}}"}, "onError": "continue"}
                for i, text in enumerate(
                    ["vars.w", "item", "nodes.before.status", "inputs.flag", "computed.d", "pass.index"]
                )
            ],
        ],
        "outputs": {"v": "${vars.v}", "run": "${execution.name}"},
    }
    each = {
        "items": [5, 7],
        "nodes": [{"name": "a", **call(start="${item}")}],
        "outputs": {"a": "${nodes.a.outputs}"},
    }
    caller = {
        "variables": {"v": 100, "w": 1},
        "computed": {"d": "1"},
        "nodes": [{"name": "before", "set": {"v": 100}}, {"name": "e", "after": ["before"], "forEach": each}],
        "workflows": {"act": act},
    }
    run = Driver(caller).create({"flag": True})

    documents = [attempt.document["inputs"] for attempt in run.running.values()]
    assert [{"c": 60, "of": "act3"}, {"c": 80, "of": "act3"}] == documents
    failed = {event.node.rpartition("/")[2] for event in run.of("NodeFailed")}
    assert {f"x{i}" for i in range(6)} == failed

    run.end("e[0]/a/m").end("e[1]/a/m").check_ended()
    items = [item["a"] for item in run.state.node("e").outputs["items"]]
    assert [{"v": 6, "run": "run"}, {"v": 8, "run": "run"}] == items
    assert {"v": 100, "w": 1} == run.state.variables


def test_its_variables_are_written_from_any_depth_and_by_a_stand_in():
    """A set in a loop inside, and a fallback, write the variables of the workflow that they belong to."""
    loop = {"items": [1, 2], "maxParallel": 1, "nodes": [{"name": "add", "set": {"v": "${vars.v + item}"}}]}
    act = {
        "variables": {"v": 0},
        "nodes": [
            {"name": "l", "forEach": loop},
            {"name": "n", "after": ["l"], **RUN, "fallback": "spare"},
            {"name": "spare", "set": {"v": "${vars.v + 10}"}},
        ],
        "outputs": {"v": "${vars.v}"},
    }
    run = one(act).create().fail("a/n")

    run.check_ended()
    assert {"v": 13} == run.state.node("a").outputs
    assert {} == run.state.variables


def test_its_defaults_are_its_own():
    """Retry and timeout of its pod nodes come from its own defaults, never from the caller's."""
    act = {"nodes": [NODE], "defaults": {"timeout": "5s"}}
    bare = {"nodes": [NODE]}
    caller = {
        "defaults": {"retry": {"maxAttempts": 3}, "timeout": "1s"},
        "workflows": {"act": act, "bare": bare},
    }
    graph = compile_workflow(
        parse_spec(
            Definition,
            {
                "nodes": [{"name": "a", **call()}, {"name": "b", **call("bare")}, {"name": "c", **RUN}],
                **caller,
            },
        )
    )

    assert (5_000_000, None) == (graph.find("a/n").timeout, graph.find("a/n").retry)
    assert (None, None) == (graph.find("b/n").timeout, graph.find("b/n").retry)
    assert 1_000_000 == graph.find("c").timeout


def test_workflows_inline_one_another():
    """In a branch, in a loop and in an inlined workflow; ids name the way, and nothing is left in the state."""
    inner = {"nodes": [NODE], "outputs": {"x": "${nodes.n.outputs.x}"}}
    outer = {"nodes": [{"name": "deep", **call("inner")}], "outputs": {"x": "${nodes.deep.outputs.x}"}}
    loop = {"condition": "pass.index < 2", "nodes": [{"name": "o", **call("outer")}]}
    branch = {"name": "left", "nodes": [{"name": "w", "while": loop}]}
    spec = {
        "nodes": [{"name": "p", "parallel": {"branches": [branch]}}],
        "workflows": {"inner": inner, "outer": outer},
    }
    run = Driver(spec).create().end("p.left/w[0]/o/deep/n", {"x": 1}).end("p.left/w[1]/o/deep/n", {"x": 2})

    run.check_ended()
    assert s.SUCCEEDED == run.state.phase
    assert ["p"] == list(run.state.nodes)
    assert [] == [prefix for prefix in run.state.scopes if prefix]
    assert {} == run.state.loops


def test_a_fallback_stands_in_for_a_workflow_that_failed():
    """Its instance is NODE/FALLBACK, beside what was inlined, and it sees the caller's scope."""
    spare = {"name": "spare", "set": {"v": "${error.reason + vars.w}"}}
    run = (
        one({"nodes": [NODE]}, fallback="spare", spec={"nodes": [spare], "variables": {"w": "!"}})
        .create()
        .fail("a/n")
    )

    run.check_ended()
    assert s.SUCCEEDED == run.state.phase
    assert {"v": "BodyFailed!", "w": "!"} == run.state.variables


# ------------------------------------------------------------------------------------------------------------ how it ends
def test_a_failure_inside_goes_down_the_ladder_of_the_node():
    """BodyFailed with the cause; the rest of the workflow is stopped first."""
    act = {"nodes": [NODE, {"name": "m", **RUN}, {"name": "o", "after": ["m"], **RUN}]}
    run = one(act, onError="continue").create().fail("a/n", message="no disk")

    assert {("a/m", 1, 1)} == run.stopping

    run.fail("a/m", "Signalled").check_ended()
    error = run.state.node("a").error
    assert error is not None
    assert ("BodyFailed", "workflow act failed: no disk") == (error.reason, error.message)
    assert ["NonZeroExit"] == [cause.reason for cause in error.causes]
    assert s.SUCCEEDED == run.state.phase


def test_fail_fast_false_lets_its_other_paths_end():
    """The workflow's own failFast counts inside it, and only there."""
    act = {"failFast": False, "nodes": [NODE, {"name": "m", **RUN}, {"name": "o", "after": ["m"], **RUN}]}
    run = one(act).create().fail("a/n").end("a/m").end("a/o")

    run.check_ended()
    assert "BodyFailed" == run.failure.error.reason
    assert set() == run.stopping


@pytest.mark.parametrize("result, phase", [("enough", s.SUCCEEDED), ("failed", s.FAILED)])
def test_finish_ends_the_node_alone(result, phase):
    """From any depth: what runs in the workflow is ended, its outputs are what there is; the caller goes on."""
    inner = {
        "items": [1, 2],
        "nodes": [{"name": "x", **RUN}, {"name": "stop", "after": ["x"], "finish": {"result": result}}],
    }
    act = {
        "nodes": [{"name": "set", "set": {"v": 1}}, NODE, {"name": "each", "forEach": inner}],
        "outputs": {"v": "${vars.v}", "n": "${nodes.n.outputs.x}"},
    }
    run = one(
        act, spec={"nodes": [{"name": "beside", **RUN}, {"name": "next", "after": ["a"], **RUN}]}
    ).create()
    run.end("a/each[0]/x")

    assert {"a/n", "a/each[1]/x"} == {node for node, _, _ in run.stopping}

    run.fail("a/n", "Signalled").fail("a/each[1]/x", "Signalled")
    assert {"beside"} == {node for node, _, _ in run.running if node != "next"}
    if result == "failed":
        run.fail("beside", "Signalled").check_ended()
        assert ["FinishedFailed"] == [cause.reason for cause in run.failure.error.causes]
    else:
        assert {"v": 1} == run.state.node("a").outputs
        run.end("beside").end("next").check_ended()
    assert (phase, None) == (run.state.phase, run.state.result)


def test_its_timeout_is_the_nodes():
    """Unless the node has one of its own."""
    act = {"timeout": "5s", "nodes": [NODE]}
    run = one(act).create().tick(5)
    assert ["Timeout"] == [event.reason for event in run.of("NodeTimedOut", "a")]
    run.fail("a/n", "Signalled").check_ended()
    assert "Timeout" == run.failure.error.reason

    run = one(act, timeout="9s").create().tick(5)
    assert [] == run.of("NodeTimedOut")
    run.tick(4).fail("a/n", "Signalled").check_ended()


def test_suspend_holds_what_is_inside():
    """What is ready inside waits, and the node's clock stands still."""
    act = {"timeout": "5s", "nodes": [NODE, {"name": "m", "after": ["n"], **RUN}]}
    run = one(act).create().wish(suspend=True).end("a/n").tick(60)

    assert {} == run.running

    run.wish(suspend=False).end("a/m").check_ended()
    assert s.SUCCEEDED == run.state.phase


def test_a_loser_of_a_race_is_stopped_inside():
    """The inlined workflow of a branch that lost is ended, with its finally."""
    act = {"nodes": [NODE], "finally": [{"name": "f", **RUN}]}
    sides = [
        {"name": "x", "nodes": [{"name": "a", **call()}]},
        {"name": "y", "nodes": [{"name": "b", **RUN}]},
    ]
    spec = {
        "nodes": [{"name": "p", "parallel": {"strategy": "race", "branches": sides}}],
        "workflows": {"act": act},
    }
    run = Driver(spec).create().end("p.y/b").fail("p.x/a/n", "Signalled")

    assert {("p.x/a.finally/f", 1, 1)} == set(run.running)

    run.end("p.x/a.finally/f").check_ended()
    assert ["Decided"] == [event.reason for event in run.of("NodeCancelled", "p.x/a")]
    assert s.SUCCEEDED == run.state.phase


def test_another_attempt_runs_it_from_the_start():
    """With the same inputs and first variables, also after what it had written; attempts inside count on."""
    act = {
        "variables": {"v": "${inputs.id}"},
        "nodes": [
            {"name": "s", "set": {"v": "${vars.v + '!'}"}},
            {**NODE, "after": ["s"], "with": {"v": "${vars.v}"}},
        ],
        "finally": [{"name": "f", **RUN}],
    }
    run = one(act, inputs={"id": "${uuid()}"}, retry={"maxAttempts": 2, "initialDelay": "1s"}).create()
    first = run.running["a/n", 1, 1].document["inputs"]
    run.fail("a/n").end("a.finally/f").crash()
    assert run.wait_for_timer()

    assert first == run.running["a/n", 2, 1].document["inputs"]
    run.end("a/n").end("a.finally/f").check_ended()
    assert s.SUCCEEDED == run.state.phase


def test_a_redrive_goes_on_inside():
    """What succeeded in it stays with its variables; what failed runs again, and then its finally as a whole."""
    act = {
        "variables": {"v": 0},
        "nodes": [
            {"name": "m", **RUN, "store": {"v": "${vars.v + 1}"}},
            {**NODE, "after": ["m"], "with": {"v": "${vars.v}"}},
        ],
        "finally": [{"name": "f", **RUN}],
        "outputs": {"v": "${vars.v}"},
    }
    run = one(act, inputs={"id": "${uuid()}"}).create().end("a/m").fail("a/n").end("a.finally/f")
    assert s.FAILED == run.state.phase
    (before,) = run.of("InlineStarted")

    run.wish(redrive=1).crash()
    assert {("a/n", 2, 1)} == set(run.running)
    assert {"v": 1} == run.running["a/n", 2, 1].document["inputs"]

    run.end("a/n").end("a.finally/f").check_ended()
    assert (s.SUCCEEDED, {"v": 1}) == (run.state.phase, run.state.node("a").outputs)
    assert [before] == run.of("InlineStarted")
    assert ["a.finally/f"] * 2 == [x.node for x in run.of("NodeCompleted", "a.finally/f")]


def test_a_redrive_after_a_failed_finally_runs_that_alone():
    """The graph had succeeded and stays."""
    run = one(
        {"nodes": [NODE], "finally": [{"name": "f", **RUN, "with": {"x": "${nodes.n.outputs.x}"}}]}
    ).create()
    run.end("a/n", {"x": 7}).fail("a.finally/f")
    assert "FinallyFailed" == run.failure.error.reason

    run.wish(redrive=1)
    assert {"x": 7} == run.running["a.finally/f", 2, 1].document["inputs"]
    run.end("a.finally/f").check_ended()
    assert s.SUCCEEDED == run.state.phase


def test_a_redrive_of_a_finish_with_result_failed_decides_again():
    """It is an unhandled failure like any other; what it kept from running runs."""
    act = {
        "nodes": [
            NODE,
            {"name": "ok", "after": ["n"], "if": "nodes.n.outputs.ok"},
            {"name": "z", "after": ["ok.true"], **RUN},
            {"name": "no", "after": ["ok.false"], "finish": {"result": "failed"}},
            {"name": "w", **RUN},
        ]
    }
    run = one(act).create().end("a/n", {"ok": False}).fail("a/w", "Signalled")
    assert s.FAILED == run.state.phase

    run.wish(redrive=1)
    assert "a/no" in [event.node for event in run.of("NodeCompleted")]
    while run.running:
        run.end(min(run.running)[0], {"ok": True})
    run.check_ended()


def test_one_stands_in_as_a_fallback():
    """Its inputs are evaluated where it stands in, and see the error; inside of it `error` means nothing."""
    act = {
        "nodes": [
            {**NODE, "with": {"why": "${inputs.why}"}},
            {"name": "x", "log": {"message": "${error.reason}"}, "onError": "continue"},
        ],
        "outputs": {"x": "${nodes.n.outputs.x}"},
    }
    nodes = [{"name": "c", **RUN, "fallback": "spare"}, {"name": "spare", **call(why="${error.reason}")}]
    run = Driver(
        {"nodes": nodes, "workflows": {"act": act}, "outputs": {"x": "${nodes.c.outputs.x}"}}
    ).create()
    run.fail("c")

    assert {"why": "NonZeroExit"} == run.running["c/spare/n", 1, 1].document["inputs"]
    run.end("c/spare/n", {"x": 3}).check_ended()
    assert (s.SUCCEEDED, {"x": 3}) == (run.state.phase, run.state.outputs)
    assert ["c/spare/x"] == [event.node for event in run.of("NodeFailed") if event.node != "c"]


# ------------------------------------------------------------------------------------------------------------------- size
def test_a_thousand_items_leave_nothing_behind():
    """Of 1,000 inlined workflows with variables the state keeps the results of the forEach and nothing else."""
    act = {
        "variables": {"v": "${inputs.i}"},
        "nodes": [{"name": "n", "set": {"v": "${vars.v + 1}"}}],
        "outputs": {"v": "${vars.v}"},
    }
    each = {
        "items": "${range(1000)}",
        "nodes": [{"name": "a", **call(i="${item}")}],
        "outputs": {"v": "${nodes.a.outputs.v}"},
    }
    run = Driver({"nodes": [{"name": "e", "forEach": each}], "workflows": {"act": act}}, check=False).create()

    run.check_ended()
    assert [{"v": i + 1} for i in range(1000)] == run.state.node("e").outputs["items"]
    assert ["e"] == list(run.state.nodes)


def test_every_attempt_has_the_same_inputs():
    """Inputs are evaluated once per instance: what the log says is what a crash finds again."""
    act = {"nodes": [NODE, {"name": "m", "after": ["n"], **RUN, "with": {"id": "${inputs.id}"}}]}
    run = one(act, inputs={"id": "${uuid()}"}).create()
    (started,) = run.of("InlineStarted")
    run.end("a/n").crash()

    assert started.inputs == run.running["a/m", 1, 1].document["inputs"]
