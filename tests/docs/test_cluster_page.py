"""The page of docs/ that needs a cluster: its commands are typed where one is, with an operator at work."""

from __future__ import annotations

import os

import pytest
import yaml
from tests.cluster import binaries
from tests.docs.doc_pages import DOCS, OF_A_CLUSTER, Page, agrees
from tests.support.cli import Cli
from tests.support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]


@pytest.mark.parametrize("name", sorted(OF_A_CLUSTER))
def test_a_page_of_a_cluster_works(name, cluster, namespace, tmp_path):
    """Its manifests are saved, its commands typed in order: each ends as the page says and prints what stands there."""
    page, cli = Page(DOCS / name), Cli(tmp_path)
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    kubectl = binaries.programs("kubectl")["kubectl"]
    cli.env["KUBECONFIG"] = str(cli.write("kubeconfig.yaml", config))
    cli.env["PATH"] = f"{kubectl.parent}{os.pathsep}{cli.env['PATH']}"
    lease = ["get", "lease", "fairlead", "-n", namespace, "--ignore-not-found", "-o", "name"]
    with cli.started("operator", "--runner-image", "runner"):
        until(lambda: cluster.kubectl(*lease), "the operator's Lease")
        for command, code, output in page.run(cli):
            assert (command.code, True) == (code, agrees(command.output, output)), (
                f"$ {command.line}\n{output}"
            )
