"""Writes the generated parts of a folder of documentation: `python -m fairlead.apps.docs docs`."""

from __future__ import annotations

from pathlib import Path

from fairlead.apps.docs.pages import generated
from fairlead.apps.writing import write_into_a_folder


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
    write_into_a_folder("python -m fairlead.apps.docs", write)
