"""How the image of the operator begins: its entry point works with the packages that are put there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = ROOT / "operator" / "Containerfile"


def _begin(containerfile: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point with this interpreter."""
    found = re.findall(r"(?m)^ENTRYPOINT (.*)$", containerfile.read_text(encoding="utf-8"))
    python, *entry = json.loads(found[0])
    assert python == "python3"
    path = os.pathsep.join(str(ROOT / part) for part in ("operator", "runner_image"))
    return subprocess.run(
        [sys.executable, *entry, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [["--version"], ["operator", "--help"], ["release", "--help"]])
def test_the_image_of_the_operator_is_the_command_line(words: list[str]):
    """What the chart's containers say to it are commands of `fairlead`."""
    done = _begin(OPERATOR, *words)
    assert (done.returncode, done.stdout != "", done.stderr) == (0, True, "")
