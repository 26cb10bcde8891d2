"""Generated files are written by a program that is given their folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def write_into_a_folder(program: str, write: Callable[[Path], list[Path]]) -> None:
    """Write into the one folder of the command line, and print what was written; `program` is how it is called."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {program} FOLDER")
    for file in write(Path(sys.argv[1])):
        print(file)
