"""Runs that come into a cluster from elsewhere, and the operator that goes on with them."""

from __future__ import annotations

import pytest
from tests.support.cli import Cli, manifest
from tests.support.operators import UNSEEN, Operator, execution_of, pod_node

from fairlead.kube import names

pytestmark = pytest.mark.cluster
LONG = pytest.mark.timeout(300, func_only=True)
"""For those that take a dozen commands, each a process."""


@pytest.fixture
def operator(cluster, site, tmp_path):
    """An operator on the test's namespace."""
    started = Operator(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    started.start()
    started.until_leading()
    yield started
    started.stop()


@LONG
def test_an_operator_goes_on_with_imported_runs(cluster, site, operator, tmp_path):
    """A suspended one when it is resumed, a failed one when it is redriven; what succeeded elsewhere is not done again."""
    cli = Cli(tmp_path)
    cli.env |= {"KUBECONFIG": str(cluster.kubeconfig)}
    held = {"nodes": [{"name": "one", "set": {"x": 1}}], "outputs": {"x": "${vars.x}"}}
    cli.write(
        "held.yaml",
        manifest("WorkflowExecution", "held", {"workflow": {"name": "held"}, "suspend": True}),
        manifest("Workflow", "held", held),
    )
    nodes = [{"name": "one", "set": {"x": 1}}, pod_node("two", "one", outputs={"y": 2}, run={"sh": "exit 1"})]
    failing = cli.workflow(*nodes, outputs={"sum": "${vars.x + int(nodes.two.outputs.y)}"})
    assert 4 == cli("run", "held.yaml", "--no-wait", "--store", "s.db").returncode
    assert 1 == cli("run", failing, "failed", "--store", "s.db").returncode

    for name in ("held", "failed"):
        cli.ok("export", name, "--store", "s.db")
        cli.ok("import", f"{name}.fairlead.gz", "-n", site.namespace)
    site.until("held", lambda status: status["phase"] == "Suspended", "it is held")
    site.patch("held", {"suspend": False})
    site.patch("failed", {"redrive": 1})

    assert {"x": 1} == site.ended("held", "Succeeded")["outputs"]
    done = site.until("failed", lambda status: status["phase"] == "Succeeded", "it has succeeded")
    assert {"sum": 3} == done["outputs"]
    events = site.log("failed")
    assert [1] == [one["seq"] for one in events if one["type"] == "ExecutionCreated"]
    assert 1 == sum(one["type"] == "NodeCompleted" and one["node"] == "one" for one in events)


@LONG
def test_what_is_being_imported_is_left_alone(site, operator):
    """No status, no log, no finalizer, while another one beside it runs to its end; let go, it begins."""
    site.workflow("flow", [{"name": "one", "set": {"x": 1}}])
    body = execution_of("held", "flow")
    body["metadata"]["annotations"] = {names.IMPORTING: "somebody"}
    site.apply(body)
    site.execution("free", "flow")
    site.ended("free", "Succeeded")

    there = site.object("wfe", "held")
    assert (UNSEEN, []) == (there["status"], there["metadata"].get("finalizers", []))

    site.kubectl("annotate", "wfe", "held", f"{names.IMPORTING}-")
    site.ended("held", "Succeeded")


@LONG
def test_what_an_import_has_left_half_way_is_left_alone(cluster, site, tmp_path):
    """Its log is there already, and who imported it has died: an operator that comes up finds the head, and does not touch it."""
    cli = Cli(tmp_path)
    cli.env |= {"KUBECONFIG": str(cluster.kubeconfig)}
    nodes = [{"name": "one", "set": {"x": 1}}]
    cli.write(
        "held.yaml",
        manifest("WorkflowExecution", "held", {"workflow": {"name": "held"}, "suspend": True}),
        manifest("Workflow", "held", {"nodes": nodes}),
    )
    assert 4 == cli("run", "held.yaml", "--no-wait", "--store", "s.db").returncode
    cli.ok("export", "held", "--store", "s.db")
    operator = Operator(cluster.kubeconfig, site.namespace, tmp_path / "operator.log")
    operator.start()  # its Lease says who leads here: others lead elsewhere in the cluster
    operator.until_leading()
    operator.stop()
    cli.ok("import", "held.fairlead.gz", "-n", site.namespace)
    site.kubectl("annotate", "wfe", "held", f"{names.IMPORTING}=somebody")
    site.patch("held", {"suspend": False})
    uid = site.object("wfe", "held")["metadata"]["uid"]
    before = site.objects("configmaps", f"{names.EXECUTION_UID}={uid},{names.LOG}=head")[0]
    operator.start()
    try:
        operator.until_leading_again()
        site.workflow("flow", nodes)
        site.execution("free", "flow")
        site.ended("free", "Succeeded")

        assert before == site.objects("configmaps", f"{names.EXECUTION_UID}={uid},{names.LOG}=head")[0]
        assert [] == site.object("wfe", "held")["metadata"].get("finalizers", [])
        site.kubectl("annotate", "wfe", "held", f"{names.IMPORTING}-")
        site.ended("held", "Succeeded")
    finally:
        operator.stop()


@LONG
def test_a_tombstone_is_left_alone(site, operator):
    """Whatever is wished for: its log is gone, and nothing begins anew."""
    site.workflow("flow", [{"name": "one", "set": {"x": 1}}])
    site.execution("old", "flow")
    site.ended("old", "Succeeded")
    at = "2026-01-01T00:00:00Z"
    site.kubectl(
        "patch",
        "wfe",
        "old",
        "--subresource=status",
        "--type=merge",
        "-p",
        f'{{"status": {{"log": {{"retiredAt": "{at}"}}}}}}',
    )
    uid = site.object("wfe", "old")["metadata"]["uid"]
    site.kubectl("delete", "configmap", "-l", f"{names.EXECUTION_UID}={uid}")

    site.patch("old", {"redrive": 1})
    site.execution("next", "flow")
    site.ended("next", "Succeeded")

    assert ("Succeeded", at) == (site.status("old")["phase"], site.status("old")["log"]["retiredAt"])
    assert [] == site.objects("configmaps", f"{names.EXECUTION_UID}={uid}")
