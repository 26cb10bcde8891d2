"""Runs that move to another home: which may, and what of their log is another there (protocol.md 19).

Rules of this file
- A run moves when nothing of it is at work: it has ended, or it is suspended and nothing that it started goes on. One that moves
  all the same (forced) may have work twice: what ran in the old home is reported lost in the new one, and delivered again.
- In the new home it has another uid, and whatever is named after the uid is named anew: pods, children, records. Only the birth
  in the log says the uid, and only the birth is written anew.
- Idempotency keys stay those of the uid that the run was born with (`origin`): an attempt after the move is the same work.
- A child that moves is a run of its own: nobody waits for it there. Its own children do not move along; a node that is run again
  starts a new one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.model.errors import InvalidInput
from fairlead.model.events import ExecutionCreated
from fairlead.model.state import State

_SHOWN = 3


def demand_movable(state: State) -> None:
    """Raises InvalidInput that says what is at work."""
    if state.ended:
        return
    if not state.suspended_at:
        raise InvalidInput(
            f"execution {state.name} is {state.phase or 'Pending'}; expected one that has ended or is suspended: "
            f"`fairlead suspend {state.name}` holds it, --force exports what there is",
            "StillAtWork",
        )
    busy = [*state.active, *state.children]
    if busy:
        few = ", ".join(state.instance(key) for key in busy[:_SHOWN])
        more = f" and {len(busy) - _SHOWN} more" if len(busy) > _SHOWN else ""
        raise InvalidInput(
            f"execution {state.name} is suspended, and {few}{more} still at work; expected them to end first, "
            "--force exports what there is",
            "StillAtWork",
        )


def born_anew(birth: ExecutionCreated, uid: str, name: str) -> ExecutionCreated:
    """The birth of a run, as the log in its new home has it."""
    return msgspec.structs.replace(birth, uid=uid, name=name, origin=birth.origin or birth.uid, parent=None)


def spec_for(spec: dict[str, Any], state: State, digest: str) -> dict[str, Any]:
    """The spec of a run in its new home: what it was; one that is suspended stays so until somebody resumes it there.

    `digest` is that of its log, up to the event that it is taken over from.
    """
    moved = {**spec, "from": {"execution": state.name, "seq": state.seq, "digest": digest}}
    if state.suspended_at:
        moved["suspend"] = True
    return moved
