"""`suspend`, `resume`, `cancel`, `redrive` and `delete` in a cluster: patches of the spec that the API server judges."""

from __future__ import annotations

import json

import pytest
from tests.support.cli import sh

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]
TAKEN_UP = "the operator takes it up"


def spec_of(cluster, namespace, name):
    return json.loads(cluster.kubectl("get", "wfe", name, "-n", namespace, "-o", "json"))["spec"]


def test_wishes_are_patches_of_the_spec(cli, runs, cluster):
    """Each sets its own fields and leaves what others have set."""
    uid = runs.created("w", {"workflow": {"name": "flow"}, "inputs": {"n": 1}})
    runs.publish(uid, {"phase": "Running"})

    assert cli.ok("suspend", "w", "--timeout", "90m") == f"w: suspend asked for; {TAKEN_UP}\n"
    assert spec_of(cluster, runs.namespace, "w") == {
        "workflow": {"name": "flow"},
        "inputs": {"n": 1},
        "suspend": True,
        "suspendTimeout": "1h30m",
    }
    cli.ok("resume", "w")
    assert spec_of(cluster, runs.namespace, "w")["suspend"] is False
    assert "suspendTimeout" not in spec_of(cluster, runs.namespace, "w")
    cli.ok("cancel", "w", "--force")
    cli.ok("cancel", "w", "--reason", "wrong order")
    assert spec_of(cluster, runs.namespace, "w")["cancel"] == {"reason": "wrong order", "force": True}


def test_wishes_that_mean_nothing_are_refused_as_in_the_store(cli, runs):
    """By the phase; exit code 2 and the same sentence."""
    runs.ran(cli, "ended", {"nodes": [{"name": "a", "set": {"x": 1}}]})

    for command in ("suspend", "resume", "cancel", "redrive"):
        here, there = cli(command, "ended", "--local"), cli(command, "ended")
        assert (there.returncode, there.stderr) == (here.returncode, here.stderr) == (2, here.stderr)


def test_a_redrive_is_one_more_than_was_ever_asked_for(cli, runs, cluster):
    """Also after a sync has taken the number out of the spec: the log remembers it."""
    runs.ran(cli, "again", {"nodes": [sh("a", "exit 1")]})
    cli.ok("redrive", "again")
    assert spec_of(cluster, runs.namespace, "again")["redrive"] == 1
    cli.ok("redrive", "again")
    assert spec_of(cluster, runs.namespace, "again")["redrive"] == 2

    cli("redrive", "again", "--local")
    cli("run", "--resume", "again")
    runs.follow(cli, "again")
    patch = '[{"op": "remove", "path": "/spec/redrive"}]'
    cluster.kubectl("patch", "wfe", "again", "-n", runs.namespace, "--type=json", "-p", patch)
    cli.ok("redrive", "again")
    assert spec_of(cluster, runs.namespace, "again")["redrive"] == 2


def test_an_execution_that_has_ended_is_deleted(cli, runs):
    """One that runs is not; one that is held by a finalizer says that it is on its way."""
    uid = runs.created("d")
    runs.publish(uid, {"phase": "Running"})
    refused = cli("delete", "d")
    assert refused.returncode == 2
    assert "execution d is Running; expected one that has ended, cancel it first" in refused.stderr
    runs.publish(uid, {"phase": "Succeeded"})
    assert cli.ok("delete", "d") == "d is deleted\n"
    assert cli("get", "d").returncode == 2

    held = runs.created("h", finalizers=["fairlead.dev/execution"])
    runs.publish(held, {"phase": "Failed"})
    assert cli.ok("delete", "h") == "h is being deleted: the operator lets go of it first\n"
    assert "let go of by the operator soon" in cli.ok("get", "h")


def test_who_has_no_right_is_told_which(cli, runs, cluster):
    """The verb and the resource that the role lacks; exit code 5, one sentence, nothing changed."""
    uid = runs.ran(cli, "mine", {"nodes": [sh("a", "exit 1")]})
    rules = [{"apiGroups": ["fairlead.dev"], "resources": ["workflowexecutions"], "verbs": ["get", "list"]}]
    runs.only_with(cli, cluster, rules)

    for words, lacks in (
        (["get", "mine"], 'cannot get resource "configmaps"'),
        (["redrive", "mine"], 'cannot get resource "configmaps"'),
        (["delete", "mine"], 'cannot delete resource "workflowexecutions"'),
        (["submit", cli.workflow(sh("a"))], 'cannot get resource "workflows"'),
    ):
        done = cli(*words)
        assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (5, 1, ""), done.stderr
        assert lacks in done.stderr
    assert uid in cli.ok("list", "-o", "wide")
