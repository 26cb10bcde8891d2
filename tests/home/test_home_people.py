"""People change their minds while the operator dies and its requests get lost: nothing is doubled, nothing is left, all ends."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.kube_lives import all_over, lives_of
from tests.support.operators import ENDED, Site, pod_node
from tests.support.recorded import PodRecord, check_run, recording
from tests.support.waiting import until, until_async

WISHES = 24
LIVES = 8
RUNS = {"line-0": "line", "line-1": "line", "fan-0": "fan", "parent-0": "parent", "long-0": "long"}


def _workflows(site: Site) -> None:
    site.workflow("line", [pod_node("a"), pod_node("b", "a", runs="500ms"), pod_node("c", "b")])
    fan = [pod_node(f"f{number}", "first", runs=f"{number * 300}ms") for number in range(1, 4)]
    site.workflow("fan", [pod_node("first"), *fan], **{"finally": [pod_node("last")]})
    site.workflow("child", [pod_node("one", runs="300ms"), pod_node("two", "one")])
    calls = {"name": "calls", "workflow": {"name": "child"}}
    site.workflow("parent", [calls, pod_node("after", "calls")])
    site.workflow("long", [pod_node("sleep", runs="1h")])


class People:
    """Wishes by chance, about runs by chance."""

    def __init__(self, site: Site, dice: random.Random) -> None:
        self._site, self._dice = site, dice
        self._redrives = dict.fromkeys(RUNS, 0)

    async def come_and_go(self) -> None:
        """Wish so many things; in the end everybody lets everything end."""
        for _ in range(WISHES):
            await asyncio.sleep(self._dice.uniform(0.05, 0.6))
            await self._wish(self._dice.choice(list(RUNS)))
        for name in RUNS:
            await self._patched(name, {"suspend": False, "cancel": None})
        # A cancel beside a redrive that nobody has heard yet would be void with it (semantics 31).
        await until_async(lambda: self._is_heard("long-0"), "what is wished for was heard", 90)
        await self._patched("long-0", {"cancel": {"reason": "enough"}})
        await all_over(self._site)
        await until_async(self._has_ended, "all have ended", 90)

    async def _is_heard(self, name: str) -> bool | None:
        there = await asyncio.to_thread(self._site.object, "wfe", name)
        return there["status"].get("observedGeneration") == there["metadata"]["generation"] or None

    async def _has_ended(self) -> bool | None:
        there = await asyncio.to_thread(self._site.objects, "wfe")
        return all(one.get("status", {}).get("phase") in ENDED for one in there) or None

    async def _wish(self, name: str) -> None:
        wish = self._dice.choice(("suspend", "resume", "cancel", "force", "redrive", "delete"))
        if wish == "delete":
            await asyncio.to_thread(self._site.kubectl, "delete", "wfe", name, "--wait=false")
            await until_async(lambda: self._made_again(name), f"{name} is made again", 90)
            self._redrives[name] = 0
        elif wish == "redrive":
            self._redrives[name] += 1
            await self._patched(name, {"cancel": None, "redrive": self._redrives[name]})
        elif wish in ("cancel", "force"):
            await self._patched(name, {"cancel": {"reason": "no", "force": wish == "force"}})
        else:
            await self._patched(name, {"suspend": wish == "suspend"})

    async def _made_again(self, name: str) -> bool | None:
        there = await asyncio.to_thread(self._site.object, "wfe", name)
        if there:
            return None
        await asyncio.to_thread(self._site.execution, name, RUNS[name])
        return True

    async def _patched(self, name: str, spec: dict[str, Any]) -> None:
        await asyncio.to_thread(self._site.patch, name, spec)


def _check(site: Site, record: PodRecord) -> None:
    there = site.objects("wfe")
    uids = {one["metadata"]["uid"] for one in there}
    assert set(RUNS) <= {one["metadata"]["name"] for one in there}
    for one in there:
        if one["status"].get("log"):
            check_run(site, one["metadata"]["name"])
        assert not one["metadata"].get("finalizers")
    assert all(len(found) == 1 for found in record.uids().values()), record.uids()

    def orphans() -> list[str]:
        """What is left of runs that were deleted."""
        found = site.objects("pods,configmaps", "fairlead.dev/execution-uid")
        label = "fairlead.dev/execution-uid"
        return [one["metadata"]["name"] for one in found if one["metadata"]["labels"][label] not in uids]

    until(lambda: not orphans(), f"nothing is left of what was deleted: {orphans()}", 60)


@pytest.mark.timeout(300, func_only=True)
@pytest.mark.parametrize("seed", range(2))
def test_people_who_change_their_minds_under_faults(
    site: Site, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
):
    """Suspend, resume, cancel, redrive, delete and create again, between any two writes of an operator that dies."""
    monkeypatch.setattr("fairlead.kube.home.term.AUDIT", 0.5)  # no feed tells this home of anything
    dice = random.Random(f"people/{seed}")
    _workflows(site)
    for name, workflow in RUNS.items():
        site.execution(name, workflow)
    with recording(site, tmp_path) as record:
        scene = People(site, random.Random(seed)).come_and_go()
        lived, met = asyncio.run(lives_of(site, dice, scene, faults=0.03, deaths=0.02, lives=LIVES))
        _check(site, record)
    assert lived > 1 or met > 2, "nothing went wrong"
