"""The examples on a real node, with the real runner image, beside the same examples here: same phase, outputs and events."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cli import Cli
from tests.support.operators import API, Site
from tests.support.waiting import until

pytestmark = pytest.mark.xdist_group("real-node")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES: dict[str, dict[str, Any]] = {
    "hello": {"name": "Ada"},
    "fan-out": {},
    "cached-lookup": {"customer": "c-17", "amount": 250},
    "order": {"items": [{"sku": "a", "qty": 2, "price": 3.5}]},
    "parcels": {"items": [{"sku": "rope", "qty": 2}, {"sku": "cleat", "qty": 30}]},
    "shared-actions": {"parts": ["bow", "keel"]},
    "until-healthy": {"needed": 2},
}
CHANCE = frozenset({"NodeStarted", "DeliveryHeld", "DeliveryStarted"})
"""Events that say how long something took to begin, which differs."""


def _here(folder: Path, file: Path, inputs: dict[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """What the local home makes of it: the status, and how often each type of event occurred."""
    cli = Cli(folder)
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    done = cli("run", file, "one", "--inputs", folder / "inputs.json", "-o", "json")
    status: dict[str, Any] = json.loads(done.stdout)
    return status, _types(json.loads(cli.ok("events", "one", "-o", "json")))


def _types(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["type"] for event in events if event["type"] not in CHANCE)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_on_a_real_node_as_it_does_here(real: Site, runner: str, tmp_path: Path, name: str):
    """Its pods run the runner image; nothing is held when it has ended."""
    file, inputs = ROOT / "examples" / f"{name}.yaml", EXAMPLES[name]
    here, types = _here(tmp_path, file, inputs)
    documents = [one for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]
    for document in documents:
        real.apply(document)
    execution = f"{name}-real"
    spec = {"workflow": {"name": documents[0]["metadata"]["name"]}, "inputs": inputs}
    real.apply(
        {"apiVersion": API, "kind": "WorkflowExecution", "metadata": {"name": execution}, "spec": spec}
    )
    status = real.ended(execution)
    assert (status["phase"], status.get("outputs")) == (here["phase"], here.get("outputs"))
    assert _types(real.log(execution)) == types
    until(lambda: not real.object("wfe", execution)["metadata"].get("finalizers"), "it is let go")
    images = {pod["spec"]["containers"][0]["image"] for pod in real.pods(execution)}
    assert images <= {runner}
