"""An attempt that has a place: its process once it has one, and everything that is taken away when it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from typing import Any, Protocol

from fairlead.local.subprocesses.attempts import Attempt
from fairlead.local.subprocesses.containers import remove
from fairlead.local.subprocesses.output_reading import Line
from fairlead.local.subprocesses.preparation import Prepared
from fairlead.local.subprocesses.process import Process


class Owner(Protocol):
    """Who is told of the end of an attempt: see `process.Listener`."""

    def on_result(self, live: Live, result: dict[str, Any]) -> None: ...
    def on_gone(self, live: Live) -> None: ...
    def on_lost(self, live: Live) -> None: ...


class Live:
    """One attempt between its place in the queue (its number in order of arrival) and its end."""

    def __init__(
        self,
        attempt: Attempt,
        place: int,
        owner: Owner,
    ) -> None:
        self.attempt = attempt
        self.place = place
        self.stopped = False
        self._owner = owner
        self._prepared: Prepared | None = None
        self._process: Process | None = None
        self._last_word: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """Of the runner; 0 before it is started."""
        return self._process.pid if self._process else 0

    def begin(self, prepared: Prepared) -> None:
        """Start the process."""
        self._prepared = prepared
        self._process = Process(prepared.command, prepared.document, prepared.env, prepared.output, self)

    def stop(self, grace: int, answer_time: float) -> None:
        """End it; a runner that has not reported `answer_time` seconds after the grace is killed."""
        self.stopped = True
        if self._process is None:
            return
        self._process.stop(grace)
        if self._last_word is not None:
            self._last_word.cancel()
        delay = grace / 1_000_000 + answer_time
        self._last_word = asyncio.get_running_loop().call_later(delay, self._process.kill)

    def on_result(self, result: dict[str, Any]) -> None:
        """The runner reported."""
        self._owner.on_result(self, result)

    def on_gone(self) -> None:
        """The runner has ended after its report."""
        self._owner.on_gone(self)

    def on_lost(self) -> None:
        """The runner died."""
        self._owner.on_lost(self)

    def reap(self) -> str:
        """How the dead runner ended, as part of a sentence."""
        assert self._process is not None
        code = os.waitstatus_to_exitcode(self._process.reap())
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was ended by {signal.Signals(-code).name}"

    def remove_rests(self) -> None:
        """What a dead runner could not remove itself."""
        assert self._prepared is not None
        shutil.rmtree(self._prepared.scratch, ignore_errors=True)
        container = self._prepared.container
        if container is not None:
            remove(container.tool, container.name)

    def finish(self) -> str:
        """It is over: let go of everything. What could not be kept of its output, if so."""
        if self._last_word is not None:
            self._last_word.cancel()
        if self._prepared is None:
            return ""
        self._prepared.unlink()
        if self._prepared.container is not None:
            with suppress(OSError):
                self._prepared.container.marker.unlink()
        return self._prepared.output.log.problem

    def tail(self, count: int) -> list[Line]:
        """The last lines that it printed so far."""
        return self._prepared.output.tail(count) if self._prepared else []

    def masked(self, message: str) -> str:
        """A message without the values of its Secrets."""
        return self._prepared.output.mask.text(message) if self._prepared else message
