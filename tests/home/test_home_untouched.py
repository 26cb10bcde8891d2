"""What belongs to a person is not written on: a Workflow has its status from us, and nothing else."""

from __future__ import annotations

import json

import pytest
from tests.support.operators import API, Site
from tests.support.waiting import until

LARGE = 300_000
"""Bytes: more than all annotations of an object may have together."""


@pytest.mark.timeout(120, func_only=True)
def test_a_large_workflow_is_left_as_it_was(served: Site):
    """It is judged and runs; it has no annotation, no finalizer, no label, and its execution no annotation."""
    parts = [{"name": f"n{number}", "set": {"v": "x" * (LARGE // 10)}} for number in range(10)]
    spec = {"nodes": parts, "variables": {"v": ""}}
    body = {"apiVersion": API, "kind": "Workflow", "metadata": {"name": "large"}, "spec": spec}
    served.kubectl("create", "-f", "-", text=json.dumps(body))
    execution = {"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": "large-1"}}
    run = {**execution, "spec": {"workflow": {"name": "large"}}}
    served.kubectl("create", "-f", "-", text=json.dumps(run))
    served.ended("large-1", "Succeeded")

    until(
        lambda: served.object("workflow", "large")["status"]["conditions"][0]["reason"] == "Valid",
        "it is judged",
    )
    workflow, ended = served.object("workflow", "large"), served.object("wfe", "large-1")
    assert not {"annotations", "finalizers", "labels"} & workflow["metadata"].keys()
    assert "annotations" not in ended["metadata"]
