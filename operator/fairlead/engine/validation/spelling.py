"""Puts misspelt fields right, so that what stands in them is checked too.

The shape check has told of each; here the same name that it suggests is taken. Nothing else is changed: a field that means
nothing known stays, and nobody reads it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from fairlead.model.documents import Path
from fairlead.model.manifests.outline import fields, type_at
from fairlead.model.wording import nearest_name


def corrected(data: Any, cls: type[Any], doubtful: Iterable[Path]) -> tuple[Any, dict[Path, str]]:
    """The data with misspelt fields put right, and for each path that this made the name as it is written.

    `doubtful` are the paths at which the shape check changed something.
    """
    mended = data
    renamed: dict[Path, str] = {}
    for path in sorted(doubtful, key=len):
        if not path or not isinstance(path[-1], str):
            continue
        here = _translated(path[:-1], renamed)
        owner_type = type_at(cls, here)
        if owner_type is None or path[-1] in fields(owner_type):
            continue
        if mended is data:
            mended = copy.deepcopy(data)
        owner = _at(mended, here)
        near = nearest_name(path[-1], list(fields(owner_type)))
        if isinstance(owner, dict) and path[-1] in owner and near and near not in owner:
            owner[near] = owner.pop(path[-1])
            renamed[(*here, near)] = path[-1]
    return mended, renamed


def _translated(path: Path, renamed: dict[Path, str]) -> Path:
    """A path of the file as a path of the corrected data."""
    found: Path = ()
    for step in path:
        names = [new[-1] for new, old in renamed.items() if new[:-1] == found and old == step]
        found = (*found, names[0] if names else step)
    return found


def _at(data: Any, path: Path) -> Any:
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
