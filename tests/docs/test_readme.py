"""What README says works: its manifests and its commands are run, in order, in a folder like the reader's."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.local


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for kind, text in BLOCK.findall(README) if kind == language]


def test_every_manifest_names_its_file():
    """A yaml block opens with the name under which the commands use it."""
    assert blocks("yaml")
    assert all(re.match(r"# [\w-]+\.yaml\n", text) for text in blocks("yaml"))


def test_the_commands_of_the_readme_work(tmp_path):
    """Every `$ fairlead …` line exits with 0 where README puts the reader."""
    for text in blocks("yaml"):
        name = text.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {
        **os.environ,
        "FAIRLEAD_STORE": str(tmp_path / "store.db"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    commands = [line.removeprefix("$ ") for text in blocks("console") for line in text.splitlines()]
    assert len(commands) >= 8
    for command in commands:
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_the_two_commands_are_targets_of_the_makefile():
    """`make demo` and `make test` exist."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in blocks("sh")[0].splitlines():
        target = line.split()[1]

        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_link_leads_somewhere():
    """Relative links name files that are there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
