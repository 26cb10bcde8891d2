"""Where things lie in the workspace: logs, private folders and containers, by execution and delivery."""

from __future__ import annotations

import hashlib
from pathlib import Path


def output_path(workspace: Path, uid: str, key: str) -> Path:
    """The log of one delivery (`key` as in Attempt), for `output_reading`."""
    return workspace / "logs" / folder_name(uid) / f"{_digest(key)}.log"


def scratch_folder(workspace: Path, uid: str) -> Path:
    """The folder of the private folders of an execution's attempts."""
    return workspace / "scratch" / folder_name(uid)


def scratch_path(workspace: Path, uid: str, key: str) -> Path:
    """The private folder of one delivery, which the runner makes and removes."""
    return scratch_folder(workspace, uid) / _digest(key)


def containers_folder(workspace: Path, uid: str) -> Path:
    """The folder that names the containers of an execution's attempts."""
    return workspace / "containers" / folder_name(uid)


def folder_name(uid: str) -> str:
    """The uid itself; a hash of one that could not be a folder."""
    return uid if uid and all(letter.isalnum() or letter in "-_" for letter in uid) else _digest(uid)


def _digest(text: str) -> str:
    """80 bits and more, as for all names (architecture.md)."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
