"""Which statuses are written first: what is news overtakes mere progress, and progress is not put off for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.waiting import until_async

from fairlead.kube.client import EXECUTIONS
from fairlead.kube.home import showing
from fairlead.kube.home.showing import StatusQueue

RUNS = 12


def _of(sequence: int) -> dict[str, Any]:
    return {"phase": "Running", "observedGeneration": 1, "log": {"sequence": sequence}}


def _queue(home, *, busy: bool) -> StatusQueue:
    return StatusQueue(home.statuses, lambda _: 0, lambda *_: [], busy=lambda: busy)


async def _shown(home, uids: list[str]) -> list[str]:
    """Those whose status somebody has written."""
    found = []
    for uid in uids:
        place = home.places.of(uid)
        there = json.loads(await home.client.get(EXECUTIONS, place.namespace, place.name))
        if there["status"].get("phase") == "Running":
            found.append(uid)
    return found


def _put_off(monkeypatch: pytest.MonkeyPatch, latest: float) -> None:
    """Let one mere progress be written, and the next in a quarter of an hour, but for those that have waited `latest` seconds."""
    monkeypatch.setattr(showing, "CALM_RATE", 0.001)
    monkeypatch.setattr(showing, "LATEST", latest)


def test_what_stands_there_already_gives_way_to_news(home, monkeypatch):
    """A leader takes up a crowd whose statuses are right but for their progress: a run in a new phase is shown before them."""
    _put_off(monkeypatch, 1e6)
    taken_up, news = [home.born() for _ in range(RUNS)], home.born()

    async def scene() -> list[str]:
        async with _queue(home, busy=True) as queue:
            for uid in taken_up:
                queue.stands(uid, "Running", 1)
                await queue.publish(uid, _of(2))
            await queue.publish(news, _of(2))
            await queue.flushed(news)
            monkeypatch.setattr(showing, "DRAIN", 0.0)
            return await _shown(home, [*taken_up, news])

    shown = home.run(scene())

    assert news in shown
    assert len(shown) <= 2


def test_progress_that_has_waited_long_is_shown_also_in_a_crowd(home, monkeypatch):
    """However much there is to take up, each run says in the end where it is."""
    _put_off(monkeypatch, 0.5)
    uids = [home.born() for _ in range(RUNS)]

    async def scene() -> None:
        async with _queue(home, busy=True) as queue:
            for uid in uids:
                queue.stands(uid, "Running", 1)
                await queue.publish(uid, _of(2))

            async def all_shown() -> bool | None:
                return True if len(await _shown(home, uids)) == RUNS else None

            await until_async(all_shown, "all are shown")

    home.run(scene())
