"""What a killed fairlead leaves: its nodes end, by themselves or by the next process, and no stranger is touched."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.local.subprocess_support import UID
from tests.support.waiting import lives, pid_in, until

from fairlead.local.subprocesses import end_leftovers, lines, output_path
from fairlead.local.subprocesses.process_table import marked

# Stands in for `fairlead run`: starts attempts and waits for ever.
FAIRLEAD = """
import asyncio, sys
from pathlib import Path
from tests.local.subprocess_support import attempt, home

async def main(workspace, *scripts):
    async with home(Path(workspace)) as local:
        for number, script in enumerate(scripts):
            key = local.start(attempt(f"n{number}/1/1", sh=script, grace=3_600_000_000))
            print((await local.started(key)).pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""
DAEMON = """
    python3 -c '
    import os, signal, sys
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open(sys.argv[1], "w") as file:
                file.write(str(os.getpid()))
            while True:
                signal.pause()
    ' {daemon}; echo $$ > {node}; trap "" TERM; while :; do sleep 60; done
"""


class Killable:
    """A stand-in for fairlead that can be killed."""

    def __init__(self, workspace: Path, *scripts: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", FAIRLEAD, str(workspace), *scripts],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TEST_EXECUTION_UID": UID},
        )
        assert self.process.stdout is not None
        self.runners = [int(self.process.stdout.readline()) for _ in scripts]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "workspace"
    yield folder
    asyncio.run(end_leftovers(folder, UID))


def daemon(tmp_path: Path) -> str:
    return textwrap.dedent(DAEMON).format(daemon=tmp_path / "daemon", node=tmp_path / "node")


def test_kill_9_of_fairlead_ends_its_nodes(tmp_path: Path, workspace: Path):
    """Nobody has to do anything: after kill -9 every process of every node ends, those that ignore TERM and daemons too."""
    fairlead = Killable(workspace, f"echo $$ > {tmp_path}/plain; sleep 60", daemon(tmp_path))
    pids = [pid_in(tmp_path / name) for name in ("plain", "node", "daemon")]

    fairlead.kill()

    until(lambda: not any(lives(pid) for pid in [*pids, *fairlead.runners]), "the end of all processes")
    with marked({"FAIRLEAD_EXECUTION_UID": UID}) as found:
        assert found == []
    assert list((workspace / "scratch" / UID).iterdir()) == []


def test_the_next_process_waits_for_their_end(tmp_path: Path, workspace: Path):
    """`end_leftovers` returns when nothing is left, and names the deliveries of which something was."""
    fairlead = Killable(workspace, daemon(tmp_path), "echo said; sleep 60")
    pids = [pid_in(tmp_path / name) for name in ("node", "daemon")]
    log = output_path(workspace, UID, f"{UID}/n1/1/1")
    until(log.exists, "the output of the second node")
    fairlead.kill()

    keys = asyncio.run(end_leftovers(workspace, UID))

    assert not any(lives(pid) for pid in [*pids, *fairlead.runners])
    assert f"{UID}/n0/1/1" in keys
    assert set(keys) <= {f"{UID}/n0/1/1", f"{UID}/n1/1/1"}
    assert [line.text for line in lines(log)] == ["said"]


def test_runners_that_were_killed_too(tmp_path: Path, workspace: Path):
    """Where the runner cannot end the node any more, the next process does: TERM, then KILL."""
    fairlead = Killable(workspace, daemon(tmp_path))
    pids = [pid_in(tmp_path / name) for name in ("node", "daemon")]
    fairlead.process.send_signal(signal.SIGSTOP)  # it may not notice that its runner dies
    os.kill(fairlead.runners[0], signal.SIGKILL)
    fairlead.kill()
    assert all(lives(pid) for pid in pids)

    keys = asyncio.run(end_leftovers(workspace, UID))

    assert keys == [f"{UID}/n0/1/1"]
    assert not any(lives(pid) for pid in pids)
    assert not (workspace / "scratch" / UID).exists()


def test_nothing_left_is_nothing_to_do(workspace: Path):
    """Without leftovers, also without a workspace, it returns at once and empty."""
    assert asyncio.run(end_leftovers(workspace, UID)) == []


def test_strangers_are_not_touched(tmp_path: Path, workspace: Path):
    """Processes of other executions, and others that only look alike, live on."""
    strangers = [
        subprocess.Popen(
            ["sleep", "60"], env={"FAIRLEAD_EXECUTION_UID": "another", "PATH": os.environ["PATH"]}
        ),
        subprocess.Popen(
            ["sleep", "60"], env={"X": f"FAIRLEAD_EXECUTION_UID={UID}", "PATH": os.environ["PATH"]}
        ),
        subprocess.Popen(
            ["sleep", "60"], env={"FAIRLEAD_EXECUTION_UID": f"{UID}0", "PATH": os.environ["PATH"]}
        ),
    ]
    try:
        assert asyncio.run(end_leftovers(workspace, UID)) == []
        assert [stranger.poll() for stranger in strangers] == [None, None, None]
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()


def test_a_node_that_runs_fairlead_does_not_end_itself(tmp_path: Path, workspace: Path):
    """A process that carries the marks itself, because a node started it, spares itself and its ancestors."""
    program = """
import asyncio, sys
from pathlib import Path
from fairlead.local.subprocesses import end_leftovers
print(asyncio.run(end_leftovers(Path(sys.argv[1]), sys.argv[2])))
"""
    ended = subprocess.run(
        [
            "sh",
            "-c",
            'echo parent; "$@"; echo survived',
            "sh",
            sys.executable,
            "-c",
            program,
            str(workspace),
            UID,
        ],
        env={
            "PATH": os.environ["PATH"],
            "FAIRLEAD_EXECUTION_UID": UID,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdout=subprocess.PIPE,
        check=True,
    )

    assert ended.stdout.decode().split() == ["parent", "[]", "survived"]
