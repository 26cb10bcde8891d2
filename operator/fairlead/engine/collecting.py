"""What containers gave, for readers of a log: their NodeCompleted leaves that to the BodyEnded of their bodies.

Rules of this file
- It follows the reader's forms of one log from its start, and keeps no more than the outputs of the containers that have not
  ended: no definition, no state.
- What it adds is not in the log: `derived.event_of` takes it away again.
"""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]


class _Bodies:
    """What the bodies of one container have given so far; `lost` of the `failed` run again if the container goes on."""

    __slots__ = ("failed", "lost", "opened", "results")

    def __init__(self) -> None:
        self.results: dict[str, Json] = {}
        self.opened = self.failed = self.lost = 0


class Collecting:
    """Adds the outputs of a container to the form of its end, if they are at most `up_to` bytes of JSON."""

    def __init__(self, up_to: int) -> None:
        self._up_to = up_to
        self._at_work: dict[str, _Bodies] = {}  # by the id of the container

    def take(self, form: Json) -> Json:
        """The next form of the log, and what becomes of it."""
        match form["type"]:
            case "NodeStarted" if form.get("body"):
                self._started(form["node"], goes_on=form.get("goesOn", False))
            case "LoopStarted" if not form.get("loopback") and "items" not in form:
                self._at_work.pop(form["node"], None)  # a while gives its outputs itself
            case "InlineStarted":
                self._at_work.pop(form["node"], None)  # and so does an inlined workflow
            case "NodeRetrying" if form["node"] in self._at_work:
                self._at_work[form["node"]] = _Bodies()
            case "LoopIteration" | "BranchStarted" if form["node"] in self._at_work:
                self._at_work[form["node"]].opened += 1
            case "BodyEnded" if form["node"] in self._at_work:
                self._ended(form, self._at_work[form["node"]])
            case "NodeCompleted" if form["node"] in self._at_work:
                self._completed(form, self._at_work.pop(form["node"]))
        return form

    def _started(self, container: str, *, goes_on: bool) -> None:
        bodies = self._at_work.get(container) if goes_on else None
        if bodies is None:
            self._at_work[container] = _Bodies()
        else:
            bodies.failed -= bodies.lost
            bodies.lost = 0

    @staticmethod
    def _ended(form: Json, bodies: _Bodies) -> None:
        if "error" in form:
            bodies.failed += 1
            bodies.lost += not form.get("handled")
        else:
            bodies.results[form["scope"]] = form.get("outputs", {})

    def _completed(self, form: Json, bodies: _Bodies) -> None:
        branches = form.get("collected")
        container, outputs = form["node"], dict[str, Any]()
        if branches is None:
            return
        if branches:
            outputs = {name: bodies.results.get(f"{container}.{name}/") for name in branches}
        else:
            items = [bodies.results.get(f"{container}[{index}]/") for index in range(bodies.opened)]
            outputs = {"items": items, "failed": bodies.failed}
        if len(msgspec.json.encode(outputs)) <= self._up_to:
            form["outputs"] = outputs
