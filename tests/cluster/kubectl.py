"""kubectl of the pinned version, for tests and for what a cluster is set up with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster import binaries


def kubectl(kubeconfig: Path, *words: str, text: str | None = None) -> str:
    """Run kubectl; what it printed. Raises CalledProcessError with what it said as a note."""
    program = binaries.programs("kubectl")["kubectl"]
    done = subprocess.run(
        [str(program), "--kubeconfig", str(kubeconfig), *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stderr.strip())
        raise
    return done.stdout
