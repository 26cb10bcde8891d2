"""The examples run: for real where they have real steps, by their cases where they have cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.local


def fairlead(*arguments: str | Path, cwd: Path, store: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "FAIRLEAD_STORE": str(store),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        [BIN / "fairlead", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


def test_all_examples_are_valid(tmp_path):
    """Validation finds nothing to say about them."""
    done = fairlead("validate", EXAMPLES, "-o", "json", cwd=tmp_path, store=tmp_path / "s.db")

    assert (0, []) == (done.returncode, json.loads(done.stdout))


def test_hello_runs(tmp_path):
    """Outputs as its text promises."""
    done = fairlead(
        "run", EXAMPLES / "hello.yaml", "-i", "name=Ada", "-o", "json", cwd=tmp_path, store=tmp_path / "s.db"
    )

    assert {"greeting": "Hello, Ada!"} == json.loads(done.stdout)["outputs"]


def test_the_cached_lookup_is_made_once(tmp_path):
    """The second run takes the result of the first, and the fields that follow from it are the same."""
    runs = [
        fairlead(
            "run", EXAMPLES / "cached-lookup.yaml", name, "-i", "customer=c-17", "-i", "amount=250", "-o", "json",
            cwd=tmp_path, store=tmp_path / "s.db",
        )
        for name in ("one", "two")
    ]  # fmt: skip
    events = fairlead("events", "two", cwd=tmp_path, store=tmp_path / "s.db").stdout

    assert [{"total": 225.0, "due": "in 30 days"}] * 2 == [
        json.loads(done.stdout)["outputs"] for done in runs
    ]
    assert "NodeCompleted customer from the cache, filled by one at 20" in events
    assert "NodeStarted" not in events


def test_order_runs_and_its_cases_pass(tmp_path):
    """For real, and in virtual time."""
    inputs = tmp_path / "inputs.json"
    inputs.write_text('{"items": [{"sku": "a", "qty": 2, "price": 700}]}', encoding="utf-8")
    store = tmp_path / "s.db"
    done = fairlead(
        "run", EXAMPLES / "order.yaml", "--inputs", inputs, "-o", "json", cwd=tmp_path, store=store
    )
    cases = fairlead(
        "test", EXAMPLES / "order.yaml", EXAMPLES / "order-cases.yaml", cwd=tmp_path, store=store
    )

    assert 1400.0 == json.loads(done.stdout)["outputs"]["total"]
    assert 0 == cases.returncode, cases.stdout


def test_parcels_run_as_executions_of_their_own_and_their_cases_pass(tmp_path):
    """For real, with a bill that nobody waits for; and in virtual time, given by their nodes or as a whole."""
    store, items = tmp_path / "s.db", '[{"sku": "rope", "qty": 2}, {"sku": "cleat", "qty": 30}]'
    file = EXAMPLES / "parcels.yaml"
    done = fairlead("run", file, "-i", f"items={items}", "-o", "json", cwd=tmp_path, store=store)
    listed = fairlead("list", "-o", "json", cwd=tmp_path, store=store)
    cases = fairlead("test", file, EXAMPLES / "parcels-cases.yaml", cwd=tmp_path, store=store)

    assert {"labels": ["ROPE-002", "CLEAT-030"]} == json.loads(done.stdout)["outputs"]
    assert ["Succeeded"] * 4 == [each["status"]["phase"] for each in json.loads(listed.stdout)]
    assert 0 == cases.returncode, cases.stdout


@pytest.mark.timeout(120)
def test_the_release_check_runs_on_a_clone_of_this_repository(tmp_path):
    """The main job on real input: history, manifests, wheel, report; and it leaves nothing else behind."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
    before = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=clone, capture_output=True, text=True, check=True
    )

    done = fairlead("run", "examples/release-check.yaml", "-o", "json", cwd=clone, store=tmp_path / "s.db")

    status = json.loads(done.stdout)
    assert "allowed" == status["result"], done.stderr
    assert before.stdout.strip() == status["outputs"]["commit"]
    report = (clone / "release-report.md").read_text(encoding="utf-8")
    assert status["outputs"]["sha256"] in report
    assert not (clone / "build" / "release-check").exists()


def test_until_healthy_repeats_until_the_probe_is_content(tmp_path):
    """A loopback until a node succeeds; with one pass too many its failed port ends the run."""
    store = tmp_path / "s.db"
    example = EXAMPLES / "until-healthy.yaml"
    done = fairlead("run", example, "-o", "json", cwd=tmp_path, store=store)
    failed = fairlead("run", example, "-i", "needed=9", "-o", "json", cwd=tmp_path, store=store)

    assert {"replicas": 3} == json.loads(done.stdout)["outputs"]
    status = json.loads(failed.stdout)
    assert ("Failed", "failed", 5) == (
        status["phase"],
        status["result"],
        status["variables"]["replicas"],
    )


def test_fan_out_runs(tmp_path):
    """Items in their order with null for the failed one, passes counted, the race decided."""
    done = fairlead("run", EXAMPLES / "fan-out.yaml", "-o", "json", cwd=tmp_path, store=tmp_path / "s.db")

    outputs = json.loads(done.stdout)["outputs"]
    weighed = [{"name": "bow", "weight": 300}, None, {"name": "keel", "weight": 500}]
    assert {"weighed": weighed, "failed": 1, "polls": 3, "answer": "near"} == outputs


def test_shared_actions_run(tmp_path):
    """One action in every item of a loop, another after it, each with inputs and outputs of its own."""
    store = tmp_path / "s.db"
    done = fairlead(
        "run",
        EXAMPLES / "shared-actions.yaml",
        "-i",
        'parts=["bow", "keel"]',
        "-o",
        "json",
        cwd=tmp_path,
        store=store,
    )

    outputs = json.loads(done.stdout)["outputs"]
    sealed = [{"part": "bow", "mark": "c177affd"}, {"part": "keel", "mark": "d6dba7e8"}]
    assert {"sealed": sealed, "said": "sealed 2 parts"} == outputs
