"""Processes of a test cluster: each has a log file, is ended by its pid, and does not outlive the process that started it."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

_GRACE = 10.0
_SET_PARENT_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Process:
    """A program that runs in a folder of its own log; it can be killed and started again, as faults want it."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.command = [str(word) for word in command]
        self.log = log
        self._environment = dict(environment) if environment is not None else None
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        assert self._running is not None, f"{self.command[0]} has not been started"
        return self._running.pid

    def start(self) -> None:
        """Start it; what it prints is added to the log."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,  # Ctrl-C is for the one who started us, who then ends us in order
                preexec_fn=_die_with_parent if _LIBC is not None else None,  # noqa: PLW1509 - it allocates nothing
            )

    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._running.poll() if self._running is not None else None

    def stop(self, grace: float = _GRACE) -> None:
        """End it and wait until it is gone."""
        if self._running is None:
            return
        if self._running.poll() is None:
            self._running.terminate()
            try:
                self._running.wait(grace)
            except subprocess.TimeoutExpired:
                self._running.kill()
        self._running.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        assert self._running is not None
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()

    def last_words(self, lines: int = 8) -> str:
        """The end of its log, for a message."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses at the moment."""
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in opened]


def _die_with_parent() -> None:
    """Ask the kernel to end us when who started us is gone, however it went."""
    assert _LIBC is not None
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
