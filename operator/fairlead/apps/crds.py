"""Writes the generated CRDs to a folder: `python -m fairlead.apps.crds crds`."""

from __future__ import annotations

from pathlib import Path

from fairlead.apps.writing import write_into_a_folder
from fairlead.model.crds import crd_text, crds


def write_crds(folder: Path) -> list[Path]:
    """Writes one file per kind and returns them; other files of the folder stay."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, crd in crds().items():
        path = folder / name
        path.write_text(crd_text(crd), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write_into_a_folder("python -m fairlead.apps.crds", write_crds)
