"""Writes the generated parts of a folder of documentation: `python -m fairlead.apps.docs docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from fairlead.apps.docs.pages import generated


def write(folder: Path) -> list[Path]:
    """Writes what differs and returns it."""
    written: list[Path] = []
    for path, text in generated(folder).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m fairlead.apps.docs FOLDER")
    for file in write(Path(sys.argv[1])):
        print(file)
