"""Faults between a client and a real API server: what is asked may be lost on the way there, or its answer on the way back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Any

from fairlead.kube.client import Ambiguous, Client, from_kubeconfig


class Fault(Enum):
    """What happens to a request."""

    NONE = "it goes through"
    LOST = "it never arrives, and nobody knows"
    UNANSWERED = "it is done, and nobody knows"
    CRASH_BEFORE = "this process dies before it is sent"
    CRASH_AFTER = "this process dies after it was done"


class Crash(BaseException):
    """This process is dead."""


WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


class FaultyClient(Client):
    """A client whose writes meet what `fate` says; `between` runs before each write is sent."""

    fate: Callable[[str, str], Fault] = staticmethod(lambda *_: Fault.NONE)
    between: Callable[[str, str], Awaitable[None]] | None = None
    writes = 0

    async def request(self, method: str, path: str, **words: Any) -> bytes:
        if method not in WRITES:
            return await super().request(method, path, **words)
        self.writes += 1
        fault = self.fate(method, path)
        if self.between is not None:
            await self.between(method, path)
        if fault is Fault.CRASH_BEFORE:
            raise Crash
        if fault is Fault.LOST:
            raise Ambiguous(f"{method} {path} was lost")
        reply = await super().request(method, path, **words)
        if fault is Fault.CRASH_AFTER:
            raise Crash
        if fault is Fault.UNANSWERED:
            raise Ambiguous(f"the answer to {method} {path} was lost")
        return reply


class Gate:
    """A way to the API server, byte by byte, that can be shut or muted."""

    def __init__(self, server: str) -> None:
        self._target = int(server.rpartition(":")[2])
        self._writers: set[asyncio.StreamWriter] = set()
        self._meetings: set[asyncio.Task[None]] = set()
        self._muted: set[asyncio.StreamWriter] = set()
        self._open = True
        self._hear_new = True

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_):
        self.shut()
        self._server.close()
        await asyncio.gather(*self._meetings, return_exceptions=True)

    def credentials(self, plane, folder: Path):
        """Those of the administrator, through this gate."""
        config = json.loads(plane.kubeconfig.read_text())
        port = self._server.sockets[0].getsockname()[1]
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        file = folder / "kubeconfig-gate"
        file.write_text(json.dumps(config))
        return from_kubeconfig(file)

    def shut(self):
        """Cut everything, and let nobody in."""
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self):
        self._open = True

    def mute(self):
        """Nothing of the server is heard any more on connections that are open, or opened."""
        self._muted |= self._writers
        self._hear_new = False

    def hear_new_ones(self):
        """Connections that are opened from now on are heard."""
        self._hear_new = True

    async def _meet(self, reader, writer):
        if not self._open:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._meetings.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        if not self._hear_new:
            self._muted.add(writer)
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer), return_exceptions=True)
        self._writers -= {writer, back}

    async def _carry(self, source, sink):
        try:
            while data := await source.read(65536):
                if sink not in self._muted:
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()
