"""Stored histories: every release folds the logs of earlier ones, and decides as they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.engine.engine import Engine
from fairlead.engine.evolve import fold
from fairlead.engine.graph import compile_workflow
from fairlead.engine.summary import status
from fairlead.model import commands as c
from fairlead.model import events as e
from fairlead.model.manifests import WorkflowSpec, parse_spec

FILES = sorted(Path(__file__).parent.glob("*.json"))


def test_there_are_histories():
    """The folder is not empty, so that the tests below mean something."""
    assert len(FILES) >= 3


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def history(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A stored history."""
    found: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return found


def stored(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def test_events_keep_their_stored_form(history):
    """Decoding and encoding an event gives the same bytes."""
    for event in history["log"]:
        assert stored(event) == e.encode(e.decode(stored(event)))


def test_the_log_folds_to_the_recorded_status(history):
    """The status is that of the day."""
    graph = compile_workflow(parse_spec(WorkflowSpec, history["workflow"]), "flow")
    state = fold(e.decode(stored(event)) for event in history["log"])

    assert history["status"] == status(graph, state, history["commands"][-1][0])


def test_the_same_commands_give_the_same_log(history):
    """Byte for byte."""
    engine = Engine(compile_workflow(parse_spec(WorkflowSpec, history["workflow"]), "flow"))
    log: list[bytes] = []
    for now, command in history["commands"]:
        events = list(engine.decide(msgspec.convert(command, c.AnyCommand), now))
        while engine.unfinished:
            events += engine.decide_more(now)
        log += [e.encode(event) for event in events]

    assert [stored(event) for event in history["log"]] == log
