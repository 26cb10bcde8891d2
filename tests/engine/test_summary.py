"""The projection of a state: `status` as api.md has it, kstatus conditions, and figures about a run."""

from __future__ import annotations

import json

import pytest
from tests.support.driver import START, Driver, spec_of

from fairlead.engine.summary import ALL_SHOWN, Metrics, metrics, status
from fairlead.model.manifests import parse_spec
from fairlead.model.manifests.status import ExecutionStatus
from fairlead.model.times import SECOND, format_time

SLEEP = {"sh": "true"}


def run(name, **fields):
    return {"name": name, "run": SLEEP, **fields}


def shown(driver):
    """The status of a run, checked against the model of ExecutionStatus and for being JSON."""
    found = status(driver.graph, driver.state, driver.now)
    parsed = parse_spec(ExecutionStatus, json.loads(json.dumps(found)))
    assert parsed.phase == found["phase"]
    return found


def kinds(found):
    return {condition["type"]: condition["status"] for condition in found["conditions"]}


def kstatus(found):
    """What sigs.k8s.io/cli-utils' kstatus makes of the conditions of an object it has no rule for."""
    by_type = kinds(found)
    if by_type.get("Reconciling") == "True":
        return "InProgress"
    if by_type.get("Stalled") == "True":
        return "Failed"
    return "Current" if by_type.get("Ready", "True") == "True" else "InProgress"


def test_a_running_execution_is_shown_with_progress_paths_and_what_it_waits_for():
    """Fields of a run that is under way, all at once."""
    driver = Driver(
        {"nodes": [run("a"), run("b"), run("c", after=["a"])], "connections": [], "variables": {"x": 1}}
    ).create()
    driver.started("a")

    found = shown(driver)

    assert found["phase"] == "Running"
    assert found["progress"] == {"total": 3, "done": 0, "running": 1, "failed": 0, "skipped": 0, "percent": 0}
    assert found["paths"] == [
        {"id": "0", "status": "Running", "node": "a", "startedAt": format_time(START)},
        {"id": "1", "status": "Running", "node": "b", "startedAt": format_time(START)},
    ]
    assert found["waitingFor"] == [
        {
            "kind": "start",
            "node": "b",
            "since": format_time(START),
            "message": "attempt 1 is scheduled and has not started",
        }
    ]
    assert found["variables"] == {"x": 1}
    assert found["outputs"] == {}
    assert "result" not in found
    assert "error" not in found
    assert found["log"] == {"sequence": driver.state.seq, "segments": 0}
    assert found["workflow"] == {"name": "flow", "digest": driver.state.digest}
    assert "finishedAt" not in found


@pytest.mark.parametrize(
    "steps, phase, verdict, ready, succeeded",
    [
        (lambda d: d, "Running", "InProgress", "False", "Unknown"),
        (lambda d: d.wish(suspend=True), "Suspended", "InProgress", "False", "Unknown"),
        (lambda d: d.end("a"), "Succeeded", "Current", "True", "True"),
        (lambda d: d.fail("a"), "Failed", "Failed", "False", "False"),
        (lambda d: d.wish(cancel=True).fail("a"), "Cancelled", "Failed", "False", "False"),
        (lambda d: d.fail("a").wish(redrive=1), "Running", "InProgress", "False", "Unknown"),
    ],
)
def test_conditions_follow_kstatus(steps, phase, verdict, ready, succeeded):
    """Each phase has the conditions that kstatus understands, and never Reconciling and Stalled together."""
    driver = steps(Driver({"nodes": [run("a")]}).create())

    found = shown(driver)

    assert found["phase"] == phase
    assert kstatus(found) == verdict
    assert kinds(found)["Ready"] == ready
    assert kinds(found)["Succeeded"] == succeeded
    assert [kinds(found)[kind] for kind in ("Reconciling", "Stalled")] != ["True", "True"]


def test_conditions_say_when_they_changed_and_of_which_generation():
    """A transition time is that of the state, observedGeneration what the caller says."""
    driver = Driver({"nodes": [run("a")]}).create()
    driver.now += 5 * SECOND
    driver.end("a")

    found = status(driver.graph, driver.state, driver.now, generation=3)

    times = {condition["type"]: condition["lastTransitionTime"] for condition in found["conditions"]}
    assert times == {
        "Ready": format_time(START + 5 * SECOND),
        "Reconciling": format_time(START + 5 * SECOND),
        "Stalled": format_time(START),
        "Succeeded": format_time(START + 5 * SECOND),
    }
    assert {condition["observedGeneration"] for condition in found["conditions"]} == {3}
    assert found["observedGeneration"] == 3


def test_a_redrive_is_a_transition():
    """After a redrive Reconciling, Stalled and Succeeded changed when it came, Ready never did."""
    driver = Driver({"nodes": [run("a")]}).create()
    driver.tick(5).fail("a").tick(5).wish(redrive=1)

    times = {entry["type"]: entry["lastTransitionTime"] for entry in shown(driver)["conditions"]}

    later = format_time(START + 10 * SECOND)
    assert times == {"Ready": format_time(START), "Reconciling": later, "Stalled": later, "Succeeded": later}


def test_a_failure_names_node_path_attempt_reason_and_causes():
    """`error` and the reason of the conditions come from the failure that ended the run."""
    nodes = [run("a", fallback="b"), run("b")]
    driver = Driver({"nodes": nodes}).create()
    driver.end("a", reason="NonZeroExit", message="exit code 3", exit_code=3)
    driver.end("a/b", reason="Timeout", message="too slow")

    found = shown(driver)

    assert found["error"]["node"] == "a"
    assert found["error"]["path"] == "0"
    assert found["error"]["attempt"] == 1
    assert found["error"]["reason"] == "NonZeroExit"
    assert found["error"]["exitCode"] == 3
    assert [cause["reason"] for cause in found["error"]["causes"]] == ["NonZeroExit", "Timeout"]
    assert {condition["reason"] for condition in found["conditions"]} == {"NonZeroExit"}


def test_a_retry_is_shown_with_its_due_time():
    """An instance between two attempts says which one failed, why, and when the next starts."""
    retry = {"maxAttempts": 3, "backoff": "fixed", "initialDelay": "10s", "jitter": 0}
    driver = Driver({"nodes": [run("a", retry=retry)]}).create().fail("a")

    found = shown(driver)

    [entry] = found["waitingFor"]
    assert (entry["kind"], entry["name"], entry["node"]) == ("timer", "retry", "a")
    assert entry["since"] == format_time(START)
    assert entry["until"] == format_time(START + 10 * SECOND)
    assert entry["message"].startswith("attempt 1 of 3 failed with NonZeroExit; the next starts at ")
    assert found["paths"][0]["status"] == "Waiting"


def test_a_retry_stands_still_while_the_run_is_suspended():
    """A suspended run is named first, and a delay that does not run has no `until`; after it the rest of the delay is left."""
    retry = {"maxAttempts": 3, "backoff": "fixed", "initialDelay": "10s", "jitter": 0}
    driver = Driver({"nodes": [run("a", retry=retry)]}).create().fail("a")
    driver.tick(4).wish(suspend=True, suspend_timeout=60 * SECOND)

    whole, retrying = shown(driver)["waitingFor"]
    assert whole["kind"] == "suspend"
    assert whole["until"] == format_time(START + 64 * SECOND)
    assert retrying["node"] == "a"
    assert "until" not in retrying

    driver.tick(6).wish()
    [entry] = shown(driver)["waitingFor"]
    assert entry["until"] == format_time(START + 16 * SECOND)


def test_held_nodes_say_what_holds_them():
    """A limit of nodes and a suspension hold nodes, each with its own sentence; queue depth counts them."""
    driver = (
        Driver({"nodes": [run("a"), run("b"), run("c")], "concurrency": {"maxNodes": 1}})
        .create()
        .started("a")
    )

    held = [entry for entry in shown(driver)["waitingFor"] if entry["kind"] == "maxNodes"]

    assert [(entry["node"], entry["since"]) for entry in held] == [
        (name, format_time(START)) for name in "bc"
    ]
    assert "as concurrency.maxNodes allows (1)" in held[0]["message"]
    assert metrics(driver.state, driver.now).queue_depth == 2


def test_a_path_that_waits_at_a_join_names_the_join():
    """An active path with nothing at work is Waiting, at the node whose join it has arrived at."""
    nodes = [run("a"), run("b"), run("c", after=["a", "b"])]
    driver = Driver({"nodes": nodes}).create().end("a")

    first = shown(driver)["paths"][0]

    assert (first["id"], first["status"], first["node"]) == ("0", "Waiting", "c")


def test_at_most_fifty_paths_are_shown_active_ones_first():
    """Of many paths the active ones come first, and no more than fifty in all."""
    nodes = [run(f"n{number}") for number in range(80)]
    driver = Driver({"nodes": nodes, "failFast": False}).create()
    for number in range(40):
        driver.end(f"n{number}")

    paths = shown(driver)["paths"]

    assert [path["status"] for path in paths] == ["Running"] * 40 + ["Completed"] * 10
    assert paths[40]["id"] == "39"


def test_large_values_are_shown_by_digest_and_size():
    """Values over 4 KiB, and those beyond 32 KiB in all, are replaced by {digest, size}; outputs come before variables."""
    spec = spec_of(
        nodes=[{"name": "a", "set": {"x": 1}}],
        variables={"big": "x" * 5000, **{f"v{number:02}": "y" * 4000 for number in range(9)}},
        outputs={"kept": "z" * 4000},
    )

    found = shown(Driver(spec).create())

    assert found["outputs"] == {"kept": "z" * 4000}
    assert found["variables"]["big"].keys() == {"digest", "size"}
    assert found["variables"]["big"]["size"] == 5002
    shortened = [name for name, value in found["variables"].items() if isinstance(value, dict)]
    assert shortened == ["big", "v07", "v08"]
    assert len(json.dumps([found["variables"], found["outputs"]])) < ALL_SHOWN + 1024


def test_finish_gives_the_result():
    """`result` is that of the finish node, and absent without one."""
    driver = Driver(
        {"nodes": [{"name": "f", "finish": {"result": "blocked", "reason": "not today"}}]}
    ).create()

    found = shown(driver)

    assert found["phase"] == "Succeeded"
    assert found["result"] == "blocked"
    assert found["conditions"][0]["message"] == "the run succeeded with result blocked: not today"


def test_seconds_left_follow_from_the_mean_of_what_ended():
    """Two of four nodes took 10 s each, the third has run for 4 s: 16 s are left; before anything ended nothing is said."""
    nodes = [run("a"), *(run(name, after=[before]) for before, name in ("ab", "bc", "cd"))]
    driver = Driver({"nodes": nodes}).create().started("a")
    assert "secondsLeft" not in shown(driver)["progress"]
    for name in "ab":
        driver.now += 10 * SECOND
        driver.end(name).started("b" if name == "a" else "c")
    driver.now += 4 * SECOND

    found = shown(driver)["progress"]

    assert found["secondsLeft"] == 16
    assert found["percent"] == 50


def test_metrics_of_a_run():
    """Total time ends with the run; the mean is over nodes that ran."""
    driver = Driver({"nodes": [run("a"), run("b", after=["a"])]}).create().started("a")
    driver.now += 10 * SECOND
    driver.end("a").started("b")
    driver.now += 20 * SECOND
    driver.end("b")

    assert metrics(driver.state, driver.now + 99 * SECOND) == Metrics(30 * SECOND, 15 * SECOND, 0)


def test_a_run_that_never_started_has_a_status():
    """A run whose variables cannot be evaluated fails before it starts, and says why."""
    driver = Driver({"nodes": [run("a")], "variables": {"x": "${inputs.no.way}"}}).create()

    found = shown(driver)

    assert found["phase"] == "Failed"
    assert found["error"]["reason"] == "ExpressionError"
    assert found["progress"]["percent"] == 100
    assert "startedAt" not in found
