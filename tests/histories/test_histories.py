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
from fairlead.model.large import Giver, Taker
from fairlead.model.manifests import Definition, parse_spec

FILES = sorted(Path(__file__).parent.glob("*.json"))


def test_there_are_histories():
    """The folder is not empty, so that the tests below mean something."""
    assert len(FILES) >= 3


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def history(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A stored history."""
    found: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return found


def stored(form: dict[str, Any]) -> bytes:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()


def whole(history: dict[str, Any]) -> list[e.AnyEvent]:
    """The events with their large values."""
    events, giver = [e.decode(stored(event)) for event in history["log"]], Giver()
    for digest, blob in history.get("blobs", {}).items():
        giver.take(digest, stored(blob))
    for event in events:
        giver.give(event, event.large or ())
        msgspec.structs.force_setattr(event, "large", None)
    return events


def test_events_keep_their_stored_form(history):
    """Decoding and encoding an event gives the same bytes."""
    for event in history["log"]:
        assert stored(event) == e.encode(e.decode(stored(event)))


def test_the_log_folds_to_the_recorded_status(history):
    """The status is that of the day."""
    graph = compile_workflow(parse_spec(Definition, history["workflow"]), "flow")
    state = fold(whole(history))

    assert history["status"] == status(graph, state, history["commands"][-1][0])


def test_the_same_commands_give_the_same_log(history):
    """Byte for byte, and so are the blobs of large values."""
    engine = Engine(compile_workflow(parse_spec(Definition, history["workflow"]), "flow"))
    log: list[bytes] = []
    taker = Taker()
    for now, command in history["commands"]:
        events = list(engine.decide(msgspec.convert(command, c.AnyCommand), now))
        while engine.unfinished:
            events += engine.decide_more(now)
        log += [e.encode(taker.thin(event)) for event in events]

    assert [stored(event) for event in history["log"]] == log
    assert {digest: stored(blob) for digest, blob in history.get("blobs", {}).items()} == taker.fresh
