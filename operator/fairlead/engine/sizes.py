"""How large values are, and what of them a run has not stored yet (semantics 37).

    outputs of a node      1 MiB      OutputTooLarge; a container's are collected from its bodies' and may be more
    given to a pod         1 MiB      InputTooLarge
    stored by a run      256 MiB      StorageFull

Rules of this file
- Only what is large counts as stored: it stands once in a blob (`model.large`), however many events refer to it. What counted
  before is known by its identity; a process that has taken the run over may count a value a second time.
- What was counted is in the event (`stored`), so that the fold knows it without measuring anything.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from fairlead.model import events as e
from fairlead.model import reasons
from fairlead.model.large import KNOWN, LARGE

MIB = 1024 * 1024
OUTPUTS_MOST = MIB
INPUTS_MOST = MIB
STORED_MOST = 256 * MIB

_encode = msgspec.json.Encoder().encode


class TooLarge(Exception):
    """A value that cannot be taken in; `error` is the failure of its node."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.error = e.Error(reason=reason, message=message)


class Sizes:
    """Measures the values of one run; `known` are the large ones that were counted of late."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def outputs(self, outputs: dict[str, Any], variables: dict[str, Any], stored: int) -> int:
        """What the end of a node adds to the `stored` bytes of the run. Raises TooLarge."""
        size = len(_encode(outputs)) if outputs else 0
        if size > OUTPUTS_MOST:
            raise TooLarge(
                reasons.OUTPUT_TOO_LARGE,
                f"the outputs are {size} bytes of JSON; at most {OUTPUTS_MOST} are kept",
            )
        added = self._fresh(outputs) if size > LARGE else 0
        if variables and len(_encode(variables)) > LARGE:
            added += self._fresh(variables)
        return _room_for(added, stored)

    def inputs(self, values: dict[str, Any], stored: int) -> int:
        """What the values of a pod node add. Raises TooLarge."""
        size = len(_encode(values))
        if size > INPUTS_MOST:
            raise TooLarge(
                reasons.INPUT_TOO_LARGE,
                f"what the node is given is {size} bytes of JSON; at most {INPUTS_MOST} are",
            )
        return _room_for(self._fresh(values), stored) if size > LARGE else 0

    def items(self, values: Any, stored: int) -> int:
        """What the items or the outputs of a body add. Raises TooLarge."""
        return _room_for(self._fresh(values), stored) if values and len(_encode(values)) > LARGE else 0

    def _fresh(self, value: Any) -> int:
        """The bytes of a large value that were not counted yet."""
        kind = type(value)
        if kind is not dict and kind is not list:
            return len(value) if kind is str and len(value) > LARGE else 0
        known = self._known.get(id(value))
        if known is not None and known[0] is value:
            return 0
        size = len(_encode(value))
        if size <= LARGE:
            return 0
        own, inside = size, 0
        for part in value.values() if kind is dict else value:
            if type(part) in (dict, list):
                inner = len(_encode(part))
                if inner > LARGE:
                    own -= inner
                    inside += self._fresh(part)
        if own > LARGE:  # what only holds large values is no blob itself
            self._remember(value, size)
        return own + inside

    def _remember(self, value: Any, size: int) -> None:
        if size > KNOWN:
            return
        self._known[id(value)] = (value, size)
        self._bytes += size
        while self._bytes > KNOWN:
            self._bytes -= self._known.popitem(last=False)[1][1]


def _room_for(added: int, stored: int) -> int:
    if added and stored + added > STORED_MOST:
        raise TooLarge(
            reasons.STORAGE_FULL,
            f"the run has stored {stored} bytes of large values and this would be {added} more; at most {STORED_MOST} are kept",
        )
    return added
