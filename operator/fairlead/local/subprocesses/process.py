"""One running attempt: its runner process and the three descriptors that tie it to this process.

    channel           a socket pair: the result comes in, `stop MICROSECONDS` goes out; its end tells of the other's death
    stdout, stderr    pipes; read as they fill, into the attempt's log

Rules of this file
- The end is the result's newline, or without it the end of the channel. The end of the pipes means nothing: a
  process that escaped might hold them for ever.
- Starting is one `posix_spawn`: 70 µs where `subprocess.Popen` takes 110 and asyncio's own subprocesses some
  500. All other descriptors of this process are close-on-exec; the document is an anonymous file on stdin, so
  that nothing has to be written later.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fairlead.local.subprocesses.output import Output
from fairlead.local.subprocesses.output_reading import STDERR, STDOUT

START_LINE = (
    "import sys; p = sys.argv[1]; sys.path.insert(0, p); "
    "from fairlead_runner.main import main; sys.path.remove(p); main()"
)
"""How the runner starts: without `site`, and with its own folder on the path only until it is found."""
CHANNEL = 3
"""The descriptor of the channel in the runner."""
_CHUNK = 65536
_DRAIN_LIMIT = 4 * 1024 * 1024
_DEFAULT_SIGNALS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


def runner_command(python: str = sys.executable) -> list[str]:
    """The command that starts a runner."""
    spec = importlib.util.find_spec("fairlead_runner")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "fairlead_runner is not installed beside fairlead; expected both from one distribution"
        )
    return [python, "-I", "-S", "-X", "utf8", "-c", START_LINE, str(Path(spec.origin).parent.parent)]


class Listener(Protocol):
    """Who wants to know of a process's end: a result and then that it is gone, or that it is lost."""

    def on_result(self, result: dict[str, Any]) -> None:
        """It reported: nothing of the attempt is left."""

    def on_gone(self) -> None:
        """It has ended after its result, and is reaped."""

    def on_lost(self) -> None:
        """Its runner died without a result, and is not reaped: processes of the attempt may be left."""


class Process:
    """A started runner."""

    def __init__(
        self,
        command: list[str],
        document: Mapping[str, Any],
        env: Mapping[str, str],
        output: Output,
        listener: Listener,
    ) -> None:
        self._output = output
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._reported = False
        self._channel, theirs = _socket_pair()
        self._pipes: dict[int, int] = {}
        writers: dict[int, int] = {}
        try:
            for stream in (STDOUT, STDERR):
                reader, writers[stream] = os.pipe()
                os.set_blocking(reader, False)
                self._pipes[stream] = reader
            self.pid = _spawn(command, document, env, writers[STDOUT], writers[STDERR], theirs)
        except BaseException:
            for descriptor in (self._channel, *self._pipes.values()):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (theirs, *writers.values()):
                os.close(descriptor)
        self._loop.add_reader(self._channel, self._read_channel)
        for stream, pipe in self._pipes.items():
            self._loop.add_reader(pipe, self._read_stream, stream)

    def stop(self, grace: int) -> None:
        """Tell the runner to end the node: TERM, KILL after `grace` microseconds."""
        try:
            os.write(self._channel, b"stop %d\n" % grace)
        except OSError:
            return  # it is ending, or stuck: then `kill` is the last word

    def kill(self) -> None:
        """KILL the runner, which did not do what it was told; what it leaves is for the listener."""
        if self._channel >= 0:
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Take away what the system keeps of the ended runner; its wait status."""
        return os.waitpid(self.pid, 0)[1]

    def _read_channel(self) -> None:
        try:
            data = os.read(self._channel, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and not self._reported:
            self._received += data
            if data.endswith(b"\n"):
                self._reported = True
                self._close_streams()
                self._listener.on_result(msgspec.json.decode(self._received))
                self._received = bytearray()
        if data:
            return
        self._loop.remove_reader(self._channel)
        os.close(self._channel)
        self._channel = -1
        if self._reported:
            self.reap()
            self._listener.on_gone()
        else:
            self._close_streams()
            self._listener.on_lost()

    def _read_stream(self, stream: int) -> int:
        """Take what is there; how many bytes it was."""
        try:
            data = os.read(self._pipes[stream], _CHUNK)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self._output.write(stream, data)
        else:
            self._close_stream(stream)
        return len(data)

    def _close_streams(self) -> None:
        """Everyone who wrote has ended: take the rest, and go."""
        for stream in list(self._pipes):
            taken = 0
            while stream in self._pipes and taken < _DRAIN_LIMIT:
                size = self._read_stream(stream)
                if size == 0:
                    break
                taken += size
            if stream in self._pipes:
                self._close_stream(stream)
        self._output.close()

    def _close_stream(self, stream: int) -> None:
        pipe = self._pipes.pop(stream)
        self._loop.remove_reader(pipe)
        os.close(pipe)


def _spawn(
    command: list[str],
    document: Mapping[str, Any],
    env: Mapping[str, str],
    stdout: int,
    stderr: int,
    channel: int,
) -> int:
    """Start a runner as the leader of a new session; its pid."""
    stdin = _file_with(msgspec.json.encode(document))
    moved: list[int] = []
    try:
        actions = []
        for descriptor, wanted in ((stdin, 0), (stdout, 1), (stderr, 2), (channel, CHANNEL)):
            if descriptor <= CHANNEL:
                # fairlead was started with some of its own descriptors closed: out of the way of those still
                # to come.
                descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, CHANNEL + 1)  # noqa: PLW2901
                moved.append(descriptor)
            actions.append((os.POSIX_SPAWN_DUP2, descriptor, wanted))
        return os.posix_spawn(
            command[0],
            command,
            env,
            file_actions=actions,
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULT_SIGNALS,
        )
    finally:
        for descriptor in (stdin, *moved):
            os.close(descriptor)


def _socket_pair() -> tuple[int, int]:
    """Our end, which never blocks, and the runner's, which does."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours.detach(), theirs.detach()


def _file_with(data: bytes) -> int:
    """A file without a name that holds the data, to be read from its start."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("fairlead-node")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
