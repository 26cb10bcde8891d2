"""Turns an attempt into what is started: document, environment, folders, Secrets, a container around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fairlead.local.subprocesses import containers, secrets
from fairlead.local.subprocesses.attempts import Attempt
from fairlead.local.subprocesses.output import Output
from fairlead.local.subprocesses.output_log import OutputLog
from fairlead.local.subprocesses.places import containers_folder, output_path, scratch_folder, scratch_path
from fairlead.local.subprocesses.process import CHANNEL, runner_command
from fairlead.local.subprocesses.secret_files import SecretFiles
from fairlead.local.subprocesses.secrets import Mask

BASE_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR")
"""All that a node gets of our own environment (cli.md)."""


class Container(NamedTuple):
    """What has to be known to remove an attempt's container; `marker` tells it to a later process."""

    tool: containers.Tool
    name: str
    marker: Path


class Prepared(NamedTuple):
    """All that an attempt starts with, and what is to be taken away after it."""

    command: list[str]
    document: dict[str, Any]
    env: dict[str, str]
    output: Output
    scratch: Path
    unlink: Callable[[], None]
    container: Container | None


class Preparation:
    """What is the same for all attempts of this process."""

    def __init__(
        self, workspace: Path, environ: Mapping[str, str], *, host_commands: bool, clock: Callable[[], int]
    ) -> None:
        self._workspace = workspace
        self._environ = environ
        self._host_commands = host_commands
        self._clock = clock
        self._base = {name: environ[name] for name in BASE_ENVIRONMENT if name in environ}
        self._command = runner_command()
        self._secret_files = SecretFiles(workspace, environ)
        self._folders: set[str] = set()

    def needs_tool(self, attempt: Attempt) -> bool:
        """Is it a node with an image that runs in a container?"""
        return "image" in attempt.document.get("run", {}) and not self._host_commands

    def prepare(self, attempt: Attempt, tool: containers.Tool | None) -> Prepared:
        """Raises Refusal where the attempt cannot start."""
        uid, key = attempt.uid, attempt.key
        secret_env = secrets.environment(attempt.secrets.get("envFrom") or (), self._environ)
        files = attempt.secrets.get("files") or ()
        scratch = scratch_path(self._workspace, uid, key)
        document = {**attempt.document, "grace": attempt.grace}
        env = {**self._base, **self._settings(attempt.document), **secret_env}
        container: Container | None = None
        links: list[str] = []
        folders: list[str] = []
        if tool is not None:
            folders = [str(self._secret_files.folder(file["secret"], anyone=True)) for file in files]
            mounts = list(zip(folders, (file["path"] for file in files), strict=True))
            document = containers.wrap(tool, key, document, str(scratch), secret_env, mounts)
            env = {**env, **containers.environment(self._environ)}
            container = self._announce(tool, attempt)
        elif files:
            links = self._secret_files.link(files)
            folders = [file["path"] for file in files]
        env |= {
            "FAIRLEAD_SCRATCH": str(scratch),
            "FAIRLEAD_RESULT_FD": str(CHANNEL),
            "FAIRLEAD_CONTROL_FD": str(CHANNEL),
            "FAIRLEAD_EXECUTION_UID": uid,
            "FAIRLEAD_ATTEMPT_KEY": key,
        }
        if secret_env or folders:
            env["FAIRLEAD_HIDDEN"] = json.dumps({"env": [*secret_env], "files": folders})
        self._make_folder(uid)
        hidden = [*secret_env.values()]
        for file in files:
            hidden += secrets.contents(file["secret"], self._environ).values()
        output = Output(OutputLog(output_path(self._workspace, uid, key)), Mask(hidden), self._clock)
        return Prepared(
            self._command, document, env, output, scratch, lambda: self._secret_files.unlink(links), container
        )

    def _settings(self, document: Mapping[str, Any]) -> dict[str, str]:
        """What the install says of requests, and how a cluster is reached, for the nodes that ask."""
        if "http" in document:
            return {name: text for name, text in self._environ.items() if name.startswith("FAIRLEAD_HTTP_")}
        if "resource" in document and "KUBECONFIG" in self._environ:
            return {"KUBECONFIG": self._environ["KUBECONFIG"]}
        return {}

    def forget(self, uid: str) -> None:
        """The folders of an execution are removed by somebody else."""
        self._folders.discard(uid)

    def close(self) -> None:
        """Take away what belongs to this process alone."""
        self._secret_files.close()

    def _make_folder(self, uid: str) -> None:
        if uid not in self._folders:
            scratch_folder(self._workspace, uid).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folders.add(uid)

    def _announce(self, tool: containers.Tool, attempt: Attempt) -> Container:
        """Write down that there will be a container, before there is one."""
        name = containers.name_of(attempt.key)
        marker = containers_folder(self._workspace, attempt.uid) / name
        marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker.write_text(tool.path)
        return Container(tool, name, marker)
