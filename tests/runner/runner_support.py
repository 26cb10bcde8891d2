"""Starts real runners as the local home does, and takes their results."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead.local.subprocesses.process import runner_command

ANSWER_WITHIN = 30.0


def document(run: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A node document."""
    return {
        "version": 1,
        "execution": {"name": "order-x1", "uid": "0b6d"},
        "node": "lines[3]/pack",
        "attempt": 2,
        "delivery": 1,
        "idempotencyKey": "c0ffee",
        "run": dict(run),
        "inputs": {},
        **fields,
    }


class Runner:
    """A started runner and the other ends of what it holds; `prelude` is Python that it executes first."""

    def __init__(
        self,
        folder: Path,
        node: Mapping[str, Any] | bytes,
        env: Mapping[str, str],
        prelude: str = "",
        stderr: int | None = None,
    ) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(ANSWER_WITHIN)
        channel = str(theirs.fileno())
        *command, start_line, root = runner_command()
        command += [f"{prelude}\n{start_line}", root]
        text = node if isinstance(node, bytes) else json.dumps(node).encode()
        with (
            (folder / "stdin").open("w+b") as stdin,
            self._file("stdout") as out,
            self._file("stderr") as err,
        ):
            stdin.write(text)
            stdin.seek(0)
            self.process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=out,
                stderr=err if stderr is None else stderr,
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    "TMPDIR": str(self.temporary),
                    "FAIRLEAD_RESULT_FD": channel,
                    "FAIRLEAD_CONTROL_FD": channel,
                    **env,
                },
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def stop(self, grace: float) -> None:
        """As the home does it: TERM, KILL after `grace` seconds."""
        self.channel.sendall(b"stop %d\n" % int(grace * 1_000_000))

    def result(self) -> dict[str, Any]:
        """The reported result, once the runner has ended; its folder is gone by then."""
        raw = b""
        while part := self.channel.recv(65536):
            raw += part
        self.process.wait(ANSWER_WITHIN)
        assert raw.endswith(b"\n"), f"no whole result: {raw!r}, stderr: {self.stderr}"
        assert list(self.temporary.iterdir()) == []
        result: dict[str, Any] = json.loads(raw)
        assert set(result) in ({"outputs"}, {"error"}, {"error", "stopped"})
        return result

    def outputs(self) -> dict[str, Any]:
        """The outputs of an attempt that succeeded."""
        result = self.result()
        assert "outputs" in result, result
        return dict(result["outputs"])

    def error(self) -> dict[str, Any]:
        """The error of an attempt that failed."""
        result = self.result()
        assert "error" in result, result
        return dict(result["error"])

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(ANSWER_WITHIN)
        self.channel.close()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _file(self, name: str) -> Any:
        return (self.folder / name).open("wb")
