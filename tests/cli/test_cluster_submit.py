"""`submit`: a file becomes an execution in a cluster, or nothing does; and `kubectl fairlead`."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
from tests.cluster import binaries
from tests.support.cli import LONGEST, manifest, sh
from tests.support.driver import Driver
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]
INPUTS = {
    "type": "object",
    "required": ["count"],
    "properties": {"count": {"type": "integer"}, "tag": {"type": "string"}},
    "additionalProperties": False,
}


def test_a_workflow_of_a_file_is_submitted_once_the_cluster_has_it(cli, runs, cluster):
    """Not there, another of that name: refused with what to do; --apply puts it there; then its name alone is enough."""
    file = cli.workflow(sh("a"), inputs=INPUTS)
    lacking = f"namespace {runs.namespace} does not have what {file} says: Workflow flow is not there"

    refused = cli("submit", file, "-i", "count=1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert lacking in refused.stderr
    assert f"`kubectl apply -f {file}` or --apply puts it there, and nothing was created" in refused.stderr

    applied = cli("submit", file, "--apply", "-i", "count=1", "-i", "tag=1.10")
    assert applied.returncode == 0, applied.stderr
    assert re.fullmatch(r"flow-[a-z]{5}\n", applied.stdout)
    assert applied.stderr.splitlines()[0] == f"applied in namespace {runs.namespace}: Workflow flow"
    created = cli.json("get", applied.stdout.strip())
    assert created["spec"] == {"workflow": {"name": "flow"}, "inputs": {"count": 1, "tag": "1.10"}}
    assert created["status"]["phase"] == "Pending"

    cluster.kubectl("apply", "-n", runs.namespace, "-f", str(file))
    assert cli.json("submit", file, "named", "-i", "count=2")["metadata"]["name"] == "named"
    taken = cli("submit", file, "named", "-i", "count=2")
    assert (taken.returncode, "an execution named named exists already in namespace" in taken.stderr) == (
        2,
        True,
    )

    other = cli.workflow(sh("a", "echo other"), inputs=INPUTS, file="other.yaml")
    differs = 'Workflow flow is another there: spec.nodes[0].run.sh is "true"; in the file "echo other"'
    assert differs in cli("submit", other, "-i", "count=3").stderr
    cli.ok("submit", other, "--apply", "-i", "count=3")
    there = json.loads(cluster.kubectl("get", "workflow", "flow", "-n", runs.namespace, "-o", "json"))
    assert there["spec"]["nodes"] == [sh("a", "echo other")]
    assert len(cli.json("list")) == 3


def test_an_execution_of_a_file_is_submitted(cli, runs, cluster):
    """With its own name, inputs and wishes; what it names is looked for in the namespace, which the file may say."""
    execution = manifest(
        "WorkflowExecution", "mine", {"workflow": {"name": "flow"}, "inputs": {"count": 1}, "suspend": True}
    )
    file = cli.write("execution.yaml", execution)
    missing = cli("submit", file)
    assert missing.returncode == 2
    assert "there is no Workflow 'flow'" in missing.stderr

    cluster.kubectl("apply", "-n", runs.namespace, "-f", str(cli.workflow(sh("a"), inputs=INPUTS)))
    assert cli.ok("submit", file, "-i", "count=7") == "mine\n"
    assert cli.json("get", "mine")["spec"] == {
        "workflow": {"name": "flow"},
        "inputs": {"count": 7},
        "suspend": True,
    }

    elsewhere = {**execution, "metadata": {"generateName": "gen-", "namespace": runs.namespace}}
    there = cli.write("elsewhere.yaml", elsewhere)
    assert re.fullmatch(r"gen-[a-z]{5}\n", cli.ok("submit", there))
    other = cli("submit", there, "-n", "default")
    assert (other.returncode, other.stdout) == (2, "")
    assert f"the manifest is for namespace {runs.namespace}, and -n says default" in other.stderr

    inline = manifest("WorkflowExecution", "own", {"definition": {"nodes": [sh("a")]}})
    assert cli.ok("submit", cli.write("own.yaml", inline)) == "own\n"
    assert cli.ok("list").splitlines()[-1].split()[:3] == ["own", "-", "Pending"]


@pytest.mark.parametrize(
    "words, expected",
    [
        (["-i", "count=many"], "inputs.count: "),
        (["-i", "count=1", "-i", "m=2"], "m"),
        ([], "count"),
        (["-i", "count=1", "Not A Name"], "'Not A Name' cannot name an execution"),
        (["-i", "count=1", "--timeout", "1s"], "expected --wait or --watch with it"),
        (["-i", "count=1", "--wait", "--timeout", "soon"], "'soon' is no duration"),
    ],
)
def test_nothing_is_created_of_wrong_input(cli, runs, cluster, words, expected):
    """Exit code 2, what was expected, and no object."""
    file = cli.workflow(sh("a"), inputs=INPUTS)
    cluster.kubectl("apply", "-n", runs.namespace, "-f", str(file))

    done = cli("submit", file, *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert cli.json("list") == []


def test_what_the_api_server_refuses_is_one_sentence(cli, runs):
    """A namespace that is not there, and a rule of the CRD that only the server knows to be broken: exit code 2."""
    file = cli.workflow(sh("a"))
    nowhere = cli("submit", file, "--apply", "-n", "no-such-namespace")
    assert (nowhere.returncode, len(nowhere.stderr.splitlines())) == (2, 1)
    assert 'namespaces "no-such-namespace" not found' in nowhere.stderr

    execution = manifest("WorkflowExecution", "x" * 254, {"definition": {"nodes": [sh("a")]}})
    long = cli("submit", cli.write("long.yaml", execution))
    assert (long.returncode, long.stdout) == (2, "")


def test_submit_stays_until_the_end_and_exits_as_the_run_did(cli, runs):
    """--wait and --watch: 0, 1, and 4 when the time is over; -o json prints the status."""
    file = cli.workflow(sh("a"))

    def at_work(name, *words):
        with cli.started("submit", file, name, "--apply", *words) as process:
            until(lambda: cli("get", name).returncode == 0, "the execution", LONGEST)
            uid = cli.json("get", name)["metadata"]["uid"]
            runs.know(uid, name)
            driver = Driver({"nodes": [sh("a")]}, name=name).create()
            driver.started("a")
            (driver.end("a") if name.startswith("good") else driver.fail("a"))
            runs.write(uid, driver.spec, driver.events)
            out, _ = process.communicate()
        return process.returncode, out

    code, out = at_work("good", "--wait", "-o", "json")
    assert (code, json.loads(out)["phase"]) == (0, "Succeeded")
    code, out = at_work("good-2", "--watch")
    assert (code, "NodeCompleted a" in out, "good-2 Succeeded" in out) == (0, True, True)
    code, out = at_work("bad", "--wait")
    assert (code, "bad Failed" in out) == (1, True)
    late = cli("submit", file, "late", "--wait", "--timeout", "1s")
    assert (late.returncode, late.stdout.splitlines()[0]) == (4, "late Pending")
    assert "Unseen: no operator has looked at it yet" in late.stdout


def test_submit_needs_a_cluster(cli):
    """Without a kube context it names the way there, and the command that needs none."""
    done = cli("submit", cli.workflow(sh("a")))

    assert done.returncode == 2
    assert "no kube context is set" in done.stderr
    assert "`fairlead run " in done.stderr


def test_kubectl_finds_us_and_passes_its_words_on(cli, runs):
    """`kubectl fairlead` is the same program: its options may stand where kubectl users put them."""
    kubectl = binaries.programs("kubectl")["kubectl"]
    runs.created("seen")

    def said(*words):
        done = subprocess.run(
            [str(kubectl), *words],
            cwd=cli.folder,
            env={**cli.env, "PATH": f"{kubectl.parent}{os.pathsep}{cli.env['PATH']}"},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    assert [line.split()[0] for line in said("fairlead", "list")[1].splitlines()] == ["NAME", "seen"]
    for words in (["fairlead", "-n", "default", "get", "seen"], ["fairlead", "get", "seen", "-n", "default"]):
        assert said(*words)[0] == 2
        assert "in namespace default" in said(*words)[1]
    assert "Usage: kubectl fairlead get" in said("fairlead", "get", "--help")[1]
