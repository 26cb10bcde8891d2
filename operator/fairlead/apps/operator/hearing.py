"""Whether we hear of Workflows and executions: Kopf shows them, and nothing else would notice that it does not.

A request of Kopf that fails is noted by its path until one of that path is answered; an end of Kopf until anything is.
"""

from __future__ import annotations

_ENDED = ""


class Hearing:
    """What of Kopf does not work at the moment."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}

    @property
    def deaf(self) -> str:
        """Why nothing new is heard of; empty if all is well, or nobody listens."""
        return "; ".join(self._failing.values())

    def answered(self, path: str, code: int) -> None:
        """A request of Kopf for a path was answered; `code` is below 100 if it was not."""
        if 200 <= code < 300:
            self._failing.pop(path, None)
            self._failing.pop(_ENDED, None)
        else:
            self._failing[path] = f"{path} gave {code}" if code >= 100 else f"{path} gave no answer"

    def ended(self, why: str) -> None:
        """Kopf has ended, which nobody asked for."""
        self._failing[_ENDED] = f"Kopf ended: {why}"

    def stopped(self) -> None:
        """Nobody listens any more, since we do not lead."""
        self._failing.clear()
