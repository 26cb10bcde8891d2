"""Where the store lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def default_store_path(env: Mapping[str, str]) -> Path:
    """`$FAIRLEAD_STORE`, else `fairlead/store.db` in the state folder of the XDG base directories.

    A relative `$XDG_STATE_HOME` is passed over, as its specification demands.
    """
    if env.get("FAIRLEAD_STORE"):
        return Path(env["FAIRLEAD_STORE"]).expanduser()
    state = Path(env.get("XDG_STATE_HOME") or "")
    if not state.is_absolute():
        state = (Path(env["HOME"]) if env.get("HOME") else Path.home()) / ".local" / "state"
    return state / "fairlead" / "store.db"


def folder_of(store: Path) -> Path:
    """The folder beside a store, for locks and for the files of its executions."""
    return store.with_name(store.name + ".d")
