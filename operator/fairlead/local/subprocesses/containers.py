"""Nodes with an `image`: their command line for podman or docker.

Rules of this file
- The values of environment variables stay out of the command line, where every user of the machine could read
  them: `--env NAME` takes them from the tool's own environment. Variables that would steer the tool itself
  (PATH, HOME, ...) are the exception: the node's own `env` is written out, a Secret is refused.
- The container gets the inputs and outputs as two mounted files and nothing else of the host: not its
  environment, not its files, not the working folder.
- Its name comes from the delivery, so whoever has to end it needs to know nothing else.
- A tool counts only if it answers: a docker client without a daemon runs nothing.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fairlead.local.subprocesses.refusals import Refusal
from fairlead.model import reasons

TOOLS: dict[str, tuple[str, ...]] = {"podman": ("info",), "docker": ("version",)}
"""What is looked for, in this order, and the command that fails if the tool cannot run anything."""
_ANSWER_WITHIN = 15.0
_REMOVED_WITHIN = 30.0
_FOLDER = "/fairlead"
_TOOLS_OWN = ("PATH", "HOME", "TMPDIR", "LANG")
_TOOLS_OWN_PREFIXES = (
    "LD_",
    "DOCKER_",
    "CONTAINER",
    "XDG_",
    "DBUS_",
    "PODMAN_",
    "BUILDAH_",
    "STORAGE_",
    "_CONTAINERS_",
)
_NODE_VARIABLES = ("EXECUTION", "EXECUTION_UID", "NODE_ID", "ATTEMPT", "IDEMPOTENCY_KEY")


class Tool(NamedTuple):
    """podman or docker, by its full path."""

    path: str


def find(wanted: str | None, path: str | None) -> Tool | str:
    """The tool that answers, or half a sentence that says why there is none. Takes up to some seconds: not
    for the event loop.
    """
    tried = []
    for name in [wanted] if wanted else list(TOOLS):
        full = shutil.which(name, path=path)
        if full is None:
            tried.append(f"{name} was not found")
            continue
        question = TOOLS.get(name.rpartition("/")[2], ("version",))
        try:
            answer = subprocess.run(
                [full, *question],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_ANSWER_WITHIN,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{name} does not answer ({type(error).__name__})")
            continue
        if answer.returncode == 0:
            return Tool(full)
        said = answer.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        tried.append(f"{name} does not work here ({said[-1][:200]})")
    return "; ".join(tried)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the tool itself needs of our environment. Nothing of it reaches the container."""
    return {
        name: value for name, value in environ.items() if _steers_tool(name) and not name.startswith("LD_")
    }


def name_of(key: str) -> str:
    """The container's name."""
    return f"fairlead-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def wrap(
    tool: Tool,
    key: str,
    document: Mapping[str, Any],
    scratch: str,
    secret_names: Iterable[str],
    mounts: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """The node document whose command runs the node's image; `mounts` are (folder of the host, path in the container)."""
    run = document["run"]
    name = name_of(key)
    env = document.get("env") or {}
    line = [tool.path, "run", "--rm", "--name", name]
    for host, inside in (
        (f"{scratch}/inputs.json", f"{_FOLDER}/inputs.json:ro"),
        (f"{scratch}/outputs.json", f"{_FOLDER}/outputs.json"),
        *((host, f"{inside}:ro") for host, inside in mounts),
    ):
        # `z`: where SELinux guards files the container may not read them otherwise; elsewhere it means
        # nothing.
        line += ["--volume", f"{host}:{inside}{',z' if inside.endswith(':ro') else ':z'}"]
    line += [
        "--env",
        f"FAIRLEAD_INPUTS={_FOLDER}/inputs.json",
        "--env",
        f"FAIRLEAD_OUTPUTS={_FOLDER}/outputs.json",
    ]
    for variable in _NODE_VARIABLES:
        line += ["--env", f"FAIRLEAD_{variable}"]
    for variable, value in env.items():
        line += ["--env", f"{variable}={value}" if _steers_tool(variable) else variable]
    for variable in secret_names:
        if _steers_tool(variable):
            raise Refusal(
                reasons.SECRET_UNUSABLE,
                f"a Secret cannot become {variable} in a container here: it would steer {tool.path} itself",
            )
        line += ["--env", variable]
    if document.get("workingDir"):
        line += ["--workdir", str(document["workingDir"])]
    if run["image"].startswith("-"):
        raise Refusal(
            reasons.IMAGE_PULL_FAILED,
            f"image {run['image']!r} is no image name; it would be an option of {tool.path}",
        )
    command = [*(run.get("command") or ())]
    if command:
        line += ["--entrypoint", command[0]]
    line += [run["image"], *command[1:], *(run.get("args") or ())]
    return {
        **{field: value for field, value in document.items() if field != "workingDir"},
        "run": {"image": run["image"], "command": line, "cleanup": removal(tool, name)},
        "env": {variable: value for variable, value in env.items() if not _steers_tool(variable)},
    }


def removal(tool: Tool, name: str) -> list[str]:
    """The command that ends and removes a container, if there is one."""
    return [tool.path, "rm", "--force", name]


def remove(tool: Tool, name: str) -> str:
    """End and remove a container; half a sentence that says why it could not be done, empty if there is none any more."""
    try:
        answer = subprocess.run(
            removal(tool, name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_REMOVED_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = answer.stderr.decode("utf-8", "replace").strip()
    if answer.returncode == 0 or "no such container" in said.lower():
        return ""
    return said[-200:] or f"exit code {answer.returncode}"


def _steers_tool(variable: str) -> bool:
    return variable in _TOOLS_OWN or variable.startswith(_TOOLS_OWN_PREFIXES)
