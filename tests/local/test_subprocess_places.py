"""Places: how many attempts run at once, in which order, and what the machine itself cannot hold."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

from tests.local.subprocess_support import UID, attempt, home

from fairlead.local.subprocesses import Ended, Started


def test_at_most_so_many_at_once(tmp_path: Path):
    """No more than `limit` run at once; the others start as places come free, and a larger limit starts more."""

    async def scenario() -> None:
        async with home(tmp_path, limit=2) as local:
            (tmp_path / "gate").mkdir()
            waits = f"until [ -e {tmp_path}/gate/open ]; do sleep 0.01; done"
            keys = [local.start(attempt(f"n{number}", sh=waits)) for number in range(5)]

            await local.started(keys[1])
            assert (local.runner.running, local.runner.waiting) == (2, 3)
            local.runner.limit = 3
            await local.started(keys[2])
            assert (local.runner.running, local.runner.waiting) == (3, 2)

            (tmp_path / "gate" / "open").touch()
            for key in keys:
                assert (await local.ended(key)).outputs == {}
            starts = [event.key for event in local.events if isinstance(event, Started)]
            assert starts == keys
            assert (local.runner.running, local.runner.waiting) == (0, 0)

    asyncio.run(scenario())


def test_the_default_limit_is_twice_the_cores(tmp_path: Path):
    """Two attempts for each core that this process may use."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            assert local.runner.limit == 2 * len(os.sched_getaffinity(0))

    asyncio.run(scenario())


def test_the_highest_priority_goes_first(tmp_path: Path):
    """Of those that wait, the highest priority starts first, equal ones in the order in which they came."""

    async def scenario() -> None:
        async with home(tmp_path, limit=1) as local:
            keys = [
                local.start(attempt(name, sh="true", priority=priority))
                for name, priority in (("first", 0), ("low", -1), ("b", 5), ("a", 5), ("high", 9))
            ]
            for key in keys:
                await local.ended(key)

            order = [event.key.rpartition("/")[2] for event in local.events if isinstance(event, Started)]
            assert order == ["first", "high", "b", "a", "low"]

    asyncio.run(scenario())


def test_a_key_is_started_once(tmp_path: Path):
    """Starting what runs or waits already does nothing: effects may be done twice."""

    async def scenario() -> None:
        async with home(tmp_path, limit=1) as local:
            for _ in range(3):
                local.start(attempt("a", sh="true"))
                local.start(attempt("b", sh="true"))
            await local.ended(f"{UID}/b")

            assert sorted(event.key for event in local.events) == [f"{UID}/a"] * 2 + [f"{UID}/b"] * 2

    asyncio.run(scenario())


def test_many_at_once_leave_no_descriptor_open(tmp_path: Path):
    """After a few hundred attempts this process has as many descriptors as before, and no child."""

    async def scenario() -> None:
        async with home(tmp_path, limit=16) as local:
            known = children()  # a cluster that other tests share may be among them
            await local.run(attempt("warm", sh="true"))
            await local.until(lambda: children() <= known, "no child left")
            before = descriptors()
            keys = [local.start(attempt(f"n{number}", sh="echo x")) for number in range(200)]
            for key in keys:
                assert (await local.ended(key)).outputs == {}

            await local.until(lambda: children() <= known, "no child left")
            assert descriptors() == before

    asyncio.run(scenario())


def test_a_thousand_that_cannot_start(tmp_path: Path):
    """However many wait for a place and then turn out to be unable to start, each ends with its reason."""

    async def scenario() -> None:
        async with home(tmp_path, limit=1) as local:
            first = local.start(attempt("first", sh=f"until [ -e {tmp_path}/open ]; do sleep 0.01; done"))
            missing = {"envFrom": [{"secret": "nowhere"}]}
            keys = [
                local.start(attempt(f"n{number}", sh="true", from_secrets=missing)) for number in range(1000)
            ]
            (tmp_path / "open").touch()
            await local.ended(first)
            await local.ended(keys[-1])

            assert [event.key for event in local.events if isinstance(event, Ended)] == [first, *keys]

    asyncio.run(scenario())


def test_what_ended_before_the_close_is_reported(tmp_path: Path):
    """An end that had been taken in when `close` was called is not lost: the node's work counts."""

    async def scenario() -> None:
        async with home(tmp_path) as local:
            key = local.start(attempt(sh="true"))
            await local.until(lambda: local.runner.running == 0, "the end")
            await local.runner.close()

            assert [type(event) for event in local.events] == [Started, Ended]
            assert local.events[-1].key == key

    asyncio.run(scenario())


def test_more_than_the_machine_can_hold(tmp_path: Path):
    """Where there are not enough descriptors for all that may run at once, attempts wait; none fails of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def scenario() -> None:
        async with home(tmp_path, limit=50) as local:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 30, hard))
            keys = [local.start(attempt(f"n{number}", sh="sleep 0.1")) for number in range(20)]
            assert 0 < local.runner.running < 20
            for key in keys:
                assert (await local.ended(key)).outputs == {}

            assert [event.key for event in local.events if isinstance(event, Started)] == keys

    try:
        asyncio.run(scenario())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def children() -> set[str]:
    """The pids of this process's children, zombies too."""
    return {
        pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
