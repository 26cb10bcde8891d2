"""A subprocess runner in a test's own event loop, with its events as they come."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from fairlead.local.subprocesses import (
    Attempt,
    Ended,
    RunnerEvent,
    Started,
    SubprocessRunner,
    output_path,
)
from fairlead.local.subprocesses.output_reading import GAP, pieces

E = TypeVar("E", Started, Ended)
DEADLINE = 30.0
LOOK_AGAIN = 0.01
UID = os.environ.get("TEST_EXECUTION_UID") or secrets.token_hex(8)
"""Of one test process: tests that run side by side must not end each other's leftovers."""


def read_output(path: Path) -> bytes:
    """All that was kept of an output, both streams as they came, with a line in place of what was left out."""
    return b"".join(
        f"\n… {piece.left_out} bytes left out …\n".encode() if piece.stream == GAP else piece.data
        for piece in pieces(path)
    )


def attempt(
    key: str = "pack/1/1",
    *,
    env: Mapping[str, str] | None = None,
    working_dir: str | None = None,
    grace: int = 100_000,
    priority: int = 0,
    from_secrets: Mapping[str, Any] | None = None,
    **run: Any,
) -> Attempt:
    """An attempt that runs `python=`, `sh=`, or `image=` with `command=` and `args=`."""
    node = key.partition("/")[0]
    document: dict[str, Any] = {
        "version": 1,
        "execution": {"name": "order-x1", "uid": UID},
        "node": node,
        "attempt": 1,
        "delivery": 1,
        "idempotencyKey": "c0ffee",
        "run": run,
        "inputs": {},
        "env": dict(env or {}),
    }
    if working_dir is not None:
        document["workingDir"] = working_dir
    return Attempt(f"{UID}/{key}", document, grace=grace, priority=priority, secrets=from_secrets or {})


class Home:
    """A runner and what it reported."""

    def __init__(self, workspace: Path, **settings: Any) -> None:
        self.workspace = workspace
        self.events: list[RunnerEvent] = []
        self.runner = SubprocessRunner(workspace=workspace, on_event=self.events.append, **settings)

    def start(self, one: Attempt) -> str:
        """Start an attempt; its key."""
        self.runner.start(one)
        return one.key

    async def run(self, one: Attempt) -> Ended:
        """Start an attempt and wait for its end."""
        return await self.ended(self.start(one))

    async def ended(self, key: str) -> Ended:
        """The end of an attempt, once it is reported."""
        await self.until(lambda: self._of(key, Ended), f"the end of {key}")
        (event,) = self._of(key, Ended)
        return event

    async def started(self, key: str) -> Started:
        """The start of an attempt, once it is reported."""
        await self.until(lambda: self._of(key, Started), f"the start of {key}")
        (event,) = self._of(key, Started)
        return event

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Let the loop go on until a condition holds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + DEADLINE
        while not condition():
            if loop.time() > end:
                raise AssertionError(f"after {DEADLINE} s still not: {what}; events: {self.events}")
            await asyncio.sleep(LOOK_AGAIN)

    def output(self, key: str) -> str:
        """What an attempt printed."""
        return read_output(output_path(self.workspace, UID, key)).decode()

    def _of(self, key: str, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and event.key == key]


@asynccontextmanager
async def home(workspace: Path, **settings: Any) -> AsyncIterator[Home]:
    """A home whose attempts have all ended when it is left."""
    made = Home(workspace, **settings)
    try:
        yield made
    finally:
        await made.runner.close(grace=0)
