"""The real command line in tests: the installed console script, in a folder and with a store of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

PROGRAM = Path(sys.executable).with_name("fairlead")
LONGEST = 50.0
"""Seconds that a command may take in a test."""


class Cli:
    """Runs `fairlead` in `folder`, with `folder/store.db` as the usual store, and no kube context unless a test sets one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store.db"
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}},
            "FAIRLEAD_STORE": str(self.store),
            "KUBECONFIG": str(folder / "no-kubeconfig"),
            "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",
        }

    def __call__(
        self, *arguments: str | Path, stdin: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env={**self.env, **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )

    def ok(self, *arguments: str | Path, **env: str) -> str:
        """Run a command that has to succeed; its stdout."""
        done = self(*arguments, **env)
        assert done.returncode == 0, f"{arguments} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that has to succeed with -o json; its document."""
        return json.loads(self.ok(*arguments, "-o", "json"))

    @contextmanager
    def started(self, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on beside the test, and is killed at its end."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def workflow(
        self, *nodes: dict[str, Any], file: str = "flow.yaml", name: str = "flow", **spec: Any
    ) -> Path:
        """Write a Workflow; its file."""
        return self.write(file, manifest("Workflow", name, {"nodes": list(nodes), **spec}))

    def write(self, file: str, *documents: Any) -> Path:
        """Write a file of YAML documents, or of one text."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = [doc if isinstance(doc, str) else yaml.safe_dump(doc, sort_keys=False) for doc in documents]
        path.write_text("---\n".join(text), encoding="utf-8")
        return path

    def types(self, name: str, *filters: str) -> list[str]:
        """The types of the events of an execution."""
        return [event["type"] for event in self.json("events", name, *filters)]

    def phase(self, name: str) -> str:
        """The phase of an execution; empty if there is none of that name yet."""
        done = self("get", name, "-o", "json")
        return str(json.loads(done.stdout)["status"]["phase"]) if done.returncode == 0 else ""


def manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """An object of ours."""
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def sh(name: str, script: str = "true", **fields: Any) -> dict[str, Any]:
    """A node that runs a script."""
    return {"name": name, "run": {"sh": script}, **fields}


def gate(name: str, file: Path, **fields: Any) -> dict[str, Any]:
    """A node that ends when a file is there; it writes its pid into `<file>.pid` before."""
    script = f'echo $$ > "{file}.pid"; while [ ! -e "{file}" ]; do sleep 0.02; done'
    return sh(name, script, **fields)
