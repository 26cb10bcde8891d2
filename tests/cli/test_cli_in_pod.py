"""Commands in a pod: without a kubeconfig they act as its service account, as kubectl does."""

from __future__ import annotations

import pytest
from tests.support.cli import Cli

from fairlead.kube.client.credentials import in_pod

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}


@pytest.mark.parametrize(
    ("path", "context", "environment", "inside"),
    [
        (None, None, POD, True),
        (None, None, {}, False),
        ("config", None, POD, False),
        (None, "other", POD, False),
        (None, None, {**POD, "KUBECONFIG": "config"}, False),
        (None, None, {**POD, "KUBECONFIG": ""}, True),
    ],
)
def test_whose_credentials_are_meant(path, context, environment, inside, tmp_path):
    """Those of the pod, unless a kubeconfig or one of its contexts is named."""
    assert in_pod(path, context, {"HOME": str(tmp_path), **environment}) is inside


def test_the_usual_kubeconfig_comes_first(tmp_path):
    """Who works in a pod with a kubeconfig of their own means that."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("{}", encoding="utf-8")
    assert not in_pod(None, None, {**POD, "HOME": str(tmp_path)})


def test_a_command_asks_for_the_account_of_its_pod(tmp_path):
    """`fairlead release`, which the chart runs as a Job: where there is none it says that, and nothing of a kubeconfig."""
    cli = Cli(tmp_path)
    del cli.env["KUBECONFIG"]
    done = cli("release", "--all", "-n", "shop", HOME=str(tmp_path), **POD)
    assert done.returncode != 0
    assert "no service account" in done.stderr
    assert "kubeconfig" not in done.stderr
