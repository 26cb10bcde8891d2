"""`list`, `get`, `events`, `graph`, `replay` and `watch` of executions in a cluster: as of those in the local store."""

from __future__ import annotations

import json
import re
import threading

import msgspec
import pytest
from tests.support.cli import LONGEST, sh
from tests.support.driver import Driver
from tests.support.waiting import until

from fairlead.kube.client import CONFIG_MAPS
from fairlead.kube.log import head_name
from fairlead.kube.names import PARENT
from fairlead.model.children import Parent

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

BIG = "x" * 100_000
WORKFLOW = {
    "nodes": [
        {
            **sh("fetch", "echo got; cp $FAIRLEAD_INPUTS $FAIRLEAD_OUTPUTS"),
            "with": {"n": "${inputs.n}", "big": BIG},
        },
        {"name": "enough", "if": "nodes.fetch.outputs.n > 1", "after": ["fetch"]},
        sh(
            "use",
            "exit 3",
            after=["enough.true"],
            checkpoint=True,
            retry={"maxAttempts": 2, "backoff": "none"},
        ),
        sh("other", after=["enough.false"]),
    ],
    "outputs": {"n": "${nodes.fetch.outputs.n}"},
}
GATED = {"nodes": [sh("a"), sh("b", after=["a"])]}


def settled(text: str) -> str:
    """What a command printed, without what follows from when it was called and from which home."""
    text = (
        re.sub(r"\(\d+\w ago\)", "(AGO)", text)
        .replace("in the store", "THERE")
        .replace("in the cluster", "THERE")
    )
    return re.sub(r" +", " ", text)


def test_children_of_items_that_have_ended_are_counted(cli, runs):
    """`get` names the executions that nodes inside of a loop have started, also once nothing is left of the loop's bodies."""
    kid = {"name": "kid", "workflow": {"name": "nowhere"}, "onError": "continue"}
    uid = runs.ran(cli, "family", {"nodes": [{"name": "each", "forEach": {"items": [1], "nodes": [kid]}}]})
    started_by = Parent("family", uid, "each[0]/kid", root=uid, depth=1, wait=False)
    runs.created("family-kid", annotations={PARENT: msgspec.json.encode(started_by).decode()})

    shown = cli.ok("get", "family")

    assert re.search("^Children: +1 Pending; `fairlead list` names them$", shown, re.MULTILINE)


def test_both_homes_print_the_same(cli, runs):
    """One log in both: list, get, events, graph and replay differ in nothing but the age and what a home adds of its own."""
    uid = runs.ran(cli, "both", WORKFLOW, {"n": 3})

    for words in (
        ["get", "both"],
        ["events", "both"],
        ["events", "both", "-o", "json"],
        ["events", "both", "--follow", "--node", "use"],
        ["graph", "both"],
        ["graph", "both", "--format", "mermaid"],
        ["replay", "both"],
        ["watch", "both"],
    ):
        here, there = cli(*words, "--local"), cli(*words)
        assert (here.returncode, settled(here.stdout)) == (there.returncode, settled(there.stdout)), words
        assert there.stdout, words
    exported = cli.write("both.json", cli.ok("events", "both", "-o", "json"))
    assert settled(cli.ok("replay", exported)) == settled(cli.ok("replay", exported, "--local"))

    local, remote = cli.json("get", "both", "--local"), cli.json("get", "both")
    assert remote["metadata"]["uid"] == uid == local["metadata"]["uid"]
    for part in ("spec", "status", "metrics"):
        assert local[part] == remote[part], part

    header, row = cli.ok("list").splitlines()
    local_header, local_row = cli.ok("list", "--local").splitlines()
    assert header.split() == local_header.split()
    assert row.split()[:-1] == local_row.split()[:-1]
    assert [one["status"]["phase"] for one in cli.json("list")] == ["Failed"]


def test_a_run_that_has_not_begun_says_why(cli, runs):
    """It is shown from its status: list, get, graph and watch name the reason and the message of its condition."""
    uid = runs.created("early")
    assert cli.json("get", "early")["status"]["phase"] == "Pending"
    message = "there is no Workflow flow in this namespace; expected one"
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "WorkflowNotFound",
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    runs.publish(uid, {"phase": "Pending", "conditions": [condition]})

    assert f"Not begun:\n  WorkflowNotFound: {message}" in cli.ok("get", "early")
    assert f"WorkflowNotFound: {message}" in cli.ok("list", "-o", "wide")
    graph = cli("graph", "early")
    assert (graph.returncode, "has not begun, and has no graph yet: WorkflowNotFound" in graph.stderr) == (
        2,
        True,
    )
    watched = cli("watch", "early", "--timeout", "1s")
    assert (watched.returncode, watched.stderr) == (4, f"early has not begun: WorkflowNotFound: {message}\n")
    assert cli.ok("events", "early") == ""
    assert cli.ok("replay", "early").startswith("early: 0 events folded to Pending")


def test_lists_are_of_a_namespace_or_of_all(cli, runs, cluster):
    """-A has a column with the namespace; -n names one, before or behind the command, and hints repeat it."""
    runs.created("here")
    elsewhere = f"{runs.namespace}-b"
    cluster.kubectl("create", "namespace", elsewhere)

    assert [line.split()[0] for line in cli.ok("list").splitlines()] == ["NAME", "here"]
    assert cli("list", "-n", elsewhere).stderr.startswith(
        f"no executions: there are none in namespace {elsewhere} of "
    )
    assert cli("-n", elsewhere, "list").stderr.startswith(
        f"no executions: there are none in namespace {elsewhere} of "
    )
    assert cli.json("list", "-n", elsewhere) == []
    rows = [line.split() for line in cli.ok("list", "-A").splitlines()]
    assert rows[0][:2] == ["NAMESPACE", "NAME"]
    assert [runs.namespace, "here"] in [row[:2] for row in rows]
    unknown = cli("get", "there", "-n", elsewhere)
    assert (
        f"no execution is named there in namespace {elsewhere}; see `fairlead list -n {elsewhere}`"
        in unknown.stderr
    )
    cluster.kubectl("delete", "namespace", elsewhere, "--wait=false")


def test_a_log_is_followed_while_it_grows(cli, runs):
    """Events --follow and watch print what an operator appends until the run has ended, and watch exits as it did."""
    driver = Driver(GATED, name="live").create()
    uid = runs.created("live")
    runs.write(uid, driver.spec, driver.events)
    told = len(driver.events)
    done: dict[str, tuple[int, str]] = {}
    with (
        cli.started("events", "live", "--follow", "-o", "json") as events,
        cli.started("watch", "live") as watch,
    ):
        threads = [
            threading.Thread(
                target=lambda name=name, one=one: done.update({name: (one.wait(), one.stdout.read())})
            )
            for name, one in (("events", events), ("watch", watch))
        ]
        for thread in threads:
            thread.start()
        assert "Run by:" in cli.ok("get", "live")
        assert "the operator operator-0" in cli.ok("get", "live")
        for node in ("a", "b"):
            driver.started(node).end(node)
            runs.append(uid, driver.events[told:])
            told = len(driver.events)
        until(lambda: len(done) == 2, "the end of both", LONGEST)

    assert done["events"][0] == done["watch"][0] == 0
    printed = [json.loads(line) for line in done["events"][1].splitlines()]
    assert [one["seq"] for one in printed] == [event.seq for event in driver.events]
    assert "NodeCompleted b" in done["watch"][1]
    assert "live Succeeded" in done["watch"][1]


def test_a_list_believes_no_status_blindly(cli, runs):
    """What somebody wrote into a status that is none is passed over; the fold of the log is what get shows."""
    runs.ran(cli, "odd", GATED)
    uid = runs.created("strange")
    runs.publish(uid, {"phase": "Running", "progress": {"total": 3}})

    assert [line.split()[:5] for line in cli.ok("list").splitlines()][2] == [
        "strange",
        "flow",
        "Running",
        "-",
        "-",
    ]


def test_a_damaged_log_is_named(cli, runs, cluster):
    """A changed event, a head that is gone, a definition that is gone: exit code 5 and what is wrong, replay exits with 1."""
    uid = runs.ran(cli, "bad", GATED)
    head = head_name(runs.places.of(uid))
    data = json.loads(cluster.kubectl("get", "cm", head, "-n", runs.namespace, "-o", "json"))["data"]
    key = next(key for key in data if key.startswith("b"))

    patch = {"data": {key: data[key].replace('"node":"a"', '"node":"z"')}}
    cluster.kubectl("patch", "cm", head, "-n", runs.namespace, "--type=merge", "-p", json.dumps(patch))
    done = cli("get", "bad")
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1)
    assert "was changed" in done.stderr
    assert "`fairlead replay` shows more" in done.stderr
    replayed = cli("replay", "bad", "-o", "json")
    assert (replayed.returncode, json.loads(replayed.stdout)["same"]) == (1, False)

    cluster.kubectl("delete", "cm", head, "-n", runs.namespace)
    gone = cli("events", "bad")
    assert (gone.returncode, "somebody deleted it" in gone.stderr) == (5, True)

    driver = Driver(GATED, name="pinless").create()
    other = runs.created("pinless")
    runs.write(other, driver.spec, driver.events)
    selector = f"fairlead.dev/log=definition,fairlead.dev/execution-uid={other}"
    assert "deleted" in cluster.kubectl("delete", "cm", "-n", runs.namespace, "-l", selector)
    lost = cli("get", "pinless")
    assert (lost.returncode, "is not there: somebody deleted it" in lost.stderr) == (5, True)
    assert cli("events", "pinless").returncode == 0


def test_a_status_that_says_more_than_the_log_is_a_difference(cli, runs):
    """Replay compares phase, times and the last event with the status; one that is behind is not compared."""
    driver = Driver(GATED, name="ahead").create()
    uid = runs.created("ahead")
    runs.write(uid, driver.spec, driver.events)
    assert cli.ok("replay", "ahead").rstrip().endswith("the same as before: the hashes of the log")

    runs.publish(uid, {"phase": "Running", "log": {"sequence": 99}})

    done = cli("replay", "ahead")
    assert done.returncode == 1
    assert f"the last event is {len(driver.events)} by the log and 99 as recorded" in done.stdout


def test_large_records_are_asked_for_by_name_alone(cli, runs, cluster):
    """A person may read ConfigMaps one by one and executions: get needs no list of ConfigMaps."""
    runs.ran(cli, "modest", WORKFLOW, {"n": 1})
    rules = [
        {"apiGroups": ["fairlead.dev"], "resources": ["workflowexecutions"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": [CONFIG_MAPS.plural], "verbs": ["get"]},
    ]
    runs.only_with(cli, cluster, rules)

    assert cli.ok("get", "modest").startswith("Name:")
    assert cli.ok("replay", "modest")
    listed = cli("list")
    assert listed.returncode == 5
    assert 'cannot list resource "workflowexecutions"' in listed.stderr
    unknown = cli("get", "modesd")
    assert (unknown.returncode, "no execution is named modesd" in unknown.stderr) == (2, True)
    patched = cli("redrive", "modest")
    assert patched.returncode in (2, 5)


def test_get_says_what_the_operator_may_not_do(cli, runs):
    """Conditions that are there only while something is wrong: a right that lacks, a policy that is not in force."""
    uid = runs.ran(cli, "held", GATED)
    conditions = [
        {"type": "Permitted", "status": "False", "reason": "Forbidden", "message": "it lacks create pods"},
        {"type": "Protected", "status": "False", "reason": "PolicyMissing", "message": "records is off"},
    ]
    status = json.loads(cli.ok("get", "held", "-o", "json"))["status"]
    runs.publish(uid, {**status, "conditions": [*status["conditions"], *conditions]})

    said = settled(cli.ok("get", "held"))
    assert "Permitted: no, Forbidden: it lacks create pods" in said
    assert "Protected: no, PolicyMissing: records is off" in said
