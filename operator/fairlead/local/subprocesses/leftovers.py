"""Ends what is left of the attempts of a fairlead that was killed.

The runner of each attempt notices by itself that nobody waits for it, and ends its processes (TERM, KILL
after at most two seconds). This waits for that, helps where a runner was killed too, and returns when nothing
is left: then a node may be delivered again. What is left is found by its marks (`process_table`), containers
by a file that names them, and everywhere by the private folders of attempts, which a runner removes when all
of its processes are gone.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from pathlib import Path

from fairlead.local.subprocesses import process_table
from fairlead.local.subprocesses.containers import Tool, remove
from fairlead.local.subprocesses.places import containers_folder, scratch_folder
from fairlead.model.errors import Unavailable

NODES_TIME = 3.0
"""Seconds after which processes of a node are killed: the two of the runner, and what a loaded machine adds."""
RUNNERS_TIME = 6.0
"""Seconds after which a runner is killed that is still there; it knows processes of the node that carry no marks."""
GONE_WITHIN = 12.0
_LOOK_AGAIN = 0.02


async def end_leftovers(workspace: Path, uid: str) -> list[str]:
    """Return once nothing of earlier attempts of this execution is left: the keys of those of which something was."""
    keys = await end_processes({"FAIRLEAD_EXECUTION_UID": uid})
    await _wait_for_runners(scratch_folder(workspace, uid))
    await asyncio.to_thread(_remove_containers, containers_folder(workspace, uid))
    shutil.rmtree(scratch_folder(workspace, uid), ignore_errors=True)
    return sorted(key for key in keys if key)


async def end_processes(marks: dict[str, str], session: int = 0) -> set[str]:
    """End whatever carries these marks or is in this session: TERM, then KILL; a living runner does that itself."""
    keys: set[str] = set()
    told: set[int] = set()
    start = time.monotonic()
    while True:
        with process_table.marked(marks, session) as found:
            if not found:
                return keys
            waited = time.monotonic() - start
            if waited > GONE_WITHIN:
                pids = ", ".join(str(process.pid) for process in found)
                raise Unavailable(
                    f"processes {pids} of earlier attempts did not end within {GONE_WITHIN:.0f} s, although they were killed"
                )
            runners = {process.marks.get(b"FAIRLEAD_ATTEMPT_KEY") for process in found if process.is_runner}
            for process in found:
                key = process.marks.get(b"FAIRLEAD_ATTEMPT_KEY", b"")
                keys.add(key.decode())
                if waited > (RUNNERS_TIME if process.is_runner else NODES_TIME):
                    process.signal(signal.SIGKILL)
                elif key not in runners and process.pid not in told:
                    told.add(process.pid)
                    process.signal(signal.SIGTERM)
        await asyncio.sleep(_LOOK_AGAIN)


async def _wait_for_runners(folder: Path) -> None:
    """Where no process table shows them: a runner is alive while its private folder is there."""
    deadline = time.monotonic() + (0.0 if process_table.HAS_TABLE else RUNNERS_TIME)
    while time.monotonic() < deadline and _holds_something(folder):  # noqa: ASYNC110 - other processes set no Event of ours
        await asyncio.sleep(_LOOK_AGAIN)


def _holds_something(folder: Path) -> bool:
    return any(folder.glob("*"))


def _remove_containers(folder: Path) -> None:
    """Each file is named as a container that a killed fairlead may have left, and holds the path of its tool."""
    for marker in folder.glob("*"):
        problem = remove(Tool(marker.read_text()), marker.name)
        if problem:
            raise Unavailable(f"container {marker.name} of an earlier attempt cannot be removed: {problem}")
        marker.unlink()
