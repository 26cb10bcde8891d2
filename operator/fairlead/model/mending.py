"""Makes the best of a manifest that is wrong somewhere, so that the rest can be checked.

Rules:
- A misspelt field is renamed to the one it probably means; an unknown one is taken out.
- A bad value is taken out; where it was needed, what it stands in is taken out, up to something that may be
  absent.
- A node always stays a node, with its name and its kind: otherwise every connection to it would be an error
  too. Where its kind's field cannot be kept, the smallest value of that kind stands in.
- `news` tells whether a later problem is one of the author's or an echo of what was taken out here, and
  translates its path back.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fairlead.model.documents import Path
from fairlead.model.manifests.metadata import API_VERSION
from fairlead.model.manifests.nodes import NODE_KINDS
from fairlead.model.wording import Problem

_STUB_BODY = [{"name": "stub", "set": {}}]
_STUBS: dict[str, Any] = {
    "run": {"sh": ":"},
    "http": {"url": "http://stub"},
    "notify": {"secret": "stub", "body": "stub"},
    "resource": {"manifest": {}},
    "set": {},
    "log": {"message": ""},
    "if": "true",
    "switch": {"cases": [{"name": "stub", "when": "true"}]},
    "while": {"condition": "true", "nodes": _STUB_BODY},
    "forEach": {"items": [], "nodes": _STUB_BODY},
    "parallel": {"branches": [{"name": "stub", "nodes": _STUB_BODY}]},
    "wait": {"for": "1s"},
    "approval": {"roles": ["stub"]},
    "emit": {"type": "stub"},
    "workflow": {"name": "stub"},
    "finish": {"result": "stub"},
}


class Mender:
    """Mends a copy of a manifest's data in place, round by round."""

    def __init__(self, data: Any, cls: type[Any] | None) -> None:
        self.data = data
        self.cls = cls
        self.cut: set[Path] = set()  # paths of the original that were taken out or stubbed
        self.owners: set[Path] = set()  # of what was cut
        self.renamed: dict[Path, str] = {}  # path with the new name -> the old name
        self.misspelt: set[Path] = set()  # paths of the original that were renamed
        self.origins: dict[int, list[int]] = {}  # id of a list -> original indexes of what is left in it

    def mend(self, problems: list[Problem]) -> bool:
        """One round over the problems of the data as it is; False if nothing can be done."""
        if self.cls is None or not isinstance(self.data, dict):
            return False
        # From the end, so that taking out an item leaves the paths of those before it as they are.
        for problem in sorted(problems, key=lambda item: [_order(step) for step in item.path], reverse=True):
            self._mend_one(problem)
        return bool(problems)

    def news(self, problem: Problem) -> Problem | None:
        """The problem with its path in the original, or None if it is an echo."""
        path = self.original(problem.path)
        if path in self.misspelt:
            return None
        if problem.reason == "UnknownField":
            return dataclasses.replace(problem, path=path)
        if any(path[:end] in self.cut for end in range(1, len(path) + 1)):
            return None
        if problem.reason != "KindWanted" and path in self.owners:
            return None
        return dataclasses.replace(problem, path=path)

    def original(self, path: Path) -> Path:
        """The path in the original of a path in the mended data."""
        steps: list[str | int] = []
        here: Any = self.data
        for step in path:
            if isinstance(step, int) and isinstance(here, list):
                origin = self.origins.get(id(here))
                steps.append(origin[step] if origin is not None and step < len(origin) else step)
                here = here[step] if step < len(here) else None
            else:
                here = here.get(step) if isinstance(here, dict) else None
                steps.append(self._old_name((*steps, step)))
        return tuple(steps)

    def _cut(self, path: Path) -> None:
        """Notes that what stands at a path was taken out; the path is one of the data as it is."""
        original = self.original(path)
        self.cut.add(original)
        self.owners.update(original[:end] for end in range(1, len(original)))

    def doubtful(self) -> frozenset[Path]:
        """The places of the original that were changed."""
        return frozenset(self.cut | self.misspelt)

    def _old_name(self, path: Path) -> str | int:
        return self.renamed.get(path, path[-1])

    def _mend_one(self, problem: Problem) -> None:
        if problem.reason == "UnknownField":
            self._unknown(problem)
        elif problem.path in (("apiVersion",), ("kind",)):
            # The type is known here, so the kind is right by now.
            self.data["apiVersion"] = API_VERSION
            self._cut(problem.path)
        elif problem.reason == "BadName":
            # Names pass unchecked from here on; a name of the wrong type is a WrongType.
            self._cut(problem.path)
        elif problem.fields:
            self._choose(problem)
        elif problem.reason == "TooDeep":
            # The body's owner becomes a node without one; another small body would be too deep again.
            ends = (
                path for end in range(len(problem.path)) if _is_node(path := problem.path[: -end or None])
            )
            self._take_out(next(ends, problem.path))
        else:
            self._take_out(problem.path)

    def _unknown(self, problem: Problem) -> None:
        owner = self._at(problem.path[:-1])
        name = problem.path[-1]
        if not isinstance(owner, dict) or name not in owner:
            return
        if problem.nearest and problem.nearest not in owner:
            path = self.original(problem.path)
            self.misspelt.add(path)
            self.renamed[(*path[:-1], problem.nearest)] = str(name)
            owner[problem.nearest] = owner.pop(name)
        else:
            self._cut(problem.path)
            del owner[name]

    def _choose(self, problem: Problem) -> None:
        """Exactly one field is wanted: keeps the first of several, stubs a node, else takes the owner out."""
        owner = self._at(problem.path)
        if not isinstance(owner, dict):
            return
        given = [name for name in problem.fields if owner.get(name) is not None]
        if given:
            for name in given[1:]:
                self._cut((*problem.path, name))
                del owner[name]
        elif problem.fields == NODE_KINDS:
            owner["set"] = {}
            self._cut((*problem.path, "set"))
        else:
            self._take_out(problem.path)

    def _take_out(self, path: Path) -> None:
        if not path:
            return
        if path == ("metadata",):
            self._cut(path)
            self.data["metadata"] = {"name": "unnamed"}
            return
        owner, step = self._at(path[:-1]), path[-1]
        if not isinstance(owner, (dict, list)):
            return  # taken out already
        self._cut(path)
        if path[-1] == "nodes" and isinstance(owner, dict):
            owner["nodes"] = _copy(_STUB_BODY)
        elif _is_node(path):
            node = self._at(path)
            name = node.get("name") if isinstance(node, dict) else None
            nodes: Any = owner
            nodes[step] = {"name": name if isinstance(name, str) else f"unnamed-{step}", "set": {}}
        elif _is_node(path[:-1]) and step in NODE_KINDS and isinstance(owner, dict):
            owner[step] = _copy(_STUBS[str(step)])
        elif _is_node(path[:-1]) and step == "name" and isinstance(owner, dict):
            owner["name"] = f"unnamed-{path[-2]}"
        elif isinstance(owner, dict) and step in owner:
            del owner[step]
        elif isinstance(owner, list) and isinstance(step, int) and step < len(owner):
            origin = self.origins.setdefault(id(owner), list(range(len(owner))))
            del owner[step], origin[step]
        else:
            # It is missing, and needed: without it its owner cannot stand.
            self._take_out(path[:-1])

    def _at(self, path: Path) -> Any:
        here = self.data
        for step in path:
            if isinstance(here, dict):
                here = here.get(step)
            elif isinstance(here, list) and isinstance(step, int) and step < len(here):
                here = here[step]
            else:
                return None
        return here


def _is_node(path: Path) -> bool:
    return len(path) >= 2 and isinstance(path[-1], int) and path[-2] in ("nodes", "finally")


def _order(step: str | int) -> tuple[int, str]:
    return (step, "") if isinstance(step, int) else (0, step)


def _copy(stub: Any) -> Any:
    if isinstance(stub, dict):
        return {key: _copy(value) for key, value in stub.items()}
    return [_copy(item) for item in stub] if isinstance(stub, list) else stub
