"""Where the executions are that this process looks after: the ports know them by uid alone."""

from __future__ import annotations

from fairlead.kube.names import Place
from fairlead.model.errors import Bug


class Places:
    """Namespace, name and uid of each execution, told at intake and forgotten when it is gone."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def __contains__(self, uid: str) -> bool:
        return uid in self._places

    def tell(self, uid: str, place: Place) -> None:
        """From now on this is where it is."""
        self._places[uid] = place

    def forget(self, uid: str) -> None:
        """It is gone; unknown is fine."""
        self._places.pop(uid, None)

    def of(self, uid: str) -> Place:
        """Where it is. Raises Bug for an execution that was never told of."""
        try:
            return self._places[uid]
        except KeyError:
            raise Bug(
                f"the execution {uid!r} is not known here; expected its place to be told first"
            ) from None
