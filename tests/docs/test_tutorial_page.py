"""docs/tutorial.md from its first line to its last: the cluster and the operator that it starts, the files, the commands."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.cluster.processes import free_ports
from tests.docs.doc_pages import DOCS, ROOT, Page, agrees
from tests.support.cli import Cli
from tests.support.operators import LEADING
from tests.support.waiting import until

PAGE = Page(DOCS / "tutorial.md")
FIRST, SECOND = re.findall(r"^```sh\n(.*?)\n```", PAGE.text, re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]


@contextmanager
def terminal(cli: Cli, command: list[str], log: Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has a terminal of its own, until Ctrl-C."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=cli.env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_tutorial_works(tmp_path: Path):
    """Each command ends as the page says and prints what stands there; nothing is left of it in the end."""
    cli = Cli(tmp_path)
    try:
        kubectl = binaries.programs("kubectl")["kubectl"]
    except binaries.NotBuilt as reason:
        pytest.skip(str(reason))
    cli.env["PATH"] = f"{kubectl.parent}{os.pathsep}{cli.env['PATH']}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert FIRST == "make cluster"
    assert "@$(BIN)/python -m tests.cluster $(ARGS)" in makefile
    cluster_log, operator_log = tmp_path / "cluster.log", tmp_path / "operator.log"
    with terminal(cli, [sys.executable, "-u", "-m", "tests.cluster"], cluster_log, ROOT) as cluster:

        def kubeconfig() -> str:
            found = re.search(r"export KUBECONFIG=(\S+)", cluster_log.read_text(encoding="utf-8"))
            assert found or cluster.poll() is None, cluster_log.read_text(encoding="utf-8")
            return found[1] if found else ""

        cli.env["KUBECONFIG"] = until(kubeconfig, "make cluster says where the cluster is", 1800.0)
        [port] = free_ports(1)
        words = shlex.split(SECOND.replace("8080", str(port)))
        with terminal(cli, words, operator_log, tmp_path):
            until(lambda: LEADING in operator_log.read_text(encoding="utf-8"), "the operator leads", 90.0)
            for command, code, output in PAGE.run(cli):
                assert (command.code, True) == (code, agrees(command.output, output)), (
                    f"$ {command.line}\n{output}"
                )
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
                said = set(reply.read().decode().splitlines())
            [shown] = re.findall(r"^```text\n(.*?)^```", PAGE.text, re.MULTILINE | re.DOTALL)
            assert set(shown.splitlines()) <= said
    assert not Path(cli.env["KUBECONFIG"]).exists()
