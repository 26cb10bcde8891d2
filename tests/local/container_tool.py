"""A stand-in for podman where no container tool runs: it has the same command line and the same ways of leaving things behind.

`install(folder)` writes an executable `podman` into a folder. `run` starts the command in a session of its own (as a
daemon would), with exactly the variables that `--env` names, hands TERM on to it, and leaves it running if it is killed
itself; `rm --force` ends it.
Every call is written down, so that a test can see what stood on the command line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROGRAM = r"""#!PYTHON -IS
import json, os, signal, subprocess, sys
state = os.path.dirname(os.path.abspath(__file__))
with open(f"{state}/calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
verb, *rest = sys.argv[1:]
if verb == "info":
    sys.exit("cannot connect" if os.path.exists(f"{state}/broken") else 0)
if verb == "rm":
    name = rest[-1]
    try:
        with open(f"{state}/{name}.pid") as file:
            pid = int(file.read())
    except FileNotFoundError:
        sys.exit("Error: no container with name: no such container")
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.unlink(f"{state}/{name}.pid")
    sys.exit()
options = {"--volume": [], "--env": []}
while rest[0].startswith("--"):
    option = rest.pop(0)
    if option != "--rm":
        options.setdefault(option, []).append(rest.pop(0))
image, *command = rest
mounts = {inside: host for host, inside, _ in (volume.split(":", 2) for volume in options["--volume"])}
env = {}
for entry in options["--env"]:
    name, equals, value = entry.partition("=")
    value = value if equals else os.environ[name]
    env[name] = mounts.get(value, value)
name = options["--name"][0]
command = options.get("--entrypoint", ["/entrypoint-of-" + image]) + command
child = subprocess.Popen(command, env={"PATH": "/usr/bin:/bin", **env}, start_new_session=True)
with open(f"{state}/{name}.pid", "w") as file:
    file.write(str(child.pid))
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
code = child.wait()
os.unlink(f"{state}/{name}.pid")
sys.exit(128 - code if code < 0 else code)
"""


def install(folder: Path) -> Path:
    """Put the tool into a folder; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    tool = folder / "podman"
    tool.write_text(PROGRAM.replace("PYTHON -IS", sys.executable, 1))
    tool.chmod(0o755)
    return tool


def calls(tool: Path) -> list[list[Any]]:
    """The command lines of all calls so far."""
    return [json.loads(line) for line in (tool.parent / "calls").read_text().splitlines()]


def containers(tool: Path) -> dict[str, int]:
    """The containers that run: name and pid of the first process."""
    return {path.stem: int(path.read_text()) for path in tool.parent.glob("*.pid") if path.read_text()}
