"""Retention on a laptop: what has ended long enough ago goes when a later run starts, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Cli, manifest, sh
from tests.support.waiting import until

pytestmark = [pytest.mark.local, pytest.mark.timeout(240)]
"""Some of these take a dozen commands, each a process."""

AT_ONCE = {"succeeded": "0", "failed": "0", "cancelled": "0"}


def flow(cli: Cli, script: str = "echo hello", file: str = "flow.yaml", **retention: str) -> Path:
    spec: dict[str, Any] = {"retention": retention} if retention else {}
    return cli.workflow(sh("a", script), file=file, **spec)


def names(cli: Cli) -> list[str]:
    return [one["metadata"]["name"] for one in cli.json("list")]


def test_what_is_due_goes_with_the_next_run(cli):
    """Log and files too, and it is told on stderr; what keeps its usual week stays."""
    cli.ok("run", flow(cli), "usual")
    cli.ok("run", flow(cli, file="short.yaml", **AT_ONCE), "short")
    assert {"usual", "short"} == set(names(cli))
    files = len([path for path in cli.folder.rglob("*.log") if path.is_file()])

    done = cli("run", flow(cli), "next", "-o", "json")

    assert 0 == done.returncode
    assert "removed 1 execution that ended longer ago than their retention says" in done.stderr
    assert {"usual", "next"} == set(names(cli))
    assert 2 == cli("events", "short").returncode
    assert files == len([path for path in cli.folder.rglob("*.log") if path.is_file()])


def test_the_outcome_decides(cli):
    """A failed run is kept here although a succeeded one is not."""
    cli.ok("run", flow(cli, succeeded="0"), "good")
    assert 1 == cli("run", flow(cli, "exit 1", file="bad.yaml", succeeded="0"), "bad").returncode

    cli.ok("run", flow(cli, file="other.yaml"), "other")

    assert {"bad", "other"} == set(names(cli))


def test_the_run_that_is_named_stays(cli):
    """Whether it is to go on, or its name is wanted again."""
    file = flow(cli, **AT_ONCE)
    cli.ok("run", file, "mine")

    assert "mine Succeeded" in cli.ok("run", "--resume", "mine")
    taken = cli("run", file, "mine")

    assert 2 == taken.returncode
    assert "exists already" in taken.stderr
    assert ["mine"] == names(cli)


def test_a_tree_goes_from_its_root(cli):
    """A child that was waited for is kept as long as its parent, whatever its own definition says; then both go."""
    documents = [
        manifest(
            "Workflow",
            "flow",
            {"nodes": [{"name": "go", "workflow": {"name": "other"}}, sh("fails", "exit 1")]},
        ),
        manifest("Workflow", "other", {"nodes": [sh("a")], "retention": AT_ONCE}),
    ]
    file = cli.write("tree.yaml", *documents)
    assert 1 == cli("run", file, "tree").returncode
    cli.ok("run", flow(cli), "one")
    assert 3 == len(names(cli))

    documents[0]["spec"]["retention"] = AT_ONCE
    assert 1 == cli("run", cli.write("tree.yaml", *documents), "brief").returncode
    assert 5 == len(names(cli))
    cli.ok("run", flow(cli), "two")

    assert {"tree", "one", "two"} < set(names(cli))
    assert 4 == len(names(cli))


def test_what_has_not_ended_stays(cli):
    """A run that is suspended, or at work in another process."""
    file = flow(cli, **AT_ONCE)
    waiting = cli.write(
        "waiting.yaml",
        manifest(
            "Workflow", "waits", {"nodes": [{"name": "w", "wait": {"for": "1h"}}], "retention": AT_ONCE}
        ),
    )
    assert 4 == cli("run", waiting, "stopped", "--no-wait").returncode
    with cli.started("run", waiting, "live"):
        until(lambda: cli.phase("live") == "Running", "it runs")
        cli.ok("run", file, "done")
        cli.ok("run", file, "again")

        assert {"stopped", "live", "again"} == set(names(cli))


def test_a_definition_that_was_tampered_with_keeps_its_runs(cli):
    """Nothing is removed by a rule that cannot be trusted."""
    import sqlite3

    cli.ok("run", flow(cli, **AT_ONCE), "kept")
    with sqlite3.connect(cli.store) as connection:
        connection.execute("UPDATE definitions SET spec = replace(spec, 'hello', 'world')")
    connection.close()

    cli.ok("run", flow(cli, "echo other", file="other.yaml"), "other")

    assert {"kept", "other"} == set(names(cli))
